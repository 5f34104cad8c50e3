"""From days of the catalog to buckets of the forecast: lead time, review period, protection interval."""

import numpy as np

from replenishment.arrays import Float64s, Int64s
from replenishment.buckets import BucketWidth


def buckets_of_days(days: Float64s, width: BucketWidth) -> Int64s:
    """Return how many buckets cover each number of days, rounded up, (B,).

    Example:
        >>> buckets_of_days(np.array([7.0, 0.5, 0.0]), BucketWidth(86_400)).tolist()
        [7, 1, 0]
    """
    # rounded first: 0.1 days are 8,640 s, not 8,640.000000000001 s and one bucket more
    seconds = np.round(days * 86_400)
    return np.ceil(seconds / width.seconds).astype(np.int64)


def protection_buckets(lead_time_buckets: Int64s, review_buckets: Int64s) -> Int64s:
    """Return the interval a decision must cover, (B,): lead time plus review period, one bucket if continuous.

    Source:
        Silver, Pyke & Thomas, Inventory and Production Management in Supply
        Chains, 4th ed., section 6.1: an order placed now protects until the
        next one could arrive.

    Example:
        >>> protection_buckets(np.array([7, 7]), np.array([0, 5])).tolist()
        [8, 12]
    """
    return lead_time_buckets + np.maximum(review_buckets, 1)
