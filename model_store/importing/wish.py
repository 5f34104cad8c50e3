"""What an importer says of a graph, and what was found when it was tried. Pure values, strict JSON."""

from dataclasses import dataclass
from typing import Any, Literal, Self

import msgspec

from model_store.kinds.table import KINDS
from model_store.spec import DEFAULT_CONTEXT_BUCKETS, FeatureSpec, ModelSpec, default_features
from replenishment.buckets import BucketWidth
from replenishment.quantiles import QuantileGrid

_TAKEN = frozenset({"champion", "draft", "moving_average", "starter"})


class Vectors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Inputs of a few rows, and the outputs for them of the program that the graph comes from: nested lists by name."""

    inputs: dict[str, list[Any]]
    outputs: dict[str, list[Any]]


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a graph is to be served.

    Attributes:
        kind: Name of the model, the first part of its version ids.
        width: Bucket width it was made for.
        grid: Horizons and levels of its quantiles.
        form: ``step`` or ``window``; None: what its inputs and outputs look like.
        scale: Of a window; see `kinds.imported.Form`.
        context_buckets: Closed buckets that warm the memory of a step; None: 112. That of a window is its own.
        closed_weekdays: Weekdays on which the shop never sells, for the calendar inputs.
        inputs: Names in the graph of the documented inputs; those that are missing are taken by name or place.
        outputs: Likewise of the outputs.
        vectors: Parity is required on them.

    Raises:
        ValueError: If the kind is one of the program's own.
    """

    kind: str
    width: BucketWidth
    grid: QuantileGrid
    form: Literal["step", "window"] | None = None
    scale: Literal["mean", "none"] = "none"
    context_buckets: int | None = None
    closed_weekdays: tuple[int, ...] = ()
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    vectors: Vectors | None = None

    def __post_init__(self) -> None:
        if self.kind in KINDS or self.kind in _TAKEN:
            raise ValueError(f"{self.kind} is the name of one of the program's own models; choose another")
        self.spec(None, self.context_buckets or 1)

    @property
    def features(self) -> FeatureSpec:
        """Inputs of a step on features, for this bucket width."""
        return default_features(self.width, self.closed_weekdays)

    def spec(self, features: FeatureSpec | None, context_buckets: int | None = None) -> ModelSpec:
        """Return what a version says of itself; without a context, that of a step."""
        context = context_buckets or self.context_buckets or DEFAULT_CONTEXT_BUCKETS
        return ModelSpec(self.kind, self.width, self.grid, context, features)


@dataclass(frozen=True, slots=True)
class Examined:
    """A graph in the form that is stored, which was tried and keeps the laws of every forecaster.

    ``figures``: ``crossing_levels_share`` and ``crossing_horizons_share`` of the tried surfaces that had to be put
    in order, ``negative_share`` likewise, ``parity`` the largest relative difference on vectors, if there were any.
    """

    spec: ModelSpec
    files: dict[str, bytes]
    figures: dict[str, float]

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """Return what `to_json` wrote."""
        return msgspec.json.decode(raw, type=cls)

    def to_json(self) -> bytes:
        """Return it as JSON, files as Base64."""
        return msgspec.json.encode(self)
