"""Inputs made of planned and measured series: the same code in training and serving, O(1) per key and bucket.

A strength (promotion, holiday) is shown as it is. Any other channel is shown
as what it is above or below its own mean so far, and where nothing is known
it is as usual: 0. So neither the level of a price nor its currency matters.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np

from model_store.signal_spec import SignalSpec
from model_store.spec import FeatureSpec
from replenishment.arrays import Bools, Float32s
from replenishment.forecaster import ClosedBucket
from replenishment.signals import FLAGS, HOLIDAY

DAY_SECONDS = 86_400


def signal_floats(spec: FeatureSpec) -> int:
    """Return the floats carried per key: of each channel how often it was seen, and its mean at each half-life."""
    wanted = spec.signals
    return len(wanted.channels) * (1 + len(spec.half_lives_buckets)) if wanted else 0


def signal_inputs(spec: FeatureSpec, memory: Float32s, closed: ClosedBucket) -> Float32s:
    """Absorb a closed bucket into the means, in place, and return the inputs (B, P + H * C); names in `signal_names`.

    Args:
        spec: With signals.
        memory: Counts and means of B keys (B, `signal_floats`), zeros at birth.
        closed: The bucket, with what is known ahead of it; None is nothing planned.
    """
    wanted = _wanted(spec)
    keys, channels = len(closed.demand_units), len(wanted.channels)
    values = _values(wanted, closed)  # (B, 1 + A, channels)
    carried = memory.reshape(keys, channels, -1)
    seen = np.isfinite(values[:, 0]) & (closed.available_ratio > 0)[:, None]
    _absorb(spec, carried, values[:, 0], seen)
    is_flag = np.isin(wanted.channels, [*FLAGS])
    usual = np.where(is_flag, np.float32(0), carried[:, :, -1])
    relative = np.where(np.isfinite(values), values - usual[:, None], np.float32(0))
    # Nothing is usual before it was seen once.
    relative *= ((carried[:, :, 0] > 0) | is_flag)[:, None]
    past = np.concatenate([relative[:, 0, :, None], carried[:, :, 1:] - usual[:, :, None]], axis=2)
    ahead = _per_horizon(relative[:, 1:, : len(wanted.known_ahead)], wanted.horizons_buckets)
    return np.concatenate([past.reshape(keys, -1), ahead.reshape(keys, -1)], axis=1, dtype=np.float32)


def signal_names(spec: FeatureSpec) -> tuple[str, ...]:
    """Return the names of the inputs in order.

    Example:
        >>> wanted = SignalSpec(("promotion",), (), (1, 3))
        >>> signal_names(FeatureSpec(signals=wanted))[-3:]
        ('promotion_mean_24', 'promotion_ahead_1', 'promotion_ahead_3')
    """
    wanted = _wanted(spec)
    lives = [f"_mean_{life:g}" for life in spec.half_lives_buckets]
    past = [name + what for name in wanted.channels for what in ("", *lives)]
    ahead = [f"{name}_ahead_{horizon}" for horizon in wanted.horizons_buckets for name in wanted.known_ahead]
    return (*past, *ahead)


def holiday_share(wanted: SignalSpec, buckets: Sequence[int]) -> Float32s:
    """Return the share of each bucket (N,) that is holiday.

    Example:
        >>> half_days = SignalSpec(("holiday",), (), (1,), 43_200, ("1970-01-06",))
        >>> holiday_share(half_days, range(5)).tolist()
        [0.0, 0.0, 1.0, 1.0, 0.0]
    """
    starts = np.array(buckets, dtype=np.int64) * wanted.bucket_seconds
    days = np.array(wanted.holiday_days, dtype=np.int64) * DAY_SECONDS
    begins = np.maximum(starts[:, None], days)
    ends = np.minimum(starts[:, None] + wanted.bucket_seconds, days + DAY_SECONDS)
    shared = np.maximum(ends - begins, 0).sum(axis=1)
    return np.asarray(shared / wanted.bucket_seconds, dtype=np.float32)


def _wanted(spec: FeatureSpec) -> SignalSpec:
    if not spec.signals:
        raise ValueError("the features have no signals")
    return spec.signals


def _values(wanted: SignalSpec, closed: ClosedBucket) -> Float32s:
    """What is known of the closed bucket and those ahead, (B, 1 + A, channels): NaN is nothing, for a strength 0."""
    reach = 1 + wanted.horizons_buckets[-1]
    values = np.full((len(closed.demand_units), reach, len(wanted.channels)), np.nan, dtype=np.float32)
    given = closed.known_ahead
    for place, name in enumerate(wanted.channels):
        if given is not None and name in given.names:
            known = given.values[:, :reach, given.names.index(name)]
            values[:, : known.shape[1], place] = known
        if name in FLAGS:
            values[:, :, place] = np.nan_to_num(values[:, :, place])
        if name == HOLIDAY:
            values[:, :, place] = _holidays_ahead(wanted, closed.bucket)
    return values


@lru_cache(maxsize=4096)
def _holidays_ahead(wanted: SignalSpec, bucket: int) -> Float32s:
    return holiday_share(wanted, range(bucket, bucket + 1 + wanted.horizons_buckets[-1]))


def _absorb(spec: FeatureSpec, carried: Float32s, values: Float32s, seen: Bools) -> None:
    """Update counts and normalised means (B, channels, 1 + E) with values (B, channels) where they are seen."""
    decay = np.exp2(-1 / np.array(spec.half_lives_buckets, dtype=np.float32))
    # Beyond this many buckets the weight of the next one is constant to float32.
    longest = np.float32(32 * spec.half_lives_buckets[-1])
    count = carried[:, :, 0]
    np.minimum(count + seen, longest, out=count)
    gain = (1 - decay) / np.maximum(1 - decay ** count[:, :, None], np.float32(1e-9))
    surprise = np.where(seen, values, 0)[:, :, None] - carried[:, :, 1:]
    carried[:, :, 1:] += np.where(seen[:, :, None], gain * surprise, np.float32(0))


def _per_horizon(ahead: Float32s, horizons: tuple[int, ...]) -> Float32s:
    """Mean of each channel from one horizon to the next, (B, H, C), of buckets ahead (B, A, C)."""
    ends = (0, *horizons)
    means = [ahead[:, first:last].mean(axis=1) for first, last in pairwise(ends)]
    return np.stack(means, axis=1)
