"""When a key had nothing to sell: a bucket without stock is not a bucket without demand.

A key is short while its stock is counted and exactly zero: then orders may
stay away because of that. A line placed meanwhile shows that orders do come,
so the time up to it counts as available; backorders show the same until they
are filled. Times are event times, and the share of a bucket is kept in steps
of 1/200, so that a window row has one byte for it.
"""

import numpy as np

from replenishment.arrays import Bools, Float64s, Int64s, UInt8s
from replenishment.engine.rows import NEVER
from replenishment.engine.state import PartitionState
from replenishment.stock import StockKnowledge

STEPS = 200
"""Steps that a bucket's share is kept in; all of them short = nothing could be sold."""


def ratio_of(short_steps: UInt8s) -> Float64s:
    """Return the share of a bucket in which a key could be sold, of the steps in which it was short, (B,) each.

    Example:
        >>> ratio_of(np.array([0, 1, 200], dtype=np.uint8)).tolist()
        [1.0, 0.995, 0.0]
    """
    return (STEPS - short_steps.astype(np.float64)) / STEPS


def steps_of(ratio: Float64s) -> UInt8s:
    """Return in how many steps keys were short that could be sold in a share of a bucket, (B,); 200 only for 0.

    Example:
        >>> steps_of(np.array([1.0, 0.5, 0.001, 0.0])).tolist()
        [0, 100, 199, 200]
    """
    steps = np.minimum(np.rint((1 - ratio) * STEPS), STEPS - 1)
    return np.where(ratio <= 0, STEPS, steps).astype(np.uint8)


def short_steps(state: PartitionState, bucket: int, rows: Int64s) -> UInt8s:
    """Return in how many of its 200 steps rows (B,) were short in an open bucket; 200 only if in all of it."""
    width, hot = state.plan.width, state.hot
    start, end, width_ms = width.start_of(bucket), width.start_of(bucket + 1), width.seconds * 1000
    spent = hot["open_short_ms"][rows, bucket % state.plan.open_buckets].astype(np.int64)
    since, until = hot["short_since"][rows], hot["short_until"][rows]
    last = np.where(until == NEVER, end, np.minimum(until, end)) - np.maximum(since, start)
    spent = spent + np.where(since == NEVER, 0, np.maximum(last, 0))
    steps = np.minimum(np.rint(spent * (STEPS / width_ms)), STEPS - 1)
    return np.where(spent >= width_ms, STEPS, steps).astype(np.uint8)


def see_stock(state: PartitionState, row: int, net_units: int, at: int) -> None:
    """Take note of the stock of one key from a time on."""
    hot = state.hot
    is_short = net_units == 0 and hot["stock"][row] == StockKnowledge.COUNTED and not state.plan.shows_unmet_demand
    was_short = _is_short(state, row)
    if is_short and not was_short:
        _spend(state, row)
        hot["short_since"][row], hot["short_until"][row] = at, NEVER
    elif was_short and not is_short:
        hot["short_until"][row] = at


def see_lines(
    state: PartitionState, rows: Int64s, at: Int64s, is_placed: Bools, moved: Int64s, net_units: Int64s
) -> None:
    """Take note of lines, sorted by row and, within a row, in log order, (N,).

    Args:
        state: The partition, its stock as of after the lines.
        rows: Row of each line.
        at: Event time of each.
        is_placed: Whether it orders something.
        moved: Places of the lines that moved stock, rising, (M,).
        net_units: Net stock after each of those, (M,).
    """
    hot = state.hot
    is_watched = (hot["short_since"][rows] != NEVER) & (hot["short_until"][rows] == NEVER)
    empty = moved[(net_units == 0) & (hot["stock"][rows[moved]] == StockKnowledge.COUNTED)]
    if len(empty):
        is_watched |= np.isin(rows, rows[empty])
    if not is_watched.any():
        return
    net_after = dict(zip(moved.tolist(), net_units.tolist(), strict=True))
    for place in np.flatnonzero(is_watched).tolist():
        row, now = int(rows[place]), int(at[place])
        if is_placed[place] and _is_short(state, row):
            hot["short_since"][row] = max(now, int(hot["short_since"][row]))
        if place in net_after:
            see_stock(state, row, net_after[place], now)


def _is_short(state: PartitionState, row: int) -> bool:
    return bool(state.hot["short_since"][row] != NEVER and state.hot["short_until"][row] == NEVER)


def _spend(state: PartitionState, row: int) -> None:
    """Add the last shortage to the open buckets of a key that it lies in; before the key's first there are none."""
    plan, hot = state.plan, state.hot
    since, until, born = int(hot["short_since"][row]), int(hot["short_until"][row]), state.window["born_bucket"][row]
    if NEVER in (since, born):
        return
    width, first_open = plan.width, state.first_open_bucket
    last = min(width.bucket_at(until), first_open + plan.open_buckets - 1)
    for bucket in range(max(width.bucket_at(since), first_open, int(born)), last + 1):
        inside = min(until, width.start_of(bucket + 1)) - max(since, width.start_of(bucket))
        column = bucket % plan.open_buckets
        spent = int(hot["open_short_ms"][row, column]) + max(inside, 0)
        hot["open_short_ms"][row, column] = min(spent, width.seconds * 1000)
