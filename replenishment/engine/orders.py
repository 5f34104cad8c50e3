"""Order lines into open buckets and stock: one stretch at a time, between two closings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from replenishment.arrays import Bools, Int64s, UInt64s
from replenishment.cleaning import names_no_goods
from replenishment.engine.availability import ratio_of, see_lines
from replenishment.engine.columns import LineKind, OrderColumns
from replenishment.engine.repeats import SeenLines, fingerprints_of, repeated
from replenishment.engine.rows import FOREVER_UNITS, NEVER
from replenishment.engine.state import PartitionState
from replenishment.engine.turn import Turn
from replenishment.events import DemandClosed
from replenishment.stock import StockKnowledge

NO_BUCKET = 2**62
MOST_LINES = 2**16 - 1


@dataclass(frozen=True, slots=True)
class PositionChanges:
    """What lines did to the stock of their keys, sorted by row and, within a row, in log order, (N,).

    ``net_units`` is the net stock after each line; ``decided_at`` the clock at it;
    ``gives_back`` whether it was a cancellation.
    """

    rows: Int64s
    net_units: Int64s
    offsets: Int64s
    decided_at: Int64s
    gives_back: Bools


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines of a stretch, without time passing, sorted by row; ``starts`` (U,) is where each row begins."""

    rows: Int64s
    starts: Int64s
    offsets: Int64s
    occurred_at: Int64s
    placed_at: Int64s
    clock: Int64s
    signed_units: Int64s
    is_placed: Bools
    prices: Int64s
    fingerprints: UInt64s | None

    @property
    def touched(self) -> Int64s:
        """Each row once, rising, (U,)."""
        return self.rows[self.starts]


def take_orders(
    state: PartitionState, columns: OrderColumns, stretch: slice, clock: Int64s, turn: Turn
) -> PositionChanges | None:
    """Add one stretch of lines to buckets and stock; return what moved stock, None if nothing did.

    Args:
        state: The partition; its oldest open bucket stays the same over the stretch.
        columns: The batch.
        stretch: Which of its lines.
        clock: The partition's clock at each line of the stretch, (N,).
        turn: Where touched rows, corrections and counts go.
    """
    lines = _sorted_lines(state, columns, stretch, clock, turn)
    turn.count("applied", stretch.stop - stretch.start)
    if lines is None:
        return None
    lines = _without_repeats(state, lines, turn)
    buckets = state.plan.width.buckets_of(lines.placed_at)
    first_open = state.first_open_bucket
    is_open = buckets >= first_open
    is_kept = buckets >= first_open - state.plan.window_buckets
    _birth(state, lines, np.where(is_kept, buckets, NO_BUCKET), turn)
    _fill_open_buckets(state, lines, buckets, is_open)
    turn.hot.append(lines.touched)
    if not is_open.all():
        _correct(state, lines, buckets, np.flatnonzero(is_kept & ~is_open), turn)
        turn.count("late_dropped", int(np.count_nonzero(~is_kept)))
    place = _moving(state, lines)
    net_units = _move_stock(state, lines, place, turn)
    see_lines(state, lines.rows, lines.occurred_at, lines.is_placed, place, net_units)
    if not len(place):
        return None
    return PositionChanges(
        lines.rows[place], net_units, lines.offsets[place], lines.clock[place], ~lines.is_placed[place]
    )


def _sorted_lines(
    state: PartitionState, columns: OrderColumns, stretch: slice, clock: Int64s, turn: Turn
) -> _Lines | None:
    kinds = columns.kinds[stretch]
    place = np.flatnonzero(kinds != LineKind.TIME_PASSED)
    keys = columns.keys[stretch]
    if state.plan.non_stock_skus:
        place = _of_goods(keys, place, state.plan.non_stock_skus, turn)
    if not len(place):
        return None
    rows = state.rows_of(keys if len(place) == len(kinds) else [keys[i] for i in place.tolist()])
    order = np.argsort(rows, kind="stable")
    rows, place = rows[order], place[order]
    at = place + stretch.start
    is_placed = kinds[place] == LineKind.PLACED
    return _Lines(
        rows=rows,
        starts=np.flatnonzero(np.diff(rows, prepend=-1)),
        offsets=columns.offsets[at],
        occurred_at=columns.occurred_at[at],
        placed_at=columns.placed_at[at],
        clock=clock[place],
        signed_units=np.where(is_placed, columns.units[at], -columns.units[at]),
        is_placed=is_placed,
        prices=columns.prices[at],
        fingerprints=None if columns.identities is None else fingerprints_of(columns.identities[at], rows),
    )


def _of_goods(keys: Sequence[bytes], place: Int64s, non_stock_skus: tuple[str, ...], turn: Turn) -> Int64s:
    """Return the places of the lines whose SKU names goods."""
    skus = (keys[one].partition(b"|")[2].decode() for one in place.tolist())
    is_goods = np.array([not names_no_goods(sku, non_stock_skus) for sku in skus], dtype=np.bool_)
    turn.count("not_stock", len(place) - int(np.count_nonzero(is_goods)))
    return place[is_goods]


def _without_repeats(state: PartitionState, lines: _Lines, turn: Turn) -> _Lines:
    """Return the lines that were not taken before, and remember those of open buckets."""
    if lines.fingerprints is None:
        return lines
    buckets = state.plan.width.buckets_of(lines.placed_at)
    is_open = buckets >= state.first_open_bucket
    is_repeated = repeated(state.seen, lines.fingerprints, is_open)
    fresh = np.flatnonzero(is_open & ~is_repeated & (lines.fingerprints != 0))
    fresh = fresh[np.argsort(lines.offsets[fresh], kind="stable")]
    for bucket in np.unique(buckets[fresh]).tolist():
        inside = fresh[buckets[fresh] == bucket]
        state.seen.setdefault(bucket, SeenLines()).add(lines.fingerprints[inside])
        turn.seen.add(bucket)
    if not is_repeated.any():
        return lines
    turn.count("repeated", int(np.count_nonzero(is_repeated)))
    kept = np.flatnonzero(~is_repeated)
    columns = {name: getattr(lines, name)[kept] for name in _Lines.__slots__ if name != "starts"}
    return _Lines(**columns, starts=np.flatnonzero(np.diff(columns["rows"], prepend=-1)))


def _birth(state: PartitionState, lines: _Lines, kept_buckets: Int64s, turn: Turn) -> None:
    """Give keys their first bucket, or an earlier one."""
    touched = lines.touched
    earliest = np.minimum.reduceat(kept_buckets, lines.starts)
    born = state.window["born_bucket"][touched]
    is_new = (born == NEVER) & (earliest != NO_BUCKET)
    moves_back = (born != NEVER) & (earliest < born)
    changed = is_new | moves_back
    if not changed.any():
        return
    rows, earliest = touched[changed], earliest[changed]
    state.window["born_bucket"][rows] = earliest
    # all closed buckets since the first one are zeros that nobody stepped
    state.window["closed_bucket"][rows] = state.first_open_bucket - 1
    turn.window.append(rows)


def _fill_open_buckets(state: PartitionState, lines: _Lines, buckets: Int64s, is_open: Bools) -> None:
    touched = lines.touched
    columns = buckets % state.plan.open_buckets
    has_price = lines.is_placed & (lines.prices >= 0)
    for column in np.unique(columns[is_open]).tolist():
        here = is_open & (columns == column)

        def add(name: str, values: Int64s, here: Bools = here, column: int = column) -> None:
            sums = np.add.reduceat(np.where(here, values, 0), lines.starts)
            state.hot[name][touched, column] = state.hot[name][touched, column] + sums

        add("open_units", lines.signed_units)
        add("open_lines", lines.is_placed.astype(np.int64))
        if has_price.any():
            add("open_prices", np.where(has_price, lines.prices, 0))
            add("open_priced", has_price.astype(np.int64))


def _correct(state: PartitionState, lines: _Lines, buckets: Int64s, late: Int64s, turn: Turn) -> None:
    """Correct the window line by line, so that what is said of a bucket does not depend on fetches."""
    window, width = state.window, state.plan.width
    # in log order: corrections of different keys leave in the order of their lines
    for place in late[np.argsort(lines.offsets[late], kind="stable")].tolist():
        row, bucket = int(lines.rows[place]), int(buckets[place])
        column = bucket % state.plan.window_buckets
        units = int(window["units"][row, column]) + int(lines.signed_units[place])
        count = int(window["lines"][row, column]) + int(lines.is_placed[place])
        window["units"][row, column] = max(-FOREVER_UNITS, min(units, FOREVER_UNITS))
        window["lines"][row, column] = min(count, MOST_LINES)
        turn.demand.append(
            DemandClosed(
                kind="correction",
                bucket_start=width.start_of(bucket),
                bucket_seconds=width.seconds,
                chunk=0,
                chunks=1,
                model_version=state.progress.model_version,
                keys=(state.keys.keys[row],),
                units=np.array([window["units"][row, column]], dtype=np.int64),
                order_lines=np.array([window["lines"][row, column]], dtype=np.int64),
                price_mean=np.array([np.nan]),
                available_ratio=ratio_of(window["short_steps"][[row], column]),
            )
        )
    if len(late):
        turn.window.append(np.unique(lines.rows[late]))
        turn.count("late_corrected", len(late))


def _moving(state: PartitionState, lines: _Lines) -> Int64s:
    """Return the places of the lines that move stock, rising, (M,)."""
    if not state.progress.is_deciding:
        return np.empty(0, dtype=np.int64)
    decide_from = state.progress.decide_from
    moves = (lines.occurred_at >= decide_from) & (lines.placed_at >= decide_from)
    moves &= state.hot["stock"][lines.rows] != StockKnowledge.UNKNOWN
    moves &= lines.occurred_at >= state.hot["counted_at"][lines.rows]
    return np.flatnonzero(moves)


def _move_stock(state: PartitionState, lines: _Lines, place: Int64s, turn: Turn) -> Int64s:
    """Take lines at some places off the stock of their keys; return the net stock after each, (M,)."""
    if not len(place):
        return place
    hot = state.hot
    rows, deltas = lines.rows[place], -lines.signed_units[place]
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    before = hot["net_units"][rows[starts]]
    net = _running(deltas, starts) + np.repeat(before, np.diff(starts, append=len(rows)))
    if state.plan.lost_sales:
        lost = _lost_so_far(net, starts)
        ends = np.append(starts[1:], len(rows)) - 1
        turn.count("lost_units", int(lost[ends].sum()))
        net = net + lost
    hot["net_units"][rows[starts]] = net[np.append(starts[1:], len(rows)) - 1]
    return np.asarray(net)


def _running(values: Int64s, starts: Int64s) -> Int64s:
    """Sum up within each segment, (N,)."""
    total = np.cumsum(values)
    before = np.where(starts > 0, total[starts - 1], 0)
    return np.asarray(total - np.repeat(before, np.diff(starts, append=len(values))))


def _lost_so_far(net_units: Int64s, starts: Int64s) -> Int64s:
    """Units lost up to each line of a segment: what the net stock would have fallen below zero, (N,).

    Source:
        The reflection map of a random walk at zero (Lindley, 1952).
    """
    lost = np.empty_like(net_units)
    for start, end in zip(starts.tolist(), np.append(starts[1:], len(net_units)).tolist(), strict=True):
        lost[start:end] = np.maximum.accumulate(np.maximum(-net_units[start:end], 0))
    return lost
