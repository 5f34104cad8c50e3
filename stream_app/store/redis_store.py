"""The durable store: ``StateStore``, ``Outbox`` and ``Switch`` in Redis or Valkey, 7 or later.

Every change of a partition is one script that compares epoch and turn; what
those compare and in which order is in the scripts beside this file.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from replenishment.engine.effects import RowWrites
from replenishment.engine.progress import Progress
from stream_app.errors import FencedClaim, StateCorrupt
from stream_app.ports import Claim, Fence, Opening, Outbox, Outcome, OutgoingRecord, StateStore, Switch, Written
from stream_app.store.connection import command
from stream_app.store.keys import PartitionKeys, paused_key
from stream_app.store.layout import require_same_layout, require_same_owner
from stream_app.store.packing import packed, packed_names, packed_records, unpacked_record
from stream_app.store.patience import Patience
from stream_app.store.scan import rows_of
from stream_app.store.scripts import APPLY, CLAIM, MARK_SENT, Script

_layout = msgspec.json.Decoder(dict[str, int])
_progress = msgspec.json.Decoder(Progress)


class RedisStore:
    """State, outbox and stop button of one product.

    Args:
        client: As ``connected`` makes it: answers as bytes, no retries of its own.
        prefix: What names the product in Redis; workers with the same prefix share its state.
        patience: How long to ask; for ever if not given.
    """

    def __init__(self, client: Redis, prefix: str, patience: Patience | None = None) -> None:
        self._client = client
        self._prefix = prefix
        self._patience = patience or Patience()

    async def claim(self, partition: int, generation: int, opening: Opening) -> Claim:
        """Take the partition over: epoch + 1, progress as stored, or a fresh one at turn 0.

        Args:
            partition: Number of the partition.
            generation: Of the consumer group; -1 where there is none, which is not compared.
            opening: What a first claim writes.

        Raises:
            FencedClaim: If a claim of a younger generation was made before.
            LayoutMismatch: If the stored layout or owner differs; names each difference.
        """
        keys = PartitionKeys(self._prefix, partition)
        layout = msgspec.json.encode(opening.layout, order="deterministic")
        begun = msgspec.json.encode(Progress(0, {}, opening.decide_from))
        answer, *told = await self._run(CLAIM, [keys.meta], [generation, layout, begun, opening.owner])
        if answer == b"FENCED":
            raise FencedClaim(_younger(partition, generation, int(told[0]), keys.meta))
        if answer == b"OWNER":
            require_same_owner(told[0].decode(), opening.owner, self._prefix, partition)
        if answer == b"LAYOUT":
            stored = _decoded(_layout, told[0], f"layout in {keys.meta}")
            require_same_layout(stored, opening.layout, self._prefix, partition)
            raise StateCorrupt(f"layout in {keys.meta} is written otherwise than a worker writes it: {told[0]!r}")
        epoch, progress, tables = told
        stands = _decoded(_progress, progress, f"progress in {keys.meta}")
        return Claim(Fence(partition, epoch), stands, tuple(sorted(name.decode() for name in tables)))

    async def load(self, fence: Fence, table: str, row_bytes: int) -> AsyncIterator[RowWrites]:
        """Yield every row of a table, in chunks, each key once; StateCorrupt if a row has another width."""
        keys = PartitionKeys(self._prefix, fence.partition)
        key = keys.table(table)
        if not await self._asked("HEXISTS", keys.meta, f"row_bytes:{table}"):
            await self._require_nothing(key, keys.meta)
            return
        async for names, packed_rows in rows_of(self._client, self._patience, key, row_bytes):
            yield RowWrites(table, row_bytes, names, packed_rows)

    async def apply(self, fence: Fence, effects: Written, outgoing: Sequence[OutgoingRecord]) -> Outcome:
        """Write one turn whole if epoch and turn match; the identical call may be repeated."""
        keys, arguments = _apply_request(PartitionKeys(self._prefix, fence.partition), fence, effects, outgoing)
        answer, *told = await self._run(APPLY, keys, arguments)
        if answer == b"CORRUPT":
            raise StateCorrupt(
                f"turn {effects.progress.turn} of partition {fence.partition} does not fit what is stored: "
                f"{told[0].decode()}. Keep the Redis files and restore a back-up"
            )
        return Outcome(answer.decode().lower())

    async def unsent(self, partition: int, at_most: int) -> Sequence[tuple[str, OutgoingRecord]]:
        """Return entries not yet marked sent, oldest first, each with its id."""
        outbox = PartitionKeys(self._prefix, partition).outbox
        entries = await self._asked("XRANGE", outbox, "-", "+", "COUNT", at_most)
        return [(entry_id.decode(), _record(fields, entry_id, outbox)) for entry_id, fields in entries]

    async def mark_sent(self, fence: Fence, entry_id: str) -> bool:
        """Trim through ``entry_id``; False if fenced."""
        keys = PartitionKeys(self._prefix, fence.partition)
        turn, _, place = entry_id.partition("-")
        first_kept = f"{turn}-{int(place) + 1}"
        return bool(await self._run(MARK_SENT, [keys.meta, keys.outbox], [fence.epoch, first_kept]))

    async def is_paused(self) -> bool:
        """Return whether requests are held back at present."""
        return bool(await self._asked("EXISTS", paused_key(self._prefix)))

    async def set_paused(self, paused: bool) -> None:
        """Press or release the button for every worker."""
        key = paused_key(self._prefix)
        await (self._asked("SET", key, "1") if paused else self._asked("DEL", key))

    async def _require_nothing(self, key: str, meta: str) -> None:
        if await self._asked("EXISTS", key):
            raise StateCorrupt(
                f"{key} holds rows that {meta} knows nothing of: one of the two was deleted. Restore a back-up, or "
                "choose another RESTOCK_STATE_PREFIX to rebuild from the topics"
            )

    async def _asked(self, *words: str | bytes | int) -> Any:
        return await self._patience.ask(lambda: command(self._client, *words))

    async def _run(self, script: Script, keys: list[str], arguments: list[bytes | str | int]) -> Any:
        return await self._patience.ask(lambda: script.run(self._client, keys, arguments))


def _apply_request(
    keys: PartitionKeys, fence: Fence, effects: Written, outgoing: Sequence[OutgoingRecord]
) -> tuple[list[str], list[bytes | str | int]]:
    """Return keys and arguments of ``apply.lua``, built once so that a repeated request is the same."""
    progress, dropped, writes = effects.progress, effects.dropped_tables, effects.writes
    lengths, parts = packed_records(outgoing)
    names = [keys.meta, keys.outbox, *map(keys.table, dropped), *(keys.table(one.table) for one in writes)]
    arguments: list[bytes | str | int] = [
        fence.epoch,
        progress.turn,
        msgspec.json.encode(progress, order="deterministic"),
        packed({topic: str(position) for topic, position in progress.positions.items()}),
        packed(list(dropped)),
        packed([[one.table, one.row_bytes] for one in writes]),
        lengths,
        parts,
    ]
    for one in writes:
        arguments += [packed_names(one.keys), one.packed, packed_names(one.gone)]
    return names, arguments


def _record(fields: Any, entry_id: bytes, outbox: str) -> OutgoingRecord:
    try:
        return unpacked_record(fields)
    except (ValueError, msgspec.MsgspecError) as wrong:
        raise StateCorrupt(f"entry {entry_id.decode()} of {outbox} does not decode: {wrong}") from wrong


def _decoded(decoder: Any, stored: bytes, where: str) -> Any:
    try:
        return decoder.decode(stored)
    except msgspec.MsgspecError as wrong:
        raise StateCorrupt(f"{where} does not decode: {wrong}. Keep the Redis files and restore a back-up") from wrong


def _younger(partition: int, generation: int, stored: int, meta: str) -> str:
    return (
        f"partition {partition} was claimed by generation {stored} of the consumer group, this worker is of "
        f"generation {generation}: another worker owns it. If the group was deleted or Kafka was replaced, stop all "
        f"workers, run `redis-cli HSET '{meta}' generation -1` and start them again"
    )


_roles: tuple[type[StateStore], type[Outbox], type[Switch]] = (RedisStore, RedisStore, RedisStore)
