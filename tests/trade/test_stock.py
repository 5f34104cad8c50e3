"""The life of a request: no answer ever makes or loses a unit that was not asked, shipped or received."""

from hypothesis import given
from hypothesis import strategies as st

from replenishment.stock import RequestParts, RequestStatus, adjusted, counted

units = st.integers(1, 100)


@given(q=units)
def test_receiving_what_was_requested_leaves_the_position_unchanged(q: int) -> None:
    # position = net stock + open units: + q received, - q open
    asked = RequestParts(q)
    for parts in (asked, asked.accept(q), asked.ship(q), asked.accept(q).ship(q)):
        after = parts.receive(q, final=False)
        assert q + after.open_units == parts.open_units
        assert after.status == RequestStatus.RECEIVED


def test_acceptance_after_a_partial_receipt_promises_only_the_rest() -> None:
    parts = RequestParts(10).receive(4, final=False)
    assert parts == RequestParts(6, received=4)
    assert parts.accept(8) == RequestParts(0, on_order=4, received=4, status=RequestStatus.ACCEPTED)


def test_more_shipped_than_open_is_not_in_transit() -> None:
    assert RequestParts(10).accept(6).ship(9).in_transit == 6


def test_a_final_receipt_removes_what_is_left() -> None:
    after = RequestParts(10).accept(10).ship(5).receive(3, final=True)
    assert (after.open_units, after.received, after.is_settled) == (0, 3, True)


def test_a_refusal_clears_what_has_not_left() -> None:
    after = RequestParts(10).accept(10).ship(4).reject()
    assert (after.pending, after.on_order, after.in_transit, after.is_settled) == (0, 0, 4, True)


answers = st.one_of(
    st.tuples(st.just("accept"), units),
    st.tuples(st.just("ship"), units),
    st.tuples(st.just("receive"), units),
    st.tuples(st.just("final"), units),
)


@given(asked=units, sequence=st.lists(answers, max_size=8))
def test_open_units_are_never_negative_and_never_more_than_promised(
    asked: int, sequence: list[tuple[str, int]]
) -> None:
    parts, promised = RequestParts(asked), asked
    for kind, q in sequence:
        if parts.is_settled:
            break
        if kind == "accept":
            parts, promised = parts.accept(q), max(promised, q)
        elif kind == "ship":
            parts = parts.ship(q)
        else:
            parts = parts.receive(q, final=kind == "final")
        assert min(parts.pending, parts.on_order, parts.in_transit) >= 0
        assert parts.open_units <= promised


@given(net=st.integers(-50, 50), delta=st.integers(-100, 100))
def test_an_adjustment_never_makes_backorders(net: int, delta: int) -> None:
    after = adjusted(net, delta)
    assert max(-after, 0) <= max(-net, 0)


@given(net=st.integers(-50, 50), on_hand=st.integers(0, 100))
def test_a_count_serves_backorders_first(net: int, on_hand: int) -> None:
    assert counted(net, on_hand) == on_hand - max(-net, 0)
