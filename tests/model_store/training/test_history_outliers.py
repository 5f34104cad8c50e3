"""Outlying buckets: far above the usual amount, never of slow movers, the same in a file and in the stream."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.training.history import DemandHistory
from model_store.training.history_outliers import history_outliers, outliers_found
from replenishment.arrays import Float32s
from replenishment.buckets import BucketWidth
from replenishment.engine.plan import Plan
from replenishment.outliers import LEAST_OUTLIER_UNITS, outliers
from tests.engine.builders import DAY, T0, Line, fresh, order_columns, play, time_passed

DAYS = BucketWidth(86_400)


def history(units: list[int]) -> DemandHistory:
    demand = np.array([units], dtype=np.float32)
    ones: Float32s = np.ones_like(demand)
    return DemandHistory(DAYS, DAYS.bucket_at(T0), (b"uk|A",), demand, ones, ones, np.zeros(1, dtype=np.int64))


def test_bucket_far_above_the_usual_amount_is_flagged_and_kept() -> None:
    usual = [4 + place % 3 for place in range(30)]
    found = outliers_found(history([*usual, 9_000, 5]))
    assert (found.lines, found.units, found.keys) == (1, 9_000, 1)
    assert found.examples[0].startswith("uk|A 9000 on ")
    assert not history_outliers(history([*usual, 14])).any()


def test_slow_movers_have_no_outliers() -> None:
    assert not history_outliers(history([*[5, 0, 0, 0] * 4, 9_000])).any()


def test_what_is_long_past_says_nothing_of_what_is_usual() -> None:
    assert history_outliers(history([*[5] * 25, *[0] * 10, 900]), window_buckets=40).any()
    assert not history_outliers(history([*[5] * 25, *[0] * 30, 900]), window_buckets=40).any()


@given(st.lists(st.integers(1, 3), min_size=25, max_size=25), st.integers(0, LEAST_OUTLIER_UNITS - 1))
def test_less_than_the_least_outlier_is_never_one(past: list[int], units: int) -> None:
    assert not outliers(np.array([past]), np.array([units])).any()


@given(st.lists(st.integers(0, 50), min_size=40, max_size=40), st.integers(0, 2_000), st.integers(0, 2_000))
def test_more_units_are_never_less_of_an_outlier(past: list[int], units: int, more: int) -> None:
    both = outliers(np.array([past, past]), np.array([units, units + more]))
    assert both[1] >= both[0]


@pytest.mark.parametrize("window", [30, 112])
def test_a_file_and_the_stream_flag_the_same_buckets(window: int) -> None:
    rng = np.random.default_rng(7)
    units = np.where(rng.random(60) < 0.7, rng.integers(1, 9, 60), 0)
    units[0], units[[35, 50]] = 3, (400, 300)
    sold = np.flatnonzero(units).tolist()
    lines = [Line(place, b"uk|A", T0 + day * DAY, int(units[day])) for place, day in enumerate(sold)]
    lines.append(time_passed(len(lines), T0 + 61 * DAY))
    plan = Plan(DAYS, allowed_lateness_seconds=0, window_buckets=window)
    said = play(fresh(plan), [order_columns(lines, 0, len(lines))]).said
    closed = [one for one in said if isinstance(one, tuple) and one[0] == "closed"]
    streamed = [(one[1] - T0) // DAY for one in closed if one[-1]]
    assert streamed == np.flatnonzero(history_outliers(history(units.tolist()), window)[0]).tolist() == [35, 50]
