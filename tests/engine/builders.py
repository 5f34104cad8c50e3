"""A small forecaster, columns from tuples, and a ledger that keeps effects as a store would."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from replenishment.arrays import Float32s
from replenishment.buckets import BucketWidth
from replenishment.engine.advance import advance, finish
from replenishment.engine.columns import (
    CatalogBatch,
    Entry,
    InventoryBatch,
    LineKind,
    OrderColumns,
    SignalBatch,
    Span,
)
from replenishment.engine.effects import Effects, RowWrites
from replenishment.engine.plan import Plan
from replenishment.engine.progress import Progress
from replenishment.engine.restore import restore, restored, tables
from replenishment.engine.state import PartitionState, opened
from replenishment.events import CatalogEntry, InventoryEvent, Rejection, SignalEvent
from replenishment.forecaster import ClosedBucket, Forecast, Serving
from replenishment.quantiles import QuantileGrid

HOUR = 3_600_000
DAY = 24 * HOUR
T0 = BucketWidth(86_400).start_of(15_000)
"""A midnight, 2011-01-30: the start of bucket 15,000 in tests of daily buckets."""


class MeanForecaster:
    """Mean of all buckets seen; the quantile at level l over h buckets is mean * h * (0.5 + l)."""

    grid = QuantileGrid((1, 7, 14), (0.1, 0.5, 0.9, 0.95, 0.99))
    memory_floats = 2
    context_buckets = 28

    def __init__(self, version: str = "mean-1") -> None:
        self.version = version

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        after = memory + np.stack([closed.demand_units, np.ones_like(closed.demand_units)], axis=1)
        mean = after[:, 0] / after[:, 1]
        shape = np.outer(self.grid.horizons_buckets, np.asarray(self.grid.levels) + 0.5)
        quantiles = mean[:, None, None] * shape[None].astype(np.float32)
        return Forecast(quantiles.astype(np.float32), after.astype(np.float32))


SERVING = Serving(MeanForecaster())


@dataclass(frozen=True)
class Line:
    """One order record of a test."""

    offset: int
    key: bytes
    at: int
    units: int = 1
    kind: LineKind = LineKind.PLACED
    placed_at: int | None = None
    price: int = -1
    identity: int = 0
    order: int = 0


def order_columns(lines: Sequence[Line], start: int, end: int, rejections: Sequence[Rejection] = ()) -> OrderColumns:
    """Return lines as columns with a span."""
    placed = [line.at if line.placed_at is None else line.placed_at for line in lines]
    return OrderColumns(
        span=Span("orders", start, end),
        rejections=rejections,
        offsets=np.array([line.offset for line in lines], dtype=np.int64),
        kinds=np.array([line.kind for line in lines], dtype=np.uint8),
        keys=[line.key for line in lines],
        occurred_at=np.array([line.at for line in lines], dtype=np.int64),
        placed_at=np.array(placed, dtype=np.int64),
        units=np.array([line.units for line in lines], dtype=np.int64),
        prices=np.array([line.price for line in lines], dtype=np.int64),
        identities=np.array([line.identity for line in lines], dtype=np.uint64),
        orders=np.array([line.order for line in lines], dtype=np.uint64),
    )


def time_passed(offset: int, at: int) -> Line:
    """Return a control record that moves the clock."""
    return Line(offset, b"", at, 0, LineKind.TIME_PASSED)


def inventory_batch(events: Sequence[InventoryEvent], start: int = 0) -> InventoryBatch:
    """Return events at consecutive offsets."""
    span = Span("inventory", start, start + len(events))
    return InventoryBatch(span, (), range(start, start + len(events)), events)


def catalog_batch(entries: Sequence[CatalogEntry], start: int = 0) -> CatalogBatch:
    """Return catalog entries at consecutive offsets."""
    span = Span("catalog", start, start + len(entries))
    return CatalogBatch(span, (), range(start, start + len(entries)), [one.key for one in entries], entries)


@dataclass
class Ledger:
    """What a store holds after some turns: rows by table, and all that left the partition, in order."""

    rows: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    said: list[object] = field(default_factory=list)
    progress: Progress | None = None

    def keep(self, effects: Effects) -> None:
        """Apply one turn."""
        for writes in effects.writes:
            table = self.rows.setdefault(writes.table, {})
            for place, key in enumerate(writes.keys):
                begin = place * writes.row_bytes
                table[key] = writes.packed[begin : begin + writes.row_bytes]
            for key in writes.gone:
                table.pop(key, None)
        for name in effects.dropped_tables:
            self.rows.pop(name, None)
        self.said += [*effects.restocks, *effects.withheld, *effects.overdue, *effects.rejections]
        self.said += [_as_lists(one) for one in effects.demand]
        self.progress = effects.progress

    def reload(self, plan: Plan, serving: Serving) -> PartitionState:
        """Return the state as a claim after a crash would find it."""
        assert self.progress is not None
        state = opened(0, plan, self.progress, serving.champion)
        for table in tables(state):
            kept = self.rows.get(table.name, {})
            # hash order is the store's business: the reverse shows that nothing depends on it
            keys = sorted(kept, reverse=True)
            restore(state, RowWrites(table.name, table.row_bytes, keys, b"".join(kept[key] for key in keys)))
        restored(state)
        return state


def _as_lists(demand: object) -> tuple[object, ...]:
    return tuple(
        value.tolist() if isinstance(value, np.ndarray) else value
        for value in (getattr(demand, name) for name in demand.__struct_fields__)  # type: ignore[attr-defined]
    )


def fresh(plan: Plan | None = None, decide_from: int = 0, serving: Serving = SERVING) -> PartitionState:
    """Return the state of a partition before its first record."""
    return opened(0, plan or Plan(), Progress(0, {}, decide_from), serving.champion)


def play(
    state: PartitionState, entries: Iterable[Entry], ledger: Ledger | None = None, serving: Serving = SERVING
) -> Ledger:
    """Advance a state through entries and keep every turn."""
    ledger = ledger or Ledger()
    for entry in entries:
        for effects in advance(state, entry, serving):
            ledger.keep(effects)
    return ledger


def finish_undone(state: PartitionState, ledger: Ledger, serving: Serving = SERVING) -> None:
    """Do what a crash left undone."""
    for effects in finish(state, serving):
        ledger.keep(effects)


class PlanReader(MeanForecaster):
    """The same, with demand multiplied by 1 + lift times the promotion of each bucket; counts promoted buckets too."""

    memory_floats = 3
    lift = 4.0

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        known, reach = closed.known_ahead, self.grid.horizons_buckets[-1]
        promoted = np.zeros((len(memory), 1 + reach), dtype=np.float32)
        if known is not None and "promotion" in known.names:
            told = known.values[:, : 1 + reach, known.names.index("promotion")]
            promoted[:, : told.shape[1]] = np.nan_to_num(told)
        forecast = super().step(closed, memory[:, :2])
        ahead = np.cumsum(1 + self.lift * promoted[:, 1:], axis=1)
        upto = ahead[:, np.asarray(self.grid.horizons_buckets) - 1] / np.asarray(self.grid.horizons_buckets)
        seen = memory[:, 2:] + promoted.sum(axis=1, keepdims=True)
        after = np.concatenate([forecast.memory, seen], axis=1).astype(np.float32)
        return Forecast((forecast.quantiles * upto[:, :, None]).astype(np.float32), after)


def signal_batch(events: Sequence[SignalEvent], start: int = 0) -> SignalBatch:
    """Return signals at consecutive offsets."""
    span = Span("signals", start, start + len(events))
    return SignalBatch(span, (), range(start, start + len(events)), events)
