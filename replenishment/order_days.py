"""Days of the week on which a supplier takes orders, as a set of weekdays, and the closings of buckets that serve them.

An order is placed at the close of a bucket, so an order day is served by the
first bucket that ends on it: the bucket whose end lies on that day, UTC, and
whose start does not. Daily buckets serve each day at its midnight, hourly ones
too, once; weekly ones only the weekday on which weeks begin.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from replenishment.arrays import Bools, Int64s, UInt8s
from replenishment.buckets import BucketWidth

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Names of weekdays; bit n of a set is day n."""
ANY_DAY = 0
"""The set of a supplier who takes orders at any time."""
_DAY_MS = 86_400_000
_THURSDAY = 3
"""Weekday of 1970-01-01."""
FARTHEST_DAYS = 366
"""A set of days that no bucket serves within a year is never served."""


def set_of_days(names: Sequence[str]) -> int:
    """Return the set of weekdays that are named.

    Raises:
        ValueError: If a name is none of ``WEEKDAYS``.

    Example:
        >>> set_of_days(["mon", "thu"]), set_of_days([])
        (9, 0)
    """
    return sum({1 << WEEKDAYS.index(name) for name in names})


def named_days(days: int) -> str:
    """Return a set of weekdays as catalog and evidence write it.

    Example:
        >>> named_days(9)
        'mon,thu'
    """
    return ",".join(name for place, name in enumerate(WEEKDAYS) if days >> place & 1)


@lru_cache(maxsize=4096)
def next_order_closing(width: BucketWidth, days: int, bucket: int) -> int | None:
    """Return the first bucket after ``bucket`` with whose close an order may be placed, None within a year.

    Args:
        width: Of the buckets.
        days: Set of weekdays, not ``ANY_DAY``.
        bucket: Index of a bucket.

    Example:
        >>> day, week = BucketWidth(86_400), BucketWidth(7 * 86_400)
        >>> next_order_closing(day, set_of_days(["mon", "thu"]), 0)  # bucket 0 is a Monday: its close serves Tuesday
        2
        >>> next_order_closing(week, set_of_days(["mon"]), 0), next_order_closing(week, set_of_days(["thu"]), 0)
        (1, None)
    """
    ended_on = width.start_of(bucket + 1) // _DAY_MS
    for day in range(ended_on + 1, ended_on + FARTHEST_DAYS + 1):
        if days >> (day + _THURSDAY) % 7 & 1:
            first = width.bucket_at(day * _DAY_MS - 1)
            if first > bucket and width.start_of(first + 1) < (day + 1) * _DAY_MS:
                return first
    return None


def is_order_closing(width: BucketWidth, days: UInt8s, bucket: int) -> Bools:
    """Return at which of B keys an order may be placed when ``bucket`` closes.

    It may where any day will do. Where no bucket serves the days it is taken
    for due, so that somebody hears of it (``unserved``).

    Args:
        width: Of the buckets.
        days: Set of weekdays of each key, (B,).
        bucket: Index of a bucket.
    """
    found = np.ones(len(days), dtype=np.bool_)
    for one in np.unique(days).tolist():
        if one != ANY_DAY:
            found[days == one] = next_order_closing(width, one, bucket - 1) in (bucket, None)
    return found


def unserved(width: BucketWidth, days: int, bucket: int) -> str | None:
    """Return why no order can be placed on some days from ``bucket`` on, None if one can.

    Example:
        >>> unserved(BucketWidth(7 * 86_400), set_of_days(["thu"]), 0)
        'the supplier takes orders on thu, and no bucket of 168 h ends on such a day'
    """
    if days == ANY_DAY or next_order_closing(width, days, bucket) is not None:
        return None
    hours = f"{width.seconds / 3600:g}"
    return f"the supplier takes orders on {named_days(days)}, and no bucket of {hours} h ends on such a day"


def buckets_to_cover(width: BucketWidth, days: UInt8s, closed: Int64s) -> Int64s:
    """Return the buckets from the end of ``closed`` (B,) on that what is ordered next must last beside the lead time.

    If an order may be placed now, those to the next order day. If not, those
    to the order day after the next one: the next order is the one that is
    asked about. 0 where any day will do; a week where no bucket serves the days.

    Example:
        >>> days = np.array([set_of_days(["mon", "thu"])] * 4 + [ANY_DAY], dtype=np.uint8)
        >>> sunday = 6  # closes at the Monday; the next order days are 3, 7 and 10 buckets after its close
        >>> buckets_to_cover(BucketWidth(86_400), days, np.array([6, 7, 8, 9, 6])).tolist()
        [3, 6, 5, 4, 0]
    """
    found = np.zeros(len(days), dtype=np.int64)
    pairs = np.stack([days.astype(np.int64), closed])
    for one, bucket in np.unique(pairs[:, days != ANY_DAY], axis=1).T.tolist():
        found[(days == one) & (closed == bucket)] = _covered(width, one, bucket)
    return found


def _covered(width: BucketWidth, days: int, bucket: int) -> int:
    coming = next_order_closing(width, days, bucket)
    if coming is not None and next_order_closing(width, days, bucket - 1) != bucket:
        coming = next_order_closing(width, days, coming)
    return width.whole_buckets(7 * 86_400) if coming is None else coming - bucket
