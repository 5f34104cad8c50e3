"""The shell of one partition of the buyer, from claim to revocation: decode, advance, encode, apply, in order.

As with the worker's ``Processor``: after any answer that is not durable the
book in memory is gone, and the partition is claimed again with a new shell.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import msgspec

from replenishment.engine.advance import SpanGap
from replenishment.engine.columns import Tick
from replenishment.joint.advance import BuyerEffects, advance, loaded
from replenishment.joint.book import Book
from replenishment.joint.rows import ROW_BYTES
from stream_app.errors import StateCorrupt
from stream_app.ports import Claim, Fence, Opening, Outcome, RecordBatch, StateStore
from stream_app.wire.joint_orders import BuyerWire

ROW_LAYOUT = 1
"""Of the buyer's rows; another number refuses what an older release wrote."""


class BuyerMeter(Protocol):
    """What is told of the turns of a buyer."""

    def bought(self, partition: int, effects: BuyerEffects) -> None:
        """A turn is durable."""
        ...

    def refused(self, partition: int, outcome: Outcome) -> None:
        """The store refused a turn; the partition will be claimed again."""
        ...


@dataclass(frozen=True, slots=True)
class BuyerParts:
    """What the shells of a buyer share; ``owner`` and ``partitions`` are kept with the state."""

    store: StateStore
    wire: BuyerWire
    meter: BuyerMeter
    owner: str
    partitions: int


class BuyerShell:
    """One partition between one claim and the next; implements ``PartitionShell``."""

    def __init__(self, parts: BuyerParts) -> None:
        self._parts = parts
        self._turns = asyncio.Lock()
        self._standing: tuple[Fence, Book] | None = None

    async def claim(self, partition: int, generation: int) -> Claim:
        """Take the partition over and load it.

        Raises:
            FencedClaim: If a younger generation owns the partition.
            LayoutMismatch: If it was written by another release, or is not the buyer's.
            StateCorrupt: If its rows do not decode.
        """
        layout = {"buyer_row_layout": ROW_LAYOUT, "partitions": self._parts.partitions}
        claim = await self._parts.store.claim(partition, generation, Opening(0, layout, self._parts.owner))
        book = Book(partition, claim.progress)
        try:
            for table, row_bytes in ROW_BYTES.items():
                async for writes in self._parts.store.load(claim.fence, table, row_bytes):
                    book.restore(writes)
        except msgspec.MsgspecError as wrong:
            raise StateCorrupt(
                f"a row of partition {partition} of the buyer does not decode: {wrong}. Keep the Redis files and "
                "restore a back-up"
            ) from wrong
        loaded(book)
        self._standing = claim.fence, book
        return claim

    async def accept(self, batch: RecordBatch) -> Outcome:
        """Return once every turn of a batch is durable, or the partition must be claimed again."""
        entry = self._parts.wire.decode(batch)
        async with self._turns:
            return await self._settle(lambda book: advance(book, entry), batch)

    async def tick(self, elapsed_seconds: float) -> Outcome:
        """The same for silence of some seconds."""
        async with self._turns:
            return await self._settle(lambda book: advance(book, Tick(elapsed_seconds)), None)

    async def _settle(self, turns: Callable[[Book], Iterator[BuyerEffects]], batch: RecordBatch | None) -> Outcome:
        if self._standing is None:
            return Outcome.REGRESSED
        (fence, book), self._standing = self._standing, None
        outcome = Outcome.APPLIED
        try:
            for effects in turns(book):
                outgoing = self._parts.wire.encode(effects, batch)
                outcome = await self._parts.store.apply(fence, effects, outgoing)
                if not outcome.is_durable:
                    break
                self._parts.meter.bought(fence.partition, effects)
        except SpanGap as gap:
            outcome = Outcome.AHEAD if gap.got < gap.expected else Outcome.REGRESSED
        if outcome.is_durable:
            self._standing = fence, book
        else:
            self._parts.meter.refused(fence.partition, outcome)
        return outcome
