"""Writes orders to Kafka a whole batch of bytes at a time: a back-fill has half a million of them."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Iterable
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

LINES_PER_BATCH = 4_000
BATCH_BYTES = 2**20


class Publisher:
    """Writes keyed records to one topic, idempotent and in order; open while used as a context.

    ``ends`` is the offset after the last durable record of each partition.
    """

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self.topic = topic
        self.partitions = partitions
        self.ends: dict[int, int] = defaultdict(int)
        self._partition_of: dict[bytes, int] = {}
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            max_request_size=2 * BATCH_BYTES,
        )

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._producer.stop()

    def partition_of(self, key: bytes) -> int:
        """Return the partition of a key under Kafka's default partitioner."""
        if key not in self._partition_of:
            self._partition_of[key] = int(murmur2(key) & 0x7FFFFFFF) % self.partitions
        return self._partition_of[key]

    async def publish(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Write records to the partitions of their keys; return when all are durable."""
        filling: dict[int, BatchBuilder] = {}
        waiting: list[Awaitable[None]] = []
        for key, value in records:
            partition = self.partition_of(key)
            if partition in filling and not _has_taken(filling[partition], key, value):
                waiting.append(await self._send(filling.pop(partition), partition))
            if partition not in filling:
                filling[partition] = self._producer.create_batch()
                filling[partition].append(key=key, value=value, timestamp=None)
        for partition, batch in filling.items():
            waiting.append(await self._send(batch, partition))
        await asyncio.gather(*waiting)

    async def time_passed(self, at: int) -> None:
        """Move the clock of every partition to ``at``, epoch milliseconds; return when that is durable."""
        value = json.dumps({"type": "time_passed", "event_time": at}).encode()
        waiting = [
            self._written(await self._producer.send(self.topic, value, partition=one), one, 1)
            for one in range(self.partitions)
        ]
        await asyncio.gather(*waiting)

    async def _send(self, batch: BatchBuilder, partition: int) -> Awaitable[None]:
        batch.close()
        count = batch.record_count()
        future = await self._producer.send_batch(batch, self.topic, partition=partition)
        return self._written(future, partition, count)

    async def _written(self, future: Awaitable[RecordMetadata], partition: int, count: int) -> None:
        written = await future
        self.ends[partition] = max(self.ends[partition], written.offset + count)


def _has_taken(batch: BatchBuilder, key: bytes, value: bytes) -> bool:
    if batch.record_count() >= LINES_PER_BATCH:
        return False
    return batch.append(key=key, value=value, timestamp=None) is not None
