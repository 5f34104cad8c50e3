"""Streaming features of demand: O(1) per key and closed bucket, the same code in training and serving.

Statistics are *normalised* exponentially weighted means (weighted sum over
sum of weights), so a memory that starts from zeros is unbiased from its first
bucket on. Inputs leave here raw: the graph standardises and clips them with
the trainer's mean and deviation, which are part of its weights. A bucket in
which the key could not be sold changes no statistic.

Arrays are computed with keys along the fast axis; memories in Fortran order
are therefore several times faster than in C order, with the same numbers.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Self

import numpy as np

from model_store.spec import CLOSED_DAYS_AHEAD, HOUR_HARMONICS, FeatureSpec
from replenishment.arrays import Float32s
from replenishment.forecaster import ClosedBucket

_FORGOTTEN = 1e-7
"""Share of the weight that float32 no longer sees: later gains are constant."""


@dataclass(frozen=True, slots=True)
class FeatureState:
    """Statistics of B keys: views into the leading columns of a memory (B, S); E half-lives.

    Attributes:
        observed_buckets: Buckets that entered the statistics, saturating, (B,).
        gap_buckets: Observed buckets since the last one with demand, saturating, (B,).
        scale: Units per bucket that demand is measured in, at least the floor once observed, (B,).
        demand_mean: Means of demand at each half-life, the scale's half-life, and the long mean, (B, E + 2).
        sold_mean: Share of buckets with demand at each half-life, (B, E).
        demand_variance: Variance of demand at all but the shortest half-life, (B, E - 1).
        lines_mean: Means of log(1 + order lines) at the inner half-lives, (B, E - 2).
    """

    observed_buckets: Float32s
    gap_buckets: Float32s
    scale: Float32s
    demand_mean: Float32s
    sold_mean: Float32s
    demand_variance: Float32s
    lines_mean: Float32s

    @classmethod
    def width(cls, spec: FeatureSpec) -> int:
        """Return the floats per key."""
        return 2 + 4 * len(spec.half_lives_buckets)

    @classmethod
    def view(cls, spec: FeatureSpec, memory: Float32s) -> Self:
        """Name the leading columns of a memory (B, S); no copy."""
        half_lives = len(spec.half_lives_buckets)
        ends = np.cumsum([3, half_lives + 2, half_lives, half_lives - 1, half_lives - 2])
        demand, sold, variance, lines = (memory[:, a:b] for a, b in pairwise(ends))
        return cls(memory[:, 0], memory[:, 1], memory[:, 2], demand, sold, variance, lines)


def fresh_memory(spec: FeatureSpec, keys: int) -> Float32s:
    """Return the memory of keys that have seen nothing: zeros (keys, width), in the fast order."""
    return np.zeros((keys, FeatureState.width(spec)), dtype=np.float32, order="F")


def observe(spec: FeatureSpec, state: FeatureState, closed: ClosedBucket) -> None:
    """Absorb one closed bucket of B keys into their statistics, in place.

    Mean and variance follow West, Updating Mean and Variance Estimates: An
    Improved Method, Communications of the ACM 22(9), 1979, with exponential weights.
    """
    gains = _gains(spec)
    seen = closed.available_ratio > 0
    units = closed.demand_units
    np.add(state.observed_buckets, seen, out=state.observed_buckets)
    np.minimum(state.observed_buckets, gains.shape[1] - 1, out=state.observed_buckets)
    # Column 0 holds zero gains: a bucket that could not be seen leaves every mean as it is.
    gain = gains.take((state.observed_buckets * seen).astype(np.intp), axis=1)  # (E + 2, B)
    surprise = units - state.demand_mean.T
    step = gain * surprise
    state.demand_mean.T[:] += step
    _absorb_spread(state, gain, step, surprise)
    half_lives = len(spec.half_lives_buckets)
    sold = units > 0
    state.sold_mean.T[:] += gain[:half_lives] * (sold - state.sold_mean.T)
    lines = np.log1p(closed.order_lines)
    state.lines_mean.T[:] += gain[1 : half_lives - 1] * (lines - state.lines_mean.T)
    state.gap_buckets[:] = np.where(sold & seen, 0, state.gap_buckets + seen)
    np.minimum(state.gap_buckets, spec.longest_gap_buckets, out=state.gap_buckets)
    recent, long = state.demand_mean[:, half_lives], state.demand_mean[:, half_lives + 1]
    state.scale[:] = np.maximum((recent + long) * np.float32(0.5), np.float32(spec.scale_floor_units))


def _absorb_spread(state: FeatureState, gain: Float32s, step: Float32s, surprise: Float32s) -> None:
    spread = slice(1, 1 + state.demand_variance.shape[1])
    variance = state.demand_variance.T
    variance += step[spread] * surprise[spread]
    variance *= 1 - gain[spread]


def features(spec: FeatureSpec, state: FeatureState, closed: ClosedBucket) -> Float32s:
    """Return the raw inputs of own demand and calendar (B, O + C) after `observe` of the same bucket.

    Names are in `input_names`; what a version reads beside them is in `signal_features`.
    """
    keys = len(closed.demand_units)
    half_lives = len(spec.half_lives_buckets)
    seen = closed.available_ratio > 0
    own = np.empty((spec.demand_inputs, keys), dtype=np.float32)
    in_scale, counts, flags = own[: 2 * half_lives], own[2 * half_lives : 2 * half_lives + 3], own[2 * half_lives + 3 :]
    np.multiply(closed.demand_units, seen, out=in_scale[0])
    in_scale[1 : 1 + half_lives] = state.demand_mean.T[:half_lives]
    np.sqrt(state.demand_variance.T, out=in_scale[1 + half_lives :])
    in_scale /= state.scale
    np.multiply(closed.order_lines, seen, out=counts[0])
    counts[1] = state.gap_buckets
    np.minimum(closed.age_buckets, spec.longest_gap_buckets, out=counts[2], casting="same_kind")
    logs = own[: 2 * half_lives + 3]
    np.log1p(logs, out=logs)
    np.log(state.scale, out=flags[0])
    flags[1] = own[0] > 0
    flags[2] = ~seen
    flags[3 : 3 + half_lives] = state.sold_mean.T
    flags[3 + half_lives :] = state.lines_mean.T
    inputs = np.empty((keys, spec.demand_inputs + spec.calendar_inputs), dtype=np.float32)
    inputs[:, : spec.demand_inputs] = own.T
    inputs[:, spec.demand_inputs :] = calendar(spec, closed.bucket)
    return inputs


def calendar(spec: FeatureSpec, bucket: int) -> Float32s:
    """Return the calendar inputs of a closed bucket, (C,): the same for all keys.

    Weekday of the bucket, whether the shop was closed, whether it will be on
    each of the 14 days from the next bucket's day on, and below a day the
    first harmonics of the hour. Bucket 0 starts on a Monday at 00:00 local.

    Example:
        >>> calendar(FeatureSpec(buckets_per_day=1, closed_weekdays=(5,)), 4)[:10].tolist()
        [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    """
    per_day = spec.buckets_per_day
    inputs = np.zeros(spec.calendar_inputs, dtype=np.float32)
    if not per_day:
        return inputs
    weekday, next_day = bucket // per_day % 7, (bucket + 1) // per_day
    inputs[weekday] = 1
    inputs[7] = weekday in spec.closed_weekdays
    for ahead in range(CLOSED_DAYS_AHEAD):
        inputs[8 + ahead] = (next_day + ahead) % 7 in spec.closed_weekdays
    if per_day > 1:
        turn = 2 * np.pi * (bucket % per_day) / per_day * np.arange(1, HOUR_HARMONICS + 1)
        inputs[8 + CLOSED_DAYS_AHEAD :] = np.concatenate([np.sin(turn), np.cos(turn)])
    return inputs


def input_names(spec: FeatureSpec) -> tuple[str, ...]:
    """Return the names of the inputs of demand and calendar in order, own demand first.

    Example:
        >>> input_names(FeatureSpec())[:3]
        ('log_demand', 'log_level_2', 'log_level_6')
    """
    lives = [f"{life:g}" for life in spec.half_lives_buckets]
    own = ["log_demand", *(f"log_level_{life}" for life in lives), *(f"log_spread_{life}" for life in lives[1:])]
    own += ["log_lines", "log_gap", "log_age", "log_scale", "is_sold", "is_missing"]
    own += [f"sold_{life}" for life in lives] + [f"lines_{life}" for life in lives[1:-1]]
    if not spec.buckets_per_day:
        return tuple(own)
    ahead = [f"closed_in_{day}" for day in range(CLOSED_DAYS_AHEAD)]
    hours = [f"hour_{wave}_{k}" for wave in ("sin", "cos") for k in range(1, HOUR_HARMONICS + 1)]
    days = [f"weekday_{day}" for day in range(7)]
    return (*own, *days, "is_closed", *ahead, *(hours if spec.buckets_per_day > 1 else []))


@lru_cache(maxsize=16)
def _gains(spec: FeatureSpec) -> Float32s:
    """Weight of the nth observed bucket in each mean, (E + 2, N): column n, column 0 is zero.

    Exponential means weigh it (1 - d) / (1 - d^n) with d = 2^(-1 / half-life);
    the long mean 1 / min(n, its length), the plain mean until then.
    """
    lives = np.array([*spec.half_lives_buckets, spec.scale_half_life_buckets])
    last = int(max(-np.log2(_FORGOTTEN) * lives.max(), spec.long_mean_buckets)) + 1
    decay = np.exp2(-1 / lives)[:, None]
    count = np.arange(1, last + 1)
    table = np.zeros((len(lives) + 1, last + 1), dtype=np.float32)
    table[:-1, 1:] = (1 - decay) / (1 - decay**count)
    table[-1, 1:] = 1 / np.minimum(count, spec.long_mean_buckets)
    table.setflags(write=False)
    return table
