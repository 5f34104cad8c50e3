"""What a version says of itself: kind, bucket width, grid, context, features. Pure values, strict JSON.

Nothing here reads a file or knows a network; which files a kind needs is in `kinds`.
"""

import re
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec

from model_store.signal_spec import SignalSpec
from replenishment.buckets import BucketWidth
from replenishment.quantiles import QuantileGrid

DAY_SECONDS = 86_400
DEFAULT_HORIZONS_BUCKETS = tuple(range(1, 15))
DEFAULT_LEVELS = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
DEFAULT_CONTEXT_BUCKETS = 112
CLOSED_DAYS_AHEAD = 14
HOUR_HARMONICS = 2
_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")
_LONGEST_BUCKETS = 4096
_MOST_HALF_LIVES = 8
_MOST_CELLS = 8192


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Which statistics of a key are carried and shown to a net; all lengths in buckets.

    Demand level and frequency are kept at every half-life, the spread at all
    but the shortest, order lines at all but the shortest and the longest. The
    defaults are short against a window of 112 buckets, so that a window warms a
    memory: on Online Retail the 0.95 quantile over 7 and 14 days of the default net
    then moves by 2 to 3 % in the median; with half-lives up to 91 days by a multiple
    of that, and its pinball loss is no lower.

    Attributes:
        half_lives_buckets: Three to eight, rising; E of them.
        scale_half_life_buckets: Half-life of the recent half of the scale.
        scale_floor_units: Lowest scale, units per bucket; keeps a key that hardly sells from dividing by zero.
        long_mean_buckets: Buckets of the plain mean that is the other half of the scale; a longer
            history is forgotten exponentially.
        longest_gap_buckets: Where gap and age stop counting: a window of as many buckets shows no more.
        buckets_per_day: Buckets of a local day, 0 if the width does not divide a day: calendar inputs off.
        closed_weekdays: Weekdays (0 = Monday) on which the whole shop never sells, as learnt by the trainer.
        signals: Planned and measured series that are read beside demand; unset, and not written, if there are none.

    Raises:
        ValueError: If a length is out of range, half-lives do not rise, or weekdays are not 0 to 6, rising.

    Example:
        >>> spec = FeatureSpec(buckets_per_day=1)
        >>> spec.demand_inputs, spec.inputs
        (20, 42)
    """

    half_lives_buckets: tuple[float, ...] = (2.0, 6.0, 12.0, 24.0)
    scale_half_life_buckets: float = 24.0
    scale_floor_units: float = 1 / 14
    long_mean_buckets: int = 28
    longest_gap_buckets: int = DEFAULT_CONTEXT_BUCKETS
    buckets_per_day: int = 0
    closed_weekdays: tuple[int, ...] = ()
    signals: SignalSpec | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        scale = (self.scale_half_life_buckets, self.long_mean_buckets, self.longest_gap_buckets)
        lengths = (*self.half_lives_buckets, *scale)
        if not all(0 < length <= _LONGEST_BUCKETS for length in lengths):
            raise ValueError(f"feature lengths must lie in (0, {_LONGEST_BUCKETS}] buckets, got {lengths}")
        if not 3 <= len(self.half_lives_buckets) <= _MOST_HALF_LIVES or not _rises(self.half_lives_buckets):
            raise ValueError(f"3 to {_MOST_HALF_LIVES} rising half-lives are needed, got {self.half_lives_buckets}")
        if not 0 < self.scale_floor_units < float("inf"):
            raise ValueError(f"scale floor is {self.scale_floor_units} units, must be more than 0 and finite")
        if self.buckets_per_day and not 1 <= self.buckets_per_day <= DAY_SECONDS // 60:
            raise ValueError(f"buckets per day are {self.buckets_per_day}, must be 0 (off) or 1 to 1440")
        if not _rises(self.closed_weekdays) or not set(self.closed_weekdays) <= set(range(7)):
            raise ValueError(f"closed weekdays must rise within 0 (Monday) to 6, got {self.closed_weekdays}")

    @property
    def demand_inputs(self) -> int:
        """How many leading inputs tell of the key's own demand; the rest is calendar and signals."""
        return 4 * len(self.half_lives_buckets) + 4

    @property
    def calendar_inputs(self) -> int:
        """Weekday, closed days and, below a day, hour of day; 0 if the calendar is off."""
        if not self.buckets_per_day:
            return 0
        return 7 + 1 + CLOSED_DAYS_AHEAD + (2 * HOUR_HARMONICS if self.buckets_per_day > 1 else 0)

    @property
    def ahead_inputs(self) -> int:
        """How many last inputs tell of what is planned ahead, horizon by horizon."""
        return self.signals.ahead_inputs if self.signals else 0

    @property
    def signal_inputs(self) -> int:
        """Inputs after the calendar: signals of the past, then those ahead."""
        past = self.signals.past_inputs(len(self.half_lives_buckets)) if self.signals else 0
        return past + self.ahead_inputs

    @property
    def inputs(self) -> int:
        """F: inputs of the net per key and bucket."""
        return self.demand_inputs + self.calendar_inputs + self.signal_inputs


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Kind, bucket width, grid and features of one version.

    Attributes:
        kind: A name in ``model_store.kinds.table.KINDS``.
        width: Bucket width it was trained on and serves.
        grid: Horizons in buckets and quantile levels.
        context_buckets: Closed buckets that warm a memory which starts from zeros.
        features: Inputs of a learned kind, None for others.
        parameters: Numbers of a classical kind, e.g. ``{"window_buckets": 28}``.

    Raises:
        ValueError: If the kind is no lower-case name, context or grid are out of range, or the features
            count the buckets of a day otherwise than the width does.
    """

    kind: str
    width: BucketWidth
    grid: QuantileGrid
    context_buckets: int = DEFAULT_CONTEXT_BUCKETS
    features: FeatureSpec | None = None
    parameters: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _KIND.fullmatch(self.kind):
            raise ValueError(f"kind is {self.kind!r}, must be a lower-case name such as lstm")
        if not 1 <= self.context_buckets <= _LONGEST_BUCKETS:
            raise ValueError(f"context is {self.context_buckets} buckets, must be 1 to {_LONGEST_BUCKETS}")
        if len(self.grid.horizons_buckets) * len(self.grid.levels) > _MOST_CELLS:
            raise ValueError(f"the grid has more than {_MOST_CELLS} horizons times levels")
        longest = self.grid.horizons_buckets[-1]
        if longest > _LONGEST_BUCKETS:
            raise ValueError(f"the longest horizon is {longest} buckets, at most {_LONGEST_BUCKETS}")
        per_day = self.features.buckets_per_day if self.features else 0
        if per_day not in (0, buckets_per_day(self.width)):
            raise ValueError(f"{per_day} buckets per day do not fit a bucket width of {self.width.seconds} s")
        signals = self.features.signals if self.features else None
        if signals and (signals.horizons_buckets, signals.bucket_seconds) != (
            self.grid.horizons_buckets,
            self.width.seconds,
        ):
            raise ValueError("signals have other horizons or another bucket width than the version")


def buckets_per_day(width: BucketWidth) -> int:
    """Return how many buckets make a day, 0 if the width does not divide one.

    Example:
        >>> [buckets_per_day(BucketWidth(seconds)) for seconds in (3_600, 86_400, 7 * 86_400, 25_000)]
        [24, 1, 0, 0]
    """
    return DAY_SECONDS // width.seconds if DAY_SECONDS % width.seconds == 0 else 0


def default_grid() -> QuantileGrid:
    """Return horizons of 1 to 14 buckets at the eleven levels that matter for stock."""
    return QuantileGrid(DEFAULT_HORIZONS_BUCKETS, DEFAULT_LEVELS)


def default_features(width: BucketWidth, closed_weekdays: tuple[int, ...] = ()) -> FeatureSpec:
    """Return the features for a bucket width: the calendar is on where the width divides a day."""
    per_day = buckets_per_day(width)
    return FeatureSpec(buckets_per_day=per_day, closed_weekdays=closed_weekdays if per_day else ())


def to_json(spec: ModelSpec) -> bytes:
    """Return the one JSON form of a spec, every field written out."""
    return msgspec.json.encode(spec)


def from_json(raw: bytes) -> ModelSpec:
    """Return the spec written by `to_json`.

    Raises:
        ValueError: If the text is no spec, or has fields too many or too few.

    Example:
        >>> spec = ModelSpec("moving_average", BucketWidth(86_400), default_grid(), 28)
        >>> from_json(to_json(spec)) == spec
        True
    """
    spec = msgspec.json.decode(raw, type=ModelSpec)
    # msgspec ignores unknown fields of dataclasses; comparing what was read with what is understood does not.
    if msgspec.json.decode(raw) != msgspec.json.decode(to_json(spec)):
        raise ValueError("the spec has unknown or missing fields")
    return spec


def _rises(values: tuple[float, ...]) -> bool:
    return all(a < b for a, b in pairwise(values))
