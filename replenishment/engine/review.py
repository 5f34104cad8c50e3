"""Reviews: a request at each moment where the position is at or below the reorder point.

A review has the meaning of one line at a time: a request belongs to the first
line at which it is due and raises the position for all later ones, however
the lines were fetched. A cancellation takes back unanswered requests that it
makes needless, the youngest first: those without which nothing would be due.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from replenishment.arrays import Bools, Int64s
from replenishment.engine.evidence import KeyFacts, evidence_of, facts_of, position_of
from replenishment.engine.orders import PositionChanges
from replenishment.engine.requests import move, newest_unanswered, open_request
from replenishment.engine.state import ForecastColumns, OpenRequest, PartitionState
from replenishment.engine.turn import Turn
from replenishment.events import Evidence, OrderWithheld, RestockRequested
from replenishment.forecaster import Serving
from replenishment.lead_time import LONGEST_BUCKETS, buckets_of_days
from replenishment.policy import OrderQuantity
from replenishment.stock import RequestParts, StockKnowledge

REQUESTS = uuid5(NAMESPACE_URL, "urn:restock:request")
"""Namespace of ``restock_id``."""
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where a decision is made: the clock, the oldest open bucket, the causing order's offset or -1."""

    decided_at: int
    open_bucket: int
    cause: int = -1


Decision: TypeAlias = RestockRequested | OrderWithheld


def review_lines(state: PartitionState, changes: PositionChanges, serving: Serving, turn: Turn) -> None:
    """Review keys after each line that moved their stock: requests of continuous ones, withdrawals of all."""
    rows = changes.rows
    pipeline = state.on_order[rows] + state.in_transit[rows] + state.pending[rows]
    position = changes.net_units + pipeline
    looked_at = position <= state.champion.rows["reorder_point"][rows]
    looked_at &= _requests_at_lines(state, rows, serving)
    looked_at |= _may_withdraw(state, changes, serving)
    if not looked_at.any():
        return
    found: list[tuple[int, Decision]] = []
    chosen = np.unique(rows[looked_at])
    requests = _requests_at_lines(state, chosen, serving).tolist()
    for row, facts, is_requesting in zip(chosen.tolist(), facts_of(state, chosen), requests, strict=True):
        start, end = np.searchsorted(rows, [row, row + 1]).tolist()
        segment = _Segment(state, row, facts, changes, is_requesting, serving.rung)
        found += segment.review(slice(start, end), turn)
    for cause, decision in sorted(found, key=lambda one: one[0]):
        _say(decision, cause, turn)


def _requests_at_lines(state: PartitionState, rows: Int64s, serving: Serving) -> Bools:
    return _may_request(state, rows, serving) & ~_is_periodic(state, rows)


def _may_withdraw(state: PartitionState, changes: PositionChanges, serving: Serving) -> Bools:
    """Return which lines are cancellations of keys with something pending; a worker that only observes says nothing."""
    if not (changes.gives_back.any() and serving.is_requesting):
        return np.zeros(len(changes.rows), dtype=np.bool_)
    is_asked = (state.pending[changes.rows] > 0) & state.champion.has_levels(changes.rows)
    return np.asarray(changes.gives_back & is_asked)


@dataclass(frozen=True, slots=True)
class _Segment:
    """The lines of one key; ``is_requesting`` = it may ask for more at them."""

    state: PartitionState
    row: int
    facts: KeyFacts
    changes: PositionChanges
    is_requesting: bool
    rung: str

    def review(self, lines: slice, turn: Turn) -> list[tuple[int, Decision]]:
        """Review the lines in order; what is requested or withdrawn moves the position of those after it."""
        state, changes = self.state, self.changes
        found: list[tuple[int, Decision]] = []
        place = lines.start
        while place < lines.stop:
            ahead, newest = self._next(slice(place, lines.stop)), newest_unanswered(state, self.row)
            if ahead is None:
                break
            place += ahead
            net_units = int(changes.net_units[place])
            moment = Moment(int(changes.decided_at[place]), state.first_open_bucket, int(changes.offsets[place]))
            if newest is not None and net_units + self._pipeline - newest[1].parts.pending > self.facts.reorder_point:
                # the line is looked at again: it may make an older request needless too
                found.append((moment.cause, _withdraw(state, *newest, self.facts, net_units, moment, self.rung, turn)))
                continue
            decision = _decide(state, self.row, self.facts, net_units, moment, self.rung, turn)
            if decision is not None:
                found.append((moment.cause, decision))
            place += 1
        return found

    @property
    def _pipeline(self) -> int:
        row = self.row
        return int(self.state.on_order[row] + self.state.in_transit[row] + self.state.pending[row])

    def _next(self, lines: slice) -> int | None:
        """Return how far ahead the next line is at which something is due or needless, None if there is none."""
        position = self.changes.net_units[lines] + self._pipeline
        newest = newest_unanswered(self.state, self.row)
        is_something = np.zeros(len(position), dtype=np.bool_)
        if self.is_requesting:
            is_something |= position <= self.facts.reorder_point
        if newest is not None:
            is_needless = position - newest[1].parts.pending > self.facts.reorder_point
            is_something |= self.changes.gives_back[lines] & is_needless
        found = np.flatnonzero(is_something)
        return int(found[0]) if len(found) else None


def _withdraw(
    state: PartitionState,
    restock_id: str,
    request: OpenRequest,
    facts: KeyFacts,
    net_units: int,
    moment: Moment,
    rung: str,
    turn: Turn,
) -> RestockRequested:
    """Take a request back and lower the position by exactly its units; the evidence is of the position without it."""
    move(state, restock_id, request, request.parts.withdraw(), moment.decided_at, turn)
    request.revision += 1
    position = position_of(state, request.row, net_units)
    return RestockRequested(
        restock_id=restock_id,
        revision=request.revision,
        key=state.keys.keys[request.row],
        supplier=request.supplier.decode(),
        units=0,
        decided_at=moment.decided_at,
        needed_by=request.needed_by,
        expires_at=request.expires_at,
        model_version=state.champion.version,
        evidence=evidence_of(state, facts, facts.limits, position, OrderQuantity(0, 0), rung, moment.cause),
        withdrawn="needless",
    )


def review_closing(state: PartitionState, rows: Int64s, bucket: int, serving: Serving, turn: Turn) -> None:
    """Review keys (B,) after ``bucket`` closed: the continuous ones, and the periodic ones whose day it is."""
    due = due_at_closing(state, state.champion, rows, bucket) & _may_request(state, rows, serving)
    if not due.any():
        return
    moment = Moment(state.progress.clock, bucket + 1)
    for row, facts in zip(rows[due].tolist(), facts_of(state, rows[due]), strict=True):
        _review_at(state, row, facts, moment, serving, turn)


def due_at_closing(state: PartitionState, columns: ForecastColumns, rows: Int64s, bucket: int) -> Bools:
    """Return for which rows (B,) the levels of a version make a request due after ``bucket`` closed, were any made."""
    due = state.positions_of(rows) <= columns.rows["reorder_point"][rows]
    due &= _has_decision(state, columns, rows)
    return np.asarray(due & (~_is_periodic(state, rows) | _is_review_day(state, rows, bucket)))


def review_key(state: PartitionState, row: int, serving: Serving, turn: Turn) -> None:
    """Review one key after a count or an adjustment, if it is reviewed continuously."""
    rows = np.array([row], dtype=np.int64)
    if not _may_request(state, rows, serving)[0] or _is_periodic(state, rows)[0]:
        return
    if state.position_of(row) <= state.champion.rows["reorder_point"][row]:
        moment = Moment(state.progress.clock, state.first_open_bucket)
        _review_at(state, row, facts_of(state, rows)[0], moment, serving, turn)


def _review_at(state: PartitionState, row: int, facts: KeyFacts, moment: Moment, serving: Serving, turn: Turn) -> None:
    decision = _decide(state, row, facts, int(state.hot["net_units"][row]), moment, serving.rung, turn)
    if decision is not None:
        _say(decision, moment.cause, turn)


def _say(decision: Decision, cause: int, turn: Turn) -> None:
    if isinstance(decision, OrderWithheld):
        turn.withheld.append(decision)
    else:
        turn.restocks.append(decision)
        turn.causes.append(cause)


def _may_request(state: PartitionState, rows: Int64s, serving: Serving) -> Bools:
    if not (state.progress.is_deciding and serving.is_requesting):
        return np.zeros(len(rows), dtype=np.bool_)
    return _has_decision(state, state.champion, rows)


def _has_decision(state: PartitionState, columns: ForecastColumns, rows: Int64s) -> Bools:
    may = columns.has_levels(rows) & (state.hot["stock"][rows] != StockKnowledge.UNKNOWN)
    return np.asarray(may & (state.hot["is_held"][rows] == 0) & (state.terms["is_active"][rows] == 1))


def _is_periodic(state: PartitionState, rows: Int64s) -> Bools:
    return np.asarray(state.champion.rows["review_period_days"][rows] > 0)


def _is_review_day(state: PartitionState, rows: Int64s, bucket: int) -> Bools:
    """Return whether decide_from + n review periods, n = 0, 1, …, lies in (start, end] of the bucket."""
    width = state.plan.width
    start, end = width.start_of(bucket), width.start_of(bucket + 1)
    period = np.maximum(np.round(state.champion.rows["review_period_days"][rows] * DAY_MS), 1).astype(np.int64)
    latest = (end - state.progress.decide_from) // period
    return np.asarray((latest >= 0) & (state.progress.decide_from + latest * period > start))


def _decide(
    state: PartitionState,
    row: int,
    facts: KeyFacts,
    net_units: int,
    moment: Moment,
    rung: str,
    turn: Turn,
) -> Decision | None:
    position, limits = position_of(state, row, net_units), facts.limits
    quantity = facts.quantity(position.units, limits, state.plan.max_request_ratio)
    if quantity.reason is not None:
        return OrderWithheld(state.keys.keys[row], moment.decided_at, quantity.raw_units, quantity.reason)
    if quantity.units == 0:
        return None
    evidence = evidence_of(state, facts, limits, position, quantity, rung, moment.cause)
    return _request(state, row, facts.supplier.decode(), quantity.units, evidence, moment, turn)


def _request(
    state: PartitionState, row: int, supplier: str, units: int, evidence: Evidence, moment: Moment, turn: Turn
) -> RestockRequested:
    """Make the request and raise the position by exactly its units."""
    key = state.keys.keys[row]
    slot = int(state.hot["slot"][row])
    opened = _opened(state.plan.width.start_of(moment.open_bucket))
    restock_id = str(uuid5(REQUESTS, f"{key.decode()}|{supplier}|{opened}|{slot}"))
    expires_at = moment.decided_at + round(state.plan.expiry_days * DAY_MS)
    needed_by = moment.decided_at + round(evidence.lead_time_days * DAY_MS)
    promised = int(buckets_of_days(np.array([evidence.lead_time_days]), state.plan.width)[0])
    state.hot["slot"][row] = slot + 1
    request = OpenRequest(
        row,
        RequestParts(units),
        expires_at,
        needed_by=needed_by,
        lead_time_buckets=min(promised, LONGEST_BUCKETS),
        asked_bucket=moment.open_bucket,
        slot=slot,
        supplier=supplier.encode(),
    )
    open_request(state, restock_id, request, turn)
    turn.touch(row)
    return RestockRequested(
        restock_id=restock_id,
        revision=1,
        key=key,
        supplier=supplier,
        units=units,
        decided_at=moment.decided_at,
        needed_by=needed_by,
        expires_at=expires_at,
        model_version=state.champion.version,
        evidence=evidence,
        unit_cost=float(state.terms["unit_cost"][row]) or None,
    )


@lru_cache(maxsize=64)
def _opened(start: int) -> str:
    """Return the start of a bucket as it stands in ids: RFC 3339, no fraction."""
    return f"{np.datetime_as_string(np.datetime64(start, 'ms'), unit='s')}Z"
