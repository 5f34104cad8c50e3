"""How good forecasts turned out to be, as sums that add up over keys, chunks, partitions and workers.

A figure is a ratio of two sums, so it is never averaged over averages.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from replenishment.arrays import Float64s

SCORED_LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
"""Levels that are scored, whatever the levels of a version are: so versions can be compared."""
FORGETTING = 0.5 ** (1 / 28)
"""What is left of a sum after one bucket: half after 28."""
_COUNTS = 5
MEASURES = _COUNTS + 2 * len(SCORED_LEVELS)
"""M: forecasts, demand, |error of the median|, error of the mean, |error of the mean|, covered and pinball by level."""
Measured: TypeAlias = Float64s
"""Sums of the measures, (..., M)."""


def measured(actual_units: Float64s, quantile_units: Float64s, expected_units: Float64s) -> Measured:
    """Return the measures of N forecasts, (N, M).

    Args:
        actual_units: Demand that came, (N,).
        quantile_units: Forecast at ``SCORED_LEVELS``, (N, L); the first is the median.
        expected_units: Mean of the forecast, (N,).

    Source:
        Pinball loss: Koenker & Bassett, Regression quantiles, Econometrica 46, 1978.
    """
    levels = np.asarray(SCORED_LEVELS)
    found = np.empty((len(actual_units), MEASURES))
    missing = actual_units[:, None] - quantile_units
    error = expected_units - actual_units
    found[:, 0] = 1.0
    found[:, 1] = actual_units
    found[:, 2] = np.abs(missing[:, 0])
    found[:, 3] = error
    found[:, 4] = np.abs(error)
    found[:, _COUNTS : _COUNTS + len(levels)] = missing <= 0
    found[:, _COUNTS + len(levels) :] = np.maximum(levels * missing, (levels - 1) * missing)
    return found


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Figures of some forecasts, from the sums of their measures (M,); None where nothing was scored yet.

    ``scored`` counts forecasts, recent ones in full and older ones less and
    less; units likewise.
    """

    sums: Measured

    @property
    def scored(self) -> float:
        """How many forecasts, the older the less."""
        return float(self.sums[0])

    @property
    def demand_units(self) -> float:
        """Demand that came."""
        return float(self.sums[1])

    @property
    def absolute_error_units(self) -> float:
        """Sum of |median - demand|."""
        return float(self.sums[2])

    @property
    def error_units(self) -> float:
        """Sum of mean - demand: above 0 where too much was forecast."""
        return float(self.sums[3])

    @property
    def deviation_units(self) -> float:
        """Sum of |mean - demand|."""
        return float(self.sums[4])

    @property
    def covered(self) -> dict[float, float]:
        """How many forecasts were not exceeded, by level."""
        return dict(zip(SCORED_LEVELS, self.sums[_COUNTS : _COUNTS + len(SCORED_LEVELS)].tolist(), strict=True))

    @property
    def pinball_units(self) -> dict[float, float]:
        """Pinball loss by level."""
        return dict(zip(SCORED_LEVELS, self.sums[_COUNTS + len(SCORED_LEVELS) :].tolist(), strict=True))

    @property
    def wape(self) -> float | None:
        """|error of the median| over demand."""
        return _ratio(self.absolute_error_units, self.demand_units)

    @property
    def bias(self) -> float | None:
        """Error of the mean over demand."""
        return _ratio(self.error_units, self.demand_units)

    @property
    def tracking_signal(self) -> float | None:
        """Cumulated error over cumulated |error|, both forgetting: -1 to 1, near 0 where errors cancel out.

        Source:
            Trigg, Monitoring a forecasting system, Operational Research Quarterly 15, 1964: the smoothed form of
            Brown's cumulated error / MAD (Statistical Forecasting for Inventory Control, 1959), which has no bound.
        """
        return _ratio(self.error_units, self.deviation_units)

    @property
    def coverage(self) -> dict[float, float | None]:
        """Share of forecasts that were not exceeded, by level; it should be the level."""
        return {level: _ratio(covered, self.scored) for level, covered in self.covered.items()}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
