"""Demand forecast as a weighted sum of the demand before it, with a negative binomial spread.

The expected demand of bucket t is the sum over i of w_i s(t - i); buckets
further ahead are forecast from the forecasts before them. `seasonal_naive`
and `seasonal_least_squares` differ in where the weights come from.
"""

import numpy as np

from model_store.errors import SpecMismatch
from model_store.kinds.counts import surface
from model_store.kinds.exponential_smoothing import gain_of
from model_store.spec import ModelSpec
from replenishment.arrays import Float32s, Float64s
from replenishment.forecaster import ClosedBucket, Forecast

ERROR_GAIN = 0.05
"""Weight of the newest error in the spread."""


class LagWeights:
    """Forecaster of weights (L,) of the last L buckets, newest first; they are at least 0 and add up to 1.

    A lag before the key's birth counts as the mean of what was observed; a
    bucket that could not be sold in counts as it was forecast. Memory is the
    last L demands, newest last, the variance of one-bucket errors, and observed
    buckets (at most L).

    Raises:
        SpecMismatch: If weights are below 0 or do not add up to 1, or the context is not L.
    """

    def __init__(self, version: str, spec: ModelSpec, weights: Float64s, spread: float) -> None:
        if len(weights) != spec.context_buckets or (weights < 0).any() or not abs(weights.sum() - 1) < 1e-6:
            raise SpecMismatch(
                f"version {version}: {len(weights)} weights that add up to {weights.sum():g}, must be "
                f"{spec.context_buckets}, at least 0, that add up to 1. Train it again"
            )
        self.version = version
        self.grid = spec.grid
        self.context_buckets = len(weights)
        self.memory_floats = len(weights) + 2
        self._spread = spread
        self._next = weights[::-1]
        self._sums = _over_horizons(weights, spec.grid.horizons_buckets)

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        """Shift one bucket in and forecast."""
        lags, count = memory[:, :-2].astype(np.float64), memory[:, -1].astype(np.float64)
        seen = closed.available_ratio > 0
        expected = _weighted(_filled(lags, count), self._next[:, None])[:, 0]
        units = np.where(seen, closed.demand_units, expected)
        gain = np.where(count > 0, gain_of(ERROR_GAIN, count), 0)
        # Errors have mean 0: the variance is that of the errors themselves.
        variance = memory[:, -2] + seen * gain * (np.square(units - expected) - memory[:, -2])
        lags = np.concatenate([lags[:, 1:], units[:, None]], axis=1)
        count = np.minimum(count + (seen | (count > 0)), self.context_buckets)
        sums = _weighted(_filled(lags, count), self._sums)
        spread = np.where(count > 1, variance, sums[:, 0]) * self._spread
        advanced = np.concatenate([lags, variance[:, None], count[:, None]], axis=1)
        return Forecast(surface(self.grid, sums, spread), advanced.astype(np.float32))


def _filled(lags: Float64s, count: Float64s) -> Float64s:
    """Lags (B, L), newest last, with the mean of the observed in place of those before birth."""
    is_observed = np.arange(lags.shape[1], 0, -1) <= count[:, None]
    mean = np.where(is_observed, lags, 0).sum(axis=1) / np.maximum(count, 1)
    return np.where(is_observed, lags, mean[:, None])


def _weighted(lags: Float64s, weights: Float64s) -> Float64s:
    """Sums (B, H) of lags (B, L) by weights (L, H), in one order: a matrix product's depends on the rows beside it."""
    total = np.zeros((len(lags), weights.shape[1]))
    for lag in range(lags.shape[1]):
        total += lags[:, lag, None] * weights[lag]
    return total


def _over_horizons(weights: Float64s, horizons: tuple[int, ...]) -> Float64s:
    """Weights (L, H) of the lags, newest last, in the demand expected over each horizon together."""
    length = len(weights)
    rows = np.eye(length)[::-1]  # row i: the demand i buckets ago, by the lags with the newest last
    ahead, total, sums = list(rows[::-1]), np.zeros(length), {}
    for horizon in range(1, horizons[-1] + 1):
        ahead.append(np.asarray(sum(weights[lag] * ahead[-1 - lag] for lag in range(length))))
        total = total + ahead[-1]
        sums[horizon] = total
    return np.stack([sums[horizon] for horizon in horizons], axis=1)
