"""Whether forecasts are off to one side for longer than chance explains: a test of one figure a bucket.

Sources:
    Page, Continuous inspection schemes, Biometrika 41, 1954; Hinkley, Inference about the change-point from
    cumulative sum tests, Biometrika 58, 1971.
"""

from typing import NamedTuple

import numpy as np

from replenishment.arrays import Float64s

LEARNING_BUCKETS = 28
"""How long mean and deviation are learnt before anything is said."""
TOLERATED_DEVIATIONS = 0.5
"""δ: a shift of the mean by less is none."""
DRIFT_DEVIATIONS = 10.0
"""λ: a sum beyond it is drift; by chance alone once in thousands of buckets."""
LARGEST_RESIDUAL = 3.0


class Watch(NamedTuple):
    """What is kept of the figures so far: how many, their mean and squared deviations, and both sums of the test."""

    seen: float = 0.0
    mean: float = 0.0
    squares: float = 0.0
    above: float = 0.0
    below: float = 0.0

    @property
    def ratio(self) -> float:
        """How far the test is: at 1 it is drift."""
        return max(self.above, self.below) / DRIFT_DEVIATIONS

    def after(self, figure: float) -> "Watch":
        """Return the watch after one more figure.

        Example:
            >>> watch = Watch()
            >>> for bucket in range(60):
            ...     watch = watch.after((-1) ** bucket + (3 if bucket >= 40 else 0))
            >>> watch.ratio > 1, watch.above > watch.below
            (True, True)
        """
        above, below = self.above, self.below
        if self.seen >= LEARNING_BUCKETS and self.squares > 0:
            shift = (figure - self.mean) / (self.squares / (self.seen - 1)) ** 0.5
            above = max(0.0, above + shift - TOLERATED_DEVIATIONS)
            below = max(0.0, below - shift - TOLERATED_DEVIATIONS)
        seen = self.seen + 1
        mean = self.mean + (figure - self.mean) / seen
        return Watch(seen, mean, self.squares + (figure - self.mean) * (figure - mean), above, below)


def residuals(actual_units: Float64s, expected_units: Float64s, spread_units: Float64s) -> Float64s:
    """Return how far demand was from what was expected, in spreads of the forecast, within ±3, (N,).

    Args:
        actual_units: Demand that came, (N,).
        expected_units: Mean of the forecast.
        spread_units: From its median to its highest quantile but one; less than a unit counts as one.
    """
    found = (actual_units - expected_units) / np.maximum(spread_units, 1.0)
    return np.clip(found, -LARGEST_RESIDUAL, LARGEST_RESIDUAL)
