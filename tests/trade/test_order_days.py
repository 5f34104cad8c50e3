"""Order days: which closing of a bucket serves which day, and how long an order must last."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replenishment.buckets import MONDAY_MS, BucketWidth
from replenishment.order_days import (
    ANY_DAY,
    WEEKDAYS,
    buckets_to_cover,
    is_order_closing,
    named_days,
    next_order_closing,
    set_of_days,
    unserved,
)

DAY_MS = 86_400_000
DAY, HOUR, WEEK = BucketWidth(86_400), BucketWidth(3_600), BucketWidth(7 * 86_400)
TUESDAY = set_of_days(["tue"])


def test_names_and_sets_are_the_same() -> None:
    assert [named_days(1 << place) for place in range(7)] == list(WEEKDAYS)
    assert named_days(set_of_days(["thu", "mon", "thu"])) == "mon,thu"
    with pytest.raises(ValueError, match="not in tuple"):
        set_of_days(["monday"])


def test_daily_buckets_serve_a_day_with_the_close_of_the_day_before() -> None:
    # bucket 0 is Monday 1970-01-05: it closes at the Tuesday
    assert next_order_closing(DAY, TUESDAY, -1) == 0
    assert next_order_closing(DAY, TUESDAY, 0) == 7


def test_hourly_buckets_serve_a_day_once_with_its_first_end() -> None:
    # hour 23 of the Monday ends at the Tuesday's midnight; the other ends of the Tuesday serve it no more
    assert next_order_closing(HOUR, TUESDAY, 0) == 23
    assert next_order_closing(HOUR, TUESDAY, 23) == 23 + 7 * 24


def test_weekly_buckets_serve_the_day_on_which_weeks_begin_and_no_other() -> None:
    assert next_order_closing(WEEK, set_of_days(["mon"]), 0) == 1
    assert unserved(WEEK, set_of_days(["mon"]), 0) is None
    assert unserved(WEEK, TUESDAY, 0) == "the supplier takes orders on tue, and no bucket of 168 h ends on such a day"
    assert unserved(WEEK, ANY_DAY, 0) is None
    midweek = BucketWidth.anchored(7 * 86_400, MONDAY_MS + DAY_MS)
    assert unserved(midweek, TUESDAY, 0) is None


def test_days_are_those_of_utc_wherever_the_buckets_of_a_shop_begin() -> None:
    # local midnight in Tokyo is 15:00 UTC of the day before: the bucket that ends on Tuesday ends at 15:00
    tokyo = BucketWidth(86_400, 9 * 3_600)
    closing = next_order_closing(tokyo, TUESDAY, 0)
    assert closing is not None
    assert tokyo.start_of(closing + 1) == MONDAY_MS + DAY_MS + 15 * 3_600_000


def test_an_order_lasts_until_the_next_order_day_and_a_day_without_one_asks_about_the_next_order() -> None:
    days = np.array([TUESDAY, TUESDAY, ANY_DAY], dtype=np.uint8)
    # closed with the Monday: from now on a week; closed with the Tuesday: six days until the order, then seven
    assert buckets_to_cover(DAY, days, np.array([0, 1, 0])).tolist() == [7, 13, 0]
    assert buckets_to_cover(WEEK, days[:1], np.array([0])).tolist() == [1]
    assert is_order_closing(DAY, days, 0).tolist() == [True, True, True]
    assert is_order_closing(DAY, days, 1).tolist() == [False, False, True]
    assert is_order_closing(WEEK, days, 1).tolist() == [True, True, True]


@given(
    st.sampled_from([3_600, 21_600, 43_200, 86_400, 2 * 86_400, 36_000]),
    st.integers(-43_200, 43_200),
    st.integers(1, 127),
    st.integers(0, 5_000),
)
def test_orders_are_placed_at_first_ends_of_order_days_only(seconds: int, offset: int, days: int, bucket: int) -> None:
    width = BucketWidth(seconds, offset if abs(offset) < seconds else 0)
    closing = next_order_closing(width, days, bucket)
    assert closing is not None
    assert closing > bucket
    for one in range(bucket + 1, closing + 1):
        ended = width.start_of(one + 1) // DAY_MS
        is_first_end = width.start_of(one) // DAY_MS < ended
        assert (one == closing) == (is_first_end and bool(days >> (ended + 3) % 7 & 1))
