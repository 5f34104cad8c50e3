"""Closing a bucket: window, forecaster step, levels; chunk by chunk.

A chunk is a fixed range of row numbers, so that a closing which a crash
interrupted goes on with the rows that lag, and says the same of the rest.
"""

import numpy as np

from replenishment.arrays import Bools, Float64s, Int64s
from replenishment.engine.orders import MOST_LINES
from replenishment.engine.plan import Plan
from replenishment.engine.rows import FOREVER_UNITS, NEVER
from replenishment.engine.state import ForecastColumns, PartitionState
from replenishment.engine.turn import Turn
from replenishment.events import DemandClosed
from replenishment.forecaster import ClosedBucket, Forecast, Forecaster, Serving
from replenishment.lead_time import buckets_of_days, protection_buckets
from replenishment.policy import levels
from replenishment.quantiles import over
from replenishment.stock import RequestStatus, StockKnowledge


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
    demand = _demand_of(state, bucket, rows, chunk)
    _append(state, bucket, rows, demand)
    closed = ClosedBucket(
        bucket=bucket,
        demand_units=np.maximum(demand.units, 0).astype(np.float32),
        order_lines=demand.order_lines.astype(np.float32),
        available_ratio=demand.available_ratio.astype(np.float32),
        age_buckets=(bucket - state.window["born_bucket"][rows]).astype(np.int32),
    )
    step(state, state.champion, serving.champion, closed, rows)
    turn.champion.append(rows)
    if state.incoming is not None and serving.incoming is not None:
        ready = np.flatnonzero(is_ready(state, state.incoming, rows, bucket - 1))
        if len(ready):
            step(state, state.incoming, serving.incoming, _part(closed, ready), rows[ready])
            turn.incoming.append(rows[ready])
    state.hot["slot"][rows] = 0
    state.hot["is_held"][rows] = 0
    if state.progress.is_deciding:
        assume_stock(state, rows)
    turn.hot.append(rows)
    turn.window.append(rows)
    turn.demand.append(demand)


def is_ready(state: PartitionState, columns: ForecastColumns, rows: Int64s, bucket: int) -> Bools:
    """Return whether rows (B,) of a version stand at the end of ``bucket``: stepped through it, or born after it."""
    stepped = columns.rows["stepped_bucket"][rows]
    return np.asarray((stepped == bucket) | (state.window["born_bucket"][rows] > bucket))


def _part(closed: ClosedBucket, places: Int64s) -> ClosedBucket:
    if len(places) == len(closed.demand_units):
        return closed
    return ClosedBucket(
        closed.bucket,
        closed.demand_units[places],
        closed.order_lines[places],
        closed.available_ratio[places],
        closed.age_buckets[places],
    )


def _demand_of(state: PartitionState, bucket: int, rows: Int64s, chunk: int) -> DemandClosed:
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
        available_ratio=np.ones(len(rows)),
    )


def _append(state: PartitionState, bucket: int, rows: Int64s, demand: DemandClosed) -> None:
    column, opened = bucket % state.plan.window_buckets, bucket % state.plan.open_buckets
    state.window["units"][rows, column] = np.clip(demand.units, -FOREVER_UNITS, FOREVER_UNITS)
    state.window["lines"][rows, column] = np.minimum(demand.order_lines, MOST_LINES)
    state.window["closed_bucket"][rows] = bucket
    for name in ("open_units", "open_lines", "open_prices", "open_priced"):
        state.hot[name][rows, opened] = 0


def step(
    state: PartitionState,
    columns: ForecastColumns,
    forecaster: Forecaster,
    closed: ClosedBucket,
    rows: Int64s,
) -> None:
    """Step one version for rows (B,) and set their levels under the catalog's terms."""
    forecast = forecaster.step(closed, columns.rows["memory"][rows])
    columns.rows["memory"][rows] = forecast.memory
    columns.rows["stepped_bucket"][rows] = closed.bucket
    set_levels(state, columns, forecaster, forecast, rows)


def set_levels(
    state: PartitionState,
    columns: ForecastColumns,
    forecaster: Forecaster,
    forecast: Forecast,
    rows: Int64s,
) -> None:
    """Read the forecast at each key's protection interval; the catalog's terms are in force from now on."""
    terms, derived = state.terms[rows], columns.rows
    lead, review, cover = _intervals(
        terms["lead_time_days"], terms["review_period_days"], terms["cover_days"], state.plan
    )
    protected = protection_buckets(lead, review)
    protection = over(forecaster.grid, forecast.quantiles, protected)
    covered = over(forecaster.grid, forecast.quantiles, lead + cover)
    both = levels(protection, covered, terms["service_target"], review > 0)
    derived["reorder_point"][rows] = both.reorder_point
    derived["order_up_to_level"][rows] = both.order_up_to_level
    derived["curve"][rows] = protection.units
    derived["protection_buckets"][rows] = protected
    derived["cover_buckets"][rows] = cover
    derived["service_level"][rows] = terms["service_target"]
    for name in ("lead_time_days", "review_period_days", "cover_days"):
        derived[name][rows] = terms[name]


def _intervals(
    lead_time_days: Float64s, review_period_days: Float64s, cover_days: Float64s, plan: Plan
) -> tuple[Int64s, Int64s, Int64s]:
    lead = buckets_of_days(lead_time_days, plan.width)
    review = buckets_of_days(review_period_days, plan.width)
    return lead, review, np.maximum(buckets_of_days(cover_days, plan.width), 1)


def assume_stock(state: PartitionState, rows: Int64s) -> Int64s:
    """Take unknown stock of rows (B,) with levels for the order-up-to level; return the rows it was done for."""
    unknown = state.hot["stock"][rows] == StockKnowledge.UNKNOWN
    assumed: Int64s = rows[unknown & state.champion.has_levels(rows)]
    state.hot["net_units"][assumed] = state.champion.rows["order_up_to_level"][assumed]
    state.hot["stock"][assumed] = StockKnowledge.ASSUMED
    return assumed


def settle_requests(state: PartitionState, turn: Turn) -> None:
    """Forget requests settled longer ago than the expiry; count the unanswered ones past it."""
    clock = state.progress.clock
    expiry_ms = round(state.plan.expiry_days * 86_400_000)
    forgotten = [
        restock_id
        for restock_id, request in state.requests.items()
        if request.parts.is_settled and not request.parts.in_transit and request.settled_at + expiry_ms <= clock
    ]
    for restock_id in forgotten:
        del state.requests[restock_id]
    turn.requests.update(forgotten)
    state.expired_requests = sum(
        request.parts.status == RequestStatus.PENDING and request.expires_at <= clock
        for request in state.requests.values()
    )
