"""What one turn changes outside: values only, copied out of the state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from replenishment.arrays import Records
from replenishment.engine.progress import Progress
from replenishment.events import DemandClosed, OrderWithheld, Rejection, RestockRequested, SupplyOverdue


@dataclass(frozen=True, slots=True)
class RowWrites:
    """Rows of one table to write whole, and keys to delete.

    ``packed`` holds ``len(keys)`` rows of ``row_bytes`` each, in order; keys
    are ASCII.
    """

    table: str
    row_bytes: int
    keys: Sequence[bytes]
    packed: bytes
    gone: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class LineCounts:
    """How many records of the turn had which outcome; counted once, when the turn is durable."""

    applied: int = 0
    late_corrected: int = 0
    late_dropped: int = 0
    repeated: int = 0
    not_stock: int = 0
    unknown_requests: int = 0
    lost_units: int = 0


@dataclass(frozen=True, slots=True)
class VersionAccuracy:
    """What became of a version's forecasts in one partition: a row of the table ``accuracy``, ()."""

    role: Literal["champion", "challenger"]
    version: str
    account: Records


@dataclass(frozen=True, slots=True)
class ShadowDecisions:
    """What a version beside the champion would have decided at the end of one bucket, over ``keys`` it was stepped for.

    Levels are sums over those keys. A key is due where its position, which is
    the champion's doing, is at or below the reorder point and it may be
    reviewed: by both versions, by the champion only, or by the shadow only.
    """

    version: str
    bucket_start: int
    keys: int
    champion_reorder_units: int
    shadow_reorder_units: int
    champion_order_up_to_units: int
    shadow_order_up_to_units: int
    both_due_keys: int
    champion_due_keys: int
    shadow_due_keys: int


@dataclass(frozen=True, slots=True)
class Effects:
    """One turn: applied whole or not at all.

    ``causes`` (one for each restock) is the offset in ``orders`` of the line
    that made it due, or -1. ``dropped_tables`` are tables of versions no
    longer served, to unlink. ``keys`` and ``open_requests`` are how many the
    partition has, with how many of those are unanswered past their expiry or
    promised for a time that is over; ``overdue`` are those newly so.
    ``waiting_requests`` wait for approval.
    ``accuracy`` is of each version that is scored, if the turn changed it;
    ``drifted`` names those whose forecasts were found to be off with this turn.
    ``shadow`` is there if a bucket closed while a version stepped beside the champion.
    """

    progress: Progress
    writes: Sequence[RowWrites]
    restocks: Sequence[RestockRequested]
    causes: Sequence[int]
    demand: Sequence[DemandClosed]
    rejections: Sequence[Rejection]
    withheld: Sequence[OrderWithheld]
    counts: LineCounts
    buckets_closed: int = 0
    dropped_tables: Sequence[str] = ()
    accuracy: Sequence[VersionAccuracy] = ()
    drifted: Sequence[str] = ()
    shadow: ShadowDecisions | None = None
    keys: int = 0
    open_requests: int = 0
    expired_requests: int = 0
    overdue_requests: int = 0
    waiting_requests: int = 0
    overdue: Sequence[SupplyOverdue] = ()
