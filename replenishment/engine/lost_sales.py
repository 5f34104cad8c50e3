"""Demand that is expected to be lost before an order can be delivered, from stock on hand and what is under way."""

import numpy as np

from replenishment.arrays import Float32s, Float64s, Int64s
from replenishment.engine.intervals import Intervals, lead_time_demand
from replenishment.engine.rows import NEVER
from replenishment.engine.state import PartitionState
from replenishment.quantiles import ProtectionDemand, QuantileGrid
from replenishment.stock import StockKnowledge


def expected_lost(
    state: PartitionState, rows: Int64s, grid: QuantileGrid, quantiles: Float32s, intervals: Intervals
) -> Float64s:
    """Return the units that rows (B,) are expected to lose before the delivery of what is ordered now, (B,).

    0 where the catalog does not say ``lost_sales`` or the stock is not known.
    Demand up to some time is lost as far as it exceeds what is on hand and
    arrives before; what is lost up to the delivery is at least what is lost up
    to any earlier time. The result is the largest of these expectations, over
    the horizons of the forecast and the lead time: a little less than the
    expectation of the largest, so that levels err on the side of stock.

    Source:
        The stock at delivery is the recursion E = max(E + arrivals - demand, 0) of lost-sales systems; see Zipkin,
        Foundations of Inventory Management, section 9.6.
    """
    lost = np.zeros(len(rows))
    is_known = state.hot["stock"][rows] != StockKnowledge.UNKNOWN
    some = np.flatnonzero(
        (state.terms["is_lost_sales"][rows] == 1) & (state.terms["is_textbook"][rows] == 0) & is_known
    )
    if not len(some):
        return lost
    own, surface = rows[some], quantiles[some].astype(np.float64)
    lead = np.ceil(np.round(intervals.lead_times.mean()[some], 6)).astype(np.int64)
    delivered = _delivered(state, own)
    on_hand = np.maximum(state.hot["net_units"][own], 0)
    for place, horizon in enumerate(grid.horizons_buckets):
        supply = on_hand + _before(delivered, np.full(len(own), horizon))
        short = ProtectionDemand(grid.levels, surface[:, place]).expected_shortage(supply.astype(np.float64))
        lost[some] = np.maximum(lost[some], np.where(horizon <= lead, short, 0.0))
    supply = on_hand + _before(delivered, lead)
    short = lead_time_demand(grid, quantiles[some], intervals.take(some)).expected_shortage(supply.astype(np.float64))
    return np.maximum(lost, _placed(len(rows), some, np.where(lead > 0, short, 0.0)))


def _placed(count: int, places: Int64s, values: Float64s) -> Float64s:
    spread = np.zeros(count)
    spread[places] = values
    return spread


def _delivered(state: PartitionState, rows: Int64s) -> Int64s:
    """Return open supplies of rows (B,) as (N, 3): which of the rows, in how many buckets they can be sold, units.

    What is overdue, or due at a time that nobody told, counts as there.
    """
    place = {row: number for number, row in enumerate(rows.tolist())}
    width_ms = state.plan.width.seconds * 1000
    found = []
    for request in state.requests.values():
        number = place.get(request.row)
        if number is not None and request.parts.open_units:
            now = state.plan.width.start_of(int(state.window["closed_bucket"][request.row]) + 1)
            ahead = 0 if request.needed_by == NEVER else max(-(-(request.needed_by - now) // width_ms), 0)
            found.append((number, ahead, request.parts.open_units))
    return np.array(found, dtype=np.int64).reshape(-1, 3)


def _before(delivered: Int64s, horizon: Int64s) -> Int64s:
    """Return the units that can be sold before the end of each row's horizon (B,) in buckets."""
    units = np.zeros(len(horizon), dtype=np.int64)
    in_time = delivered[delivered[:, 1] < horizon[delivered[:, 0]]]
    np.add.at(units, in_time[:, 0], in_time[:, 2])
    return units
