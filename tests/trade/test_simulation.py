"""The account of a period, and the min/max rule against a plain one-key-at-a-time reading of it."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replenishment.simulation import (
    DAY_MS,
    Account,
    Days,
    MinMaxRule,
    Movements,
    account,
    play_min_max,
    receipts,
)

HOUR_MS = 3_600_000
WEEK = Days(start_at=0, count=7)


Row = tuple[int, int, int, int, int]
"""Key, time, stock units, demand units, time of the demand."""


def moved(*rows: Row) -> Movements:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 5).T
    return Movements(*(columns[number].copy() for number in range(5)))


def ordered(key: int, at: int, units: int) -> Row:
    return (key, at, -units, units, at)


def taken_back(key: int, at: int, units: int, ordered_at: int) -> Row:
    return (key, at, units, -units, ordered_at)


def test_what_was_on_hand_when_it_was_asked_for_counts_as_served() -> None:
    made = account(np.array([5]), moved(ordered(0, 10, 3), ordered(0, 20, 4)), Days(0, 1))
    assert (made.asked_units, made.served_units, made.mean_end_units) == (7, 5, 0.0)
    assert made.fill_rate == 5 / 7


def test_a_receipt_after_the_order_serves_the_backorder_but_not_the_fill_rate() -> None:
    late = moved(ordered(0, 10, 4)), receipts(np.array([0]), np.array([20]), np.array([10]))
    made = account(np.array([0]), Movements.joined(late), Days(0, 1))
    assert (made.served_units, made.mean_end_units) == (0, 6.0)


def test_a_receipt_at_the_time_of_an_order_serves_it() -> None:
    arriving = receipts(np.array([0]), np.array([10]), np.array([4]))
    made = account(np.array([0]), Movements.joined([arriving, moved(ordered(0, 10, 4))]), Days(0, 1))
    assert made.served_units == 4


def test_a_cancellation_gives_back_what_a_later_order_takes() -> None:
    made = account(np.array([3]), moved(ordered(0, 10, 3), taken_back(0, 20, 3, 10), ordered(0, 30, 2)), Days(0, 1))
    assert (made.asked_units, made.served_units, made.mean_end_units) == (5, 5, 1.0)


def test_keys_do_not_share_stock() -> None:
    made = account(np.array([9, 0]), moved(ordered(0, 10, 1), ordered(1, 10, 1)), Days(0, 1))
    assert made.served_units == 1


def test_days_of_stock_are_mean_end_stock_over_mean_daily_demand() -> None:
    made = account(np.array([12]), moved(ordered(0, 10, 4), ordered(0, DAY_MS + 10, 4)), Days(0, 2))
    assert made.days_of_stock == (8 + 4) / 2 / 4


def test_a_period_without_orders_is_served_in_full() -> None:
    made = account(np.array([12]), moved(), WEEK)
    assert made == Account(asked_units=0, served_units=0, mean_end_units=12.0, days=7)
    assert (made.fill_rate, made.days_of_stock) == (1.0, 0.0)


@given(
    opening=st.integers(0, 20),
    orders=st.lists(st.tuples(st.integers(0, 7 * DAY_MS - 1), st.integers(1, 9)), max_size=30),
    arriving=st.lists(st.tuples(st.integers(0, 7 * DAY_MS - 1), st.integers(1, 9)), max_size=30),
    more=st.integers(0, 9),
)
def test_more_opening_stock_never_serves_less(
    opening: int, orders: list[tuple[int, int]], arriving: list[tuple[int, int]], more: int
) -> None:
    lines = moved(*(ordered(0, at, units) for at, units in sorted(orders)))
    arrivals = moved(*((0, at, units, 0, at) for at, units in sorted(arriving)))
    both = Movements.joined([arrivals, lines])
    less, enough = (account(np.array([units]), both, WEEK) for units in (opening, opening + more))
    assert less.served_units <= enough.served_units <= enough.asked_units
    assert less.mean_end_units <= enough.mean_end_units <= less.mean_end_units + more + 1e-9


@given(
    opening=st.integers(0, 60),
    history=st.lists(st.integers(0, 12), min_size=28, max_size=28),
    demand=st.lists(st.integers(0, 15), min_size=20, max_size=20),
    lead_time_days=st.integers(0, 9),
)
def test_min_max_is_what_a_plain_reading_of_the_rule_says(
    opening: int, history: list[int], demand: list[int], lead_time_days: int
) -> None:
    days = Days(0, len(demand))
    lines = moved(*(ordered(0, day * DAY_MS + HOUR_MS, units) for day, units in enumerate(demand) if units))
    rule = MinMaxRule(lead_time_days)
    made = play_min_max(rule, np.array([opening]), np.array([history]), lines, days)
    expected: dict[int, int] = {}
    position, known = opening, list(history)
    for day, units in enumerate(demand):
        known.append(units)
        position -= units
        mean, deviation = statistics.fmean(known[-28:]), statistics.stdev(known[-28:])
        protection = lead_time_days + 1
        lowest = mean * protection + 1.645 * deviation * math.sqrt(protection)
        if position <= math.ceil(lowest) and position < math.ceil(lowest + 7 * mean):
            expected[day + 1 + lead_time_days] = math.ceil(lowest + 7 * mean) - position
            position += expected[day + 1 + lead_time_days]
    arrived = {int(at) // DAY_MS: int(units) for at, units in zip(made.at, made.stock_units, strict=True)}
    assert arrived == {day: units for day, units in expected.items() if day < days.count}


def test_a_cancelled_order_raises_no_level_from_its_cancellation_on() -> None:
    rule = MinMaxRule(lead_time_days=0)
    history = np.zeros((1, 28), dtype=np.int64)
    days = Days(0, 3)
    kept = play_min_max(rule, np.array([1000]), history, moved(ordered(0, 0, 990)), days)
    cancelled = play_min_max(
        rule, np.array([1000]), history, moved(ordered(0, 0, 990), taken_back(0, HOUR_MS, 990, 0)), days
    )
    assert kept.stock_units.sum() > 0
    assert cancelled.stock_units.sum() == 0


def test_a_cancellation_of_an_order_before_the_history_changes_no_level() -> None:
    rule, history = MinMaxRule(0), np.ones((1, 28), dtype=np.int64)
    given_back = play_min_max(rule, np.array([0]), history, moved(taken_back(0, 10, 1, -40 * DAY_MS)), WEEK)
    on_hand = play_min_max(rule, np.array([1]), history, moved(), WEEK)
    assert given_back.stock_units.tolist() == on_hand.stock_units.tolist() != []


def test_a_history_shorter_than_the_rule_looks_back_is_refused() -> None:
    with pytest.raises(ValueError, match="history of 27 days is shorter than the 28"):
        play_min_max(MinMaxRule(7), np.array([0]), np.zeros((1, 27), dtype=np.int64), moved(), WEEK)


def test_movements_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="order of their times"):
        moved(ordered(0, 20, 1), ordered(0, 10, 1))


def test_a_period_has_a_day() -> None:
    with pytest.raises(ValueError, match="has no day"):
        Days(0, 0)
