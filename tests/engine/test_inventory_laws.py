"""Laws of the inventory position: any events in any order leave what a plain reading of the rules says.

The plain reading is ``Book`` below: one number for the net stock, four for
each request, written from the rules and not from the code.
"""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from replenishment.engine.columns import LineKind
from replenishment.engine.state import PartitionState
from replenishment.events import (
    CatalogEntry,
    InventoryEvent,
    RestockAccepted,
    RestockRejected,
    RestockShipped,
    StockAdjusted,
    StockCounted,
    StockReceived,
)
from tests.engine.builders import HOUR, Ledger, Line, catalog_batch, inventory_batch, order_columns, play
from tests.engine.test_review import KEY, requests, sell, selling

OPEN = ("pending", "on_order", "in_transit")
PARTS = (*OPEN, "withdrawn")


@dataclass
class Book:
    """Stock of one key by the rules: a count replaces, older movements do nothing, requests move in order."""

    net: int
    counted_at: int
    requests: dict[str, dict[str, int]]
    settled: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    contradicted: int = 0

    @property
    def position(self) -> int:
        return self.net + sum(one[part] for one in self.requests.values() for part in OPEN)

    def take(self, event: InventoryEvent) -> None:
        if event.event_id in self.seen:
            return
        self.seen.add(event.event_id)
        if isinstance(event, StockCounted):
            if event.occurred_at >= self.counted_at:
                self.net = event.on_hand_units + min(self.net, 0)
                self.counted_at = event.occurred_at
        elif isinstance(event, StockAdjusted):
            if event.occurred_at >= self.counted_at:
                floor = self.net if event.delta_units >= 0 else min(self.net, 0)
                self.net = max(self.net + event.delta_units, floor)
        elif isinstance(event, StockReceived):
            if event.occurred_at >= self.counted_at:
                self.net += event.units
            if event.restock_id in self.requests:
                self._receive(event)
        elif event.restock_id in self.settled:
            self.contradicted += 1
        elif event.restock_id in self.requests:
            self._answer(event, self.requests[event.restock_id])

    def _receive(self, event: StockReceived) -> None:
        parts = self.requests[event.restock_id or ""]
        left = event.units
        for part in ("in_transit", "on_order", "pending", "withdrawn"):
            taken = min(left, parts[part])
            parts[part] -= taken
            left -= taken
        parts["received"] += event.units
        is_answerable = any(parts[part] for part in PARTS)
        if event.final or not is_answerable:
            parts.update(dict.fromkeys(PARTS, 0))
            self.settled.add(event.restock_id or "")

    def _answer(self, event: InventoryEvent, parts: dict[str, int]) -> None:
        if isinstance(event, RestockAccepted):
            parts["pending"] = parts["withdrawn"] = 0
            parts["on_order"] = max(0, event.units - parts["in_transit"] - parts["received"])
            if not any(parts[part] for part in OPEN) and parts["received"]:
                self.settled.add(event.restock_id)
        elif isinstance(event, RestockShipped):
            left = event.units
            for part in ("on_order", "pending", "withdrawn"):
                taken = min(left, parts[part])
                parts[part] -= taken
                parts["in_transit"] += taken
                left -= taken
        elif isinstance(event, RestockRejected):
            parts["pending"] = parts["on_order"] = parts["withdrawn"] = 0
            self.settled.add(event.restock_id)


def requested(given_back: int = 0) -> tuple[PartitionState, Ledger, list[str]]:
    """Return a key with two requests of which no more are made; units given back withdraw the younger first."""
    state, ledger = selling()
    sell(state, ledger, 150, 150)
    if given_back:
        start, at = state.progress.positions["orders"], state.progress.clock
        back = Line(start, KEY, at, given_back, LineKind.CANCELLED, placed_at=at)
        play(state, [order_columns([back], start, start + 1)], ledger)
    play(state, [catalog_batch([CatalogEntry(KEY, active=False)], start=1)], ledger)
    return state, ledger, [one.restock_id for one in requests(ledger)][:2]


def book_of(state: PartitionState) -> Book:
    """Return the book as the engine has it before the events."""
    parts = {
        restock_id: {
            "pending": one.parts.pending,
            "on_order": 0,
            "in_transit": 0,
            "received": 0,
            "withdrawn": one.parts.withdrawn,
        }
        for restock_id, one in state.requests.items()
    }
    return Book(int(state.hot["net_units"][0]), int(state.hot["counted_at"][0]), parts)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, int, int, bool, int]]:
    """Events as (kind, which request, hours from now, units, final, id): repeated, early, late and unknown ones."""
    one = st.tuples(
        st.sampled_from(["count", "adjust", "receive", "accept", "ship", "reject", "accept", "ship", "receive"]),
        st.integers(0, 2),
        st.integers(-30, 30),
        st.integers(1, 120),
        st.booleans(),
        st.integers(0, 30),
    )
    return draw(st.lists(one, min_size=1, max_size=25))


def events_of(history: list[tuple[str, int, int, int, bool, int]], ids: list[str], now: int) -> list[InventoryEvent]:
    made: list[InventoryEvent] = []
    for kind, which, hours, units, final, number in history:
        restock_id, event_id, at = [*ids, "unknown"][which], f"e{number}", now + hours * HOUR
        match kind:
            case "count":
                made.append(StockCounted(KEY, event_id, at, units))
            case "adjust":
                made.append(StockAdjusted(KEY, event_id, at, units - 60))
            case "receive":
                made.append(StockReceived(KEY, event_id, at, units, restock_id, final))
            case "accept":
                made.append(RestockAccepted(KEY, event_id, at, restock_id, units))
            case "ship":
                made.append(RestockShipped(KEY, event_id, at, restock_id, units))
            case _:
                made.append(RestockRejected(KEY, event_id, at, restock_id, units))
    return made


@given(history=histories(), given_back=st.sampled_from([0, 160, 300]))
def test_any_events_in_any_order_leave_what_the_rules_say(
    history: list[tuple[str, int, int, int, bool, int]], given_back: int
) -> None:
    state, ledger, ids = requested(given_back)
    assert [state.requests[one].parts.withdrawn > 0 for one in ids] == [given_back == 300, given_back > 0]
    book = book_of(state)
    for place, event in enumerate(events_of(history, ids, state.progress.clock)):
        play(state, [inventory_batch([event], start=place)], ledger)
        book.take(event)
        assert state.position_of(0) == book.position
        assert int(state.hot["net_units"][0]) == book.net
        for restock_id, parts in book.requests.items():
            has = state.requests[restock_id].parts
            assert (has.pending, has.on_order, has.in_transit, has.received, has.withdrawn) == tuple(
                parts[name] for name in (*OPEN, "received", "withdrawn")
            )
            assert has.is_settled == (restock_id in book.settled)
    assert sum("takes no more answers" in getattr(one, "reason", "") for one in ledger.said) == book.contradicted


@given(history=histories(), place=st.integers(0, 25))
def test_a_prefix_that_is_delivered_again_changes_nothing(
    history: list[tuple[str, int, int, int, bool, int]], place: int
) -> None:
    state, ledger, ids = requested()
    events = events_of(history, ids, state.progress.clock)
    play(state, [inventory_batch(events)], ledger)
    before = (state.position_of(0), dict(state.requests), state.hot[0].tobytes())
    play(state, [inventory_batch(events[:place], start=len(events))], ledger)
    assert (state.position_of(0), dict(state.requests), state.hot[0].tobytes()) == before


@settings(max_examples=30)
@given(units=st.lists(st.integers(1, 90), min_size=1, max_size=8), parts=st.integers(1, 4), shipped=st.booleans())
def test_a_request_raises_the_position_by_itself_and_its_receipts_by_nothing(
    units: list[int], parts: int, shipped: bool
) -> None:
    state, ledger = selling()
    before = state.position_of(0)
    at, start = state.progress.clock, state.progress.positions["orders"]
    lines = [Line(start + place, KEY, at, one) for place, one in enumerate(units)]
    play(state, [order_columns(lines, start, start + len(lines))], ledger)
    made = requests(ledger)
    assert state.position_of(0) == before - sum(units) + sum(one.units for one in made)
    position, answers = state.position_of(0), []
    for one in made:
        answers.append(RestockAccepted(KEY, f"a{one.restock_id}", at, one.restock_id, one.units))
        if shipped:
            answers.append(RestockShipped(KEY, f"s{one.restock_id}", at, one.restock_id, one.units))  # type: ignore[arg-type]
        share, rest = divmod(one.units, parts)
        pieces = [share] * (parts - 1) + [share + rest]
        answers += [
            StockReceived(KEY, f"r{one.restock_id}{place}", at, piece, one.restock_id)  # type: ignore[misc]
            for place, piece in enumerate(pieces)
            if piece
        ]
    for place, answer in enumerate(answers):
        play(state, [inventory_batch([answer], start=place)], ledger)
        assert state.position_of(0) == position
    assert (state.pending[0], state.on_order[0], state.in_transit[0]) == (0, 0, 0)
