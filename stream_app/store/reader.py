"""Reading state without owning it: for people and tools beside the workers, who must not be disturbed."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from redis.asyncio import Redis

from replenishment.engine.progress import Progress
from stream_app.errors import StateCorrupt
from stream_app.store.connection import command
from stream_app.store.keys import PartitionKeys, meta_pattern, partition_of_meta
from stream_app.store.patience import Patience
from stream_app.store.scan import rows_of

SCANS = 3
"""How often a partition is scanned in the hope that nothing is applied meanwhile, before it is read at one stroke."""
_layout = msgspec.json.Decoder(dict[str, int])
_progress = msgspec.json.Decoder(Progress)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a partition is: ``row_bytes`` by table, keys in ``hot``, entries waiting in the outbox."""

    partition: int
    epoch: int
    layout: Mapping[str, int]
    progress: Progress
    row_bytes: Mapping[str, int]
    keys: int
    unsent: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows by key by table, all of the moment of ``standing``."""

    standing: Standing
    tables: Mapping[str, Mapping[bytes, bytes]]


class StateReader:
    """What is stored of one product.

    Args:
        client: As ``connected`` makes it.
        prefix: What names the product in Redis.
        patience: How long to ask; for ever if not given.
        more: Tables of a snapshot beside stock, windows, requests and the forecast that decides.
    """

    def __init__(self, client: Redis, prefix: str, patience: Patience | None = None, more: Sequence[str] = ()) -> None:
        self._more = tuple(more)
        self._client = client
        self._prefix = prefix
        self._patience = patience or Patience()

    async def partitions(self) -> Sequence[int]:
        """Return the numbers of all partitions that were ever claimed, rising."""
        found = {partition async for partition in self._found()}
        return sorted(found)

    async def standing(self, partition: int) -> Standing | None:
        """Return how far a partition is, None if it was never claimed."""
        keys = PartitionKeys(self._prefix, partition)
        meta, rows, unsent = await self._at_once(
            ("HGETALL", keys.meta), ("HLEN", keys.table("hot")), ("XLEN", keys.outbox)
        )
        return _standing(keys, meta, rows, unsent) if meta else None

    async def small_table(self, partition: int, table: str) -> Mapping[bytes, bytes]:
        """Return all rows of one small table, none if it was never written."""
        (found,) = await self._at_once(("HGETALL", PartitionKeys(self._prefix, partition).table(table)))
        return dict(found)

    async def snapshot(self, partition: int, key: bytes | None = None) -> Snapshot | None:
        """Return all rows of a partition, or those of one stock key and all of ``restocks``, as of one moment.

        A whole partition is scanned in small steps; only if turns keep coming
        meanwhile is it read by one request, which the server answers in one go.
        """
        before = await self.standing(partition)
        for _ in range(SCANS if key is None else 0):
            if before is None:
                return None
            tables = {name: await self._scanned(before, name) for name in self._wanted(before)}
            after = await self.standing(partition)
            if after is not None and (after.epoch, after.progress) == (before.epoch, before.progress):
                return Snapshot(before, tables)
            before = after
        # a version may have taken over since its table's name was read
        while before is not None:
            snapshot = await self._stroke(before, key)
            if snapshot is None or self._wanted(snapshot.standing) == self._wanted(before):
                return snapshot
            before = snapshot.standing
        return None

    async def rows(self, standing: Standing, table: str, match: str = "") -> AsyncIterator[tuple[list[bytes], bytes]]:
        """Yield names and packed rows of a table chunk by chunk; nothing if it was never written.

        Rows are of the moment at which their chunk was read; ``match`` is
        Redis' pattern of the names that are wanted, all if empty.
        """
        width = standing.row_bytes.get(table)
        if width is not None:
            key = PartitionKeys(self._prefix, standing.partition).table(table)
            async for names, packed in rows_of(self._client, self._patience, key, width, match):
                yield names, packed

    async def rows_of_keys(self, partition: int, table: str, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return the rows of some stock keys in a table, those that there are."""
        if not keys:
            return {}
        name = PartitionKeys(self._prefix, partition).table(table)
        (found,) = await self._at_once(("HMGET", name, *keys))
        return {key: row for key, row in zip(keys, found, strict=True) if row is not None}

    async def _found(self) -> AsyncIterator[int]:
        cursor: Any = 0
        while True:
            place = cursor
            cursor, names = await self._patience.ask(
                lambda place=place: command(
                    self._client, "SCAN", place, "MATCH", meta_pattern(self._prefix), "COUNT", 1_000
                )  # type: ignore[misc]
            )
            for name in names:
                partition = partition_of_meta(self._prefix, name.decode())
                if partition is not None:
                    yield partition
            if not int(cursor):
                return

    async def _scanned(self, standing: Standing, table: str) -> Mapping[bytes, bytes]:
        rows: dict[bytes, bytes] = {}
        async for names, packed in self.rows(standing, table):
            rows.update(_by_name(names, packed, standing.row_bytes[table]))
        return rows

    async def _stroke(self, before: Standing, key: bytes | None) -> Snapshot | None:
        keys, names = PartitionKeys(self._prefix, before.partition), self._wanted(before)
        asked: list[tuple[str | bytes, ...]] = [
            ("HGETALL", keys.table(name)) if key is None or name == "restocks" else ("HGET", keys.table(name), key)
            for name in names
        ]
        meta, rows, unsent, *answers = await self._at_once(
            ("HGETALL", keys.meta), ("HLEN", keys.table("hot")), ("XLEN", keys.outbox), *asked
        )
        if not meta:
            return None
        tables = {name: _rows(answer, key) for name, answer in zip(names, answers, strict=True)}
        return Snapshot(_standing(keys, meta, rows, unsent), tables)

    def _wanted(self, standing: Standing) -> Sequence[str]:
        names = ("hot", "window", "restocks", f"forecast:{standing.progress.model_version}", *self._more)
        return [name for name in names if name in standing.row_bytes]

    async def _at_once(self, *commands: tuple[str | bytes, ...]) -> Any:
        async def asked() -> Any:
            async with self._client.pipeline(transaction=True) as pipeline:
                for words in commands:
                    pipeline.execute_command(*words)
                return await pipeline.execute()

        return await self._patience.ask(asked)


def _rows(answer: Mapping[bytes, bytes] | bytes | None, key: bytes | None) -> Mapping[bytes, bytes]:
    """Return the answer to HGETALL or, for one key, to HGET as rows by key."""
    if isinstance(answer, Mapping):
        return answer
    return {} if key is None or answer is None else {key: answer}


def _by_name(names: Sequence[bytes], packed: bytes, width: int) -> Mapping[bytes, bytes]:
    return {name: packed[place * width : (place + 1) * width] for place, name in enumerate(names)}


def _standing(keys: PartitionKeys, meta: Mapping[bytes, bytes], rows: int, unsent: int) -> Standing:
    try:
        return Standing(
            partition=keys.partition,
            epoch=int(meta[b"epoch"]),
            layout=_layout.decode(meta[b"layout"]),
            progress=_progress.decode(meta[b"progress"]),
            row_bytes={
                name.decode().removeprefix("row_bytes:"): int(width)
                for name, width in meta.items()
                if name.startswith(b"row_bytes:")
            },
            keys=rows,
            unsent=unsent,
        )
    except (KeyError, ValueError) as wrong:
        raise StateCorrupt(
            f"{keys.meta} does not decode: {wrong!r}. Keep the Redis files, restore a back-up"
        ) from wrong
