"""Reviews: a request at each moment where the position is at or below the reorder point.

A review has the meaning of one line at a time: a request belongs to the first
line at which it is due and raises the position for all later ones, however
the lines were fetched.
"""

from dataclasses import dataclass
from functools import lru_cache
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from replenishment.arrays import Bools, Int64s
from replenishment.engine.evidence import KeyFacts, evidence_of, facts_of, position_of
from replenishment.engine.orders import PositionChanges
from replenishment.engine.state import ForecastColumns, OpenRequest, PartitionState
from replenishment.engine.turn import Turn
from replenishment.events import Evidence, OrderWithheld, RestockRequested
from replenishment.forecaster import Serving
from replenishment.lead_time import LONGEST_BUCKETS, buckets_of_days
from replenishment.order_days import ANY_DAY, is_order_closing, unserved
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


def review_lines(state: PartitionState, changes: PositionChanges, serving: Serving, turn: Turn) -> None:
    """Review continuously reviewed keys after each line that moved their stock."""
    rows = changes.rows
    pipeline = state.on_order[rows] + state.in_transit[rows] + state.pending[rows]
    position = changes.net_units + pipeline
    due = position <= state.champion.rows["reorder_point"][rows]
    due &= _may_request(state, rows, serving) & ~_is_periodic(state, rows)
    if not due.any():
        return
    found: list[tuple[int, RestockRequested | OrderWithheld]] = []
    due_rows = np.unique(rows[due])
    for row, facts in zip(due_rows.tolist(), facts_of(state, due_rows), strict=True):
        start, end = np.searchsorted(rows, [row, row + 1]).tolist()
        found += _review_segment(state, facts, changes, slice(start, end), serving, turn)
    for cause, decision in sorted(found, key=lambda one: one[0]):
        _say(decision, cause, turn)


def _review_segment(
    state: PartitionState, facts: KeyFacts, changes: PositionChanges, segment: slice, serving: Serving, turn: Turn
) -> list[tuple[int, RestockRequested | OrderWithheld]]:
    """Review the lines of one key in order; each request raises the position of those after it."""
    row = int(changes.rows[segment.start])
    open_bucket = state.first_open_bucket
    found: list[tuple[int, RestockRequested | OrderWithheld]] = []
    place = segment.start
    while place < segment.stop:
        pipeline = int(state.on_order[row] + state.in_transit[row] + state.pending[row])
        due = np.flatnonzero(changes.net_units[place : segment.stop] + pipeline <= facts.reorder_point)
        if not len(due):
            break
        place += int(due[0])
        moment = Moment(int(changes.decided_at[place]), open_bucket, int(changes.offsets[place]))
        decision = _decide(state, row, facts, int(changes.net_units[place]), moment, serving, turn)
        if decision is not None:
            found.append((moment.cause, decision))
        place += 1
    return found


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
    decision = _decide(state, row, facts, int(state.hot["net_units"][row]), moment, serving, turn)
    if decision is not None:
        _say(decision, moment.cause, turn)


def _say(decision: RestockRequested | OrderWithheld, cause: int, turn: Turn) -> None:
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
    derived = state.champion.rows
    return np.asarray((derived["review_period_days"][rows] > 0) | (derived["order_days"][rows] != ANY_DAY))


def _is_review_day(state: PartitionState, rows: Int64s, bucket: int) -> Bools:
    """Return whether decide_from + n review periods, n = 0, 1, …, lies in (start, end] of the bucket.

    Where the supplier takes orders on some days only, those days decide, whatever the review period.
    """
    width = state.plan.width
    start, end = width.start_of(bucket), width.start_of(bucket + 1)
    period = np.maximum(np.round(state.champion.rows["review_period_days"][rows] * DAY_MS), 1).astype(np.int64)
    latest = (end - state.progress.decide_from) // period
    is_review = np.asarray((latest >= 0) & (state.progress.decide_from + latest * period > start))
    days = state.champion.rows["order_days"][rows]
    if not days.any():
        return is_review
    return np.where(days != ANY_DAY, is_order_closing(width, days, bucket), is_review)


def _decide(
    state: PartitionState,
    row: int,
    facts: KeyFacts,
    net_units: int,
    moment: Moment,
    serving: Serving,
    turn: Turn,
) -> RestockRequested | OrderWithheld | None:
    position, limits = position_of(state, row, net_units), facts.limits
    quantity = facts.quantity(position.units, limits, state.plan.max_request_ratio)
    reason = quantity.reason or unserved(state.plan.width, facts.order_days, moment.open_bucket - 1)
    if reason is not None:
        return OrderWithheld(state.keys.keys[row], moment.decided_at, quantity.raw_units, reason)
    if quantity.units == 0:
        return None
    evidence = evidence_of(state, facts, limits, position, quantity, serving.rung, moment.cause)
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
    state.pending[row] += units
    state.requests[restock_id] = OpenRequest(
        row,
        RequestParts(units),
        expires_at,
        needed_by=needed_by,
        lead_time_buckets=min(promised, LONGEST_BUCKETS),
    )
    state.open_requests += 1
    turn.requests.add(restock_id)
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
    )


@lru_cache(maxsize=64)
def _opened(start: int) -> str:
    """Return the start of a bucket as it stands in ids: RFC 3339, no fraction."""
    return f"{np.datetime_as_string(np.datetime64(start, 'ms'), unit='s')}Z"
