"""Generated demand for the starter version and for tests: what shops' demand is made of, each with its randomness.

Nothing here imitates one shop. SKUs differ in level, weekly pattern, season,
drift, how often they sell, lot size, life span and stock-outs. Seeded; the
same arguments give the same history.
"""

from dataclasses import dataclass

import numpy as np

from model_store.training.history import DemandHistory
from replenishment.arrays import Bools, Float32s, Float64s, Int64s
from replenishment.buckets import BucketWidth

LOT_UNITS = np.array([1, 1, 1, 2, 6, 12, 24])
"""Multiples in which SKUs sell."""
SHOP_KEYS = 40
"""SKUs that share weekly pattern and closed days."""
_DAYS = 7
_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class _Skus:
    """What K generated SKUs are like: (K,) each, but for the weekly factor (K, 7)."""

    born: Int64s
    ended: Int64s
    lines_a_day: Float64s
    weekly: Float64s
    swing: Float64s
    phase: Float64s
    drift: Float64s
    burst: Float64s
    lot_units: Int64s
    extra_lots: Float64s


def generate(keys: int, first_bucket: int, buckets: int, seed: int) -> DemandHistory:
    """Return daily demand of K generated SKUs ``generated|00000`` and on.

    Args:
        keys: K, 1 or more.
        first_bucket: Index of the first day.
        buckets: T, days; at least 8.
        seed: Of everything random.
    """
    rng = np.random.default_rng(seed)
    skus = _skus(keys, buckets, rng)
    day = np.arange(buckets)
    rate = _rate(skus, first_bucket + day, rng)
    alive = (day >= skus.born[:, None]) & (day < skus.ended[:, None])
    available = ~_stock_outs(alive, rng)
    lines = rng.poisson(rate * alive * available)
    units = skus.lot_units[:, None] * (lines + rng.poisson(lines * skus.extra_lots[:, None]))
    lines[np.arange(keys), skus.born] = np.maximum(lines[np.arange(keys), skus.born], 1)
    units = np.where((lines > 0) & (units == 0), skus.lot_units[:, None], units)
    available[np.arange(keys), skus.born] = True
    return DemandHistory(
        width=BucketWidth(86_400),
        first_bucket=first_bucket,
        keys=tuple(f"generated|{number:05}".encode() for number in range(keys)),
        demand_units=units.astype(np.float32),
        order_lines=lines.astype(np.float32),
        available_ratio=_ratio(available, skus.born),
        born=skus.born,
    )


def _skus(keys: int, buckets: int, rng: np.random.Generator) -> _Skus:
    shops = -(-keys // SHOP_KEYS)
    weekly = rng.gamma(6, 1 / 6, (shops, _DAYS)) * _opening_days(shops, rng)
    weekly *= _DAYS / weekly.sum(axis=1, keepdims=True)
    # Two in three are there from the first day, the others begin at some time.
    born = np.sort(np.where(rng.random(keys) < 2 / 3, 0, rng.integers(0, max(buckets * 3 // 4, 1), keys)))
    life = np.where(rng.random(keys) < 0.8, buckets, rng.integers(30, 30 + buckets, keys))
    return _Skus(
        born=born,
        ended=born + life,
        lines_a_day=np.exp(rng.normal(-0.5, 1.6, keys)).clip(0.01, 80),
        weekly=weekly[rng.integers(0, shops, keys)],
        swing=rng.beta(1.5, 4, keys) * 1.2,
        phase=rng.uniform(0, 2 * np.pi, keys),
        drift=np.abs(rng.normal(0, 0.03, keys)),
        burst=rng.uniform(0.1, 0.9, keys),
        lot_units=rng.choice(LOT_UNITS, keys),
        extra_lots=rng.exponential(0.8, keys),
    )


def _opening_days(shops: int, rng: np.random.Generator) -> Bools:
    """Whether a shop sells on each weekday, (shops, 7): half of them always, the others not on one or two days."""
    is_open = np.ones((shops, _DAYS), dtype=np.bool_)
    for shop in np.flatnonzero(rng.random(shops) < 0.5).tolist():
        is_open[shop, rng.choice(_DAYS, rng.integers(1, 3), replace=False)] = False
    return is_open


def _rate(skus: _Skus, bucket: Int64s, rng: np.random.Generator) -> Float64s:
    """Expected lines of each day, (K, T): level x weekday x season x a wandering level x short bursts."""
    season = 1 + skus.swing[:, None] * np.sin(2 * np.pi * bucket / _YEAR + skus.phase[:, None])
    shape = (len(skus.born), len(bucket))
    wander = np.cumsum(rng.standard_normal(shape), axis=1) * skus.drift[:, None]
    wander -= wander.mean(axis=1, keepdims=True)
    burst = rng.gamma(1 / skus.burst[:, None] ** 2, skus.burst[:, None] ** 2, shape)
    weekday = skus.weekly[:, bucket % _DAYS]
    rate = skus.lines_a_day[:, None] * weekday * np.maximum(season, 0.05) * np.exp(np.clip(wander, -2, 2)) * burst
    return np.minimum(rate, 1_000)


def _stock_outs(alive: Bools, rng: np.random.Generator) -> Bools:
    """Days on which a SKU is known to be sold out, (K, T): one in ten SKUs, now and then, one to two weeks."""
    keys, buckets = alive.shape
    out = np.zeros(alive.shape, dtype=np.bool_)
    for key in np.flatnonzero(rng.random(keys) < 0.1).tolist():
        for start in rng.integers(1, buckets, max(buckets // 120, 1)).tolist():
            out[key, start : start + int(rng.integers(3, 15))] = True
    return out & alive


def _ratio(available: Bools, born: Int64s) -> Float32s:
    ratio = available.astype(np.float32)
    ratio[np.arange(available.shape[1]) < born[:, None]] = 1
    return ratio
