"""The account of one run, key by key: who asked, who was served, what lay on the shelf, what was ordered.

A line is accounted for where it moves stock: not before the stock of its key
is known. Served is what was on hand at that moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from replenishment.arrays import Bools, Float64s, Int64s, Records
from replenishment.engine.columns import LineKind, OrderColumns
from replenishment.engine.rows import terms_row, terms_table
from replenishment.engine.state import PartitionState
from replenishment.events import CatalogEntry
from replenishment.stock import StockKnowledge

_SUMS = (
    "asked_units",
    "served_units",
    "unstocked_units",
    "end_units",
    "stocked_buckets",
    "empty_buckets",
    "orders",
    "ordered_units",
    "cycles",
    "short_cycles",
)


class Ledger:
    """Sums of K keys, by row of the state, over the buckets accounted for.

    ``unstocked_units`` were asked for before the key's stock was known and are
    in no other figure; ``end_units`` sums the stock on hand at the ends of
    buckets, ``empty_buckets`` those at whose end nothing was on hand; a cycle
    lies between two receipts. The ``..._squares`` are sums over buckets.

    Args:
        keys: K: how many keys there can be.
        lost_sales: Whether demand without stock is lost.
    """

    def __init__(self, keys: int, *, lost_sales: bool) -> None:
        self._lost_sales = lost_sales
        self.sums = {name: np.zeros(keys, dtype=np.int64) for name in _SUMS}
        self.squares = {name: np.zeros(keys) for name in ("asked", "ordered")}
        self._now = {name: np.zeros(keys, dtype=np.int64) for name in ("asked", "ordered")}
        self._is_short = np.zeros(keys, dtype=np.bool_)

    def before(self, state: PartitionState) -> Records:
        """Return the stock of all keys, to be given to ``take`` after the lines were applied."""
        return state.hot[: state.keys.count].copy()

    def take(self, state: PartitionState, before: Records, lines: OrderColumns) -> None:
        """Account for lines of one open bucket that were applied to a state.

        Raises:
            RuntimeError: If the stock is not what the lines make it: a bug.
        """
        place = np.flatnonzero(lines.kinds != LineKind.TIME_PASSED)
        rows = np.fromiter(map(state.keys.rows.__getitem__, [lines.keys[i] for i in place.tolist()]), np.int64)
        is_placed = lines.kinds[place] == LineKind.PLACED
        moves = _moves(state, before, rows, lines, place)
        np.add.at(self.sums["unstocked_units"], rows[is_placed & ~moves], lines.units[place[is_placed & ~moves]])
        order = np.flatnonzero(moves)[np.argsort(rows[moves], kind="stable")]
        rows, is_placed, units = rows[order], is_placed[order], lines.units[place[order]]
        if not len(rows):
            return
        net_before, net_after = self._played(before["net_units"], rows, np.where(is_placed, -units, units))
        ends = np.flatnonzero(np.diff(rows, append=-1))
        if not np.array_equal(state.hot["net_units"][rows[ends]], net_after[ends]):
            raise RuntimeError("the stock of the engine is not what its order lines make it: report this as a bug")
        self._add(rows[is_placed], units[is_placed], np.clip(net_before[is_placed], 0, units[is_placed]))

    def _played(self, opening: Int64s, rows: Int64s, deltas: Int64s) -> tuple[Int64s, Int64s]:
        """Return the net stock of its key before and after each movement, sorted by row, (N,)."""
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        lengths = np.diff(starts, append=len(rows))
        total = np.cumsum(deltas)
        running = total - np.repeat(total[starts] - deltas[starts], lengths)
        after = running + opening[rows]
        if self._lost_sales:
            # a running maximum within each segment: every segment is lifted above the one before
            short = np.maximum(-after, 0)
            lift = np.repeat(np.arange(len(starts)), lengths) * (int(short.max()) + 1)
            after = after + np.maximum.accumulate(short + lift) - lift
        before = np.empty_like(after)
        before[1:] = after[:-1]
        before[starts] = opening[rows[starts]]
        return before, after

    def _add(self, rows: Int64s, asked: Int64s, served: Int64s) -> None:
        np.add.at(self._now["asked"], rows, asked)
        np.add.at(self.sums["served_units"], rows, served)
        self._is_short[rows[served < asked]] = True

    def receive(self, rows: Int64s) -> None:
        """End the cycle of keys, each once, since goods arrive."""
        self.sums["cycles"][rows] += 1
        self.sums["short_cycles"][rows] += self._is_short[rows]
        self._is_short[rows] = False

    def order(self, row: int, units: int) -> None:
        """Note a request of a key."""
        self.sums["orders"][row] += 1
        self._now["ordered"][row] += units

    def take_back(self, row: int, units: int) -> None:
        """Note that a request of a key was withdrawn: nothing was ordered."""
        self.sums["orders"][row] -= 1
        self._now["ordered"][row] -= units

    def end_demand(self, state: PartitionState) -> None:
        """Note the stock at the end of a bucket, before its review."""
        count = state.keys.count
        is_known = state.hot["stock"][:count] != StockKnowledge.UNKNOWN
        on_hand = np.maximum(state.hot["net_units"][:count], 0)
        self.sums["end_units"][:count] += np.where(is_known, on_hand, 0)
        self.sums["stocked_buckets"][:count] += is_known
        self.sums["empty_buckets"][:count] += is_known & (on_hand == 0)

    def end_bucket(self) -> None:
        """Close the account of a bucket, after its review."""
        for name, total in (("asked", "asked_units"), ("ordered", "ordered_units")):
            self.sums[total] += self._now[name]
            self.squares[name] += self._now[name].astype(np.float64) ** 2
            self._now[name][:] = 0

    def end(self) -> None:
        """End the cycle of every key that has stock."""
        self.receive(np.flatnonzero(self.sums["stocked_buckets"] > 0))


def _moves(state: PartitionState, before: Records, rows: Int64s, lines: OrderColumns, place: Int64s) -> Bools:
    """Return which lines move stock, by the rules of the engine, (N,)."""
    is_known = np.zeros(len(rows), dtype=np.bool_)
    old = rows < len(before)
    stock = before[rows[old]]
    is_known[old] = (stock["stock"] != StockKnowledge.UNKNOWN) & (lines.occurred_at[place[old]] >= stock["counted_at"])
    return np.asarray(is_known & (lines.placed_at[place] >= state.progress.decide_from))


@dataclass(frozen=True, slots=True)
class KeyOutcome:
    """What came of a run for each of K keys: money and counts, (K,)."""

    keys: list[bytes]
    holding: Float64s
    shortage: Float64s
    ordering: Float64s
    sums: dict[str, Int64s]
    squares: dict[str, Float64s]

    @property
    def total(self) -> Float64s:
        """Cost of each key."""
        return self.holding + self.shortage + self.ordering


def outcome(ledger: Ledger, state: PartitionState, bucket_days: float, priced: Sequence[CatalogEntry]) -> KeyOutcome:
    """Return the account in money, at the costs of some terms; an unknown cost is 0.

    Holding = cost per unit and day × days of a bucket × stock at its end;
    shortage = cost per unit × units that were not on hand when asked for.
    """
    count = state.keys.count
    sums = {name: values[:count] for name, values in ledger.sums.items()}
    terms = np.zeros(count, dtype=terms_table().row)
    for entry in priced:
        terms[state.keys.rows[entry.key]] = terms_row(entry)
    return KeyOutcome(
        keys=list(state.keys.keys),
        holding=terms["holding_cost_per_unit_day"] * bucket_days * sums["end_units"],
        shortage=terms["shortage_cost_per_unit"] * (sums["asked_units"] - sums["served_units"]),
        ordering=terms["ordering_cost"] * sums["orders"],
        sums=sums,
        squares={name: values[:count] for name, values in ledger.squares.items()},
    )
