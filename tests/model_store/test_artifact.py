"""One version directory: what is written is read, and every tampering is refused by name."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from model_store import artifact, self_test
from model_store.artifact import Draft
from model_store.errors import ArtifactCorrupt, ModelStoreError, PublishRefused, SpecMismatch, VersionNotFound
from model_store.kinds.moving_average import fallback
from replenishment.arrays import Float32s
from replenishment.buckets import BucketWidth
from replenishment.forecaster import ClosedBucket, Forecast
from tests.contracts.forecaster_contract import demand_history, stepped_through
from tests.model_store.builders import DAY, lstm_draft, lstm_spec, moving_average_draft
from tests.model_store.graphs import lstm_bytes


def written(directory: Path, draft: Draft) -> str:
    directory.mkdir()
    return artifact.write(directory, draft)


@pytest.fixture
def version(tmp_path: Path) -> Path:
    written(tmp_path / "version", lstm_draft())
    return tmp_path / "version"


def test_version_forecasts_as_its_draft_did(tmp_path: Path) -> None:
    history = demand_history(1, 20, 30)
    for name, draft in {"a": lstm_draft(), "b": moving_average_draft()}.items():
        written(tmp_path / name, draft)
        served = stepped_through(artifact.load(tmp_path / name), history)
        np.testing.assert_array_equal(served.quantiles, stepped_through(draft.forecaster(), history).quantiles)


def test_id_is_kind_data_end_and_content(tmp_path: Path) -> None:
    first = written(tmp_path / "a", lstm_draft(seed=1))
    assert first.startswith("lstm-20111008-")
    assert artifact.VERSION_ID.fullmatch(first)
    assert written(tmp_path / "b", lstm_draft(seed=1)) == first
    assert written(tmp_path / "c", lstm_draft(seed=2)) != first
    assert artifact.load(tmp_path / "a").version == artifact.read(tmp_path / "a").version == first


def test_same_draft_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path / name, lstm_draft())
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_version_of_another_bucket_width_or_longer_context_does_not_fit(version: Path) -> None:
    found = artifact.read(version)
    found.require_fits(BucketWidth(86_400, offset_seconds=3_600), 112)
    with pytest.raises(SpecMismatch, match="buckets of 86400 s, this worker has 3600 s"):
        found.require_fits(BucketWidth(3_600), 112)
    with pytest.raises(SpecMismatch, match="RESTOCK_WINDOW_BUCKETS to 112"):
        found.require_fits(DAY, 111)


def flip_a_byte(version: Path) -> None:
    raw = bytearray((version / "step.onnx").read_bytes())
    raw[len(raw) // 2] ^= 1
    (version / "step.onnx").write_bytes(raw)


def truncate(version: Path) -> None:
    os.truncate(version / "step.onnx", 1000)


def lose_a_file(version: Path) -> None:
    (version / "step.onnx").unlink()


def lose_the_manifest(version: Path) -> None:
    (version / "manifest.json").unlink()


def extra_file(version: Path) -> None:
    (version / "weights.pkl").write_bytes(b"\x80\x04.")


def extra_directory(version: Path) -> None:
    (version / "sub").mkdir()


def symbolic_link(version: Path) -> None:
    (version / "step.onnx").rename(version.parent / "elsewhere.onnx")
    (version / "step.onnx").symlink_to(version.parent / "elsewhere.onnx")


def hard_link(version: Path) -> None:
    os.link(version / "step.onnx", version.parent / "elsewhere.onnx")


def linked_directory(version: Path) -> None:
    version.rename(version.parent / "moved")
    version.symlink_to(version.parent / "moved")


def named_pipe(version: Path) -> None:
    (version / "step.onnx").unlink()
    os.mkfifo(version / "step.onnx")


def too_large_manifest(version: Path) -> None:
    with (version / "manifest.json").open("ab") as file:
        file.write(b" " * 2**21)


def edited_manifest(version: Path) -> None:
    edit(version, lambda manifest: manifest.update(author="mallory"))


def reformatted_manifest(version: Path) -> None:
    (version / "manifest.json").write_bytes(msgspec.json.format((version / "manifest.json").read_bytes(), indent=1))


def path_out_of_the_directory(version: Path) -> None:
    edit(version, lambda manifest: manifest["files"].update({"../champion": manifest["files"].pop("step.onnx")}))


def unreadable_span(version: Path) -> None:
    edit(version, lambda manifest: manifest.update(data_until_at=10**30))


def huge_horizon(version: Path) -> None:
    edit(version, lambda manifest: manifest["spec"]["grid"].update(horizons_buckets=list(range(1, 5_000))))


def deep_manifest(version: Path) -> None:
    (version / "manifest.json").write_bytes(b'{"schema":' + b"[" * 100_000)


def edit(version: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((version / "manifest.json").read_bytes())
    change(manifest)
    (version / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")


TAMPERED: dict[Callable[[Path], None], str] = {
    flip_a_byte: "step.onnx has .* sha256 .*, the manifest says",
    truncate: "step.onnx has 1000 bytes",
    lose_a_file: r"holds \['self_test.json'\]",
    lose_the_manifest: "manifest.json is not readable",
    extra_file: "weights.pkl",
    extra_directory: "'sub'",
    symbolic_link: "step.onnx is a link",
    hard_link: "step.onnx is hard-linked",
    linked_directory: "version is a link",
    named_pipe: "step.onnx is not a plain file",
    too_large_manifest: "manifest.json has more than",
    edited_manifest: "unknown field `author`",
    reformatted_manifest: "manifest.json was edited",
    path_out_of_the_directory: "champion",
    unreadable_span: "manifest.json is not readable",
    huge_horizon: "manifest.json is not readable",
    deep_manifest: "manifest.json is not readable",
}


@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda tamper: tamper.__name__)
def test_tampered_version_is_refused_by_name(version: Path, tamper: Callable[[Path], None]) -> None:
    tamper(version)
    with pytest.raises(ArtifactCorrupt, match=TAMPERED[tamper]):
        artifact.load(version)


def test_version_of_the_package_may_be_hard_linked_by_an_installer(version: Path) -> None:
    hard_link(version)
    assert artifact.load(version, packaged=True).version.startswith("lstm-")


def test_manifest_of_a_later_schema_or_unknown_kind_asks_for_an_upgrade(version: Path) -> None:
    edit(version, lambda manifest: manifest.update(schema=2, novelty=True))
    with pytest.raises(SpecMismatch, match="schema 2, this program reads 1"):
        artifact.load(version)
    edit(version, lambda manifest: (manifest.update(schema=1), manifest.pop("novelty")))
    edit(version, lambda manifest: manifest["spec"].update(kind="transformer"))
    with pytest.raises(SpecMismatch, match="kind transformer"):
        artifact.load(version)


def test_place_without_a_version_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(VersionNotFound, match="model-store list"):
        artifact.load(tmp_path / "nothing")


def test_graph_swapped_with_its_digest_fails_the_self_test(version: Path) -> None:
    # All digests agree: only the recorded forecasts tell that it is another net.
    raw = lstm_bytes(seed=99)
    (version / "step.onnx").write_bytes(raw)
    digest = artifact.FileDigest.of(raw)
    edit(version, lambda manifest: manifest["files"].update({"step.onnx": msgspec.to_builtins(digest)}))
    with pytest.raises(ArtifactCorrupt, match="differ from those recorded"):
        artifact.load(version)


def test_self_test_too_large_to_run_is_refused() -> None:
    recorded = self_test.record(fallback(DAY))
    table = [[1.0] * 1000] * 10
    huge = msgspec.structs.replace(recorded, demand_units=table, order_lines=table, available_ratio=table)
    with pytest.raises(ArtifactCorrupt, match="small table"):
        self_test.check(fallback(DAY), huge)


class Crossing:
    """A forecaster that breaks a law: a surface of its own making."""

    def __init__(self, surface: Callable[[Float32s], Float32s]) -> None:
        self.honest = fallback(DAY)
        self.version, self.grid, self.context_buckets = "crossing", self.honest.grid, 28
        self.memory_floats = self.honest.memory_floats
        self.surface = surface

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        forecast = self.honest.step(closed, memory)
        return replace(forecast, quantiles=self.surface(forecast.quantiles))


@pytest.mark.parametrize(
    ("surface", "complaint"),
    [
        (lambda units: units[:, :, ::-1], "cross"),
        (lambda units: units[:, ::-1], "cross"),
        (lambda units: units - 1, "negative"),
        (lambda units: units * np.float32("nan"), "differ|no number"),
        (lambda units: units[:, :3], "shape"),
        (lambda units: units + np.float32(len(units)), "alone than beside others"),
    ],
)
def test_forecaster_that_breaks_a_law_fails_its_self_test(
    surface: Callable[[Float32s], Float32s], complaint: str
) -> None:
    liar = Crossing(surface)
    with pytest.raises(ArtifactCorrupt, match=complaint):
        self_test.check(liar, self_test.record(liar))


def test_draft_that_cannot_be_built_is_refused_with_reasons(tmp_path: Path) -> None:
    draft = replace(lstm_draft(), files={"step.onnx": lstm_bytes(inputs=7)})
    with pytest.raises(PublishRefused) as refused:
        written(tmp_path / "a", draft)
    assert "inputs, horizons and levels" in refused.value.reasons[0]
    assert not list((tmp_path / "a").iterdir())


@pytest.mark.parametrize(
    "change",
    [
        {"data_from_at": 5, "data_until_at": 5},
        {"data_from_at": -1},
        {"metrics": {"spb_7": float("nan")}},
        {"parent": "../../etc"},
        {"created_by": {"tool": "a\nb"}},
        {"files": {}},
        {"files": {"step.onnx": b"", "more": b""}},
        {"spec": replace(lstm_spec(), kind="unknown")},
    ],
)
def test_draft_out_of_range_cannot_be_built(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        replace(lstm_draft(), **change)


def test_all_errors_tell_the_next_command(version: Path) -> None:
    for tamper in (flip_a_byte, extra_file):
        copy = version.parent / f"copy_{tamper.__name__}"
        shutil.copytree(version, copy)
        tamper(copy)
        with pytest.raises(ModelStoreError) as error:
            artifact.load(copy)
        assert str(copy) in str(error.value)
