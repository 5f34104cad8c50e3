"""Imported graphs keep the contract of every forecaster, in both forms, whatever they yield."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from model_store.errors import SpecMismatch
from model_store.importing.examine import examined
from model_store.importing.wish import Examined, Vectors
from model_store.kinds.imported import build
from model_store.kinds.window import LOWEST_SCALE_UNITS
from replenishment.buckets import BucketWidth
from replenishment.forecaster import Forecaster
from replenishment.quantiles import QuantileGrid
from tests.contracts.forecaster_contract import LAWS, bucket_of, demand_history, stepped_through
from tests.model_store.foreign_graphs import CONTEXT, demand_step_model, step_model, window_model, window_wish, wish

EXAMPLE = Path(__file__).parents[2] / "examples" / "bring_your_own_model"
WINDOW_GRID = QuantileGrid((7, 14), (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99))


def examined_example(name: str) -> Examined:
    form = name.split("_", maxsplit=1)[0]
    vectors = msgspec.json.decode((EXAMPLE / f"{form}_vectors.json").read_bytes(), type=Vectors)
    raw = (EXAMPLE / f"{name}.onnx").read_bytes()
    if form == "step":
        return examined(raw, wish(vectors=vectors))
    return examined(raw, wish(grid=WINDOW_GRID, scale="mean", vectors=vectors))


FOUND: dict[str, Callable[[], Examined]] = {
    "step_on_features": lambda: examined(step_model().SerializeToString(), wish()),
    "step_on_demand": lambda: examined(demand_step_model().SerializeToString(), wish()),
    "window_in_means": lambda: examined(window_model(3, 3).SerializeToString(), window_wish()),
    "window_in_units": lambda: examined(window_model(3, 3, falls=True).SerializeToString(), window_wish(scale="none")),
    "step_of_pytorch": lambda: examined_example("step_dynamo"),
    "window_of_pytorch": lambda: examined_example("window_torchscript"),
}


@pytest.fixture(scope="module", params=FOUND)
def found(request: pytest.FixtureRequest) -> Examined:
    return FOUND[request.param]()


@pytest.fixture(scope="module")
def forecaster(found: Examined) -> Forecaster:
    return build("mine", found.spec, found.files)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_imported_graph_keeps_the_contract(forecaster: Forecaster, law: Callable[[Forecaster], None]) -> None:
    law(forecaster)


def test_graphs_of_pytorch_give_the_numbers_of_pytorch() -> None:
    for name in ("step_torchscript", "step_dynamo", "window_torchscript", "window_dynamo"):
        assert examined_example(name).figures["parity"] < 1e-5


def test_step_on_features_reads_those_of_its_bucket_width() -> None:
    weekly = BucketWidth(7 * 86_400)
    assert examined(step_model(20).SerializeToString(), wish(width=weekly)).spec.features is not None
    assert examined(demand_step_model().SerializeToString(), wish(width=weekly)).spec.features is None


def test_window_in_means_forecasts_multiples_of_the_mean_of_what_was_observed() -> None:
    found = examined(window_model(3, 3).SerializeToString(), window_wish())
    history = demand_history(1, CONTEXT + 9, 8)
    forecast = stepped_through(build("mine", found.spec, found.files), history)
    mean = np.maximum(history[-CONTEXT:].mean(axis=0), LOWEST_SCALE_UNITS)
    spread = np.arange(1, 4)[:, None] * np.linspace(0.5, 3, 3)
    wanted = np.where(history[-CONTEXT:].any(axis=0), mean, 0)[:, None, None] * spread
    np.testing.assert_allclose(forecast.quantiles, wanted, rtol=1e-5)


def test_bucket_that_could_not_be_sold_in_does_not_lower_a_window() -> None:
    found = examined(window_model(3, 3).SerializeToString(), window_wish())
    forecaster = build("mine", found.spec, found.files)
    five, none = np.full(4, 5, dtype=np.float32), np.zeros(4, dtype=np.float32)
    before = stepped_through(forecaster, np.tile(five, (6, 1)))
    after = forecaster.step(bucket_of(five, step=6, available_ratio=none), before.memory)
    np.testing.assert_allclose(after.quantiles, before.quantiles)
    assert (after.memory[:, -1] == 0).all()


def test_quantiles_that_cross_are_put_in_order_and_counted() -> None:
    found = examined(window_model(3, 3, falls=True).SerializeToString(), window_wish())
    assert found.figures["crossing_levels_share"] > 0.8
    assert found.figures["crossing_horizons_share"] > 0.8
    forecast = stepped_through(build("mine", found.spec, found.files), demand_history(2, 20, 8))
    assert (np.diff(forecast.quantiles, axis=1) >= 0).all()
    assert (np.diff(forecast.quantiles, axis=2) >= 0).all()


def test_window_of_another_length_than_its_spec_is_a_mismatch() -> None:
    found = examined(window_model(3, 3).SerializeToString(), window_wish())
    with pytest.raises(SpecMismatch, match="its graph reads"):
        build("mine", window_wish().spec(None, CONTEXT + 1), found.files)


def test_importing_a_graph_twice_gives_the_same_bytes() -> None:
    once, twice = (examined(step_model().SerializeToString(), wish()) for _ in range(2))
    assert once == twice
    assert Examined.from_json(once.to_json()) == once


@pytest.mark.parametrize(
    "graph", sorted(Path("examples/bring_your_own_model").glob("*.onnx")), ids=lambda one: one.name
)
def test_the_graphs_of_the_example_tell_nothing_of_the_machine_that_made_them(graph: Path) -> None:
    model = onnx.load(graph)
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info):
        assert not part.doc_string
        assert not part.metadata_props
