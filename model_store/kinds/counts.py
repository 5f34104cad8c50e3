"""Quantiles of counts: a negative binomial by mean and variance, summed over horizons, from a table made once.

For independent buckets with the same ratio of variance to mean the sum over h
buckets is negative binomial again, with h times the mean and that ratio: the
whole surface of a key follows from two numbers.

Source:
    Syntetos, Babai & Altay, On the demand distributions of spare parts, IJPR 50(8), 2012 (negative binomial for
    intermittent demand); Snyder, Ord & Beaumont, Forecasting the intermittent demand for slow-moving inventories,
    IJF 28(2), 2012.
"""

from functools import lru_cache

import numpy as np

from replenishment.arrays import Float32s, Float64s
from replenishment.quantiles import QuantileGrid

_MEANS = np.exp2(np.arange(-10, 9.01, 0.25))
_SURPLUSES = np.exp2(np.arange(-6, 8.01, 0.5))
"""Variance / mean - 1."""
_MOST_UNITS = 4096


def surface(grid: QuantileGrid, mean: Float64s, variance: Float64s) -> Float32s:
    """Return quantiles (B, H, Q) of demand summed over each horizon, non-negative, rising in both.

    Means above 512 units are counted in lots, so that a spread of less than that
    of 512 Poisson lots (4 %) is not seen.

    Args:
        grid: Horizons (H,) and levels (Q,).
        mean: Units per bucket, at least 0: (B,), or (B, H) for the sum over each horizon.
        variance: Of one bucket, (B,); taken as at least the mean, that of a Poisson count.

    Example:
        >>> grid = QuantileGrid((1, 4), (0.5, 0.99))
        >>> surface(grid, np.array([2.0]), np.array([2.0])).round().tolist()
        [[[2.0, 6.0], [8.0, 15.0]]]
    """
    horizons = np.array(grid.horizons_buckets, dtype=np.float64)
    sums = mean[:, None] * horizons if mean.ndim == 1 else mean
    per_bucket = sums[:, -1:] / horizons[-1]
    surplus = np.maximum(variance[:, None] / np.maximum(per_bucket, 1e-12), 1.0) - 1
    quantiles = _looked_up(grid.levels, sums, np.broadcast_to(surplus, sums.shape))
    np.maximum.accumulate(quantiles, axis=1, out=quantiles)
    np.maximum.accumulate(quantiles, axis=2, out=quantiles)
    return quantiles.astype(np.float32)


def _looked_up(levels: tuple[float, ...], mean: Float64s, surplus: Float64s) -> Float64s:
    """Quantiles (..., Q) by mean and variance / mean - 1, both (...): linear between the table's, in lots beyond it."""
    table = _table(levels)
    lot = np.maximum(np.maximum(mean / _MEANS[-1], (1 + surplus) / (1 + _SURPLUSES[-1])), 1.0)
    row, row_share = _place(mean / lot, _MEANS)
    column, column_share = _place((1 + surplus) / lot - 1, _SURPLUSES)
    low = table[row, column] * (1 - column_share) + table[row, column + 1] * column_share
    high = table[row + 1, column] * (1 - column_share) + table[row + 1, column + 1] * column_share
    return np.asarray((low * (1 - row_share) + high * row_share) * lot[..., None])


def _place(value: Float64s, axis: Float64s) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.intp]], Float64s]:
    """Place before a value on a geometric axis, and the share (..., 1) of the way to the next."""
    step = np.log2(axis[1] / axis[0])
    at = np.clip(np.log2(np.maximum(value, axis[0]) / axis[0]) / step, 0, len(axis) - 1)
    before = np.minimum(at.astype(np.intp), len(axis) - 2)
    return before, (at - before)[..., None]


@lru_cache(maxsize=8)
def _table(levels: tuple[float, ...]) -> Float64s:
    """Smallest count whose probability not to be exceeded is the level or more, (means, surpluses, Q)."""
    mean, surplus = np.meshgrid(_MEANS, _SURPLUSES, indexing="ij")
    size = mean / surplus
    probability = (1 + surplus) ** -size
    total = probability.copy()
    found = np.full((*mean.shape, len(levels)), float(_MOST_UNITS))
    wanted = np.array(levels)
    for count in range(_MOST_UNITS):
        reached = total[..., None] >= wanted
        np.minimum(found, count, where=reached, out=found)
        if reached.all():
            break
        probability *= (count + size) / (count + 1) * (surplus / (1 + surplus))
        total += probability
    found.setflags(write=False)
    return found
