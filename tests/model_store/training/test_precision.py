"""Mixed precision: nearly the same net, served in float32, and no trace in the nets fitted afterwards."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from model_store.cli.main import main
from model_store.spec import default_features
from model_store.training.dataset import Sequences, sequences
from model_store.training.nets import Net
from tests.model_store.training.builders import DAY, SILENT, steady
from tests.model_store.training.conftest import TINY_GRID

SPEC = default_features(DAY, (5,))


@pytest.fixture(scope="module")
def shown() -> Sequences:
    return sequences(steady(), SPEC, TINY_GRID, 0)


@pytest.mark.parametrize(
    "net", [Net("lstm", (8,), 8), Net("cnn", (8, 8), 8), Net("mlp", (8,), 8)], ids=lambda net: net.core
)
def test_net_fitted_in_mixed_precision_learns_alike_and_is_exported_in_float32(shown: Sequences, net: Net) -> None:
    from model_store.training.backend import keras
    from model_store.training.export import net_graph, parity
    from model_store.training.fit import Schedule, fit
    from model_store.training.graph_writer import Member

    plain, mixed = (
        fit(
            shown,
            SPEC,
            Schedule(8),
            0,
            clock=lambda: 0.0,
            stage=SILENT.stage("fitting"),
            net=net,
            precision=precision,
        )
        for precision in ("float32", "mixed_bfloat16")
    )
    assert keras.config.dtype_policy().name == "float32"
    assert mixed.loss == pytest.approx(plain.loss, rel=0.05)
    assert {array.dtype for array in mixed.arrays.values()} == {np.dtype(np.float32)}
    assert any((mixed.arrays[weight] != plain.arrays[weight]).any() for weight in plain.arrays)
    graph = net_graph([Member(net, mixed.arrays, shown.standardisation)], SPEC, TINY_GRID)
    assert parity(graph, mixed, shown.standardisation, SPEC, 0) < 1e-4


def test_layers_and_units_and_precision_are_options_of_training(tmp_path: Path) -> None:
    lines = [
        f"sku-{key},{1 + (key + day) % 4},{np.datetime64('2011-01-01') + day}" for key in range(40) for day in range(90)
    ]
    orders = tmp_path / "orders.csv"
    orders.write_text("\n".join(["sku,quantity,event_time", *lines]) + "\n")
    given = ["train", "--orders", str(orders), "--models", str(tmp_path / "models"), "--epochs", "1", "--json"]
    sizes = ["--layers", "2", "--units", "8", "--precision", "mixed_bfloat16"]
    done = CliRunner().invoke(main, [*given, *sizes])
    assert done.exit_code == 0, done.stderr
    version = json.loads(done.stdout)["version"]
    shown = CliRunner().invoke(main, ["list", "--models", str(tmp_path / "models")])
    assert version in shown.stdout
    half = CliRunner().invoke(main, [*given, "--layers", "2"])
    assert half.exit_code == 2
    assert "--layers and --units go together" in half.stderr
    other = CliRunner().invoke(main, [*given, "--kind", "tsb", "--layers", "2", "--units", "8"])
    assert other.exit_code == 2
    assert "'tsb_2x8' cannot be trained" in other.stderr
