"""Approvals: what is large waits in the position until a person releases or declines it."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replenishment.engine.columns import LineKind
from replenishment.engine.state import PartitionState
from replenishment.events import (
    InventoryEvent,
    Rejection,
    RestockAccepted,
    RestockApproved,
    RestockDeclined,
    RestockRequested,
    StockReceived,
)
from replenishment.stock import RequestStatus
from tests.engine.builders import (
    DAY,
    HOUR,
    SERVING,
    T0,
    Ledger,
    Line,
    order_columns,
    play,
    time_passed,
)
from tests.engine.test_laws import comparable
from tests.engine.test_review import KEY, S_HIGH, requests, sell, selling
from tests.engine.test_withdrawals import answer, cancel

LIMITS: dict[str, Any] = {"approval_above_units": 100, "unit_cost": 2.5}


def waiting() -> tuple[PartitionState, Ledger, RestockRequested]:
    """Return a key whose request of 150 waits for approval."""
    state, ledger = selling(**LIMITS)
    sell(state, ledger, 150)
    (request,) = requests(ledger)
    return state, ledger, request


def pass_days(state: PartitionState, ledger: Ledger, days: int) -> None:
    """Move the clock to so many days after deciding began."""
    start = state.progress.positions["orders"]
    at = T0 + (10 + days) * DAY + 2 * HOUR
    play(state, [order_columns([time_passed(start, at)], start, start + 1)], ledger)


def refusals(ledger: Ledger) -> list[str]:
    return [one.reason for one in ledger.said if isinstance(one, Rejection)]


def test_a_request_above_the_limit_waits_counts_and_is_not_made_twice() -> None:
    state, ledger, request = waiting()
    assert request.requires_approval
    assert request.evidence.approval_reasons == ("150 units are more than 100",)
    assert (request.evidence.value, state.pending[0], state.position_of(0)) == (375.0, 150, S_HIGH)
    sell(state, ledger, 5)
    assert requests(ledger) == [request]


def test_at_the_limit_nobody_is_asked() -> None:
    state, ledger = selling(approval_above_units=150, approval_above_value=375.0, unit_cost=2.5)
    sell(state, ledger, 150)
    (request,) = requests(ledger)
    assert request.requires_approval is None
    assert (request.evidence.approval_reasons, request.evidence.value) == (None, 375.0)


def test_without_limits_the_evidence_says_nothing_of_value() -> None:
    state, ledger = selling(unit_cost=2.5)
    sell(state, ledger, 150)
    assert requests(ledger)[0].evidence.value is None


def test_released_it_is_said_again_as_it_was_and_the_supplier_s_time_begins() -> None:
    state, ledger, request = waiting()
    pass_days(state, ledger, 2)
    position = state.position_of(0)
    answer(state, ledger, RestockApproved(KEY, "ok", state.progress.clock, request.restock_id, "Ann"))
    released = requests(ledger)[-1]
    assert (released.restock_id, released.revision, released.units) == (request.restock_id, 2, 150)
    assert (released.requires_approval, released.ruled_by, released.evidence) == (False, "Ann", request.evidence)
    assert released.decided_at == state.progress.clock
    assert released.needed_by - released.decided_at == request.needed_by - request.decided_at
    assert released.expires_at - released.decided_at == request.expires_at - request.decided_at
    assert (state.position_of(0), request.restock_id in state.waiting) == (position, False)


def test_released_twice_it_is_said_once() -> None:
    state, ledger, request = waiting()
    at = state.progress.clock
    event = RestockApproved(KEY, "ok", at, request.restock_id)
    answer(state, ledger, event, event, RestockApproved(KEY, "other", at, request.restock_id))
    assert len(requests(ledger)) == 2
    assert refusals(ledger) == [f"request {request.restock_id} was released already"]


def test_declined_it_is_taken_back_and_the_next_closing_decides_anew() -> None:
    state, ledger, request = waiting()
    answer(state, ledger, RestockDeclined(KEY, "no", state.progress.clock, request.restock_id, "Bob"))
    declined = requests(ledger)[-1]
    assert (declined.revision, declined.units, declined.withdrawn, declined.ruled_by) == (2, 0, "declined", "Bob")
    assert (state.position_of(0), state.pending[0]) == (S_HIGH - 150, 0)
    assert state.requests[request.restock_id].parts.status == RequestStatus.DECLINED
    sell(state, ledger, 5)
    assert len(requests(ledger)) == 2
    pass_days(state, ledger, 1)
    assert len(requests(ledger)) == 3
    assert requests(ledger)[-1].restock_id != request.restock_id


def test_what_does_not_wait_cannot_be_ruled_on_and_a_sentence_says_why() -> None:
    state, ledger, request = waiting()
    at, restock_id = state.progress.clock, request.restock_id
    answer(state, ledger, RestockApproved(KEY, "1", at, "r-9"), RestockApproved(b"uk|B", "2", at, restock_id))
    unknown = "or it was settled and forgotten"
    assert refusals(ledger) == [
        f"there is no request r-9 of uk|A, {unknown}",
        f"there is no request {restock_id} of uk|B, {unknown}",
    ]
    answer(state, ledger, RestockDeclined(KEY, "3", at, restock_id), RestockApproved(KEY, "4", at, restock_id))
    assert refusals(ledger)[-1] == f"request {restock_id} is declined and waits for no approval any more"
    state, ledger = selling()
    sell(state, ledger, 150)
    (small,) = requests(ledger)
    answer(state, ledger, RestockApproved(KEY, "1", at, small.restock_id))
    assert refusals(ledger) == [f"request {small.restock_id} needs no approval"]


def test_expired_it_can_be_declined_only() -> None:
    state, ledger, request = waiting()
    pass_days(state, ledger, 15)
    assert (state.expired_requests, state.overdue_requests) == (1, 0)
    answer(state, ledger, RestockApproved(KEY, "1", state.progress.clock, request.restock_id))
    assert "has expired while it waited: decline it" in refusals(ledger)[-1]
    answer(state, ledger, RestockDeclined(KEY, "2", state.progress.clock, request.restock_id))
    assert requests(ledger)[-1].withdrawn == "declined"


def test_a_warehouse_that_acts_all_the_same_ends_the_wait() -> None:
    state, ledger, request = waiting()
    at = state.progress.clock
    answer(state, ledger, RestockAccepted(KEY, "a", at, request.restock_id, 150))
    assert (state.on_order[0], state.waiting, state.position_of(0)) == (150, {}, S_HIGH)
    answer(state, ledger, RestockDeclined(KEY, "n", at, request.restock_id))
    assert refusals(ledger) == [f"request {request.restock_id} is accepted and waits for no approval any more"]


def test_cancellations_take_back_what_waits_too() -> None:
    state, ledger, request = waiting()
    cancel(state, ledger, 150)
    assert (requests(ledger)[-1].restock_id, requests(ledger)[-1].withdrawn) == (request.restock_id, "needless")
    assert (state.waiting, state.position_of(0)) == ({}, S_HIGH)


def test_a_budget_is_of_the_last_days_and_outlives_the_expiry_of_its_requests() -> None:
    state, ledger = selling(budget_value=1_000.0, budget_days=20.0, unit_cost=4.0)
    sell(state, ledger, 150)
    (first,) = requests(ledger)
    assert (first.requires_approval, first.evidence.value) == (None, 600.0)
    answer(state, ledger, StockReceived(KEY, "r", state.progress.clock, 150, first.restock_id, final=True))
    for days in (18, 22):
        pass_days(state, ledger, days)
        sell(state, ledger, 900)
        since = state.progress.clock - 20 * DAY
        spent = sum(one.units * 4.0 for one in requests(ledger) if one.decided_at > since)
        assert requests(ledger)[-1].evidence.approval_reasons == (
            f"with it {spent:,.2f} is requested in 20 days, more than the budget of 1,000.00",
        )
        assert (first.restock_id in state.requests) == (first.decided_at > since) == (days == 18)


def test_what_is_declined_or_taken_back_leaves_the_budget() -> None:
    state, ledger = selling(budget_value=500.0, unit_cost=4.0)
    sell(state, ledger, 150)
    (first,) = requests(ledger)
    answer(state, ledger, RestockDeclined(KEY, "n", state.progress.clock, first.restock_id))
    pass_days(state, ledger, 1)
    second = requests(ledger)[-1]
    spent = f"with it {second.units * 4:,.2f} is requested in 30 days, more than the budget of 500.00"
    assert second.evidence.approval_reasons == (spent,)


Step = tuple[str, int]
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["sell", "cancel"]), st.integers(1, 220)),
        st.tuples(st.sampled_from(["approve", "decline", "accept", "receive"]), st.integers(0, 3)),
        st.tuples(st.just("day"), st.integers(1, 1)),
    ),
    min_size=1,
    max_size=14,
)


def take(state: PartitionState, ledger: Ledger, step: Step, number: int) -> None:
    """Do one thing; answers are to the nth request made so far, or to one that nobody made."""
    kind, size = step
    known = list(dict.fromkeys(one.restock_id for one in requests(ledger)))
    restock_id = known[size] if size < len(known) else "nobody's"
    at, event_id = state.progress.clock, f"e{number}"
    if kind in ("sell", "cancel"):
        start = state.progress.positions["orders"]
        line = Line(start, KEY, at, size, LineKind.PLACED if kind == "sell" else LineKind.CANCELLED, placed_at=at)
        play(state, [order_columns([line], start, start + 1)], ledger)
    elif kind == "day":
        start = state.progress.positions["orders"]
        play(state, [order_columns([time_passed(start, at + DAY)], start, start + 1)], ledger)
    else:
        events: dict[str, InventoryEvent] = {
            "approve": RestockApproved(KEY, event_id, at, restock_id),
            "decline": RestockDeclined(KEY, event_id, at, restock_id),
            "accept": RestockAccepted(KEY, event_id, at, restock_id, 60),
            "receive": StockReceived(KEY, event_id, at, 40, restock_id),
        }
        answer(state, ledger, events[kind], events[kind])


@given(history=steps, crashes=st.sets(st.integers(0, 13)))
def test_a_crash_after_any_step_changes_nothing(history: list[Step], crashes: set[int]) -> None:
    (state, whole), (other, parts) = selling(**LIMITS), selling(**LIMITS)
    for number, step in enumerate(history):
        take(state, whole, step, number)
        take(other, parts, step, number)
        if number in crashes:
            other = parts.reload(other.plan, SERVING)
    assert comparable(parts) == comparable(whole)
    assert other.waiting == state.waiting


@given(history=steps)
def test_every_step_moves_the_position_by_what_it_says(history: list[Step]) -> None:
    state, ledger = selling(**LIMITS)
    asked: dict[str, int] = {}
    for number, (kind, size) in enumerate(history):
        before, said = state.position_of(0), len(requests(ledger))
        parts = {one: state.requests[one].parts.open_units for one in state.requests}
        net = int(state.hot["net_units"][0])
        take(state, ledger, (kind, size), number)
        for one in requests(ledger)[said:]:
            if one.revision == 1:
                asked[one.restock_id] = one.units
        moved = int(state.hot["net_units"][0]) - net
        moved += sum(request.parts.open_units - parts.get(one, 0) for one, request in state.requests.items())
        assert state.position_of(0) == before + moved
        new = requests(ledger)[said:]
        if kind in ("sell", "cancel"):
            told = [one.units if one.revision == 1 else -asked[one.restock_id] for one in new]
            assert moved == (-size if kind == "sell" else size) + sum(told)
        if kind == "approve":
            assert moved == 0
            assert [one.requires_approval for one in new] in ([], [False])
        if kind == "decline":
            assert moved == -sum(asked[one.restock_id] for one in new)
    revisions = [(one.restock_id, one.revision) for one in requests(ledger)]
    assert len(set(revisions)) == len(revisions)
    for earlier, later in pairwise(sorted(revisions)):
        assert later[0] != earlier[0] or later[1] == earlier[1] + 1
    assert state.pending[0] == sum(one.parts.pending for one in state.requests.values())


@pytest.mark.parametrize("limits", [{"approval_above_units": 0}, {"approval_above_value": 0.0, "unit_cost": 1.0}])
def test_a_limit_of_zero_asks_a_person_each_time(limits: dict[str, Any]) -> None:
    state, ledger = selling(**limits)
    sell(state, ledger, 150)
    assert requests(ledger)[0].requires_approval
