"""Proposals, terms and books for tests of joint orders."""

from collections.abc import Iterable, Sequence

from replenishment.engine.columns import Span, Tick
from replenishment.engine.progress import Progress
from replenishment.joint.advance import BuyerEffects, advance
from replenishment.joint.book import Book
from replenishment.joint.decisions import Decision, JointOrderPlaced, ProposalExcepted, RequestPlaced
from replenishment.joint.proposals import (
    HOUR_MS,
    MONEY,
    Message,
    Proposal,
    ProposalBatch,
    SupplierTerms,
    TermsBatch,
    TimePassed,
)

START = 1_767_571_200_000
"""Monday 2026-01-05 00:00 UTC."""
SUPPLIER = "acme"


def proposal(
    number: int,
    units: int = 10,
    *,
    at: int = START,
    urgency: float = 0.0,
    cost: float | None = 1.0,
    pack: int = 1,
    key: bytes | None = None,
    supplier: str = SUPPLIER,
    revision: int = 1,
) -> Proposal:
    """Return a proposal told from others by its number."""
    return Proposal(
        restock_id=f"id-{number:04d}",
        revision=revision,
        key=key or f"main|SKU-{number:03d}".encode(),
        supplier=supplier,
        units=units,
        pack_units=pack,
        unit_cost=None if cost is None else round(cost * MONEY),
        urgency=urgency,
        proposed_at=at,
        record=b"{}",
    )


def terms(
    *,
    value: float | None = None,
    units: int | None = None,
    budget: float | None = None,
    days: int = 7,
    gather: float = 15,
    wait: float = 24,
    below: str = "place",
    supplier: str = SUPPLIER,
) -> SupplierTerms:
    """Return terms in the currency unit."""
    return SupplierTerms(
        supplier=supplier,
        minimum_order_value=None if value is None else round(value * MONEY),
        minimum_order_units=units,
        budget=None if budget is None else round(budget * MONEY),
        budget_days=days,
        gather_minutes=float(gather),
        longest_wait_hours=float(wait),
        below_minimum=below,  # type: ignore[arg-type]  # one of the two
    )


class Buyer:
    """A book and all it ever said, fed record by record."""

    def __init__(self, *agreed: SupplierTerms) -> None:
        self.book = Book(0, Progress(0, {}, 0))
        self.turns: list[BuyerEffects] = []
        if agreed:
            self.agree(*agreed)

    def agree(self, *agreed: SupplierTerms) -> Sequence[Decision]:
        """Apply terms as one batch; return what was decided."""
        start = self.book.progress.positions.get("suppliers", 0)
        span = Span("suppliers", start, start + len(agreed))
        turns = [*advance(self.book, TermsBatch(span, (), [(one.supplier, one) for one in agreed]))]
        self.turns += turns
        return [one for turn in turns for one in turn.decisions]

    def take(self, *messages: Message) -> Sequence[Decision]:
        """Apply messages as one batch; return what was decided."""
        start = self.book.progress.positions.get("proposals", 0)
        offsets = range(start, start + len(messages))
        batch = ProposalBatch(Span("proposals", start, start + len(messages)), (), offsets, messages)
        turns = [*advance(self.book, batch)]
        self.turns += turns
        return [one for turn in turns for one in turn.decisions]

    def pass_hours(self, hours: float) -> Sequence[Decision]:
        """Let time pass since the clock; return what was decided."""
        return self.take(TimePassed(self.book.now + round(hours * HOUR_MS)))

    def tick(self, seconds: float) -> Sequence[Decision]:
        """Let silence pass; return what was decided."""
        turns = [*advance(self.book, Tick(seconds))]
        self.turns += turns
        return [one for turn in turns for one in turn.decisions]


def placed(decisions: Iterable[Decision]) -> dict[str, int]:
    """Return units placed by restock_id."""
    return {one.proposal.restock_id: one.units for one in decisions if isinstance(one, RequestPlaced)}


def orders(decisions: Iterable[Decision]) -> list[JointOrderPlaced]:
    """Return the joint orders among decisions."""
    return [one for one in decisions if isinstance(one, JointOrderPlaced)]


def excepted(decisions: Iterable[Decision]) -> list[tuple[str, str, str]]:
    """Return (restock_id, outcome, reason) of the exceptions among decisions."""
    return [
        (one.proposal.restock_id, one.outcome, one.reason) for one in decisions if isinstance(one, ProposalExcepted)
    ]
