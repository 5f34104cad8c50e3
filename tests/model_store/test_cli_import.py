"""`model-store import`: from a file to a version that every other command takes; refused files leave all as it was."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import numpy_helper

from model_store import artifact
from model_store.artifact import FileDigest, Manifest
from model_store.cli.main import main
from model_store.errors import ModelStoreError
from model_store.versions import Versions
from tests.model_store.builders import moving_average_draft
from tests.model_store.foreign_graphs import step_model, window_model

EXAMPLE = Path(__file__).parents[2] / "examples" / "bring_your_own_model"


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "models")


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "mine.onnx"
    path.write_bytes(step_model().SerializeToString())
    return path


def ran(versions: Versions, command: str, *arguments: object) -> Result:
    place = "--store" if command == "evaluate" else "--models"
    return CliRunner().invoke(main, [command, *map(str, arguments), place, str(versions.root)])


def imported(versions: Versions, graph: Path, *more: object) -> str:
    result = ran(versions, "import", graph, "--kind-name", "mine", "--bucket", "1d", *more, "--json")
    assert result.exit_code == 0, result.stderr
    version: str = json.loads(result.stdout)["version"]
    return version


def test_imported_graph_is_listed_shown_verified_and_promoted_like_any_version(versions: Versions, graph: Path) -> None:
    version = imported(versions, graph, "--trained-until", "2011-10-08")
    assert version.startswith("mine-20111008-")
    assert version in ran(versions, "list").stdout
    shown = json.loads(ran(versions, "show", version, "--json").stdout)["manifest"]
    assert shown["created_by"]["imported_from"] == "mine.onnx"
    assert shown["metrics"]["crossing_levels_share"] == 0
    assert ran(versions, "verify", version).stdout == f"{version}  sound\n"
    assert ran(versions, "promote", version, "--why", "trial").exit_code == 0
    assert versions.champion() == version
    assert imported(versions, graph, "--trained-until", "2011-10-08") == version, "again is the same version"


def test_graph_of_pytorch_becomes_a_version_with_parity_on_its_vectors(versions: Versions) -> None:
    vectors = EXAMPLE / "step_vectors.json"
    arguments = [EXAMPLE / "step_dynamo.onnx", "--kind-name", "torch_step", "--bucket", "1d", "--vectors", vectors]
    result = ran(versions, "import", *arguments)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0].startswith("step on features, 14 horizons, 11 levels, context of 112 buckets")
    assert "parity on the vectors" in result.stdout
    assert result.stdout.splitlines()[-1].endswith("published, not promoted")
    assert versions.only_of("torch_step") is not None


def test_dry_run_examines_and_stores_nothing(versions: Versions, tmp_path: Path) -> None:
    path = tmp_path / "window.onnx"
    path.write_bytes(window_model(2, 3, falls=True).SerializeToString())
    arguments = ["--kind-name", "mine", "--bucket", "1w", "--levels", ".5,.9,.99", "--horizons", "1,4", "--dry-run"]
    result = ran(versions, "import", path, *arguments)
    assert result.exit_code == 0, result.stderr
    assert "crossed between levels" in result.stdout
    assert "put in order when it serves" in result.stdout
    assert "nothing was stored" in result.stdout
    assert not versions.root.exists()


def test_imported_model_is_evaluated_by_its_name_beside_others(versions: Versions, tmp_path: Path) -> None:
    path, orders = tmp_path / "window.onnx", tmp_path / "orders.csv"
    path.write_bytes(window_model(2, 3).SerializeToString())
    version = imported(
        versions,
        path,
        "--levels",
        ".5,.9,.99",
        "--horizons",
        "7,14",
        "--scale",
        "mean",
        "--trained-until",
        "2010-01-01",
    )
    lines = [
        f"sku-{key},{units},{np.datetime64('2011-01-01') + day}"
        for key in range(10)
        for day, units in enumerate(np.random.default_rng(1).poisson(3, 120).tolist())
        if units
    ]
    orders.write_text("\n".join(["sku,quantity,event_time", *lines]) + "\n")
    found = ran(versions, "evaluate", "--orders", orders, "--models", f"mine,{version},moving_average", "--json")
    assert found.exit_code == 0, found.stderr
    models = json.loads(found.stdout)["models"]
    assert list(models) == ["mine", version, "moving_average"]
    assert models["mine"] == models[version]
    imported(versions, path, "--levels", ".5,.9,.99", "--horizons", "7,14")
    twice = ran(versions, "evaluate", "--orders", orders, "--models", "mine")
    assert twice.exit_code == 1
    assert "there are 2 versions of mine" in twice.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--kind-name", "lstm"], "lstm is the name of one of the program's own models"),
        (["--kind-name", "Mine!"], "must be a lower-case name"),
        (["--levels", ".5,x"], "'.5,x' is no list of levels"),
        (["--levels", ".9,.5"], "rising levels"),
        (["--horizons", "7,14,30"], "for 3 horizons and 11 levels"),
        (["--input", "features"], "no pair such as features=x"),
        (["--form", "window"], "A step has features, state"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_stored(
    versions: Versions, graph: Path, arguments: list[str], reason: str
) -> None:
    given = ["--kind-name", "mine", "--bucket", "1d", *arguments]
    result = ran(versions, "import", graph, *given)
    assert result.exit_code in (1, 2)
    assert reason in result.stderr
    assert not versions.root.exists()


def nan_weights(version: Path) -> None:
    model = onnx.load(version / "graph.onnx")
    tensor = model.graph.initializer[-1]
    tensor.CopyFrom(numpy_helper.from_array(np.full(tensor.dims, np.nan, np.float32), tensor.name))
    (version / "graph.onnx").write_bytes(model.SerializeToString())


def unknown_operator(version: Path) -> None:
    model = onnx.load(version / "graph.onnx")
    model.graph.node[0].op_type = "Loop"
    (version / "graph.onnx").write_bytes(model.SerializeToString())


def not_a_form(version: Path) -> None:
    (version / "form.json").write_text('{"form":"pickle"}')


def other_form(version: Path) -> None:
    (version / "form.json").write_text('{"form":"window"}')


def with_digests(spoil: Callable[[Path], None]) -> Callable[[Path], None]:
    """Spoil a version and write its manifest anew, as somebody would who can write into the store."""

    def spoilt(version: Path) -> None:
        spoil(version)
        manifest = msgspec.json.decode((version / "manifest.json").read_bytes(), type=Manifest)
        files = {name: FileDigest.of((version / name).read_bytes()) for name in manifest.files}
        changed = msgspec.structs.replace(manifest, files=files)
        raw = msgspec.json.format(msgspec.json.encode(changed), indent=2) + b"\n"
        (version / "manifest.json").write_bytes(raw)

    spoilt.__name__ = spoil.__name__
    return spoilt


def link(version: Path) -> None:
    shutil.move(version / "graph.onnx", version.parent / "elsewhere")
    (version / "graph.onnx").symlink_to(version.parent / "elsewhere")


def hard_link(version: Path) -> None:
    os.link(version / "graph.onnx", version.parent / "elsewhere")


def extra_file(version: Path) -> None:
    (version / "weights.pkl").write_bytes(b"\x80\x04.")


def missing_form(version: Path) -> None:
    (version / "form.json").unlink()


def cut_short(version: Path) -> None:
    raw = (version / "graph.onnx").read_bytes()
    (version / "graph.onnx").write_bytes(raw[: len(raw) // 2])


SPOILT: dict[Callable[[Path], None], str] = {
    link: "is a link",
    hard_link: "is hard-linked",
    extra_file: "'weights.pkl': no file of a version",
    missing_form: "holds",
    cut_short: "bytes and sha256",
    with_digests(cut_short): "not a serialised ONNX model",
    with_digests(nan_weights): "hold NaN or infinity",
    with_digests(unknown_operator): "operator Loop is not accepted",
    with_digests(not_a_form): "form.json of version",
    with_digests(other_form): "its graph reads",
}


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_spoilt_import_is_refused_and_the_champion_stays(
    versions: Versions, graph: Path, spoil: Callable[[Path], None]
) -> None:
    champion = versions.publish(moving_average_draft())
    versions.promote(champion, who="ana", why="first", at=1)
    version = imported(versions, graph)
    spoil(versions.root / version)
    with pytest.raises(ModelStoreError, match=SPOILT[spoil]):
        artifact.load(versions.root / version)
    assert ran(versions, "promote", version, "--why", "trial").exit_code == 1
    assert versions.champion() == champion
