"""What could be ordered of a supplier now: what it has, then what the budget allows, the most urgent first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from replenishment.joint.allocation import allocated
from replenishment.joint.book import Account, Book, Waiting
from replenishment.joint.proposals import DAY_MS, Proposal

GRID_ORIGIN_MS = 4 * DAY_MS
"""Monday 1970-01-05: periods of budgets are counted from it, as buckets are."""


@dataclass(frozen=True, slots=True)
class Line:
    """What waits, and of how many units it would be."""

    waiting: Waiting
    units: int

    @property
    def proposal(self) -> Proposal:
        """The proposal that waits."""
        return self.waiting.proposal

    @property
    def value(self) -> int:
        """What the units cost, 0 where no cost is known."""
        return self.units * (self.proposal.unit_cost or 0)


@dataclass(frozen=True, slots=True)
class Choice:
    """Lines by what could become of them, each list the most urgent first.

    ``placeable`` fit into the budget, ``held`` do not but may later,
    ``too_dear`` never will, ``short`` get nothing of a short supply.
    """

    placeable: Sequence[Line]
    held: Sequence[Line]
    too_dear: Sequence[Line]
    short: Sequence[Line]

    @property
    def units(self) -> int:
        """Units that could be placed."""
        return sum(line.units for line in self.placeable)

    @property
    def value(self) -> int:
        """What those cost."""
        return sum(line.value for line in self.placeable)


def choose(book: Book, account: Account, at: int) -> Choice:
    """Return what could be ordered of a supplier at a time, of all that waits for it.

    Less of what is short is no reason to pass over a more urgent line for a
    cheaper one: the first line that the budget does not allow holds all after
    it, so that a larger budget never leaves a line out that a smaller one had.
    """
    lines = sorted(_supplied(book, account.terms.supplier, at), key=_urgency)
    short = [line for line in lines if not line.units]
    left = budget_left(account, at)
    if left is None:
        return Choice([line for line in lines if line.units], [], [], short)
    budget = account.terms.budget or 0
    too_dear = [line for line in lines if line.value > budget]
    affordable = [line for line in lines if line.units and line.value <= budget]
    values = np.cumsum([line.value for line in affordable], dtype=np.int64)
    count = int(np.searchsorted(values, left, side="right"))
    return Choice(affordable[:count], affordable[count:], too_dear, short)


def budget_left(account: Account, at: int) -> int | None:
    """Return what may still be spent on a supplier in the period of a time, None = there is no limit."""
    budget = account.terms.budget
    if budget is None:
        return None
    return max(0, budget - (account.spent if account.period == period_of(account, at) else 0))


def period_of(account: Account, at: int) -> int:
    """Return the number of the budget's period that holds a time."""
    return (at - GRID_ORIGIN_MS) // (account.terms.budget_days * DAY_MS)


def period_end(account: Account, at: int) -> int:
    """Return when the period that holds a time ends."""
    return (period_of(account, at) + 1) * account.terms.budget_days * DAY_MS + GRID_ORIGIN_MS


def _urgency(line: Line) -> tuple[float, bytes, str]:
    proposal = line.proposal
    return proposal.urgency, proposal.key, proposal.restock_id


def _supplied(book: Book, supplier: str, at: int) -> list[Line]:
    """Return the released lines of a supplier with their units, less where a SKU is short."""
    released = [one for one in book.waiting_for(supplier).values() if one.proposal.is_released]
    limits = {sku: one.units for (whose, sku), one in book.supplies.items() if whose == supplier and at < one.until}
    if not limits:
        return [Line(one, one.proposal.units) for one in released]
    by_sku: dict[bytes, list[Waiting]] = {}
    for one in sorted(released, key=lambda one: (one.proposal.key, one.proposal.restock_id)):
        by_sku.setdefault(one.proposal.sku, []).append(one)
    return [line for sku, some in by_sku.items() for line in _shared(some, sku, limits)]


def _shared(waiting: Sequence[Waiting], sku: bytes, limits: Mapping[bytes, int]) -> list[Line]:
    needs = [one.proposal.units for one in waiting]
    if sku not in limits:
        return [Line(one, need) for one, need in zip(waiting, needs, strict=True)]
    units = allocated(needs, [one.proposal.pack_units for one in waiting], limits[sku])
    return [Line(one, share) for one, share in zip(waiting, units, strict=True)]
