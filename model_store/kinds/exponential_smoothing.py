"""Simple exponential smoothing with a normal spread.

Source: Brown, Statistical Forecasting for Inventory Control, 1959; variance of
the sum over h buckets: Hyndman, Koehler, Ord & Snyder, Forecasting with
Exponential Smoothing, 2008, section 6.1 (local level, additive errors).
"""

from statistics import NormalDist

import numpy as np

from model_store.errors import SpecMismatch
from model_store.spec import ModelSpec
from replenishment.arrays import Bools, Float32s, Float64s
from replenishment.forecaster import ClosedBucket, Forecast

PARAMETERS = ("gain",)


class ExponentialSmoothing:
    """A level that moves by a share of each error, ``gain``; the first buckets are averaged plainly.

    Memory is level, variance of its one-bucket errors, and observed buckets (saturating).

    Raises:
        SpecMismatch: If the gain is not within (0, 1].
    """

    def __init__(self, version: str, spec: ModelSpec) -> None:
        self._gain = required(version, spec, "gain", 0.0, 1.0)
        self.version = version
        self.grid = spec.grid
        self.context_buckets = spec.context_buckets
        self.memory_floats = 3
        horizons = np.array(spec.grid.horizons_buckets, dtype=np.float64)
        self._horizons = horizons[:, None]
        growth = 1 + self._gain * (horizons - 1) + self._gain**2 * (horizons - 1) * (2 * horizons - 1) / 6
        deviates = np.array([NormalDist().inv_cdf(level) for level in spec.grid.levels])
        self._deviations = np.sqrt(horizons * growth)[:, None] * deviates

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        """Move the level and forecast; a bucket that could not be sold in leaves the memory as it is."""
        seen = closed.available_ratio > 0
        level, variance, count = (memory[:, column].astype(np.float64) for column in range(3))
        count = np.minimum(count + seen, 4096)
        level, variance = smoothed(level, variance, closed.demand_units, seen, gain_of(self._gain, count))
        # One bucket says nothing of spread: until there are two, that of a Poisson demand.
        spread = np.sqrt(np.where(count > 1, variance, level))
        units = level[:, None, None] * self._horizons + spread[:, None, None] * self._deviations
        units = np.maximum.accumulate(np.maximum(units, 0), axis=1)
        advanced = np.stack([level, variance, count], axis=1).astype(np.float32)
        return Forecast(units.astype(np.float32), advanced)


def gain_of(gain: float, count: Float64s) -> Float64s:
    """Return the weight of the nth observation: 1 / n until that is below ``gain``, (B,)."""
    return np.maximum(gain, 1 / np.maximum(count, 1))


def smoothed(
    mean: Float64s, variance: Float64s, value: Float32s, seen: Bools, gain: Float64s
) -> tuple[Float64s, Float64s]:
    """Return exponentially weighted mean and variance (B,) after a value where it is ``seen``.

    Source: West, Updating Mean and Variance Estimates, CACM 22(9), 1979.
    """
    weight = gain * seen
    surprise = value - mean
    return mean + weight * surprise, (1 - weight) * (variance + weight * np.square(surprise))


def required(version: str, spec: ModelSpec, name: str, above: float, most: float) -> float:
    """Return a parameter of a classical kind.

    Raises:
        SpecMismatch: If it is missing or not within (``above``, ``most``].
    """
    value = spec.parameters.get(name, float("nan"))
    if not above < value <= most:
        raise SpecMismatch(
            f"version {version}: {name} is {value:g}, must be more than {above:g} and at most {most:g}. Train it again"
        )
    return value
