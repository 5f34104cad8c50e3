"""One turn in the making: which rows were touched and what is to be said outside, until it is settled into effects."""

from collections import deque
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

import msgspec
import numpy as np

from replenishment.arrays import Int64s, Records
from replenishment.engine.effects import Effects, LineCounts, RowWrites, ShadowDecisions, VersionAccuracy
from replenishment.engine.held import held_table
from replenishment.engine.known import KeptSignal
from replenishment.engine.rows import (
    LONGEST_REQUEST_BYTES,
    Table,
    accuracy_table,
    deliveries_table,
    events_table,
    hot_table,
    restocks_table,
    seen_table,
    signal_rows,
    signals_table,
    waiting_table,
    window_table,
)
from replenishment.engine.state import OpenRequest, PartitionState
from replenishment.engine.terms import terms_table
from replenishment.events import DemandClosed, OrderWithheld, Rejection, RestockRequested, SupplyOverdue


@dataclass(slots=True)
class Turn:
    """Rows touched by table, by row number; and all that leaves the partition with them.

    ``signals`` are words by row of the key and serial, and whether they are kept or gone.
    ``is_scored``: whether accounts of accuracy changed; those of the versions ``forgotten`` go.
    """

    hot: list[Int64s] = field(default_factory=list)
    window: list[Int64s] = field(default_factory=list)
    champion: list[Int64s] = field(default_factory=list)
    incoming: list[Int64s] = field(default_factory=list)
    terms: dict[int, bool] = field(default_factory=dict)
    requests: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    events: set[int] = field(default_factory=set)
    deliveries: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    held: set[int] = field(default_factory=set)
    signals: dict[tuple[int, int], tuple[KeptSignal, bool]] = field(default_factory=dict)
    restocks: list[RestockRequested] = field(default_factory=list)
    causes: list[int] = field(default_factory=list)
    demand: list[DemandClosed] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    withheld: list[OrderWithheld] = field(default_factory=list)
    overdue: list[SupplyOverdue] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    buckets_closed: int = 0
    is_scored: bool = False
    drifted: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    shadow: ShadowDecisions | None = None

    def count(self, outcome: str, number: int = 1) -> None:
        """Add to one of the ``LineCounts``."""
        self.counts[outcome] = self.counts.get(outcome, 0) + number

    def say(self, restock: RestockRequested, cause: int = -1) -> None:
        """Note what is said of a request, and the offset of the order that is its cause."""
        self.restocks.append(restock)
        self.causes.append(cause)

    def touch(self, row: int) -> None:
        """Note that the hot row of one key changed."""
        self.hot.append(np.array([row], dtype=np.int64))


def settle(state: PartitionState, turn: Turn) -> Effects:
    """Copy the touched rows out and move the progress on by one turn."""
    counts = LineCounts(**turn.counts)
    progress = state.progress
    state.move(
        turn=progress.turn + 1,
        late_corrected=progress.late_corrected + counts.late_corrected,
        late_dropped=progress.late_dropped + counts.late_dropped,
        repeated=progress.repeated + counts.repeated,
        not_stock=progress.not_stock + counts.not_stock,
        rejected=progress.rejected + len(turn.rejections),
        held=len(state.held),
    )
    dropped, state.abandoned = state.abandoned, []
    return Effects(
        progress=state.progress,
        writes=_writes(state, turn),
        restocks=turn.restocks,
        causes=turn.causes,
        demand=turn.demand,
        rejections=turn.rejections,
        withheld=turn.withheld,
        overdue=turn.overdue,
        counts=counts,
        buckets_closed=turn.buckets_closed,
        dropped_tables=dropped,
        accuracy=accuracy_of(state) if turn.is_scored else (),
        drifted=turn.drifted,
        shadow=turn.shadow,
        keys=state.keys.count,
        open_requests=state.open_requests,
        expired_requests=state.expired_requests,
        overdue_requests=state.overdue_requests,
        waiting_requests=len(state.waiting),
    )


def accuracy_of(state: PartitionState) -> Sequence[VersionAccuracy]:
    """Return what is known of the forecasts of the champion and of the version beside it."""
    found = [VersionAccuracy("champion", state.champion.version, state.champion.account[0].copy())]
    if state.incoming is not None:
        found.append(VersionAccuracy("challenger", state.incoming.version, state.incoming.account[0].copy()))
    return found


def _writes(state: PartitionState, turn: Turn) -> Sequence[RowWrites]:
    plan = state.plan
    writes = [
        _rows(state, hot_table(plan), state.hot, turn.hot),
        _rows(state, window_table(plan), state.window, turn.window),
        _rows(state, state.champion.table, state.champion.rows, turn.champion),
        _terms(state, turn),
        _requests(state, turn),
        _waiting(state, turn),
        _events(state, turn),
        _deliveries(state, turn),
        _accounts(state, turn),
        _held(state, turn),
        _signals(turn),
        *(_seen(state, bucket) for bucket in sorted(turn.seen)),
    ]
    if state.incoming is not None:
        writes.append(_rows(state, state.incoming.table, state.incoming.rows, turn.incoming))
    return [one for one in writes if one.keys or one.gone]


def _rows(state: PartitionState, table: Table, records: Records, touched: list[Int64s]) -> RowWrites:
    rows = np.concatenate(touched) if touched else np.zeros(0, dtype=np.int64)
    if len(rows) > 1 and not np.all(rows[1:] > rows[:-1]):
        rows = np.unique(rows)
    if not len(rows):
        return table.writes([], records[:0])
    first, end = int(rows[0]), int(rows[-1]) + 1
    # the rows of a closing are a range: cut out, not gathered
    touched_records = records[first:end] if end - first == len(rows) else records[rows]
    return table.writes(state.keys.of(rows), touched_records)


def _terms(state: PartitionState, turn: Turn) -> RowWrites:
    kept = np.array(sorted(row for row, is_set in turn.terms.items() if is_set), dtype=np.int64)
    gone = np.array(sorted(row for row, is_set in turn.terms.items() if not is_set), dtype=np.int64)
    return terms_table().writes(state.keys.of(kept), state.terms[kept], tuple(state.keys.of(gone)))


def _requests(state: PartitionState, turn: Turn) -> RowWrites:
    ids = sorted(turn.requests)
    kept = [one for one in ids if one in state.requests]
    gone = tuple(one.encode() for one in ids if one not in state.requests)
    table = restocks_table()
    records = np.array([_request_row(state.requests[one]) for one in kept], dtype=table.row)
    return table.writes([one.encode() for one in kept], records, gone)


def _request_row(request: OpenRequest) -> tuple[Any, ...]:
    parts = request.parts
    units = (parts.pending, parts.on_order, parts.in_transit, parts.received, parts.withdrawn)
    promise = (request.needed_by, request.late_unit_buckets, request.lead_time_buckets, request.is_overdue)
    asked = (request.asked_bucket, request.slot, request.revision, request.supplier)
    ruled = (request.asked_at, request.asked_units, request.asked_value, request.approval)
    return (request.row, parts.status, *units, request.expires_at, request.settled_at, *promise, *asked, *ruled)


def _waiting(state: PartitionState, turn: Turn) -> RowWrites:
    ids = sorted(turn.waiting)
    kept = [one for one in ids if one in state.waiting]
    gone = tuple(one.encode() for one in ids if one not in state.waiting)
    values = [msgspec.json.encode(state.waiting[one], order="deterministic") for one in kept]
    if any(len(value) > LONGEST_REQUEST_BYTES for value in values):
        raise ValueError(f"a request has more than {LONGEST_REQUEST_BYTES} bytes: report this as a bug")
    records = np.array([(value,) for value in values], dtype=waiting_table().row)
    return waiting_table().writes([one.encode() for one in kept], records, gone)


def _events(state: PartitionState, turn: Turn) -> RowWrites:
    rows = sorted(turn.events)
    table = events_table()
    records = np.zeros(len(rows), dtype=table.row)
    for place, row in enumerate(rows):
        remembered = state.events[row]
        records["fingerprints"][place, : len(remembered)] = remembered
    return table.writes(state.keys.of(np.array(rows, dtype=np.int64)), records)


def _deliveries(state: PartitionState, turn: Turn) -> RowWrites:
    rows = np.array(sorted(turn.deliveries), dtype=np.int64)
    return deliveries_table().writes(state.keys.of(rows), state.deliveries[rows])


def _accounts(state: PartitionState, turn: Turn) -> RowWrites:
    gone = tuple(version.encode() for version in sorted(turn.forgotten))
    scored = [one for one in (state.champion, state.incoming) if one is not None] if turn.is_scored else []
    names = [one.version.encode() for one in scored]
    records = np.concatenate([one.account for one in scored]) if scored else state.champion.account[:0]
    return accuracy_table().writes(names, records, gone)


def _held(state: PartitionState, turn: Turn) -> RowWrites:
    kept = [offset for offset in sorted(turn.held) if offset in state.held]
    gone = tuple(b"%d" % offset for offset in sorted(turn.held) if offset not in state.held)
    table = held_table()
    records = np.array([astuple(state.held[offset]) for offset in kept], dtype=table.row)
    return table.writes([b"%d" % offset for offset in kept], records, gone)


def _signals(turn: Turn) -> RowWrites:
    fields: list[bytes] = []
    rows, gone = [signals_table().unpack(b"")], list[bytes]()
    for (row, _), (word, is_kept) in sorted(turn.signals.items(), key=lambda one: one[0]):
        names, records = signal_rows(row, word)
        if is_kept:
            fields += names
            rows.append(records)
        else:
            gone += names
    return signals_table().writes(fields, np.concatenate(rows), tuple(gone))


def _seen(state: PartitionState, bucket: int) -> RowWrites:
    return seen_table(bucket).writes(*state.seen[bucket].unstored(bucket))


class PendingRejections:
    """Rejections that the wire made of a batch, handed out as the position passes them."""

    def __init__(self, rejections: Sequence[Rejection]) -> None:
        self._left = deque(sorted(rejections, key=lambda one: one.offset))

    def before(self, position: int) -> list[Rejection]:
        """Return, once each, those at offsets below ``position``."""
        passed = []
        while self._left and self._left[0].offset < position:
            passed.append(self._left.popleft())
        return passed
