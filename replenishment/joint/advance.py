"""The only way into a book: records one by one in log order, and silence; what they lead to, in turns.

A record first moves the clock, and whatever falls due until then happens at
its own time; then the record counts. So decisions depend on the sequence of
records and ticks, not on how it was cut into batches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from replenishment.engine.advance import SpanGap
from replenishment.engine.columns import Span, Tick
from replenishment.engine.effects import RowWrites
from replenishment.engine.progress import UNKNOWN, Progress
from replenishment.events import Rejection
from replenishment.joint.book import Book, Settled, Waiting
from replenishment.joint.decisions import Decision, RevisionPassedOn
from replenishment.joint.proposals import (
    BuyerEntry,
    Proposal,
    ProposalBatch,
    SupplierTerms,
    SupplyLimited,
    TimePassed,
    without_terms,
)
from replenishment.joint.review import release_held, review, set_alarm

TURN_RECORDS = 500
"""So many records at most are applied in one turn."""


@dataclass(frozen=True, slots=True)
class BuyerEffects:
    """One turn of a book: applied whole or not at all. ``repeated`` counts proposals known already."""

    progress: Progress
    writes: Sequence[RowWrites]
    decisions: Sequence[Decision]
    rejections: Sequence[Rejection]
    proposals: int = 0
    repeated: int = 0
    waiting: int = 0
    dropped_tables: Sequence[str] = ()


@dataclass(slots=True)
class _Turn:
    decisions: list[Decision] = field(default_factory=list)
    proposals: int = 0
    repeated: int = 0


def advance(book: Book, entry: BuyerEntry) -> Iterator[BuyerEffects]:
    """Yield the turns of one batch or of silence.

    Raises:
        SpanGap: If the batch does not begin at the position of its topic.
    """
    match entry:
        case Tick():
            yield from _ticked(book, entry.elapsed_seconds)
        case ProposalBatch():
            _require_joined(book, entry.span)
            yield from _messages(book, entry)
        case _:
            _require_joined(book, entry.span)
            turn = _Turn()
            for supplier, terms in entry.terms:
                _take_terms(book, supplier, terms, turn)
            yield _effects(book, turn, entry.span, entry.span.end, entry.rejections)


def loaded(book: Book) -> None:
    """Set the alarms of a book whose rows have all been restored."""
    book.restored()
    for supplier in book.waiting:
        set_alarm(book, supplier, book.now)


def _require_joined(book: Book, span: Span) -> None:
    expected = book.progress.positions.get(span.topic, 0)
    if span.start != expected:
        raise SpanGap(span.topic, expected, span.start)


def _messages(book: Book, batch: ProposalBatch) -> Iterator[BuyerEffects]:
    start, rejections = batch.span.start, batch.rejections
    for first in range(0, max(1, len(batch.messages)), TURN_RECORDS):
        turn = _Turn()
        for message in batch.messages[first : first + TURN_RECORDS]:
            _take(book, message, turn)
        after = batch.offsets[first + TURN_RECORDS :]
        end = after[0] if after else batch.span.end
        yield _effects(book, turn, batch.span, end, [one for one in rejections if start <= one.offset < end])
        start = end


def _ticked(book: Book, elapsed_seconds: float) -> Iterator[BuyerEffects]:
    """Let silence pass, as the engine does: it is added to the clock, which never jumps to the time of day."""
    if book.now == UNKNOWN:
        return
    turn = _Turn()
    _move_clock(book, book.now + round(elapsed_seconds * 1000), turn)
    book.move(ticked_seconds=book.progress.ticked_seconds + elapsed_seconds)
    yield _effects(book, turn, None, 0, ())


def _effects(book: Book, turn: _Turn, span: Span | None, end: int, rejections: Sequence[Rejection]) -> BuyerEffects:
    positions = dict(book.progress.positions) | ({} if span is None else {span.topic: end})
    rejected = book.progress.rejected + len(rejections)
    book.move(turn=book.progress.turn + 1, positions=positions, rejected=rejected)
    waiting = sum(map(len, book.waiting.values()))
    return BuyerEffects(
        book.progress, book.taken_writes(), turn.decisions, rejections, turn.proposals, turn.repeated, waiting
    )


def _take(book: Book, message: Proposal | SupplyLimited | TimePassed, turn: _Turn) -> None:
    match message:
        case Proposal():
            _move_clock(book, message.proposed_at, turn)
            _propose(book, message, turn)
        case SupplyLimited():
            _move_clock(book, message.occurred_at, turn)
            book.limit(message)
            if book.account(message.supplier).is_gathered:
                turn.decisions += review(book, message.supplier, book.now)
        case TimePassed():
            _move_clock(book, message.occurred_at, turn)


def _move_clock(book: Book, at: int, turn: _Turn) -> None:
    """Move the clock on, never back; what falls due until then happens in the order of its times, then of suppliers."""
    while book.next_alarm <= at:
        due = book.next_alarm
        supplier = min(name for name, alarm in book.alarms.items() if alarm == due)
        turn.decisions += review(book, supplier, due)
    if at > book.now:
        book.move(clock=max(book.progress.clock, at), watermark=at)
        book.forget()


def _propose(book: Book, proposal: Proposal, turn: _Turn) -> None:
    turn.proposals += 1
    settled = book.settled.get(proposal.restock_id)
    waiting = book.waiting_for(proposal.supplier).get(proposal.restock_id)
    known = 0 if waiting is None else waiting.proposal.revision
    if proposal.revision <= max(known, 0 if settled is None else settled.revision):
        turn.repeated += 1
    elif settled is not None:
        _revise_settled(book, proposal, settled, turn)
    elif not proposal.units:
        # nobody was asked yet: there is nothing to take back
        book.settle(proposal, Settled(proposal.revision, 0, book.now))
        turn.decisions += review(book, proposal.supplier, book.now)
    else:
        arrived_at = book.now if waiting is None else waiting.arrived_at
        book.wait(Waiting(proposal, arrived_at, waiting is not None and waiting.is_held))
        turn.decisions += review(book, proposal.supplier, book.now)


def _revise_settled(book: Book, proposal: Proposal, settled: Settled, turn: _Turn) -> None:
    """Pass on what changes a request that was placed, never with more units; one that was refused stays refused."""
    units = min(settled.units, proposal.units)
    after = msgspec.structs.replace(settled, revision=proposal.revision, units=units, settled_at=book.now)
    book.settle(proposal, after)
    if settled.units:
        turn.decisions.append(RevisionPassedOn(proposal, units, settled.joint_order_id, book.now))


def _take_terms(book: Book, supplier: str, terms: SupplierTerms | None, turn: _Turn) -> None:
    """Put terms in place of the old ones; what waits is looked at again under them."""
    account = book.account(supplier)
    agreed = without_terms(supplier) if terms is None else terms
    book.keep_account(msgspec.structs.replace(account, terms=agreed, is_gathered=False))
    if book.now != UNKNOWN:
        release_held(book, supplier)
        turn.decisions += review(book, supplier, book.now)
