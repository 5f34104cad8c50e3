"""Buckets far above what a key usually sells: the rule that files and the stream share; flagged, never changed."""

import numpy as np

from replenishment.arrays import Bools, Float32s, Int64s

LEAST_SOLD_BUCKETS = 20
"""Buckets with demand from which on a key has a usual amount; slow movers are left alone."""
FURTHEST_DEVIATIONS = 5.0
LEAST_DEVIATION = 0.25
"""Of log(1 + units): a key that always sells the same amount has no outlier within a factor of about 3.5."""
LEAST_OUTLIER_UNITS = 6
"""What the rule allows at least: the smallest usual amount is 1 unit."""
_NORMAL_CONSISTENCY = 1.4826


def outliers(past_units: Int64s | Float32s, units: Int64s | Float32s) -> Bools:
    """Return which buckets (N,) sold far more than the buckets before them with demand.

    Above the median of the key's buckets with demand by more than five robust
    deviations, on the scale of log(1 + units).

    Args:
        past_units: Units of the closed buckets before each, in any order, (N, W); 0 or less where nothing was sold.
        units: Units of the bucket itself, (N,).

    Source:
        Iglewicz & Hoaglin, How to Detect and Handle Outliers, ASQC 1993: median and median absolute deviation.

    Example:
        >>> past = np.tile([4, 5, 6, 0], (2, 10))
        >>> outliers(past, np.array([14, 900])).tolist()
        [False, True]
    """
    found = np.zeros(len(units), dtype=np.bool_)
    sold = np.count_nonzero(past_units > 0, axis=1)
    # a median is some twenty times dearer than to see that it is too near
    nearest = (units + 1) / np.exp(FURTHEST_DEVIATIONS * LEAST_DEVIATION) - 1
    is_near = 2 * np.count_nonzero(past_units > nearest[:, None], axis=1) > sold
    maybe = np.flatnonzero((sold >= LEAST_SOLD_BUCKETS) & ~is_near)
    if len(maybe):
        found[maybe] = _far_above(past_units[maybe], units[maybe])
    return found


def _far_above(past_units: Int64s | Float32s, units: Int64s | Float32s) -> Bools:
    size = np.where(past_units > 0, np.log1p(np.maximum(past_units, 0)), np.nan)
    median = np.nanmedian(size, axis=1)
    deviation = _NORMAL_CONSISTENCY * np.nanmedian(np.abs(size - median[:, None]), axis=1)
    excess = (np.log1p(units) - median) / np.maximum(deviation, LEAST_DEVIATION)
    return np.asarray(excess > FURTHEST_DEVIATIONS)
