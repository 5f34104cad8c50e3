"""Quantiles put in order: what a model from elsewhere yields need not rise with level and horizon.

Source: Chernozhukov, Fernández-Val & Galichon, Quantile and Probability Curves
Without Crossing, Econometrica 78(3), 2010: sorting the levels never makes the
pinball loss larger.
"""

import numpy as np

from replenishment.arrays import Float32s
from replenishment.forecaster import ClosedBucket, Forecast, Forecaster
from replenishment.quantiles import QuantileGrid


class Rearranged:
    """A forecaster whose quantiles are at least 0, sorted by level, and never smaller for a longer horizon.

    Attributes:
        inner: Whose quantiles they are, as they come.
    """

    def __init__(self, inner: Forecaster) -> None:
        self.inner = inner

    @property
    def version(self) -> str:
        """Id of the version."""
        return self.inner.version

    @property
    def grid(self) -> QuantileGrid:
        """Horizons and levels of its forecasts."""
        return self.inner.grid

    @property
    def memory_floats(self) -> int:
        """Float32 numbers carried per key."""
        return self.inner.memory_floats

    @property
    def context_buckets(self) -> int:
        """How many closed buckets warm a memory."""
        return self.inner.context_buckets

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        """Step, and put the quantiles in order."""
        found = self.inner.step(closed, memory)
        return Forecast(rearranged(found.quantiles), found.memory)


def rearranged(quantiles: Float32s) -> Float32s:
    """Return quantiles (B, H, Q) in order; those that are stay as they are.

    Example:
        >>> rearranged(np.array([[[3, 2], [1, 4]]], dtype=np.float32)).tolist()
        [[[2.0, 3.0], [2.0, 4.0]]]
    """
    ordered = np.sort(np.maximum(quantiles, 0), axis=2)
    return np.maximum.accumulate(ordered, axis=1, out=ordered)
