"""What happens whoever decides: the period that is played, order lines and inventory events in the order of time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from replenishment.arrays import Int64s, UInt8s
from replenishment.buckets import BucketWidth
from replenishment.closed_loop.suppliers import PUNCTUAL, Suppliers
from replenishment.engine.columns import LineKind, OrderColumns, Span
from replenishment.events import CatalogEntry, InventoryEvent, SignalEvent

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Period:
    """So many buckets from ``start_at`` on (epoch milliseconds), which is an edge of their grid.

    Raises:
        ValueError: If there is no bucket, or the start is no edge.
    """

    start_at: int
    width: BucketWidth
    buckets: int

    def __post_init__(self) -> None:
        if self.buckets < 1:
            raise ValueError(f"a period of {self.buckets} buckets has no bucket")
        if self.width.start_of(self.width.bucket_at(self.start_at)) != self.start_at:
            raise ValueError(f"the period starts at {self.start_at}, which is no edge of its buckets")

    @property
    def days(self) -> float:
        """Length in days."""
        return self.buckets * self.width.seconds / 86_400

    def end_of(self, bucket: int) -> int:
        """Return the first instant after a bucket of the period, 0 = the first."""
        return self.start_at + (bucket + 1) * self.width.seconds * 1000

    def usable_from(self, at: int) -> int:
        """Return the first start of a bucket at or after a time: goods that arrive within a bucket serve the next."""
        width_ms = self.width.seconds * 1000
        return self.start_at + -(-(at - self.start_at) // width_ms) * width_ms


@dataclass(frozen=True, slots=True)
class Lines:
    """N order lines, cancellations and passing times by event time; see ``OrderColumns`` for the columns.

    Raises:
        ValueError: If the columns differ in length or a time falls.
    """

    kinds: UInt8s
    keys: Sequence[bytes]
    occurred_at: Int64s
    placed_at: Int64s
    units: Int64s

    def __post_init__(self) -> None:
        if len({len(self.kinds), len(self.keys), len(self.occurred_at), len(self.placed_at), len(self.units)}) != 1:
            raise ValueError("order lines need as many kinds and keys as times and units")
        if np.any(np.diff(self.occurred_at) < 0):
            raise ValueError("order lines must be in the order of their times")

    def __len__(self) -> int:
        return len(self.kinds)

    def columns(self, first: int, last: int, position: int) -> OrderColumns:
        """Return lines ``[first, last)`` as the batch of ``orders`` that starts at a position."""
        some = slice(first, last)
        at = self.occurred_at[some]
        return OrderColumns(
            span=Span("orders", position, position + last - first),
            rejections=(),
            offsets=np.arange(position, position + last - first),
            kinds=self.kinds[some],
            keys=self.keys[some],
            occurred_at=at,
            placed_at=self.placed_at[some],
            units=self.units[some],
            prices=np.full(len(at), -1, dtype=np.int64),
        )


def time_passed(at: int, position: int) -> OrderColumns:
    """Return the control record that moves the clock to a time."""
    one = np.array([at], dtype=np.int64)
    nothing = np.zeros(1, dtype=np.int64)
    kinds = np.array([LineKind.TIME_PASSED], dtype=np.uint8)
    return OrderColumns(
        span=Span("orders", position, position + 1),
        rejections=(),
        offsets=np.array([position], dtype=np.int64),
        kinds=kinds,
        keys=[b""],
        occurred_at=one,
        placed_at=one,
        units=nothing,
        prices=nothing - 1,
    )


@dataclass(frozen=True, slots=True)
class World:
    """What happens in any case: terms, lines, inventory events by their times, and signals as they become known.

    ``events`` hold the receipts of goods that were under way before; what the
    engine requests is delivered by ``suppliers``. ``priced`` are the terms whose
    costs are accounted for, None = those of ``catalog``: what a policy is told
    that things cost must not change what they cost.
    """

    catalog: Sequence[CatalogEntry]
    lines: Lines
    events: Sequence[InventoryEvent]
    signals: Sequence[SignalEvent] = ()
    priced: Sequence[CatalogEntry] | None = None
    suppliers: Suppliers = PUNCTUAL
