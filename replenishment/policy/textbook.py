"""The textbook's levels: mean and deviation of recent demand, a normal quantile, a square root of time.

Kept as a rule of its own, to be compared with and for keys whose planner
prefers it; it asks no forecaster.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from replenishment.arrays import Float64s, Int64s

HISTORY_DAYS = 28


@dataclass(frozen=True, slots=True)
class RecentDemand:
    """Mean and standard deviation of the demand of a bucket over the last 28 days, units, (B,)."""

    mean: Float64s
    deviation: Float64s

    def take(self, rows: Int64s) -> "RecentDemand":
        """Return those of some rows."""
        return RecentDemand(self.mean[rows], self.deviation[rows])


def recent_demand(units: Float64s, count: Int64s) -> RecentDemand:
    """Return mean and sample deviation of the newest ``count`` columns of each row.

    With less than two columns the deviation is that of a Poisson demand.

    Args:
        units: Demand per bucket, newest last, (B, N); at least 0.
        count: How many of them are the key's, (B,); 0 to N.

    Example:
        >>> recent = recent_demand(np.array([[9.0, 2.0, 4.0]]), np.array([2]))
        >>> recent.mean.tolist(), recent.deviation.round(3).tolist()
        ([3.0], [1.414])
    """
    is_own = np.arange(units.shape[1], 0, -1) <= count[:, None]
    mean = np.where(is_own, units, 0.0).sum(axis=1) / np.maximum(count, 1)
    squares = np.where(is_own, np.square(units - mean[:, None]), 0.0).sum(axis=1)
    variance = np.where(count > 1, squares / np.maximum(count - 1, 1), mean)
    return RecentDemand(mean, np.sqrt(variance))


def textbook_reorder_units(recent: RecentDemand, protection_buckets: Int64s, level: Float64s) -> Float64s:
    """Return m·P + z·σ·√P of each key, (B,), unrounded: P buckets are protected with a normal quantile z.

    Source:
        Silver, Pyke & Thomas, Inventory and Production Management in Supply
        Chains, 4th ed., section 6.7 (x_L + k·σ_L) with section 6.9 for the
        protection interval of periodic review.

    Example:
        >>> recent = RecentDemand(np.array([10.0]), np.array([3.0]))
        >>> textbook_reorder_units(recent, np.array([9]), np.array([0.95])).round(2).tolist()
        [104.8]
    """
    distinct, place = np.unique(level, return_inverse=True)
    deviates = np.array([NormalDist().inv_cdf(one) for one in distinct.tolist()])[place]
    protected = recent.mean * protection_buckets + deviates * recent.deviation * np.sqrt(protection_buckets)
    return np.asarray(np.maximum(protected, 0.0))
