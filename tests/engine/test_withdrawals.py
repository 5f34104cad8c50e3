"""Withdrawals: a cancellation takes back the unanswered requests that it makes needless, and only those."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replenishment.engine.columns import LineKind
from replenishment.engine.state import PartitionState
from replenishment.events import (
    CatalogEntry,
    InventoryEvent,
    RestockAccepted,
    RestockRejected,
    RestockRequested,
    RestockShipped,
    StockAdjusted,
    StockCounted,
    StockReceived,
)
from replenishment.forecaster import Serving
from replenishment.stock import RequestStatus
from tests.engine.builders import (
    DAY,
    HOUR,
    SERVING,
    T0,
    Ledger,
    Line,
    catalog_batch,
    inventory_batch,
    order_columns,
    play,
    time_passed,
)
from tests.engine.test_laws import comparable
from tests.engine.test_review import KEY, S_HIGH, S_LOW, requests, sell, selling


def cancel(state: PartitionState, ledger: Ledger, *units: int, serving: Serving = SERVING) -> None:
    """Take orders of this moment back, one line each."""
    at, start = state.progress.clock, state.progress.positions["orders"]
    lines = [Line(start + place, KEY, at, one, LineKind.CANCELLED, placed_at=at) for place, one in enumerate(units)]
    play(state, [order_columns(lines, start, start + len(lines))], ledger, serving)


def answer(state: PartitionState, ledger: Ledger, *events: InventoryEvent) -> None:
    """Have the warehouse say something."""
    play(state, [inventory_batch(events, start=state.progress.positions.get("inventory", 0))], ledger)


def asked() -> tuple[PartitionState, Ledger, RestockRequested]:
    """Return a key that sold 150 and has asked for as many."""
    state, ledger = selling()
    sell(state, ledger, 150)
    (request,) = requests(ledger)
    assert (request.units, state.position_of(0)) == (150, S_HIGH)
    return state, ledger, request


def test_a_cancellation_that_makes_an_unanswered_request_needless_takes_it_back() -> None:
    state, ledger, request = asked()
    cancel(state, ledger, 150)
    taken_back = requests(ledger)[-1]
    assert (taken_back.restock_id, taken_back.revision, taken_back.units) == (request.restock_id, 2, 0)
    assert (taken_back.withdrawn, taken_back.supplier, taken_back.key) == ("needless", "acme", KEY)
    assert (taken_back.needed_by, taken_back.expires_at) == (request.needed_by, request.expires_at)
    assert taken_back.evidence.inventory_position == S_HIGH > taken_back.evidence.reorder_point
    assert (taken_back.evidence.pending, taken_back.evidence.positions["orders"]) == (0, 11 + 2)
    assert (state.position_of(0), state.pending[0], state.open_requests) == (S_HIGH, 0, 0)
    assert state.requests[request.restock_id].parts.status == RequestStatus.WITHDRAWN


@pytest.mark.parametrize(("back", "is_withdrawn"), [(S_LOW - 53, False), (S_LOW - 52, True)])
def test_it_stays_while_without_it_something_would_be_due(back: int, is_withdrawn: bool) -> None:
    # on hand 53: with S_LOW - 53 given back the position without the request is exactly the reorder point
    state, ledger, _ = asked()
    cancel(state, ledger, back)
    assert (len(requests(ledger)) == 2) == is_withdrawn
    assert state.position_of(0) == 53 + back + (0 if is_withdrawn else 150)


def test_after_a_withdrawal_nothing_is_due_until_somebody_orders_and_then_the_id_is_new() -> None:
    state, ledger, _ = asked()
    cancel(state, ledger, 150)
    start = state.progress.positions["orders"]
    play(state, [order_columns([time_passed(start, T0 + 11 * DAY + 2 * HOUR)], start, start + 1)], ledger)
    assert len(requests(ledger)) == 2
    sell(state, ledger, 150)
    assert len({one.restock_id for one in requests(ledger)}) == 2
    state, ledger, _ = asked()
    cancel(state, ledger, 150)
    sell(state, ledger, 150)
    assert len({one.restock_id for one in requests(ledger)}) == 2


def test_of_several_requests_the_youngest_goes_first() -> None:
    state, ledger = selling()
    sell(state, ledger, 150, 150, 150)
    first, second, third = requests(ledger)
    cancel(state, ledger, 160)
    assert [one.restock_id for one in requests(ledger)[3:]] == [third.restock_id]
    cancel(state, ledger, 290)
    assert [one.restock_id for one in requests(ledger)[4:]] == [second.restock_id, first.restock_id]
    assert state.position_of(0) == S_HIGH


def test_counts_and_adjustments_take_nothing_back() -> None:
    state, ledger, _ = asked()
    at = state.progress.clock
    answer(state, ledger, StockCounted(KEY, "c", at, 900), StockAdjusted(KEY, "a", at, 300))
    assert len(requests(ledger)) == 1
    assert state.pending[0] == 150


def test_what_is_answered_is_not_taken_back() -> None:
    state, ledger, request = asked()
    answer(state, ledger, RestockAccepted(KEY, "a", state.progress.clock, request.restock_id, 150))
    cancel(state, ledger, 150)
    assert requests(ledger) == [request]
    state, ledger, request = asked()
    answer(state, ledger, StockReceived(KEY, "r", state.progress.clock, 1, request.restock_id))
    cancel(state, ledger, 150)
    assert requests(ledger) == [request]


def test_a_periodic_key_takes_back_between_its_reviews() -> None:
    state, ledger = selling(review_period_days=3.0)
    sell(state, ledger, 150)
    start = state.progress.positions["orders"]
    play(state, [order_columns([time_passed(start, T0 + 13 * DAY + HOUR)], start, start + 1)], ledger)
    (request,) = requests(ledger)
    cancel(state, ledger, request.units - 1)
    assert requests(ledger) == [request]
    cancel(state, ledger, 1)
    assert requests(ledger)[1].units == 0
    assert state.position_of(0) == requests(ledger)[1].evidence.order_up_to_level


def test_a_worker_that_is_paused_takes_nothing_back() -> None:
    state, ledger, _ = asked()
    cancel(state, ledger, 150, serving=Serving(SERVING.champion, is_requesting=False))
    assert len(requests(ledger)) == 1
    assert state.pending[0] == 150


def test_a_discontinued_key_takes_back_what_is_needless() -> None:
    state, ledger, _ = asked()
    play(state, [catalog_batch([CatalogEntry(KEY, active=False)], start=1)], ledger)
    cancel(state, ledger, 150)
    assert requests(ledger)[1].supplier == "acme"
    assert state.pending[0] == 0


@pytest.mark.parametrize(
    ("event", "parts", "position"),
    [
        (RestockAccepted(KEY, "e", T0 + 10 * DAY, "", 140), (140, 0), S_HIGH + 140),
        (RestockShipped(KEY, "e", T0 + 10 * DAY, "", 160), (0, 150), S_HIGH + 150),
        (RestockShipped(KEY, "e", T0 + 10 * DAY, "", 60), (0, 60), S_HIGH + 60),
        (StockReceived(KEY, "e", T0 + 10 * DAY, 60), (0, 0), S_HIGH + 60),
    ],
)
def test_an_answer_that_crossed_the_withdrawal_wins(
    event: InventoryEvent, parts: tuple[int, int], position: int
) -> None:
    state, ledger, request = asked()
    cancel(state, ledger, 150)
    named = {name: getattr(event, name) for name in event.__struct_fields__}
    answer(state, ledger, type(event)(**{**named, "restock_id": request.restock_id}))
    assert (state.on_order[0], state.in_transit[0]) == parts
    assert (state.position_of(0), state.pending[0]) == (position, 0)
    assert state.open_requests == (parts != (0, 0))
    assert not [one for one in ledger.said if hasattr(one, "reason")]


def test_a_refusal_that_crossed_the_withdrawal_settles_it() -> None:
    state, ledger, request = asked()
    cancel(state, ledger, 150)
    answer(state, ledger, RestockRejected(KEY, "e", state.progress.clock, request.restock_id, 150))
    assert (state.position_of(0), state.open_requests) == (S_HIGH, 0)
    assert state.requests[request.restock_id].parts.is_settled


def test_a_withdrawn_request_is_forgotten_after_its_expiry_unless_an_answer_revived_it() -> None:
    state, ledger, request = asked()
    cancel(state, ledger, 150)
    answer(state, ledger, RestockAccepted(KEY, "e", state.progress.clock, request.restock_id, 150))
    start = state.progress.positions["orders"]
    play(state, [order_columns([time_passed(start, T0 + 40 * DAY)], start, start + 1)], ledger)
    assert request.restock_id in state.requests
    state, ledger, request = asked()
    cancel(state, ledger, 150)
    play(state, [order_columns([time_passed(start, T0 + 40 * DAY)], start, start + 1)], ledger)
    assert request.restock_id not in state.requests
    assert state.expired_requests == 0


@dataclass
class Shelf:
    """The rules of reviews and withdrawals for one key in one bucket, a line at a time; levels stay what they are."""

    net: int = S_HIGH
    asked: list[int] = field(default_factory=list)
    said: list[int] = field(default_factory=list)

    @property
    def position(self) -> int:
        return self.net + sum(self.asked)

    def take(self, units: int) -> None:
        """Take a line, a cancellation if negative; say +q for a request, -q for one that is taken back."""
        self.net -= units
        while units < 0 and self.asked and self.position - self.asked[-1] > S_LOW:
            self.said.append(-self.asked.pop())
        if self.position <= S_LOW:
            self.asked.append(S_HIGH - self.position)
            self.said.append(self.asked[-1])


def lines_of(units: list[int], start: int) -> list[Line]:
    at = T0 + 10 * DAY + HOUR
    return [
        Line(start + place, KEY, at, one)
        if one > 0
        else Line(start + place, KEY, at, -one, LineKind.CANCELLED, placed_at=at)
        for place, one in enumerate(units)
    ]


units_of_lines = st.lists(st.integers(-200, 200).filter(bool), min_size=1, max_size=20)


@given(units=units_of_lines)
def test_requests_raise_and_withdrawals_lower_the_position_by_exactly_their_units(units: list[int]) -> None:
    state, ledger = selling()
    shelf, start = Shelf(), state.progress.positions["orders"]
    for place, line in enumerate(lines_of(units, start)):
        before, said = state.position_of(0), len(requests(ledger))
        play(state, [order_columns([line], line.offset, line.offset + 1)], ledger)
        shelf.take(units[place])
        known = {one.restock_id: one.units for one in requests(ledger) if one.units}
        moved = [one.units or -known[one.restock_id] for one in requests(ledger)[said:]]
        assert state.position_of(0) == before - units[place] + sum(moved) == shelf.position
    known = {one.restock_id: one.units for one in requests(ledger) if one.units}
    assert [one.units or -known[one.restock_id] for one in requests(ledger)] == shelf.said
    assert len({(one.restock_id, one.revision) for one in requests(ledger)}) == len(requests(ledger))


@given(units=units_of_lines, cuts=st.sets(st.integers(1, 19)), is_reloaded=st.booleans())
def test_any_split_of_the_lines_leaves_the_same_bytes(units: list[int], cuts: set[int], is_reloaded: bool) -> None:
    state, whole = selling()
    start = state.progress.positions["orders"]
    lines = lines_of(units, start)
    play(state, [order_columns(lines, start, start + len(lines))], whole)
    state, parts = selling()
    edges = sorted({0, len(lines), *(one for one in cuts if one < len(lines))})
    for first, last in pairwise(edges):
        play(state, [order_columns(lines[first:last], start + first, start + last)], parts)
        if is_reloaded:
            state = parts.reload(state.plan, SERVING)
    assert comparable(parts) == comparable(whole)


@given(units=units_of_lines)
def test_the_same_lines_again_change_nothing(units: list[int]) -> None:
    state, ledger = selling()
    start = state.progress.positions["orders"]
    lines = [
        Line(one.offset, one.key, one.at, one.units, one.kind, one.placed_at, identity=place + 1)
        for place, one in enumerate(lines_of(units, start))
    ]
    play(state, [order_columns(lines, start, start + len(lines))], ledger)
    said, position = list(ledger.said), state.position_of(0)
    again = [
        Line(one.offset + len(lines), one.key, one.at, one.units, one.kind, one.placed_at, identity=one.identity)
        for one in lines
    ]
    play(state, [order_columns(again, start + len(lines), start + 2 * len(lines))], ledger)
    assert (ledger.said, state.position_of(0)) == (said, position)
