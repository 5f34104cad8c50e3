"""The same store in dictionaries, for files and tests; ``outgoing`` keeps all that ever left, sent or not."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from replenishment.engine.effects import RowWrites
from replenishment.engine.progress import Progress
from stream_app.errors import FencedClaim, StateCorrupt
from stream_app.ports import Claim, Fence, Opening, Outbox, Outcome, OutgoingRecord, StateStore, Switch, Written
from stream_app.store.layout import require_same_layout, require_same_owner

CHUNK_ROWS = 2_000


@dataclass
class Partition:
    """One partition: ``tables`` holds a row by key by table, ``row_bytes`` the width of each table's rows."""

    layout: Mapping[str, int]
    progress: Progress
    generation: int
    epoch: int = 0
    tables: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    row_bytes: dict[str, int] = field(default_factory=dict)
    outgoing: list[tuple[str, OutgoingRecord]] = field(default_factory=list)
    sent: int = 0
    owner: str = ""


class MemoryStore:
    """Implements ``StateStore``, ``Outbox`` and ``Switch``; gone with the process."""

    def __init__(self) -> None:
        self.partitions: dict[int, Partition] = {}
        self._is_paused = False

    def outgoing(self, partition: int) -> Sequence[OutgoingRecord]:
        """Return all records that ever left a partition, oldest first."""
        return [record for _, record in self.partitions[partition].outgoing]

    async def claim(self, partition: int, generation: int, opening: Opening) -> Claim:
        """Take the partition over: epoch + 1, progress as stored, or a fresh one at turn 0.

        Raises:
            FencedClaim: If a claim of a younger generation was made before.
            LayoutMismatch: If the stored layout or owner differs; names each difference.
        """
        if partition not in self.partitions:
            begun = Progress(0, {}, opening.decide_from)
            self.partitions[partition] = Partition(dict(opening.layout), begun, generation, owner=opening.owner)
        kept = self.partitions[partition]
        require_same_owner(kept.owner, opening.owner, "memory", partition)
        if 0 <= generation < kept.generation:
            raise FencedClaim(
                f"partition {partition} was claimed by generation {kept.generation}, this claim is of {generation}"
            )
        require_same_layout(kept.layout, opening.layout, "memory", partition)
        kept.generation = generation if generation >= 0 else kept.generation
        kept.epoch += 1
        return Claim(Fence(partition, kept.epoch), kept.progress, tuple(sorted(kept.row_bytes)))

    async def load(self, fence: Fence, table: str, row_bytes: int) -> AsyncIterator[RowWrites]:
        """Yield every row of a table, in chunks, each key once; StateCorrupt if a row has another width."""
        rows = self.partitions[fence.partition].tables.get(table, {})
        names = list(rows)
        for first in range(0, len(names), CHUNK_ROWS):
            chunk = names[first : first + CHUNK_ROWS]
            for name in chunk:
                if len(rows[name]) != row_bytes:
                    raise StateCorrupt(
                        f"row {name.decode()} of {table} has {len(rows[name])} bytes, must have {row_bytes}"
                    )
            yield RowWrites(table, row_bytes, chunk, b"".join(rows[name] for name in chunk))

    async def apply(self, fence: Fence, effects: Written, outgoing: Sequence[OutgoingRecord]) -> Outcome:
        """Write one turn whole if epoch and turn match; the identical call may be repeated."""
        kept = self.partitions[fence.partition]
        refusal = _refusal(kept, fence, effects.progress)
        if refusal is not None:
            return refusal
        _require_fitting(kept, effects)
        for name in effects.dropped_tables:
            kept.tables.pop(name, None)
            kept.row_bytes.pop(name, None)
        for writes in effects.writes:
            _write(kept, writes)
        turn = effects.progress.turn
        kept.outgoing += [(f"{turn}-{place}", record) for place, record in enumerate(outgoing, 1)]
        kept.progress = effects.progress
        return Outcome.APPLIED

    async def unsent(self, partition: int, at_most: int) -> Sequence[tuple[str, OutgoingRecord]]:
        """Return entries not yet marked sent, oldest first, each with its id."""
        kept = self.partitions.get(partition)
        return [] if kept is None else kept.outgoing[kept.sent : kept.sent + at_most]

    async def mark_sent(self, fence: Fence, entry_id: str) -> bool:
        """Take all through ``entry_id`` as sent; False if fenced."""
        kept = self.partitions[fence.partition]
        if kept.epoch != fence.epoch:
            return False
        while kept.sent < len(kept.outgoing) and _order(kept.outgoing[kept.sent][0]) <= _order(entry_id):
            kept.sent += 1
        return True

    async def is_paused(self) -> bool:
        """Return whether requests are held back at present."""
        return self._is_paused

    async def set_paused(self, paused: bool) -> None:
        """Press or release the button."""
        self._is_paused = paused


def _refusal(kept: Partition, fence: Fence, progress: Progress) -> Outcome | None:
    stored = kept.progress
    if kept.epoch != fence.epoch:
        return Outcome.FENCED
    if progress.turn == stored.turn:
        return Outcome.REPEATED if progress == stored else Outcome.AHEAD
    if progress.turn > stored.turn + 1:
        return Outcome.REGRESSED
    goes_back = any(stored.positions.get(topic, 0) > position for topic, position in progress.positions.items())
    return Outcome.AHEAD if progress.turn < stored.turn or goes_back else None


def _require_fitting(kept: Partition, effects: Written) -> None:
    for one in effects.writes:
        width = one.row_bytes if one.table in effects.dropped_tables else kept.row_bytes.get(one.table, one.row_bytes)
        if len(one.packed) != len(one.keys) * one.row_bytes or width != one.row_bytes:
            raise StateCorrupt(
                f"table {one.table} has rows of {width} bytes, the turn has {len(one.packed)} bytes for "
                f"{len(one.keys)} rows of {one.row_bytes}"
            )


def _write(kept: Partition, writes: RowWrites) -> None:
    rows, width = kept.tables.setdefault(writes.table, {}), writes.row_bytes
    kept.row_bytes[writes.table] = width
    for place, name in enumerate(writes.keys):
        rows[name] = writes.packed[place * width : (place + 1) * width]
    for name in writes.gone:
        rows.pop(name, None)


def _order(entry_id: str) -> tuple[int, int]:
    turn, _, place = entry_id.partition("-")
    return int(turn), int(place)


_roles: tuple[type[StateStore], type[Outbox], type[Switch]] = (MemoryStore, MemoryStore, MemoryStore)
