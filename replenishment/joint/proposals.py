"""What comes to the buyer: proposals of stock keys, terms of suppliers, word of short supply.

Times are epoch milliseconds, money is in 1/10,000 of the currency unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from replenishment.engine.columns import Span, Tick
from replenishment.events import Rejection

MONEY = 10_000
"""Of the currency unit: what the parts of a price and of a budget are counted in."""
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Proposal(msgspec.Struct, frozen=True, gc=False):
    """A request that a worker would make of a supplier; ``revision`` 2 and later change or withdraw it (0 units).

    ``urgency`` is (position − reorder point) / expected demand, lowest first;
    ``unit_cost`` is None where the catalog has none. ``record`` is the event
    as it came, ``headers`` are those that go on with it. ``is_released`` is False
    as long as a planner has not approved it.
    """

    restock_id: str
    revision: int
    key: bytes
    supplier: str
    units: int
    pack_units: int
    unit_cost: int | None
    urgency: float
    proposed_at: int
    record: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    is_released: bool = True

    @property
    def sku(self) -> bytes:
        """The SKU of its stock key."""
        return self.key.partition(b"|")[2]


class SupplyLimited(msgspec.Struct, frozen=True, gc=False):
    """A supplier has ``units`` of a SKU for all locations together, until a time."""

    supplier: str
    sku: bytes
    units: int
    until: int
    occurred_at: int


class TimePassed(msgspec.Struct, frozen=True, gc=False):
    """It is at least this late."""

    occurred_at: int


class SupplierTerms(msgspec.Struct, frozen=True, gc=False):
    """How a supplier is ordered from; None = no such limit.

    Proposals gather for ``gather_minutes`` (0-10,080, at most the longest wait),
    then until order value and units reach their minimum, at most
    ``longest_wait_hours`` (0-8,760) from the oldest on; after that they are
    placed or refused as ``below_minimum`` says. ``budget`` is for each
    ``budget_days`` (1-366), counted from Monday 1970-01-05.

    Raises:
        ValueError: If the terms can never be met together.
    """

    supplier: str
    minimum_order_value: int | None = None
    minimum_order_units: int | None = None
    budget: int | None = None
    budget_days: int = 30
    gather_minutes: float = 15.0
    longest_wait_hours: float = 24.0
    below_minimum: Literal["place", "refuse"] = "place"

    def __post_init__(self) -> None:
        if self.gather_minutes > 60 * self.longest_wait_hours:
            raise ValueError("gather_minutes is longer than longest_wait_hours")
        if self.budget is not None and self.budget < (self.minimum_order_value or 0):
            raise ValueError("budget is less than minimum_order_value")

    @property
    def gather_ms(self) -> int:
        """How long proposals gather at least."""
        return round(self.gather_minutes * 60_000)

    @property
    def longest_wait_ms(self) -> int:
        """How long the oldest waits at most for others to fill the minimum."""
        return round(self.longest_wait_hours * HOUR_MS)


def without_terms(supplier: str) -> SupplierTerms:
    """Return the terms of a supplier of whom nothing is known: every proposal is placed as it comes."""
    return SupplierTerms(supplier, gather_minutes=0.0, longest_wait_hours=0.0)


Message: TypeAlias = Proposal | SupplyLimited | TimePassed


@dataclass(frozen=True, slots=True)
class ProposalBatch:
    """Accepted records of ``proposals`` in log order, ``offsets`` (N,) beside them."""

    span: Span
    rejections: Sequence[Rejection]
    offsets: Sequence[int]
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class TermsBatch:
    """Accepted records of ``suppliers`` in log order; None beside a supplier = no terms any longer."""

    span: Span
    rejections: Sequence[Rejection]
    terms: Sequence[tuple[str, SupplierTerms | None]]


BuyerEntry: TypeAlias = ProposalBatch | TermsBatch | Tick
