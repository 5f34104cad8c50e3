"""Cool-down: a small request does not follow a larger one at once; a large need does."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from replenishment.engine.state import PartitionState
from replenishment.events import OrderWithheld, RestockRejected, StockReceived
from tests.engine.builders import DAY, SERVING, T0, Ledger, order_columns, play, time_passed
from tests.engine.test_approvals import pass_days
from tests.engine.test_laws import comparable
from tests.engine.test_review import KEY, requests, sell, selling
from tests.engine.test_withdrawals import answer, lines_of, units_of_lines


def cooling(buckets: int = 3) -> tuple[PartitionState, Ledger]:
    """Return a key with a cool-down that has just asked for 150."""
    state, ledger = selling(cool_down_buckets=buckets)
    sell(state, ledger, 150)
    assert [one.units for one in requests(ledger)] == [150]
    return state, ledger


def withheld(ledger: Ledger) -> list[str]:
    return [one.reason for one in ledger.said if isinstance(one, OrderWithheld)]


def test_a_smaller_request_within_the_cool_down_is_withheld_and_said_once_per_closing() -> None:
    state, ledger = cooling()
    sell(state, ledger, 90, 5, 5)
    assert len(requests(ledger)) == 1
    assert withheld(ledger) == ["cool-down of 3 buckets: 90 units are due 0 buckets after 150 were requested"]


def test_a_request_of_at_least_as_much_is_made() -> None:
    state, ledger = cooling()
    sell(state, ledger, 150)
    assert [one.units for one in requests(ledger)] == [150, 150]
    assert withheld(ledger) == []


def test_what_was_withheld_grows_until_it_is_as_much() -> None:
    state, ledger = cooling()
    sell(state, ledger, 90, 59, 1)
    assert [one.units for one in requests(ledger)] == [150, 150]


def test_after_the_cool_down_what_is_missing_is_requested() -> None:
    # a request in bucket 10; with n = 1 the next bucket may ask again, for less too
    state, ledger = selling(cool_down_buckets=1, maximum_units=150)
    sell(state, ledger, 150, 90)
    assert len(requests(ledger)) == 1
    pass_days(state, ledger, 1)
    assert len(requests(ledger)) == 2


def test_a_refused_request_cools_nothing_down() -> None:
    state, ledger = cooling(buckets=5)
    (first,) = requests(ledger)
    answer(state, ledger, RestockRejected(KEY, "r", state.progress.clock, first.restock_id, 150))
    pass_days(state, ledger, 1)
    assert len(requests(ledger)) == 2


def test_the_cool_down_outlives_what_is_settled_and_forgotten() -> None:
    state, ledger = cooling(buckets=40)
    (first,) = requests(ledger)
    answer(state, ledger, StockReceived(KEY, "r", state.progress.clock, 150, first.restock_id, final=True))
    pass_days(state, ledger, 25)
    assert first.restock_id in state.requests
    pass_days(state, ledger, 60)
    assert first.restock_id not in state.requests


@given(units=units_of_lines, cuts=st.sets(st.integers(1, 19)))
def test_any_split_and_any_crash_leave_the_same_bytes(units: list[int], cuts: set[int]) -> None:
    state, whole = cooling()
    start = state.progress.positions["orders"]
    lines = [*lines_of(units, start), time_passed(start + len(units), T0 + 11 * DAY + 2 * 3_600_000)]
    play(state, [order_columns(lines, start, start + len(lines))], whole)
    state, parts = cooling()
    edges = sorted({0, len(lines), *(one for one in cuts if one < len(lines))})
    for first, last in pairwise(edges):
        play(state, [order_columns(lines[first:last], start + first, start + last)], parts)
        state = parts.reload(state.plan, SERVING)
    assert comparable(parts) == comparable(whole)
