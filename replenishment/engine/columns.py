"""What enters the engine: one batch of one topic, or time passing.

Topics are named by role (``orders``, ``signals``, …); real names
are the shell's business. Every batch carries the rejections that the wire
already made, so that they are settled in the same turn as the records beside
them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, TypeAlias

from replenishment.arrays import Int64s, UInt8s, UInt64s
from replenishment.events import CatalogEntry, InventoryEvent, Rejection, SignalEvent

Role: TypeAlias = Literal["orders", "inventory", "catalog", "signals", "suppliers", "proposals"]
"""Every topic that is read; ``suppliers`` and ``proposals`` by the buyer, the others by the engine."""
ROLES: tuple[Role, ...] = ("catalog", "signals", "inventory", "orders")
"""Those of the engine, in the order in which files of the same time are taken."""


class LineKind(IntEnum):
    """What one row of ``OrderColumns`` is."""

    PLACED = 0
    CANCELLED = 1
    TIME_PASSED = 2


@dataclass(frozen=True, slots=True)
class Span:
    """Positions ``[start, end)`` of one topic of the partition; covers holes and rejected records."""

    topic: Role
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class OrderColumns:
    """Accepted order records in log order; every column is (N,).

    ``offsets`` of the records; ``kinds`` of ``LineKind``; ``keys`` the stock
    keys (``b""`` for time passing); ``occurred_at`` event times; ``placed_at``
    the time whose bucket a line counts in (``occurred_at`` except for
    cancellations); ``units`` at least 1 (0 for time passing); ``prices`` in
    1/10,000 of the currency unit, -1 where unknown; ``identities`` are hashes
    of order, line number and type, 0 where there are none: equal ones of a
    key are the same line. None: every record is a line of its own. ``orders``
    are hashes of the order alone, 0 or None: every record is an order of its own.
    """

    span: Span
    rejections: Sequence[Rejection]
    offsets: Int64s
    kinds: UInt8s
    keys: Sequence[bytes]
    occurred_at: Int64s
    placed_at: Int64s
    units: Int64s
    prices: Int64s
    identities: UInt64s | None = None
    orders: UInt64s | None = None

    def position_of(self, place: int) -> int:
        """Return the position at which the record of a place is the next one."""
        return int(self.offsets[place]) if place < len(self.offsets) else self.span.end


def part(lines: OrderColumns, first: int, stop: int) -> OrderColumns:
    """Return the records ``[first, stop)`` without rejections; all of them are the lines themselves."""
    if (first, stop) == (0, len(lines.offsets)):
        return lines
    some = slice(first, stop)
    return OrderColumns(
        span=Span("orders", lines.position_of(first), lines.position_of(stop)),
        rejections=(),
        offsets=lines.offsets[some],
        kinds=lines.kinds[some],
        keys=lines.keys[some],
        occurred_at=lines.occurred_at[some],
        placed_at=lines.placed_at[some],
        units=lines.units[some],
        prices=lines.prices[some],
        identities=None if lines.identities is None else lines.identities[some],
        orders=None if lines.orders is None else lines.orders[some],
    )


@dataclass(frozen=True, slots=True)
class InventoryBatch:
    """Accepted inventory events in log order, ``offsets`` (N,) beside them."""

    span: Span
    rejections: Sequence[Rejection]
    offsets: Sequence[int]
    events: Sequence[InventoryEvent]


@dataclass(frozen=True, slots=True)
class CatalogBatch:
    """Accepted catalog entries in log order; a tombstone is an entry of defaults with ``None`` beside its key."""

    span: Span
    rejections: Sequence[Rejection]
    offsets: Sequence[int]
    keys: Sequence[bytes]
    entries: Sequence[CatalogEntry | None]


@dataclass(frozen=True, slots=True)
class SignalBatch:
    """Accepted plans and measurements in log order, ``offsets`` (N,) beside them."""

    span: Span
    rejections: Sequence[Rejection]
    offsets: Sequence[int]
    events: Sequence[SignalEvent]


@dataclass(frozen=True, slots=True)
class Tick:
    """Silence: seconds that passed since the partition's last batch or tick, at least 0."""

    elapsed_seconds: float


Entry: TypeAlias = OrderColumns | InventoryBatch | CatalogBatch | SignalBatch | Tick
