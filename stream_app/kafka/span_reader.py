"""Reads spans of single partitions beside the consumer group: no membership, no commits.

A claim needs it to read the catalog to its end before any other topic, and the
stock transport to read again what lies between the state and the group.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from replenishment.engine.columns import Role
from server_access.kafka import KafkaAccess
from stream_app.errors import Unavailable
from stream_app.kafka.topics import TopicNames
from stream_app.ports import Record, RecordBatch

BATCH_RECORDS = 20_000
POLL_MILLISECONDS = 100
EMPTY_POLLS = 50
"""So many polls without a record, and what remains before the end is taken for a hole."""
ANSWER_SECONDS = 15.0
CLOSE_SECONDS = 3.0


class SpanReader:
    """One consumer without a group, started on first use; reads one span at a time.

    All methods raise Unavailable if Kafka does not answer.
    """

    def __init__(self, kafka: KafkaAccess, names: TopicNames) -> None:
        self._kafka = kafka
        self._names = names
        self._consumer: AIOKafkaConsumer | None = None
        self._in_use = asyncio.Lock()

    async def end(self, role: Role, partition: int) -> int:
        """Return the position after the last record of a partition."""
        async with self._in_use:
            return await self._end(TopicPartition(self._names.of(role), partition))

    async def read(self, role: Role, partition: int, start: int, end: int) -> AsyncGenerator[RecordBatch, None]:
        """Yield the records of ``[start, end)`` in batches whose spans join; none if there are no records."""
        at = TopicPartition(self._names.of(role), partition)
        async with self._in_use:
            if start >= end:
                return
            consumer = await self._started()
            consumer.assign([at])
            consumer.seek(at, start)
            try:
                async for records in self._polled(consumer, at, end):
                    wanted = [record for record in records if start <= record.offset < end]
                    if wanted:
                        after = wanted[-1].offset + 1
                        yield RecordBatch(role, at.topic, partition, start, after, wanted)
                        start = after
            finally:
                consumer.unsubscribe()

    async def close(self) -> None:
        """Close the connections, within seconds."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(TimeoutError, KafkaError, OSError):
                await asyncio.wait_for(consumer.stop(), CLOSE_SECONDS)

    async def _polled(
        self, consumer: AIOKafkaConsumer, at: TopicPartition, end: int
    ) -> AsyncGenerator[Sequence[Record], None]:
        """Poll until the position is at the end, or nothing has come for long."""
        empty_polls = 0
        try:
            while empty_polls < EMPTY_POLLS and await consumer.position(at) < end:
                fetched = await consumer.getmany(at, timeout_ms=POLL_MILLISECONDS, max_records=BATCH_RECORDS)
                records = fetched.get(at, ())
                empty_polls = 0 if records else empty_polls + 1
                yield records
        except (KafkaError, OSError) as wrong:
            raise await self._away(wrong) from wrong

    async def _end(self, at: TopicPartition) -> int:
        consumer = await self._started()
        try:
            ends = await asyncio.wait_for(consumer.end_offsets([at]), ANSWER_SECONDS)
        except (KafkaError, OSError, TimeoutError) as wrong:
            raise await self._away(wrong) from wrong
        return int(ends[at])

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **self._kafka.client_arguments(),
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                request_timeout_ms=int(ANSWER_SECONDS * 1000),
                fetch_max_wait_ms=POLL_MILLISECONDS,
            )
            try:
                await consumer.start()
            except (KafkaError, OSError) as wrong:
                await consumer.stop()
                raise await self._away(wrong) from wrong
            self._consumer = consumer
        return self._consumer

    async def _away(self, wrong: BaseException) -> Unavailable:
        await self.close()
        return Unavailable(f"Kafka at {self._kafka} does not answer ({wrong or type(wrong).__name__})")
