"""What the shell of a partition needs from outside, as Protocols and values."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from replenishment.engine.columns import Entry, Role
from replenishment.engine.effects import Effects, RowWrites, VersionAccuracy
from replenishment.engine.progress import Progress
from replenishment.forecaster import Forecaster

Headers = Sequence[tuple[str, bytes]]


class Record(Protocol):
    """One record as any broker client hands it over."""

    @property
    def offset(self) -> int:
        """Place in the partition."""
        ...

    @property
    def key(self) -> bytes | None:
        """Bytes of the key, None = none."""
        ...

    @property
    def value(self) -> bytes | None:
        """Bytes of the value, None = a tombstone."""
        ...

    @property
    def timestamp(self) -> int:
        """Time the broker has for the record, epoch milliseconds; -1 = none."""
        ...

    @property
    def headers(self) -> Headers:
        """Name and value of each header, in the order sent."""
        ...


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """One fetch of one topic and partition.

    ``topic`` is the role, ``source`` the real name; ``start`` and ``end`` are
    positions: the span covers holes left by compaction and transactions.
    """

    topic: Role
    source: str
    partition: int
    start: int
    end: int
    records: Sequence[Record]


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """Bytes to publish, as kept in the outbox. ``topic`` is the role: ``restock``, ``demand`` or ``dead-letter``."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Fence:
    """Proof of ownership of a partition: a later claim makes it void."""

    partition: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Opening:
    """What a first claim writes.

    ``decide_from`` is when deciding begins, ``layout`` how rows are laid out
    (``Plan.layout`` and more), ``owner`` whose state it is: a later claim of
    another layout or owner is refused.
    """

    decide_from: int
    layout: Mapping[str, int]
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A fence, where the partition stands, and the names of the tables that were ever written and not dropped."""

    fence: Fence
    progress: Progress
    tables: Sequence[str] = ()


class Outcome(Enum):
    """Answer of the store to one turn."""

    APPLIED = "applied"
    REPEATED = "repeated"
    AHEAD = "ahead"
    REGRESSED = "regressed"
    FENCED = "fenced"

    @property
    def is_durable(self) -> bool:
        """Whether the turn is in the store; otherwise the partition must be claimed again."""
        return self in (Outcome.APPLIED, Outcome.REPEATED)


class Written(Protocol):
    """What a store needs of one turn, whoever made it."""

    @property
    def progress(self) -> Progress:
        """Where the partition stands after it."""
        ...

    @property
    def writes(self) -> Sequence[RowWrites]:
        """Rows to write and to delete."""
        ...

    @property
    def dropped_tables(self) -> Sequence[str]:
        """Tables to unlink before."""
        ...


class StateStore(Protocol):
    """Durable state of partitions; raises Unavailable or StateCorrupt only."""

    async def claim(self, partition: int, generation: int, opening: Opening) -> Claim:
        """Take the partition over: epoch + 1, progress as stored, or a fresh one at turn 0.

        Raises:
            FencedClaim: If a claim of a younger generation was made before.
            LayoutMismatch: If the stored layout or owner differs from the opening's; names each difference.
        """
        ...

    def load(self, fence: Fence, table: str, row_bytes: int) -> AsyncIterator[RowWrites]:
        """Every row of a table, in chunks, each key once; StateCorrupt if a row has another width."""
        ...

    async def apply(self, fence: Fence, effects: Written, outgoing: Sequence[OutgoingRecord]) -> Outcome:
        """Write one turn whole if epoch and turn match; the identical call may be repeated.

        Dropped tables go before rows are written: a table may be dropped and begun anew in one turn.
        """
        ...


class Outbox(Protocol):
    """What the relay needs of the store."""

    async def unsent(self, partition: int, at_most: int) -> Sequence[tuple[str, OutgoingRecord]]:
        """Return entries not yet marked sent, oldest first, each with its id."""
        ...

    async def mark_sent(self, fence: Fence, entry_id: str) -> bool:
        """Trim through ``entry_id``; False if fenced."""
        ...


class Wire(Protocol):
    """Bytes to columns and back."""

    def decode(self, batch: RecordBatch) -> Entry:
        """Return the accepted records as columns and the rest as rejections; never raises for bad input."""
        ...

    def encode(self, partition: int, effects: Effects, batch: RecordBatch | None) -> Sequence[OutgoingRecord]:
        """Return restocks, demand and dead letters of one turn, in that order.

        ``batch`` is the one the turn came from: it gives rejected bytes and
        the trace headers of causing orders; None for ticks.
        """
        ...


class Meter(Protocol):
    """One method per moment of a partition."""

    def applied(self, partition: int, effects: Effects, seconds: float) -> None:
        """A turn is durable, ``seconds`` after the store was asked."""
        ...

    def refused(self, partition: int, outcome: Outcome) -> None:
        """The store refused a turn; the partition will be claimed again."""
        ...

    def swapped(self, partition: int, version: str, rung: str) -> None:
        """A partition serves ``version`` from now on."""
        ...

    def scored(self, partition: int, accuracy: Sequence[VersionAccuracy]) -> None:
        """A partition was claimed, and this is how good its forecasts were; later ones come with the turns."""
        ...


class ForecasterSource(Protocol):
    """Where a partition finds the forecaster of a version it already serves."""

    def champion(self) -> tuple[Forecaster, str]:
        """Return who should serve now, and its rung of the fallback."""
        ...

    def of_version(self, version: str) -> tuple[Forecaster, str] | None:
        """Return the forecaster of a version and its rung, or None if it can no longer be loaded."""
        ...


class Switch(Protocol):
    """The stop button of the whole product: ``restock pause`` and ``restock resume``."""

    async def is_paused(self) -> bool:
        """Return whether requests are held back at present."""
        ...

    async def set_paused(self, paused: bool) -> None:
        """Press or release the button for every worker."""
        ...
