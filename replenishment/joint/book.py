"""What waits for each supplier of a partition, what was settled, and which rows changed since they were written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from replenishment.engine.effects import RowWrites
from replenishment.engine.progress import Progress
from replenishment.joint.proposals import DAY_MS, Proposal, SupplierTerms, SupplyLimited, without_terms
from replenishment.joint.rows import ROW_BYTES, packed_row, unpacked_row

REMEMBERED_MS = 30 * DAY_MS
"""For so long is a settled proposal remembered, so that its repetition or revision is known for what it is."""
NEVER = 2**62


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A proposal and since when it waits; ``is_held``: for the budget of the next period."""

    proposal: Proposal
    arrived_at: int
    is_held: bool = False

    @property
    def is_counted(self) -> bool:
        """Whether its time to wait runs: it is released by its planner and not held."""
        return self.proposal.is_released and not self.is_held


class Settled(msgspec.Struct, frozen=True, gc=False):
    """What became of a proposal: ``units`` were requested, 0 = it was refused or withdrawn."""

    revision: int
    units: int
    settled_at: int
    joint_order_id: str = ""


class Account(msgspec.Struct, frozen=True, gc=False):
    """A supplier: its terms, joint orders so far, what was spent in the budget's period ``period``.

    ``is_gathered``: those that wait have gathered as long as they must and only lack the minimum.
    """

    terms: SupplierTerms
    orders: int = 0
    period: int = 0
    spent: int = 0
    is_gathered: bool = False


class Queue(NamedTuple):
    """What waits for a supplier at a glance: since when the oldest that may be bought, and whether some are held."""

    oldest: int
    has_held: bool


_DECODERS: Mapping[str, msgspec.msgpack.Decoder[Any]] = {
    "proposals": msgspec.msgpack.Decoder(Waiting),
    "settled": msgspec.msgpack.Decoder(Settled),
    "accounts": msgspec.msgpack.Decoder(Account),
    "supplies": msgspec.msgpack.Decoder(SupplyLimited),
}


@dataclass(slots=True)
class Book:
    """State of one partition of the buyer."""

    partition: int
    progress: Progress
    accounts: dict[str, Account] = field(default_factory=dict)
    waiting: dict[str, dict[str, Waiting]] = field(default_factory=dict)
    supplies: dict[tuple[str, bytes], SupplyLimited] = field(default_factory=dict)
    settled: dict[str, Settled] = field(default_factory=dict)
    alarms: dict[str, int] = field(default_factory=dict)
    next_alarm: int = NEVER
    _queues: dict[str, Queue] = field(default_factory=dict)
    _touched: dict[tuple[str, bytes], bytes | None] = field(default_factory=dict)

    @property
    def now(self) -> int:
        """The clock: highest time of any record, and silence since; UNKNOWN before the first."""
        return self.progress.watermark

    def account(self, supplier: str) -> Account:
        """Return the account of a supplier; one without terms if nothing is known of it."""
        return self.accounts.get(supplier) or Account(without_terms(supplier))

    def keep_account(self, account: Account) -> None:
        """Put an account in place of the one before."""
        supplier = account.terms.supplier
        if self.accounts.get(supplier) != account:
            self.accounts[supplier] = account
            self._touched["accounts", _name(supplier)] = packed_row("accounts", account)

    def waiting_for(self, supplier: str) -> Mapping[str, Waiting]:
        """Return what waits for a supplier, by restock_id, in order of arrival."""
        return self.waiting.get(supplier, {})

    def queue(self, supplier: str) -> Queue:
        """Return since when the oldest waits that is counted (NEVER = none is), and whether some are held."""
        known = self._queues.get(supplier)
        if known is None:
            waiting = self.waiting_for(supplier).values()
            oldest = min((one.arrived_at for one in waiting if one.is_counted), default=NEVER)
            known = self._queues[supplier] = Queue(oldest, any(one.is_held for one in waiting))
        return known

    def wait(self, waiting: Waiting) -> None:
        """Let a proposal wait, in place of its earlier revision."""
        proposal = waiting.proposal
        kept, known = self.waiting.setdefault(proposal.supplier, {}), self._queues.get(proposal.supplier)
        if known is None or proposal.restock_id in kept or not waiting.is_counted:
            self._queues.pop(proposal.supplier, None)
        else:
            self._queues[proposal.supplier] = known._replace(oldest=min(known.oldest, waiting.arrived_at))
        kept[proposal.restock_id] = waiting
        self._touched["proposals", proposal.restock_id.encode()] = packed_row("proposals", waiting)

    def settle(self, proposal: Proposal, settled: Settled) -> None:
        """Note what became of a proposal, whether or not it waited."""
        kept = self.waiting.get(proposal.supplier, {})
        if kept.pop(proposal.restock_id, None) is not None:
            self._touched["proposals", proposal.restock_id.encode()] = None
            self._queues.pop(proposal.supplier, None)
        if not kept:
            self.waiting.pop(proposal.supplier, None)
        # last in the order of forgetting
        self.settled.pop(proposal.restock_id, None)
        self.settled[proposal.restock_id] = settled
        self._touched["settled", proposal.restock_id.encode()] = packed_row("settled", settled)

    def limit(self, supply: SupplyLimited) -> None:
        """Put a limit of supply in place of the one before."""
        self.supplies[supply.supplier, supply.sku] = supply
        self._touched["supplies", _supply_name(supply)] = packed_row("supplies", supply)

    def forget(self) -> None:
        """Let go of what was settled long ago and of limits that are over."""
        while self.settled:
            restock_id, oldest = next(iter(self.settled.items()))
            if oldest.settled_at > self.now - REMEMBERED_MS:
                break
            del self.settled[restock_id]
            self._touched["settled", restock_id.encode()] = None
        for place, supply in [*self.supplies.items()]:
            if supply.until <= self.now:
                del self.supplies[place]
                self._touched["supplies", _supply_name(supply)] = None

    def set_alarm(self, supplier: str, at: int) -> None:
        """Look at a supplier again at a time; NEVER = not by itself."""
        if self.alarms.get(supplier, NEVER) == at:
            return
        if at == NEVER:
            del self.alarms[supplier]
        else:
            self.alarms[supplier] = at
        self.next_alarm = min(self.alarms.values(), default=NEVER)

    def move(self, **changes: object) -> None:
        """Move the progress on."""
        self.progress = msgspec.structs.replace(self.progress, **changes)

    def taken_writes(self) -> list[RowWrites]:
        """Return all rows changed since the last call, table by table."""
        touched, self._touched = self._touched, {}
        return [*_writes(touched)]

    def restore(self, writes: RowWrites) -> None:
        """Take in stored rows of one table, in any order; ``restored`` ends it.

        Raises:
            msgspec.MsgspecError: If a row does not decode.
        """
        decoder = _DECODERS[writes.table]
        for place, key in enumerate(writes.keys):
            row = decoder.decode(unpacked_row(writes.packed[place * writes.row_bytes : (place + 1) * writes.row_bytes]))
            match row:
                case Waiting():
                    self.waiting.setdefault(row.proposal.supplier, {})[row.proposal.restock_id] = row
                case Settled():
                    self.settled[key.decode()] = row
                case Account():
                    self.accounts[row.terms.supplier] = row
                case SupplyLimited():
                    self.supplies[row.supplier, row.sku] = row

    def restored(self) -> None:
        """Bring what depends on the order of arrival into that order, by time and id."""
        for supplier, waiting in self.waiting.items():
            self.waiting[supplier] = dict(sorted(waiting.items(), key=lambda one: (one[1].arrived_at, one[0])))
        self.settled = dict(sorted(self.settled.items(), key=lambda one: (one[1].settled_at, one[0])))


def _name(supplier: str) -> bytes:
    # names of rows are ASCII, suppliers any text
    return supplier.encode().hex().encode() or b"-"


def _supply_name(supply: SupplyLimited) -> bytes:
    return _name(supply.supplier) + b"|" + supply.sku


def _writes(touched: Mapping[tuple[str, bytes], bytes | None]) -> Iterator[RowWrites]:
    for table, row_bytes in ROW_BYTES.items():
        kept = {name: row for (one, name), row in touched.items() if one == table and row is not None}
        gone = [name for (one, name), row in touched.items() if one == table and row is None]
        if kept or gone:
            yield RowWrites(table, row_bytes, [*kept], b"".join(kept.values()), gone)
