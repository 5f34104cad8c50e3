"""Moving average with a normal spread: the textbook forecast, and the last rung of the fallback.

It needs no file and no training. Source: Silver, Pyke & Thomas, Inventory and
Production Management in Supply Chains, 4th ed., sections 4.5 and 6.7.
"""

from statistics import NormalDist

import numpy as np

from model_store.errors import SpecMismatch
from model_store.spec import ModelSpec, default_grid
from replenishment.arrays import Float32s, Float64s
from replenishment.buckets import BucketWidth
from replenishment.forecaster import ClosedBucket, Forecast

FALLBACK_WINDOW_BUCKETS = 28


class MovingAverage:
    """Mean and deviation of the last n observed buckets, independent from bucket to bucket.

    Memory is the last n demands, newest last, then how many of them were
    observed: a memory stepped through n buckets is the carried one, bit for bit.

    Raises:
        SpecMismatch: If the spec's window is not the context, or not within 2 buckets to 4096.
    """

    def __init__(self, version: str, spec: ModelSpec) -> None:
        window = spec.parameters.get("window_buckets", 0)
        if window != spec.context_buckets or window < 2:
            raise SpecMismatch(
                f"version {version}: window_buckets is {window:g}, must be 2 or more and equal the context of "
                f"{spec.context_buckets} buckets. Publish it again with both the same"
            )
        self.version = version
        self.grid = spec.grid
        self.context_buckets = spec.context_buckets
        self.memory_floats = spec.context_buckets + 1
        horizons = np.array(spec.grid.horizons_buckets, dtype=np.float64)
        self._mean_weight = horizons[:, None]
        deviates = np.array([NormalDist().inv_cdf(level) for level in spec.grid.levels])
        self._deviations = deviates * np.sqrt(horizons)[:, None]

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        """Shift one bucket in and forecast; a bucket that could not be sold in leaves the memory as it is."""
        seen = closed.available_ratio > 0
        advanced = np.array(memory, dtype=np.float32, order="C")
        advanced[:, :-2] = np.where(seen[:, None], memory[:, 1:-1], memory[:, :-2])
        advanced[:, -2] = np.where(seen, closed.demand_units, memory[:, -2])
        advanced[:, -1] = np.minimum(memory[:, -1] + seen, self.context_buckets)
        mean, deviation = _mean_and_deviation(advanced[:, :-1].astype(np.float64), advanced[:, -1].astype(np.float64))
        units = mean[:, None, None] * self._mean_weight + deviation[:, None, None] * self._deviations
        return Forecast(np.maximum(units, 0).astype(np.float32), advanced)


def _mean_and_deviation(units: Float64s, count: Float64s) -> tuple[Float64s, Float64s]:
    """Mean and sample deviation (B,) of the newest ``count`` columns; older columns are zero."""
    mean = units.sum(axis=1) / np.maximum(count, 1)
    observed = np.arange(units.shape[1], 0, -1) <= count[:, None]
    squares = np.square(units - mean[:, None], where=observed, out=np.zeros_like(units)).sum(axis=1)
    # One bucket says nothing of spread: until there are two, that of a Poisson demand.
    variance = np.where(count > 1, squares / np.maximum(count - 1, 1), mean)
    return mean, np.sqrt(variance)


def fallback(width: BucketWidth, window_buckets: int = FALLBACK_WINDOW_BUCKETS) -> MovingAverage:
    """Return the forecaster that serves when no version can, for any bucket width.

    Example:
        >>> fallback(BucketWidth(3_600)).version
        'moving_average_28'
    """
    parameters = {"window_buckets": float(window_buckets)}
    spec = ModelSpec("moving_average", width, default_grid(), window_buckets, None, parameters)
    return MovingAverage(f"moving_average_{window_buckets}", spec)
