"""Reviews: a request at each moment where the position is at or below the reorder point.

A review has the meaning of one line at a time: a request belongs to the first
line at which it is due and raises the position for all later ones, however
the lines were fetched.
"""

from dataclasses import dataclass
from math import ceil
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from replenishment.arrays import Bools, Int64s
from replenishment.engine.orders import PositionChanges
from replenishment.engine.recent import recent_of
from replenishment.engine.state import OpenRequest, PartitionState
from replenishment.engine.turn import Turn
from replenishment.events import Evidence, OrderWithheld, RestockRequested
from replenishment.forecaster import Serving
from replenishment.policy import (
    OrderLimits,
    OrderQuantity,
    Policy,
    ServiceKind,
    lot_quantity,
    order_quantity,
    textbook_reorder_units,
)
from replenishment.quantiles import ProtectionDemand
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
    for row in np.unique(rows[due]).tolist():
        start, end = np.searchsorted(rows, [row, row + 1]).tolist()
        found += _review_segment(state, changes, slice(start, end), serving, turn)
    for cause, decision in sorted(found, key=lambda one: one[0]):
        _say(decision, cause, turn)


def _review_segment(
    state: PartitionState, changes: PositionChanges, segment: slice, serving: Serving, turn: Turn
) -> list[tuple[int, RestockRequested | OrderWithheld]]:
    """Review the lines of one key in order; each request raises the position of those after it."""
    row = int(changes.rows[segment.start])
    reorder_point = int(state.champion.rows["reorder_point"][row])
    open_bucket = state.first_open_bucket
    found: list[tuple[int, RestockRequested | OrderWithheld]] = []
    place = segment.start
    while place < segment.stop:
        pipeline = int(state.on_order[row] + state.in_transit[row] + state.pending[row])
        due = np.flatnonzero(changes.net_units[place : segment.stop] + pipeline <= reorder_point)
        if not len(due):
            break
        place += int(due[0])
        moment = Moment(int(changes.decided_at[place]), open_bucket, int(changes.offsets[place]))
        decision = _decide(state, row, int(changes.net_units[place]), moment, serving, turn)
        if decision is not None:
            found.append((moment.cause, decision))
        place += 1
    return found


def review_closing(state: PartitionState, rows: Int64s, bucket: int, serving: Serving, turn: Turn) -> None:
    """Review keys (B,) after ``bucket`` closed: the continuous ones, and the periodic ones whose day it is."""
    levels = state.champion.rows[rows]
    position = state.positions_of(rows)
    periodic = _is_periodic(state, rows)
    due = position <= levels["reorder_point"]
    due &= _may_request(state, rows, serving)
    due &= ~periodic | _is_review_day(state, rows, bucket)
    moment = Moment(state.progress.clock, bucket + 1)
    for row in rows[due].tolist():
        _review_at(state, row, moment, serving, turn)


def review_key(state: PartitionState, row: int, serving: Serving, turn: Turn) -> None:
    """Review one key after a count or an adjustment, if it is reviewed continuously."""
    rows = np.array([row], dtype=np.int64)
    if not _may_request(state, rows, serving)[0] or _is_periodic(state, rows)[0]:
        return
    if state.position_of(row) <= state.champion.rows["reorder_point"][row]:
        _review_at(state, row, Moment(state.progress.clock, state.first_open_bucket), serving, turn)


def _review_at(state: PartitionState, row: int, moment: Moment, serving: Serving, turn: Turn) -> None:
    decision = _decide(state, row, int(state.hot["net_units"][row]), moment, serving, turn)
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
    may = state.champion.has_levels(rows) & (state.hot["stock"][rows] != StockKnowledge.UNKNOWN)
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
    state: PartitionState, row: int, net_units: int, moment: Moment, serving: Serving, turn: Turn
) -> RestockRequested | OrderWithheld | None:
    limits = _limits(state, row)
    position = net_units + int(state.on_order[row] + state.in_transit[row] + state.pending[row])
    quantity = _quantity(state, row, position, limits)
    if quantity.reason is not None:
        return OrderWithheld(state.keys.keys[row], moment.decided_at, quantity.raw_units, quantity.reason)
    if quantity.units == 0:
        return None
    evidence = _evidence(state, row, net_units, quantity, limits, moment, serving)
    return _request(state, row, quantity.units, evidence, moment, turn)


def _quantity(state: PartitionState, row: int, position: int, limits: OrderLimits) -> OrderQuantity:
    derived, ratio = state.champion.rows[row], state.plan.max_request_ratio
    if derived["policy"] == Policy.S_NQ:
        lot = int(derived["order_quantity_units"])
        return lot_quantity(position, int(derived["reorder_point"]), lot, limits, ratio)
    return order_quantity(position, int(derived["order_up_to_level"]), limits, ratio)


def _textbook_units(state: PartitionState, row: int, position: int, limits: OrderLimits) -> int:
    """Return what mean and deviation of the last 28 days would have ordered at this position."""
    derived = state.champion.rows[row]
    recent = recent_of(state, np.array([row], dtype=np.int64))
    reorder = textbook_reorder_units(recent, derived["protection_buckets"][None], derived["service_level"][None])[0]
    is_periodic = derived["review_period_days"] > 0
    upto = ceil(reorder + (0.0 if is_periodic else recent.mean[0] * derived["cover_buckets"]))
    if position > ceil(reorder):
        return 0
    return order_quantity(position, upto, limits, state.plan.max_request_ratio).units


def _limits(state: PartitionState, row: int) -> OrderLimits:
    terms = state.terms[row]
    return OrderLimits(
        minimum_units=int(terms["minimum_units"]) or None,
        pack_units=int(terms["pack_units"]) or 1,
        maximum_units=int(terms["maximum_units"]) or None,
    )


def _request(
    state: PartitionState, row: int, units: int, evidence: Evidence, moment: Moment, turn: Turn
) -> RestockRequested:
    """Make the request and raise the position by exactly its units."""
    key = state.keys.keys[row]
    supplier = bytes(state.terms["supplier"][row]).decode()
    slot = int(state.hot["slot"][row])
    opened = np.datetime_as_string(np.datetime64(state.plan.width.start_of(moment.open_bucket), "ms"), unit="s")
    restock_id = str(uuid5(REQUESTS, f"{key.decode()}|{supplier}|{opened}Z|{slot}"))
    expires_at = moment.decided_at + round(state.plan.expiry_days * DAY_MS)
    state.hot["slot"][row] = slot + 1
    state.pending[row] += units
    state.requests[restock_id] = OpenRequest(row, RequestParts(units), expires_at)
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
        needed_by=moment.decided_at + round(evidence.lead_time_days * DAY_MS),
        expires_at=expires_at,
        model_version=state.champion.version,
        evidence=evidence,
    )


def _evidence(
    state: PartitionState,
    row: int,
    net_units: int,
    quantity: OrderQuantity,
    limits: OrderLimits,
    moment: Moment,
    serving: Serving,
) -> Evidence:
    derived = state.champion.rows[row]
    demand = _protection_demand(state, row)
    position = net_units + int(state.on_order[row] + state.in_transit[row] + state.pending[row])
    positions = dict(state.progress.positions)
    if moment.cause >= 0:
        positions["orders"] = moment.cause + 1
    return Evidence(
        policy=Policy(int(derived["policy"])).notation,
        service_kind=ServiceKind(int(derived["service_kind"])).label,
        service_level=float(derived["service_level"]),
        on_hand=max(net_units, 0),
        backorders=max(-net_units, 0),
        on_order=int(state.on_order[row]),
        in_transit=int(state.in_transit[row]),
        pending=int(state.pending[row]),
        inventory_position=position,
        reorder_point=int(derived["reorder_point"]),
        order_up_to_level=int(derived["order_up_to_level"]),
        protection_buckets=int(derived["protection_buckets"]),
        cover_buckets=int(derived["cover_buckets"]),
        bucket_seconds=state.plan.width.seconds,
        lead_time_days=float(derived["lead_time_days"]),
        forecast_origin=state.plan.width.start_of(int(derived["stepped_bucket"]) + 1),
        expected_units=round(float(demand.mean()[0]), 3),
        quantile_units=round(float(demand.quantile(derived["service_level"][None])[0]), 3),
        reorder_units=round(float(derived["reorder_units"]), 3),
        order_up_to_units=round(float(derived["order_up_to_units"]), 3),
        raw_units=quantity.raw_units,
        order_quantity_units=int(derived["order_quantity_units"]) or None,
        minimum_units=limits.minimum_units,
        pack_units=limits.pack_units,
        maximum_units=limits.maximum_units,
        cap_units=quantity.cap_units,
        textbook_units=_textbook_units(state, row, position, limits),
        stock_assumed=bool(state.hot["stock"][row] == StockKnowledge.ASSUMED),
        model_rung=serving.rung,
        positions=positions,
    )


def _protection_demand(state: PartitionState, row: int) -> ProtectionDemand:
    grid = state.champion.grid
    if grid is None:
        raise RuntimeError(f"version {state.champion.version} has no levels to decide by")
    return ProtectionDemand(grid.levels, state.champion.rows["curve"][row][None, :].astype(np.float64))
