"""One run: history into windows, then bucket by bucket receipts, demand, review; what is requested arrives.

Suppliers accept at the end of the bucket; until then a cancellation may take a request back.

Entries reach the engine in the order of replay: event time, then signals
before inventory before orders. A control record closes each bucket exactly at its end.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import count

import numpy as np

from replenishment.closed_loop.ledger import KeyOutcome, Ledger, outcome
from replenishment.closed_loop.world import Period, World, time_passed
from replenishment.engine.advance import advance
from replenishment.engine.catalog import take_entry
from replenishment.engine.columns import CatalogBatch, Entry, InventoryBatch, SignalBatch, Span, Tick
from replenishment.engine.effects import Effects
from replenishment.engine.plan import Plan
from replenishment.engine.progress import Progress
from replenishment.engine.state import PartitionState, opened
from replenishment.engine.turn import Turn
from replenishment.events import InventoryEvent, RestockAccepted, RestockRequested, SignalEvent, StockReceived
from replenishment.forecaster import Serving
from replenishment.signals import ALWAYS, FOREVER

_JUST_BEFORE_MS = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """A request or its withdrawal, and from when on what it asks for can be sold, epoch milliseconds."""

    request: RestockRequested
    usable_from: int


class ClosedLoop:
    """One policy and one model over a world.

    Args:
        world: What happens in any case.
        period: The buckets that are played; lines before are history.
        plan: Rules of the engine, without allowed lateness, on the period's grid.
        serving: Who forecasts.
        watch: Told of each entry before it is applied.
        history: State after the history, as ``history`` of another loop with the same lines, events, stock
            keys, plan and serving returned it; copied, and given this world's terms. Terms act on levels
            only, which the last closing before the period sets anew.

    Raises:
        ValueError: If the plan has another grid than the period, or allows lateness.
    """

    def __init__(
        self,
        world: World,
        period: Period,
        plan: Plan,
        serving: Serving,
        *,
        watch: Callable[[Entry], None] | None = None,
        history: PartitionState | None = None,
    ) -> None:
        if plan.width != period.width or plan.allowed_lateness_seconds:
            raise ValueError("the plan must have the period's buckets and allow no lateness")
        self._world, self._period, self._serving, self._watch = world, period, serving, watch
        self.state = opened(0, plan, Progress(0, {}, period.start_at), serving.champion)
        self._has_history = history is not None
        if history is not None:
            self.state = deepcopy(history)
        keys = {*world.lines.keys, *(entry.key for entry in world.catalog), *(event.key for event in world.events)}
        self._ledger = Ledger(len(keys - {b""}), lost_sales=plan.lost_sales)
        self._sequence = count()
        self._due: list[tuple[int, int, InventoryEvent]] = [
            (event.occurred_at, next(self._sequence), event) for event in world.events
        ]
        heapq.heapify(self._due)
        self._untold = deque(sorted(world.signals, key=_said_at))
        self._next_line = 0
        self._is_accounting = False
        self._withdrawn: set[str] = set()
        self.decisions: list[Decision] = []

    @property
    def orders(self) -> list[Decision]:
        """The requests that were not taken back."""
        return [one for one in self.decisions if one.request.restock_id not in self._withdrawn]

    def history(self) -> PartitionState:
        """Play what is before the period, but for the last closing, and return the state; once, before ``run``."""
        self._take_catalog()
        self._take_signals_at(ALWAYS)
        self._play_until(self._period.start_at)
        self._has_history = True
        return self.state

    def run(self) -> Iterator[int]:
        """Play the period; yield the number of each bucket as it ends, from 0."""
        if not self._has_history:
            self.history()
        self._begin()
        self._is_accounting = True
        for bucket in range(self._period.buckets):
            end = self._period.end_of(bucket)
            self._play_until(end)
            self._ledger.end_demand(self.state)
            if bucket == self._period.buckets - 1:
                # what arrives now serves nobody any more
                self._ledger.end()
                self._is_accounting = False
            self._take_events_at(end)
            self._apply(time_passed(end, self._position("orders")))
            self._ledger.end_bucket()
            yield bucket

    def outcome(self) -> KeyOutcome:
        """Return what came of the buckets played so far."""
        world = self._world
        priced = world.catalog if world.priced is None else world.priced
        return outcome(self._ledger, self.state, self._period.width.seconds / 86_400, priced)

    def _take_catalog(self) -> None:
        entries = self._world.catalog
        span = Span("catalog", 0, len(entries))
        if entries:
            self._apply(CatalogBatch(span, (), range(len(entries)), [one.key for one in entries], entries))

    def _begin(self) -> None:
        """Close the last bucket before the start, then begin to decide: with the latest levels as stock."""
        start = self._period.start_at
        self._next_line = int(np.searchsorted(self._world.lines.occurred_at, start))
        while self._due and self._due[0][0] < start:
            heapq.heappop(self._due)
        while self._untold and _said_at(self._untold[0]) < start:
            self._untold.popleft()
        # at its end the last bucket before the start knows what becomes known at that instant
        self._take_signals_at(start)
        for entry in self._world.catalog:
            take_entry(self.state, entry.key, entry, Turn())
        self._apply(time_passed(start - _JUST_BEFORE_MS, self._position("orders")))
        # silence moves the watermark and not the clock: the last bucket closes before deciding begins
        self._apply(Tick(_JUST_BEFORE_MS / 1000))
        self._take_events_at(start)
        self._apply(time_passed(start, self._position("orders")))

    def _play_until(self, end: int) -> None:
        """Apply lines and events before a time; events come before lines of the same time."""
        while (at := self._next_event_at()) < end:
            self._take_lines_before(at)
            self._take_events_at(at)
        self._take_lines_before(end)

    def _next_event_at(self) -> int:
        signal_at = _said_at(self._untold[0]) if self._untold else FOREVER
        return min(signal_at, self._due[0][0] if self._due else FOREVER)

    def _take_lines_before(self, at: int) -> None:
        lines = self._world.lines
        last = int(np.searchsorted(lines.occurred_at, at))
        # without a lead time goods may be due at the very instant of a line that was taken
        if last <= self._next_line:
            return
        columns = lines.columns(self._next_line, last, self._position("orders"))
        self._next_line = last
        if not self._is_accounting:
            self._apply(columns)
            return
        before = self._ledger.before(self.state)
        self._apply(columns)
        self._ledger.take(self.state, before, columns)

    def _take_signals_at(self, at: int) -> None:
        told = []
        while self._untold and _said_at(self._untold[0]) <= at:
            told.append(self._untold.popleft())
        if told:
            start = self._position("signals")
            span = Span("signals", start, start + len(told))
            self._apply(SignalBatch(span, (), range(span.start, span.end), told))

    def _take_events_at(self, at: int) -> None:
        self._take_signals_at(at)
        events = []
        while self._due and self._due[0][0] <= at:
            event = heapq.heappop(self._due)[2]
            if getattr(event, "restock_id", None) not in self._withdrawn:
                events.append(event)
        if not events:
            return
        received = {one.key for one in events if isinstance(one, StockReceived)}
        start = self._position("inventory")
        span = Span("inventory", start, start + len(events))
        self._apply(InventoryBatch(span, (), range(span.start, span.end), events))
        if self._is_accounting and received:
            self._ledger.receive(self.state.rows_of(sorted(received)))

    def _apply(self, entry: Entry) -> None:
        if self._watch is not None:
            self._watch(entry)
        for effects in advance(self.state, entry, self._serving):
            self._deliver(effects)

    def _deliver(self, effects: Effects) -> None:
        """Plan the arrival of what was requested: as suppliers take, at the start of a bucket."""
        for request in effects.restocks:
            usable_from = self._period.usable_from(self._world.suppliers.arrives_at(request))
            self.decisions.append(Decision(request, usable_from))
            row = self.state.keys.rows[request.key]
            if request.withdrawn is None:
                self._ledger.order(row, request.units)
                self._plan(request, usable_from)
            else:
                self._withdrawn.add(request.restock_id)
                self._ledger.take_back(row, self.state.requests[request.restock_id].parts.withdrawn)

    def _plan(self, request: RestockRequested, usable_from: int) -> None:
        restock_id, key, units = request.restock_id, request.key, request.units
        accepted_at = min(self._period.usable_from(request.decided_at + 1), usable_from)
        accepted = RestockAccepted(key, f"{restock_id}/accepted", accepted_at, restock_id, units)
        receipt = StockReceived(key, f"{restock_id}/received", usable_from, units, restock_id, final=True)
        for event in (accepted, receipt):
            heapq.heappush(self._due, (event.occurred_at, next(self._sequence), event))

    def _position(self, topic: str) -> int:
        return self.state.progress.positions.get(topic, 0)


def _said_at(event: SignalEvent) -> int:
    return ALWAYS if event.occurred_at is None else event.occurred_at
