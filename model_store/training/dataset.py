"""What a net is trained on: windows of inputs (see `inputs`), and targets that end with the history.

Nothing looks ahead: inputs of a bucket come from buckets up to it, a target
reaches at most the last bucket. Calendar inputs are the same for all keys and
held once; targets are differences of running sums, made when a batch is drawn.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Self

import numpy as np

from model_store.spec import FeatureSpec
from model_store.training.history import DemandHistory
from model_store.training.inputs import Inputs, inputs_of
from model_store.training.room import IN_MEMORY, Room
from replenishment.arrays import Float32s, Float64s, Int64s
from replenishment.quantiles import QuantileGrid

WINDOW_BUCKETS = 160
UNSCORED_BUCKETS = 20
"""Buckets without loss at the begin of a window that does not start at birth: the recurrent state settles."""
SETTLING_BUCKETS = 14
"""Buckets from birth on without loss: before, the scale says little."""
SCORED_PLACES = 20
"""Buckets with loss in a long window, evenly apart: targets of neighbours overlap, all of them teach little more."""
BATCH_KEYS = 64
CLIP = 6.0
_SUMS_BYTES = 20
"""Of a key in a bucket, beside its inputs: scale and two running sums."""


@dataclass(frozen=True, slots=True)
class Standardisation:
    """Mean and inverse deviation of the inputs, (F,); an input that never varies has inverse deviation 0."""

    mean: Float32s
    inverse_deviation: Float32s

    @classmethod
    def of(cls, total: Float64s, squares: Float64s, count: float) -> Self:
        """Return it from sums of the inputs and of their squares, (F,), over ``count`` observations."""
        mean = total / count
        variance = np.maximum(squares / count - np.square(mean), 0)
        varies = variance > 1e-8
        inverse = np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1)), 0)
        return cls(mean.astype(np.float32), inverse.astype(np.float32))

    def part(self, columns: slice) -> Self:
        """Return that of some columns."""
        return type(self)(self.mean[columns], self.inverse_deviation[columns])

    def joined(self, other: Self) -> Self:
        """Return that of these columns and then others."""
        both = ((self.mean, other.mean), (self.inverse_deviation, other.inverse_deviation))
        return type(self)(*(np.concatenate(one) for one in both))

    def applied(self, inputs: Float32s) -> Float32s:
        """Return inputs (..., F) standardised and clipped, as the exported graph does."""
        standard = (inputs - self.mean) * self.inverse_deviation
        return np.asarray(np.clip(standard, np.float32(-CLIP), np.float32(CLIP)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of B keys over L buckets, of which S places are scored.

    Attributes:
        places: Places in the window that are scored, rising, (S,).
        own: Standardised inputs of own demand, (B, L, O).
        calendar: Standardised calendar inputs and signals at the places, (B, S, F - O).
        targets: Demand summed over each horizon / (scale * horizon), (B, S, H).
        weights: Weight of each target in the loss, 0 where there is none, (B, S, H).
    """

    places: Int64s
    own: Float32s
    calendar: Float32s
    targets: Float32s
    weights: Float32s


@dataclass(frozen=True, slots=True)
class Sequences:
    """Inputs and running sums of K keys over T buckets, from which windows are cut.

    Attributes:
        history: The demand they are made of.
        grid: Horizons of the targets.
        standardisation: Of all inputs, own first.
        own: Standardised inputs of own demand, 0 before birth, (K, T, O).
        calendar: Standardised calendar inputs, (T, C).
        signals: Standardised signals, (K, T, S); S is 0 without plans.
        scale: Units per bucket that demand is measured in, (K, T).
        units_before: Units before each bucket, (K, T + 1).
        missing_before: Buckets without knowledge before each bucket, (K, T + 1).
        first_shown: Column from which on windows are drawn.
    """

    history: DemandHistory
    grid: QuantileGrid
    standardisation: Standardisation
    own: Float32s
    calendar: Float32s
    signals: Float32s
    scale: Float32s
    units_before: Float64s
    missing_before: Int64s
    first_shown: int = 0

    @property
    def window_buckets(self) -> int:
        """L: buckets of a window."""
        return min(WINDOW_BUCKETS, self.history.buckets)

    @property
    def trainable(self) -> Int64s:
        """Rows of keys with at least one target."""
        last = self.history.buckets - 1 - self.grid.horizons_buckets[0]
        return np.flatnonzero(self.history.born + SETTLING_BUCKETS <= last)

    @property
    def batches_per_epoch(self) -> int:
        """How many batches show every bucket about once."""
        return max(1, ceil(float(self._windows(self.trainable).sum()) / BATCH_KEYS))

    def _windows(self, rows: Int64s) -> Int64s:
        """How many windows the shown life of each key has, (N,)."""
        lengths = self.history.buckets - np.maximum(self.history.born[rows], self.first_shown)
        return np.ceil(lengths / self.window_buckets).astype(np.int64)

    def batches(self, seed: int, skipped: int = 0) -> Iterator[Batch]:
        """Yield batches without end: an epoch shows each key as often as its life has windows, in random order.

        The first ``skipped`` are drawn and left out, so that a run that was interrupted sees the rest.
        """
        rng = np.random.default_rng(seed)
        rows = self.trainable
        shown, drawn = np.repeat(rows, self._windows(rows)), 0
        while True:
            order = rng.permutation(np.resize(rng.permutation(shown), self.batches_per_epoch * BATCH_KEYS))
            for chosen in order.reshape(-1, BATCH_KEYS):
                starts, places = self._starts(chosen, rng), self._places(rng)
                drawn += 1
                if drawn > skipped:
                    yield self.batch(chosen, starts, places)

    def _places(self, rng: np.random.Generator) -> Int64s:
        """Return places to score: equally many in every batch, from a first one that is drawn."""
        apart = max(1, self.window_buckets // SCORED_PLACES)
        return np.asarray(rng.integers(apart) + apart * np.arange(self.window_buckets // apart))

    def _starts(self, rows: Int64s, rng: np.random.Generator) -> Int64s:
        """First columns of windows, (B,).

        Drawn evenly over a range that is half a window too long at both ends,
        then moved inside: birth and the latest buckets are shown half as often as the mean, not hardly ever.
        """
        born, length = np.maximum(self.history.born[rows], self.first_shown), self.window_buckets
        latest = np.maximum(self.history.buckets - length, born)
        drawn = rng.integers(born - length // 2, latest + length // 2 + 1)
        return np.clip(drawn, born, latest)

    def batch(self, rows: Int64s, starts: Int64s, places: Int64s) -> Batch:
        """Return the windows of rows (B,) from columns ``starts`` (B,) on, scored at places; no start is before birth.

        A target weighs the root of the scale, so that keys that sell much teach more, times its horizon: what is
        compared is the loss of the sum, not of its mean bucket, which is the smaller the longer the horizon.
        """
        last = self.history.buckets - 1
        columns = starts[:, None] + np.arange(self.window_buckets)  # (B, L)
        row = rows[:, None]
        own = self.own[row, np.minimum(columns, last)]
        columns = columns[:, places]  # (B, S)
        inside = np.minimum(columns, last)
        scale = self.scale[row, inside]
        horizons = np.array(self.grid.horizons_buckets)
        ends = columns[:, :, None] + horizons  # (B, S, H), last bucket of each target
        end = np.minimum(ends, last) + 1
        targets = self.units_before[row[:, :, None], end] - self.units_before[row, inside + 1][:, :, None]
        targets /= scale[:, :, None] * horizons
        missing = self.missing_before[row[:, :, None], end] > self.missing_before[row, inside + 1][:, :, None]
        unscored = np.where(starts == self.history.born[rows], SETTLING_BUCKETS, UNSCORED_BUCKETS)
        settled = columns >= (starts + unscored)[:, None]
        weights = np.sqrt(scale)[:, :, None] * horizons * (settled[:, :, None] & (ends <= last) & ~missing)
        around = np.concatenate([self.calendar[inside], self.signals[row, inside]], axis=2)
        return Batch(places, own, around, targets.astype(np.float32), weights.astype(np.float32))


def sequences(
    history: DemandHistory,
    spec: FeatureSpec,
    grid: QuantileGrid,
    seed: int,
    *,
    room: Room = IN_MEMORY,
    standardisation: Standardisation | None = None,
) -> Sequences:
    """Return the sequences of a history.

    Args:
        history: Demand to learn from.
        spec: Features that inputs are.
        grid: Horizons of the targets.
        seed: Of the sample that is drawn of too many keys.
        room: What inputs may take, in memory and on disk.
        standardisation: Of the inputs, as some weights know it; None: that of this history.

    Raises:
        UnusableHistory: If the disk has not the room.
    """
    key_bytes = (4 * (spec.demand_inputs + spec.signal_inputs) + _SUMS_BYTES) * history.buckets
    most = max(1, room.most_bytes // key_bytes)
    if len(history.keys) > most:
        chosen = np.random.default_rng(seed).choice(len(history.keys), most, replace=False)
        history = history.of_rows(np.sort(chosen))
    raw = _kept_inputs(history, spec, room, key_bytes)
    if standardisation is None:
        standardisation = _standardised(history, spec, raw).joined(signal_standardisation(spec, raw.signals))
    ends = np.cumsum([0, spec.demand_inputs, spec.calendar_inputs, spec.signal_inputs])
    own_part, calendar_part, signal_part = (standardisation.part(slice(*part)) for part in pairwise(ends.tolist()))
    for born, own, signals in zip(history.born.tolist(), raw.own, raw.signals, strict=True):
        own[:], signals[:] = own_part.applied(own), signal_part.applied(signals)
        own[:born] = 0
    return Sequences(
        history=history,
        grid=grid,
        standardisation=standardisation,
        own=raw.own,
        calendar=calendar_part.applied(raw.calendar),
        signals=raw.signals,
        scale=raw.scale,
        units_before=_running(history.demand_units),
        missing_before=_running(history.available_ratio == 0).astype(np.int64),
    )


def _kept_inputs(history: DemandHistory, spec: FeatureSpec, room: Room, key_bytes: int) -> Inputs:
    """Return raw inputs in memory, or in a file where they do not fit: then of some keys after the other."""
    count = len(history.keys)
    if count * key_bytes <= room.memory_bytes:
        return inputs_of(history, spec)
    own = room.on_disk((count, history.buckets, spec.demand_inputs))
    signals = room.on_disk((count, history.buckets, spec.signal_inputs))
    scale, days = np.ones((count, history.buckets), dtype=np.float32), np.zeros((history.buckets, 0), dtype=np.float32)
    together = max(1, room.memory_bytes // (4 * key_bytes))
    for first in range(0, count, together):
        rows = np.arange(first, min(first + together, count))
        part = inputs_of(history.of_rows(rows), spec)
        own[rows], signals[rows], scale[rows], days = part.own, part.signals, part.scale, part.calendar
    return Inputs(spec, own, days, signals, scale)


def _standardised(history: DemandHistory, spec: FeatureSpec, raw: Inputs) -> Standardisation:
    """Standardisation of demand and calendar over all buckets since birth; the calendar weighs a bucket by its keys."""
    total, squares = np.zeros((2, spec.demand_inputs + spec.calendar_inputs))
    own, calendar = slice(spec.demand_inputs), slice(spec.demand_inputs, None)
    for born, inputs in zip(history.born.tolist(), raw.own, strict=True):
        seen = inputs[born:].astype(np.float64)
        total[own] += seen.sum(axis=0)
        squares[own] += np.square(seen).sum(axis=0)
    alive = np.searchsorted(history.born, np.arange(history.buckets), side="right")
    total[calendar] = alive @ raw.calendar.astype(np.float64)
    squares[calendar] = alive @ np.square(raw.calendar, dtype=np.float64)
    return Standardisation.of(total, squares, float((history.buckets - history.born).sum()))


def signal_standardisation(spec: FeatureSpec, signals: Float32s) -> Standardisation:
    """Return that of signals (K, T, S): 0, which is as usual, stays 0, and the rest is divided by its root mean square.

    A channel has one deviation at all horizons, since they share the weights that read it. One that never was
    anything but usual is not read.
    """
    squares, counts = np.zeros((2, signals.shape[2]))
    for one in signals:
        squares += np.square(one, dtype=np.float64).sum(axis=0)
        counts += np.count_nonzero(one, axis=0)
    if spec.signals:
        channels, first = len(spec.signals.known_ahead), spec.signal_inputs - spec.ahead_inputs
        for sums in (squares, counts):
            by_horizon = sums[first:].reshape(-1, channels)
            by_horizon[:] = by_horizon.sum(axis=0)
    inverse = np.sqrt(counts / np.where(squares > 0, squares, 1)) * (squares > 0)
    return Standardisation(np.zeros(len(inverse), dtype=np.float32), inverse.astype(np.float32))


def _running(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Float64s:
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, dtype=np.float64, out=sums[:, 1:])
    return sums
