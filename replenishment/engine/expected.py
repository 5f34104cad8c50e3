"""Keys that have hardly sold yet: what the catalog expects of them stands in for the forecast, and is blended out.

Of a key's first 14 buckets those that it has not closed yet count as the
catalog expects them, those it has as they were. So a planner's number, or
what a predecessor sold, is the whole forecast at first and none of it later.
"""

from statistics import NormalDist

import numpy as np

from replenishment.arrays import Float32s, Float64s, Int64s
from replenishment.engine.rows import NEVER
from replenishment.engine.state import PartitionState
from replenishment.quantiles import QuantileGrid

YOUNG_BUCKETS = 14
"""A key that has closed fewer buckets is new: its forecast leans on its category, where the version knows it."""
DOUBT = 0.5
"""Standard deviation of what is really sold over what was expected: a planner's number is right within a half."""


def begin_expected(state: PartitionState, bucket: int, chunk: int) -> None:
    """Let keys of a chunk that never sold, and of which the catalog expects demand, begin with ``bucket``."""
    first = chunk * state.plan.closing_chunk_keys
    last = min(first + state.plan.closing_chunk_keys, state.keys.count)
    terms, born = state.terms[first:last], state.window["born_bucket"][first:last]
    is_expected = (terms["expected_daily_units"] > 0) & (terms["is_active"] == 1) & (born == NEVER)
    born[is_expected] = bucket


def with_expected(
    state: PartitionState, rows: Int64s, grid: QuantileGrid, quantiles: Float32s
) -> tuple[Float32s, Float64s]:
    """Return the forecast of rows (B,) with what the catalog expects of new ones, and that in units a day, 0 = none.

    Args:
        state: Windows that end with the bucket that closed.
        rows: The keys.
        grid: Of the forecast.
        quantiles: The forecast, (B, H, Q).
    """
    daily = state.terms["expected_daily_units"][rows]
    age = state.window["closed_bucket"][rows] - state.window["born_bucket"][rows] + 1
    daily = np.where(age < YOUNG_BUCKETS, daily, 0.0)
    some = np.flatnonzero(daily > 0)
    if not len(some):
        return quantiles, daily
    expected = daily[some] * state.plan.width.seconds / 86_400
    mean = ((YOUNG_BUCKETS - age[some]) * expected + _sold(state, rows[some], age[some])) / YOUNG_BUCKETS
    blended = quantiles.copy()
    blended[some] = expected_quantiles(grid, mean)
    return blended, daily


def _sold(state: PartitionState, rows: Int64s, age: Int64s) -> Float64s:
    """Return what keys sold in all their buckets, fewer than 14, (B,)."""
    back = np.arange(YOUNG_BUCKETS)
    columns = (state.window["closed_bucket"][rows][:, None] - back) % state.plan.window_buckets
    units = np.take_along_axis(state.window["units"][rows], columns, axis=1)
    return np.asarray(np.where(back < age[:, None], np.maximum(units, 0), 0).sum(axis=1, dtype=np.float64))


def expected_quantiles(grid: QuantileGrid, mean: Float64s) -> Float64s:
    """Return quantiles (B, H, Q) of demand over each horizon from its mean in a bucket, (B,), above 0.

    Demand is Poisson with a mean that is known to within ``DOUBT``: variance
    μ + (DOUBT·μ)², read off the gamma distribution of that mean and variance.

    Source:
        Wilson & Hilferty, The distribution of chi-square, PNAS 17, 1931 (quantiles of the gamma distribution).

    Example:
        >>> grid = QuantileGrid((1, 4), (0.5, 0.95))
        >>> expected_quantiles(grid, np.array([4.0])).round(2).tolist()
        [[[3.37, 9.46], [14.39, 32.91]]]
    """
    units = mean[:, None] * np.asarray(grid.horizons_buckets, dtype=np.float64)
    inverse_shape = (1 / units + DOUBT**2)[:, :, None]
    deviates = np.array([NormalDist().inv_cdf(level) for level in grid.levels])
    root = 1 - inverse_shape / 9 + deviates * np.sqrt(inverse_shape) / 3
    return np.asarray(units[:, :, None] * np.maximum(root, 0.0) ** 3)
