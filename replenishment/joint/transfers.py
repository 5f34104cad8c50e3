"""Transfers before buying: what another location has too much of is not bought."""

from collections.abc import Iterator

import msgspec

from replenishment.joint.book import Book, Settled, Waiting
from replenishment.joint.decisions import RequestTransferred
from replenishment.joint.proposals import SurplusOffered


def transfer(book: Book, supplier: str, at: int) -> Iterator[RequestTransferred]:
    """Cover what waits for a supplier from surplus of the same SKU elsewhere, the most urgent first.

    A proposal is one request, so it is transferred whole or bought whole: the
    location that has most to give gives, the first by name of equals.
    """
    offers = [one for (whose, _), one in sorted(book.surpluses.items()) if whose == supplier and at < one.until]
    if not offers:
        return
    left = {one.key: one.units for one in offers}
    released = (one for one in book.waiting_for(supplier).values() if one.proposal.is_released)
    for one in sorted(released, key=_urgency):
        giver = max((offer for offer in offers if _fits(offer, one, left)), key=lambda it: left[it.key], default=None)
        if giver is not None:
            left[giver.key] -= one.proposal.units
            book.offer(msgspec.structs.replace(giver, units=left[giver.key]))
            proposal = one.proposal
            book.settle(proposal, Settled(proposal.revision, proposal.units, at, source=giver.key))
            yield RequestTransferred(proposal, giver.key, at)


def _fits(offer: SurplusOffered, waiting: Waiting, left: dict[bytes, int]) -> bool:
    proposal = waiting.proposal
    return offer.sku == proposal.sku and offer.key != proposal.key and left[offer.key] >= proposal.units


def _urgency(waiting: Waiting) -> tuple[float, bytes, str]:
    proposal = waiting.proposal
    return proposal.urgency, proposal.key, proposal.restock_id
