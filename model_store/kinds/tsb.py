"""TSB: Croston's split of intermittent demand into how often and how much, with a negative binomial spread.

Unlike Croston's, the probability falls in every bucket without demand, so a
SKU that dies is noticed.

Source: Teunter, Syntetos & Babai, Intermittent demand: linking forecasting to
inventory obsolescence, EJOR 214(3), 2011; Croston, Operational Research
Quarterly 23(3), 1972.
"""

import numpy as np

from model_store.kinds.counts import surface
from model_store.kinds.exponential_smoothing import gain_of, required, smoothed
from model_store.spec import ModelSpec
from replenishment.arrays import Float32s, Float64s
from replenishment.forecaster import ClosedBucket, Forecast

PARAMETERS = ("probability_gain", "size_gain", "spread")
_MOST = 4096.0


class Tsb:
    """Probability of demand in a bucket, and mean and variance of its size, each smoothed with its gain.

    Demand of a bucket has mean p z and variance p (v + z^2) - (p z)^2, times
    ``spread`` for what the smoothing itself does not know. Memory is p, z, v,
    observed buckets and buckets with demand (saturating).

    Raises:
        SpecMismatch: If a gain is not within (0, 1], or the spread not within (0, 100].
    """

    def __init__(self, version: str, spec: ModelSpec) -> None:
        self._probability_gain = required(version, spec, "probability_gain", 0.0, 1.0)
        self._size_gain = required(version, spec, "size_gain", 0.0, 1.0)
        self._spread = required(version, spec, "spread", 0.0, 100.0)
        self.version = version
        self.grid = spec.grid
        self.context_buckets = spec.context_buckets
        self.memory_floats = 5

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        """Update and forecast; a bucket that could not be sold in leaves the memory as it is."""
        seen = closed.available_ratio > 0
        sold = seen & (closed.demand_units > 0)
        probability, size, variance, count, sales = (memory[:, column].astype(np.float64) for column in range(5))
        count, sales = np.minimum(count + seen, _MOST), np.minimum(sales + sold, _MOST)
        weight = gain_of(self._probability_gain, count) * seen
        probability = probability + weight * (sold - probability)
        gain = gain_of(self._size_gain, sales)
        size, variance = smoothed(size, variance, closed.demand_units, sold, gain)
        mean, spread = _bucket(probability, size, variance)
        advanced = np.stack([probability, size, variance, count, sales], axis=1).astype(np.float32)
        return Forecast(surface(self.grid, mean, spread * self._spread), advanced)


def _bucket(probability: Float64s, size: Float64s, variance: Float64s) -> tuple[Float64s, Float64s]:
    """Mean and variance of demand in one bucket, (B,)."""
    mean = probability * size
    return mean, np.maximum(probability * (variance + np.square(size)) - np.square(mean), 0)
