"""Closing a bucket: window, forecaster step, levels; chunk by chunk.

A chunk is a fixed range of row numbers, so that a closing which a crash
interrupted goes on with the rows that lag, and says the same of the rest.
"""

from dataclasses import replace

import msgspec
import numpy as np

from replenishment.arrays import Bools, Float64s, Int64s, Records, UInt8s
from replenishment.engine.availability import ratio_of, short_steps, steps_of
from replenishment.engine.expected import with_expected
from replenishment.engine.intervals import Intervals, interval_demand, intervals_of
from replenishment.engine.lost_sales import expected_lost
from replenishment.engine.orders import MOST_LINES
from replenishment.engine.plan import Plan
from replenishment.engine.recent import recent_of
from replenishment.engine.requests import forget
from replenishment.engine.rows import FOREVER_UNITS, NEVER
from replenishment.engine.scoring import score, take_forecasts, used_levels
from replenishment.engine.shelf_life import set_shelf_life
from replenishment.engine.state import ForecastColumns, OpenRequest, PartitionState
from replenishment.engine.turn import Turn
from replenishment.engine.uplift import planned_units
from replenishment.events import DemandClosed, ForecastsScored, SupplyOverdue
from replenishment.forecaster import ClosedBucket, Forecast, Forecaster, Serving
from replenishment.order_days import ANY_DAY
from replenishment.outliers import LEAST_OUTLIER_UNITS, outliers
from replenishment.policy import (
    Policy,
    RecentDemand,
    ServiceKind,
    Targets,
    critical_ratio,
    levels_of,
    textbook_reorder_units,
)
from replenishment.stock import Approval, RequestStatus, StockKnowledge


def unclosed(state: PartitionState, bucket: int, chunk: int) -> Int64s:
    """Return the rows of a chunk that have lines but have not closed ``bucket``; what a crash left as well."""
    first = chunk * state.plan.closing_chunk_keys
    window = state.window[first : min(first + state.plan.closing_chunk_keys, state.keys.count)]
    lags = (window["born_bucket"] != NEVER) & (window["born_bucket"] <= bucket) & (window["closed_bucket"] < bucket)
    return np.flatnonzero(lags) + first


def chunks_of(state: PartitionState) -> int:
    """Return how many chunks the keys make."""
    return -(-state.keys.count // state.plan.closing_chunk_keys)


def close_chunk(state: PartitionState, bucket: int, rows: Int64s, chunk: int, serving: Serving, turn: Turn) -> None:
    """Close one bucket for rows (B,) of a chunk: append to the window, step, set levels, say the demand."""
    steps = short_steps(state, bucket, rows)
    known = serving.availability.ratio(bucket, state.keys.of(rows)) if serving.availability else None
    if known is not None:
        steps = np.maximum(steps, steps_of(known))
    demand = _demand_of(state, bucket, rows, chunk, ratio_of(steps))
    _append(state, bucket, rows, demand, steps)
    closed = ClosedBucket(
        bucket=bucket,
        demand_units=np.maximum(demand.units, 0).astype(np.float32),
        order_lines=demand.order_lines.astype(np.float32),
        available_ratio=demand.available_ratio.astype(np.float32),
        age_buckets=(bucket - state.window["born_bucket"][rows]).astype(np.int32),
        known_ahead=state.signals.known_ahead(bucket, rows, _reach_of(serving), state.plan.width),
        categories=state.terms["category"][rows],
    )
    scored = step(state, state.champion, serving.champion, closed, rows)
    turn.champion.append(rows)
    turn.is_scored = True
    if state.incoming is not None and serving.incoming is not None:
        ready = np.flatnonzero(is_ready(state, state.incoming, rows, bucket - 1))
        if len(ready):
            step(state, state.incoming, serving.incoming, closed.of_rows(ready), rows[ready])
            turn.incoming.append(rows[ready])
    state.hot["slot"][rows] = 0
    state.hot["is_held"][rows] = 0
    state.hot["is_cooling"][rows] = 0
    if state.progress.is_deciding:
        assume_stock(state, rows)
    turn.hot.append(rows)
    turn.window.append(rows)
    turn.demand.append(msgspec.structs.replace(demand, scored=scored))


def _reach_of(serving: Serving) -> int:
    """Return how many buckets ahead anybody who steps reads."""
    stepping = [one for one in (serving.champion, serving.incoming) if one is not None]
    return max(one.grid.horizons_buckets[-1] for one in stepping)


def is_ready(state: PartitionState, columns: ForecastColumns, rows: Int64s, bucket: int) -> Bools:
    """Return whether rows (B,) of a version stand at the end of ``bucket``: stepped through it, or born after it."""
    stepped = columns.rows["stepped_bucket"][rows]
    return np.asarray((stepped == bucket) | (state.window["born_bucket"][rows] > bucket))


def _demand_of(state: PartitionState, bucket: int, rows: Int64s, chunk: int, available_ratio: Float64s) -> DemandClosed:
    column = bucket % state.plan.open_buckets
    hot = state.hot
    priced = hot["open_priced"][rows, column].astype(np.int64)
    prices = hot["open_prices"][rows, column]
    mean = np.full(len(rows), np.nan)
    np.divide(prices, priced * 10_000, out=mean, where=priced > 0)
    return DemandClosed(
        kind="closed",
        bucket_start=state.plan.width.start_of(bucket),
        bucket_seconds=state.plan.width.seconds,
        chunk=chunk,
        chunks=chunks_of(state),
        model_version=state.progress.model_version,
        keys=state.keys.of(rows),
        units=hot["open_units"][rows, column],
        order_lines=hot["open_lines"][rows, column].astype(np.int64),
        price_mean=mean,
        available_ratio=available_ratio,
        outliers=_outliers(state, rows, hot["open_units"][rows, column]),
    )


def _outliers(state: PartitionState, rows: Int64s, units: Int64s) -> list[int]:
    """Return the places among rows (B,) that sold far more than usual: most need no look at their window."""
    some = np.flatnonzero(units >= LEAST_OUTLIER_UNITS)
    found: list[int] = some[outliers(state.window["units"][rows[some]], units[some])].tolist()
    return found


def _append(state: PartitionState, bucket: int, rows: Int64s, demand: DemandClosed, short: UInt8s) -> None:
    column, opened = bucket % state.plan.window_buckets, bucket % state.plan.open_buckets
    state.window["units"][rows, column] = np.clip(demand.units, -FOREVER_UNITS, FOREVER_UNITS)
    state.window["lines"][rows, column] = np.minimum(demand.order_lines, MOST_LINES)
    state.window["short_steps"][rows, column] = short
    state.window["closed_bucket"][rows] = bucket
    for name in ("open_units", "open_lines", "open_prices", "open_priced", "open_short_ms"):
        state.hot[name][rows, opened] = 0


def step(
    state: PartitionState,
    columns: ForecastColumns,
    forecaster: Forecaster,
    closed: ClosedBucket,
    rows: Int64s,
) -> ForecastsScored:
    """Step one version for rows (B,) and set their levels under the catalog's terms; return what became known."""
    scored = score(state, columns, closed.bucket, rows)
    memory = columns.rows["memory"][rows]
    forecast = forecaster.step(closed, memory)
    uplift = planned_units(state, forecaster, closed, memory, forecast, rows)
    columns.rows["memory"][rows] = forecast.memory
    columns.rows["stepped_bucket"][rows] = closed.bucket
    set_levels(state, columns, forecaster, forecast, rows)
    columns.rows["planned_units"][rows] = uplift
    take_forecasts(state, columns, closed.bucket, rows, forecast)
    return scored


def set_levels(
    state: PartitionState,
    columns: ForecastColumns,
    forecaster: Forecaster,
    forecast: Forecast,
    rows: Int64s,
) -> None:
    """Read the forecast at each key's intervals; the catalog's terms are in force from now on."""
    terms, derived = state.terms[rows], columns.rows
    intervals = intervals_of(state, forecaster, rows)
    targets = _targets(terms, intervals, state.plan)
    recent = recent_of(state, rows)
    quantiles, derived["expected_daily_units"][rows] = with_expected(state, rows, forecaster.grid, forecast.quantiles)
    demand = interval_demand(forecaster.grid, quantiles, intervals, targets)
    lost = expected_lost(state, rows, forecaster.grid, quantiles, intervals)
    cover_buckets = terms["cover_days"] * 86_400 / state.plan.width.seconds
    demand = replace(demand, recent=recent, cover_buckets=cover_buckets, lost_units=lost)
    derived["lost_units"][rows] = lost
    used = used_levels(state, columns, rows, targets)
    both = levels_of(demand, replace(targets, level=used))
    for name in ("reorder_point", "order_up_to_level", "reorder_units", "order_up_to_units"):
        derived[name][rows] = getattr(both, name)
    derived["curve"][rows] = demand.protection.units
    _set_textbook(derived, rows, recent, intervals, targets, _is_periodic(terms))
    derived["lead_time_mean_buckets"][rows] = intervals.lead_times.mean()
    derived["lead_time_deviation_buckets"][rows] = intervals.lead_times.deviation()
    derived["deliveries_observed"][rows] = intervals.deliveries
    derived["protection_buckets"][rows] = intervals.protection
    derived["cover_buckets"][rows] = intervals.cover
    derived["service_level"][rows] = targets.level
    derived["used_level"][rows] = used
    derived["policy"][rows] = targets.policy
    derived["service_kind"][rows] = targets.kind
    for name in ("lead_time_days", "review_period_days", "cover_days", "order_quantity_units", "order_days"):
        derived[name][rows] = terms[name]
    set_shelf_life(derived, rows, terms, forecaster.grid, quantiles, intervals, state.plan)


def _is_periodic(terms: Records) -> Bools:
    """Return which terms (B,) leave orders to reviews at the closings of some buckets."""
    return np.asarray((terms["review_period_days"] > 0) | (terms["order_days"] != ANY_DAY))


def _set_textbook(
    derived: Records, rows: Int64s, recent: RecentDemand, intervals: Intervals, targets: Targets, is_periodic: Bools
) -> None:
    """Keep what the textbook would take for levels: at the closing, since late lines change the window later."""
    reorder = textbook_reorder_units(recent, intervals.protection, targets.level)
    upto = reorder + np.where(is_periodic, 0.0, recent.mean * intervals.cover)
    # rounded before anybody makes whole units of them: a last bit must not cost a unit
    derived["textbook_reorder_units"][rows] = np.round(reorder, 3)
    derived["textbook_order_up_to_units"][rows] = np.round(upto, 3)


def _targets(terms: Records, intervals: Intervals, plan: Plan) -> Targets:
    """Return what terms (B,) aim at; a newsvendor holds stock to the next order, which is a bucket at least."""
    is_lot = terms["order_quantity_units"] > 0
    policy = np.where(is_lot, Policy.S_NQ, np.where(_is_periodic(terms), Policy.R_S, Policy.S_S))
    bucket_days = plan.width.seconds / 86_400
    review_days = np.where(terms["review_period_days"] > 0, terms["review_period_days"], bucket_days)
    review_days = np.where(terms["order_days"] != ANY_DAY, intervals.after_lead * bucket_days, review_days)
    ratio = critical_ratio(terms["shortage_cost_per_unit"], terms["holding_cost_per_unit_day"], review_days)
    return Targets(
        policy=np.where(terms["is_textbook"] > 0, Policy.MIN_MAX, policy).astype(np.uint8),
        kind=terms["service_kind"],
        level=np.where(terms["service_kind"] >= ServiceKind.NEWSVENDOR, ratio, terms["service_target"]),
        lot_units=terms["order_quantity_units"],
    )


def assume_stock(state: PartitionState, rows: Int64s) -> Int64s:
    """Take unknown stock of rows (B,) with levels for the order-up-to level; return the rows it was done for."""
    unknown = state.hot["stock"][rows] == StockKnowledge.UNKNOWN
    assumed: Int64s = rows[unknown & state.champion.has_levels(rows)]
    state.hot["net_units"][assumed] = state.champion.rows["order_up_to_level"][assumed]
    state.hot["stock"][assumed] = StockKnowledge.ASSUMED
    return assumed


def settle_requests(state: PartitionState, turn: Turn) -> None:
    """Forget requests settled longer ago than the expiry; count the unanswered ones past it, say which are overdue."""
    clock = state.progress.clock
    forgotten_at = clock - round(state.plan.expiry_days * 86_400_000)
    forgotten, overdue, expired = [], [], 0
    for restock_id, request in state.requests.items():
        if request.settled_at != NEVER:
            is_old = request.settled_at <= forgotten_at and not request.parts.in_transit
            if is_old and not _still_counts(state, request):
                forgotten.append(restock_id)
            continue
        expired += request.expires_at <= clock and request.parts.status == RequestStatus.PENDING
        if NEVER < request.needed_by < clock and request.approval != Approval.WAITING:
            overdue.append(restock_id)
    # sorted: requests that were restored stand in another order
    for restock_id in sorted(overdue):
        _say_overdue(state, restock_id, state.requests[restock_id], turn)
    for restock_id in forgotten:
        forget(state, restock_id, turn)
    state.expired_requests, state.overdue_requests = expired, len(overdue)


def _still_counts(state: PartitionState, request: OpenRequest) -> bool:
    """Return whether a request still counts in the budget or the cool-down of its key."""
    terms = state.terms[request.row]
    if state.first_open_bucket - request.asked_bucket < terms["cool_down_buckets"]:
        return True
    since = state.progress.clock - round(float(terms["budget_days"]) * 86_400_000)
    return bool(terms["budget_value"] >= 0 and request.asked_at > since)


def _say_overdue(state: PartitionState, restock_id: str, request: OpenRequest, turn: Turn) -> None:
    """Say once that a request is late: at the first closing after it should have been there."""
    if request.is_overdue:
        return
    request.is_overdue = True
    turn.requests.add(restock_id)
    net_units = int(state.hot["net_units"][request.row])
    turn.overdue.append(
        SupplyOverdue(
            key=state.keys.keys[request.row],
            restock_id=restock_id,
            needed_by=request.needed_by,
            noticed_at=state.progress.clock,
            open_units=request.parts.open_units,
            on_hand_units=max(net_units, 0),
            backorder_units=max(-net_units, 0),
        )
    )
