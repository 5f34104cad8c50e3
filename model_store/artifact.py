"""One version as a directory: a manifest, the files it lists, nothing else; bytes verified, then parsed.

A version's id follows from its manifest, and the manifest holds the digest of
every file: one id, one content. Which version serves is in `versions`.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

import msgspec
import numpy as np

from model_store import self_test
from model_store.errors import ArtifactCorrupt, PublishRefused, SpecMismatch
from model_store.files import read_directory, sync_directory, write_durably
from model_store.kinds.table import FILES, KINDS, kind_of
from model_store.lead_times import LARGEST_LEAD_TIMES_BYTES, LEAD_TIMES, LeadTimePriors, WithLeadTimes
from model_store.onnx_graph import LARGEST_GRAPH_BYTES
from model_store.priors import LARGEST_PRIORS_BYTES, PRIORS, Priors, WithPriors
from model_store.self_test import SelfTest
from model_store.spec import ModelSpec
from replenishment.buckets import BucketWidth
from replenishment.forecaster import Forecaster

_T = TypeVar("_T")
SCHEMA = 1
MANIFEST, SELF_TEST = "manifest.json", "self_test.json"
VERSION_ID = re.compile(r"[a-z][a-z0-9_]{0,31}-\d{8}-[0-9a-f]{8}")
_LARGEST_JSON_BYTES = 2**20
_OPTIONAL = {PRIORS: LARGEST_PRIORS_BYTES, LEAD_TIMES: LARGEST_LEAD_TIMES_BYTES}
"""Files that a version of any kind may carry, and their largest size."""
_LONGEST_TEXT = 100
_LATEST_AT = 4_102_444_800_000  # 2100-01-01


class FileDigest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Size and sha256 (hex) of one file."""

    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, raw: bytes) -> Self:
        """Return size and digest of bytes."""
        return cls(len(raw), hashlib.sha256(raw).hexdigest())


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a version says of itself.

    Attributes:
        schema: Number of this form; a reader refuses others.
        spec: Kind, bucket width, grid, context, features with closed weekdays learnt.
        data_from_at: First instant of the demand it was trained on, epoch milliseconds.
        data_until_at: First instant after that demand, epoch milliseconds.
        metrics: Figures of its evaluation.
        parent: Version it was compared with or started from.
        created_by: Program and tool versions that made it.
        files: Every file beside the manifest.
        held_out_from_at: First instant of the demand that metrics were measured on, by the parent, before this
            version learnt it too, epoch milliseconds; None: metrics are of this version itself.
    """

    schema: int
    spec: ModelSpec
    data_from_at: int
    data_until_at: int
    metrics: dict[str, float]
    parent: str | None
    created_by: dict[str, str]
    files: dict[str, FileDigest]
    held_out_from_at: int | None = None

    def __post_init__(self) -> None:
        _require_sound(self)

    @property
    def version(self) -> str:
        """Id: kind, UTC date the data ends, first 8 hex digits of the manifest's sha256."""
        until = datetime.fromtimestamp(self.data_until_at / 1000, UTC)
        return f"{self.spec.kind}-{until:%Y%m%d}-{hashlib.sha256(_written(self)).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a trainer hands over to be published; see `Manifest` for the fields.

    Raises:
        ValueError: If the data span is empty or out of range, a metric is no number, the parent no version
            id, a text not printable, or the files are not exactly those of the kind, with or without optional ones.
    """

    spec: ModelSpec
    files: Mapping[str, bytes]
    data_from_at: int
    data_until_at: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    parent: str | None = None
    created_by: Mapping[str, str] = field(default_factory=dict)
    held_out_from_at: int | None = None

    def __post_init__(self) -> None:
        _require_sound(self)
        if kind_of(self.spec.kind, set(self.files) - set(_OPTIONAL)) is None:
            raise ValueError(f"kind {self.spec.kind} with files {sorted(self.files)} is not one of {sorted(KINDS)}")

    def forecaster(self) -> Forecaster:
        """Return the draft as a forecaster, e.g. to evaluate it; its version reads ``draft``.

        Raises:
            ModelStoreError: If its graph is unsafe or does not fit the spec.
        """
        return _built("draft", self.spec, self.files)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A version whose every byte was verified; not yet built."""

    manifest: Manifest
    files: Mapping[str, bytes]

    @property
    def version(self) -> str:
        """Id of the version."""
        return self.manifest.version

    def require_fits(self, width: BucketWidth, window_buckets: int) -> None:
        """Require that the version can serve a worker with this bucket width and window.

        Raises:
            SpecMismatch: If it was made for another width, or needs more context than the window keeps.
        """
        spec = self.manifest.spec
        if spec.width.seconds != width.seconds:
            raise SpecMismatch(
                f"version {self.version} serves buckets of {spec.width.seconds} s, this worker has "
                f"{width.seconds} s. Train one for this width: model-store train"
            )
        if spec.context_buckets > window_buckets:
            raise SpecMismatch(
                f"version {self.version} needs a context of {spec.context_buckets} buckets, the window keeps "
                f"{window_buckets}. Set RESTOCK_WINDOW_BUCKETS to {spec.context_buckets} or more"
            )

    def forecaster(self) -> Forecaster:
        """Build the forecaster and pass it through the recorded self-test.

        Raises:
            ArtifactCorrupt: If the graph is unsafe or the self-test fails.
            SpecMismatch: If the graph does not fit the spec.
        """
        own = {name: raw for name, raw in self.files.items() if name != SELF_TEST}
        built = _built(self.version, self.manifest.spec, own)
        self_test.check(built, _decoded(self.files[SELF_TEST], SelfTest, SELF_TEST))
        return built


def write(directory: Path, draft: Draft) -> str:
    """Write a draft into an empty directory, durably, and return the version id it has there.

    Raises:
        PublishRefused: If the draft cannot be built or breaks a law of every forecaster.
        FileExistsError: If the directory already holds a version.
    """
    try:
        files = {**draft.files, SELF_TEST: msgspec.json.encode(self_test.record(draft.forecaster()))}
        manifest = Manifest(
            schema=SCHEMA,
            spec=draft.spec,
            data_from_at=draft.data_from_at,
            data_until_at=draft.data_until_at,
            metrics={name: float(value) for name, value in draft.metrics.items()},
            parent=draft.parent,
            created_by=dict(draft.created_by),
            files={name: FileDigest.of(raw) for name, raw in sorted(files.items())},
            held_out_from_at=draft.held_out_from_at,
        )
        # A round trip first, so that the id is that of the bytes as read back (5 becomes 5.0).
        manifest = _decoded(_written(manifest), Manifest, MANIFEST)
        Artifact(manifest, files).forecaster()
    except (ArtifactCorrupt, SpecMismatch) as error:
        raise PublishRefused((str(error),)) from error
    for name, raw in {**files, MANIFEST: _written(manifest)}.items():
        write_durably(directory / name, raw)
    sync_directory(directory)
    return manifest.version


def read(directory: Path, *, packaged: bool = False) -> Artifact:
    """Return a version after verifying every digest on the very bytes that are handed out.

    Args:
        directory: Directory of the version.
        packaged: Whether it came with the package, whose files an installer may have hard-linked.

    Raises:
        VersionNotFound: If there is none.
        ArtifactCorrupt: If a file is missing, surplus, changed, linked or too large, or the manifest is damaged.
        SpecMismatch: If the manifest is of a schema or kind that this program does not know.
    """
    limits = dict.fromkeys((MANIFEST, SELF_TEST), _LARGEST_JSON_BYTES)
    limits |= _OPTIONAL
    limits |= dict.fromkeys(FILES, LARGEST_GRAPH_BYTES)
    files = read_directory(directory, limits, packaged=packaged)
    manifest = _parsed_manifest(files.pop(MANIFEST, b""), directory)
    own = set(files) - {SELF_TEST, *_OPTIONAL}
    if kind_of(manifest.spec.kind, own) is None or set(files) != set(manifest.files):
        raise _changed(directory, f"holds {sorted(files)}, its manifest lists {sorted(manifest.files)}")
    for name, raw in files.items():
        found, listed = FileDigest.of(raw), manifest.files[name]
        if found != listed:
            raise _changed(
                directory / name,
                f"has {found.size_bytes} bytes and sha256 {found.sha256[:16]}…, the manifest says "
                f"{listed.size_bytes} and {listed.sha256[:16]}…",
            )
    return Artifact(manifest, files)


def load(directory: Path, *, packaged: bool = False) -> Forecaster:
    """Read, verify, build and self-test a version; see `read` and `Artifact.forecaster` for what it raises."""
    return read(directory, packaged=packaged).forecaster()


def _built(version: str, spec: ModelSpec, files: Mapping[str, bytes]) -> Forecaster:
    """Return the forecaster of a kind's files; with priors its young keys lean on them, and on suppliers' delays."""
    own = {name: raw for name, raw in files.items() if name not in _OPTIONAL}
    kind = kind_of(spec.kind, own)
    if kind is None:
        raise SpecMismatch(f"version {version} of kind {spec.kind} has files {sorted(files)}; publish it again")
    built: Forecaster = kind.build(version, spec, own)
    if PRIORS in files:
        built = WithPriors(built, Priors.from_json(files[PRIORS], spec.grid))
    return WithLeadTimes(built, LeadTimePriors.from_json(files[LEAD_TIMES])) if LEAD_TIMES in files else built


def _require_sound(described: Manifest | Draft) -> None:
    if not 0 <= described.data_from_at < described.data_until_at <= _LATEST_AT:
        raise ValueError(f"data span {described.data_from_at} to {described.data_until_at} is empty or out of range")
    held_out = described.held_out_from_at
    if held_out is not None and not (described.data_from_at < held_out < described.data_until_at and described.parent):
        raise ValueError(f"held-out demand from {held_out} on is outside of what was learnt, or no parent was judged")
    if not np.isfinite(list(described.metrics.values())).all():
        raise ValueError(f"metrics hold NaN or infinity: {dict(described.metrics)}")
    if described.parent is not None and not VERSION_ID.fullmatch(described.parent):
        raise ValueError(f"parent {described.parent!r} is no version id")
    texts = [*described.metrics, *described.created_by, *described.created_by.values()]
    if not all(text.isprintable() and len(text) <= _LONGEST_TEXT for text in texts):
        raise ValueError(f"names of metrics and tools must be printable, at most {_LONGEST_TEXT} characters")


def _parsed_manifest(raw: bytes, directory: Path) -> Manifest:
    schema = _decoded(raw, _Schema, directory / MANIFEST).schema
    if schema != SCHEMA:
        raise SpecMismatch(f"{directory} has manifest schema {schema}, this program reads {SCHEMA}. Upgrade Restock")
    manifest = _decoded(raw, Manifest, directory / MANIFEST)
    if _written(manifest) != raw:
        raise _changed(directory / MANIFEST, "was edited or has fields that are not understood")
    kind = manifest.spec.kind
    if kind not in KINDS and kind_of(kind, set(manifest.files) - {SELF_TEST}) is None:
        raise SpecMismatch(f"{directory} is of kind {kind}, this program knows {', '.join(KINDS)}")
    return manifest


class _Schema(msgspec.Struct):
    schema: int


def _decoded(raw: bytes, wanted: type[_T], where: Path | str) -> _T:
    try:
        return msgspec.json.decode(raw, type=wanted)
    except (ValueError, RecursionError) as error:
        raise _changed(where, f"is not readable ({error})") from error


def _written(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def _changed(where: Path | str, what: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(f"{where} {what}. Publish the version again")
