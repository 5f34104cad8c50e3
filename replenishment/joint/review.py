"""A supplier looked at: wait on, or place a joint order, and say what did not go as proposed."""

from collections.abc import Iterator, Sequence

import msgspec

from replenishment.joint.book import NEVER, Account, Book, Settled
from replenishment.joint.choice import Choice, Line, budget_left, choose, period_end, period_of
from replenishment.joint.decisions import (
    Because,
    Decision,
    JointOrderPlaced,
    ProposalExcepted,
    Reason,
    RequestPlaced,
    joint_order_id,
)
from replenishment.joint.proposals import SupplierTerms


def review(book: Book, supplier: str, at: int) -> Iterator[Decision]:
    """Look at what waits for a supplier at a time, and set its next alarm.

    Nothing happens before proposals have gathered. Then they are ordered
    together as soon as what can be had and paid for makes the minimum, at the
    latest when the oldest has waited as long as the terms allow.
    """
    account = book.account(supplier)
    if account.terms.budget is None or period_of(account, at) != account.period:
        release_held(book, supplier)
    if at >= _gathered_at(book, supplier):
        choice = choose(book, account, at)
        is_overdue = at >= _deadline(book, supplier)
        if is_overdue or is_enough(account.terms, choice):
            yield from _settled(book, account, choice, at)
        elif not account.is_gathered:
            book.keep_account(msgspec.structs.replace(account, is_gathered=True))
    set_alarm(book, supplier, at)


def is_enough(terms: SupplierTerms, choice: Choice) -> bool:
    """Return whether what could be placed makes the minimum of a supplier in value and in units."""
    return choice.value >= (terms.minimum_order_value or 0) and choice.units >= (terms.minimum_order_units or 0)


def _settled(book: Book, account: Account, choice: Choice, at: int) -> Iterator[Decision]:
    is_met = is_enough(account.terms, choice)
    yield from _refused(book, choice.short, "short_supply", at)
    yield from _refused(book, choice.too_dear, "exceeds_budget", at)
    if choice.placeable and (is_met or account.terms.below_minimum == "place"):
        yield from _placed(book, account, choice.placeable, at, _because(account.terms, is_met=is_met))
        yield from _held(book, choice.held, at)
    elif is_met or (choice.held and not choice.placeable):
        yield from _held(book, choice.held, at)
    else:
        yield from _refused(book, [*choice.placeable, *choice.held], "below_minimum", at)
    book.keep_account(msgspec.structs.replace(book.account(account.terms.supplier), is_gathered=False))


def _because(terms: SupplierTerms, *, is_met: bool) -> Because:
    if terms.minimum_order_value is None and terms.minimum_order_units is None:
        return "no_minimum"
    return "minimum_met" if is_met else "waited_long_enough"


def _placed(book: Book, account: Account, lines: Sequence[Line], at: int, because: Because) -> Iterator[Decision]:
    order_id = joint_order_id(account.terms.supplier, account.orders)
    value = sum(line.value for line in lines)
    spent = account.spent if account.period == period_of(account, at) else 0
    after = msgspec.structs.replace(
        account, orders=account.orders + 1, period=period_of(account, at), spent=spent + value
    )
    book.keep_account(after)
    yield JointOrderPlaced(
        order_id,
        account.terms.supplier,
        at,
        because,
        lines=len(lines),
        units=sum(line.units for line in lines),
        value=value,
        unpriced_lines=sum(line.proposal.unit_cost is None for line in lines),
        budget_left=budget_left(after, at),
    )
    for line in lines:
        proposal = line.proposal
        book.settle(proposal, Settled(proposal.revision, line.units, at, order_id))
        _take_from_supply(book, line, at)
        yield RequestPlaced(proposal, line.units, order_id, at)
        if line.units < proposal.units:
            yield ProposalExcepted("reduced", "short_supply", proposal, line.units, at)


def _take_from_supply(book: Book, line: Line, at: int) -> None:
    supply = book.supplies.get((line.proposal.supplier, line.proposal.sku))
    if supply is not None and at < supply.until:
        book.limit(msgspec.structs.replace(supply, units=supply.units - line.units))


def _held(book: Book, lines: Sequence[Line], at: int) -> Iterator[Decision]:
    for line in lines:
        if not line.waiting.is_held:
            book.wait(msgspec.structs.replace(line.waiting, is_held=True))
            yield ProposalExcepted("held", "over_budget", line.proposal, line.units, at)


def _refused(book: Book, lines: Sequence[Line], reason: Reason, at: int) -> Iterator[Decision]:
    for line in lines:
        book.settle(line.proposal, Settled(line.proposal.revision, 0, at))
        yield ProposalExcepted("refused", reason, line.proposal, 0, at)


def release_held(book: Book, supplier: str) -> None:
    """Let what was held for a later budget wait as all else does."""
    if book.queue(supplier).has_held:
        for one in [one for one in book.waiting_for(supplier).values() if one.is_held]:
            book.wait(msgspec.structs.replace(one, is_held=False))


def _gathered_at(book: Book, supplier: str) -> int:
    return book.queue(supplier).oldest + book.account(supplier).terms.gather_ms


def _deadline(book: Book, supplier: str) -> int:
    return book.queue(supplier).oldest + book.account(supplier).terms.longest_wait_ms


def set_alarm(book: Book, supplier: str, at: int) -> None:
    """Set when a supplier is to be looked at by itself, as seen at a time."""
    account, queue = book.account(supplier), book.queue(supplier)
    ahead = NEVER
    if queue.oldest < NEVER:
        ahead = _deadline(book, supplier) if account.is_gathered else _gathered_at(book, supplier)
    if queue.has_held:
        ahead = min(ahead, period_end(account, at))
    book.set_alarm(supplier, ahead)
