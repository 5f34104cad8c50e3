"""One turn of the splitter: a fetch of orders becomes lines and dead letters that all replicas have."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from replenishment.events import Rejection
from server_access.kafka import KafkaAccess
from stream_app.kafka.admission import forbidden, is_forbidden
from stream_app.kafka.producer import started_producer, stop_producer
from stream_app.kafka.topics import TopicNames
from stream_app.ops.splitting import SplitMeter
from stream_app.ports import OutgoingRecord, Record, RecordBatch
from stream_app.wire.admission import partition_of
from stream_app.wire.dead_letters import dead_letter

IN_FLIGHT_RECORDS = 10_000
"""About so many records are sent before their acknowledgements are awaited."""


Split: TypeAlias = Callable[[Record, RecordBatch], Sequence[OutgoingRecord] | Rejection]
"""What becomes of a record: its lines, the same ones each time, or why there are none."""


@dataclass(frozen=True, slots=True)
class SplitParts:
    """What all turns share; ``partitions`` is how many ``orders`` has."""

    kafka: KafkaAccess
    names: TopicNames
    partitions: int
    split: Split
    meter: SplitMeter


class Turns:
    """Makes turns, one after the other, with one producer; a turn that failed leaves it behind."""

    def __init__(self, parts: SplitParts) -> None:
        self._parts = parts
        self._producer: AIOKafkaProducer | None = None

    async def make(self, batch: RecordBatch) -> None:
        """Return once all lines and letters of a batch are acknowledged.

        Raises:
            KafkaError: If one is not; all of the batch is to be split again.
            Forbidden: If we may not write one of the topics.
        """
        try:
            await self._send(batch)
        except KafkaError as wrong:
            if is_forbidden(wrong):
                raise forbidden(self._parts.kafka, f"to write ({wrong})") from wrong
            raise

    async def close(self) -> None:
        """Let go of the producer."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop_producer(producer)

    async def _send(self, batch: RecordBatch) -> None:
        if self._producer is None:
            self._producer = await started_producer(self._parts.kafka)
        awaited: list[asyncio.Future[object]] = []
        for one in self._outgoing(batch):
            topic = self._parts.names.of(one.topic)
            headers = list(one.headers)
            where = self._partition(one)
            sent = await self._producer.send(topic, value=one.value, key=one.key, partition=where, headers=headers)
            awaited.append(sent)
            if len(awaited) >= IN_FLIGHT_RECORDS:
                await asyncio.gather(*awaited)
                awaited.clear()
        await asyncio.gather(*awaited)

    def _outgoing(self, batch: RecordBatch) -> Iterator[OutgoingRecord]:
        for record in batch.records:
            lines = self._parts.split(record, batch)
            if isinstance(lines, Rejection):
                self._parts.meter.refused(lines.code)
                yield dead_letter(lines, record, batch)
            else:
                self._parts.meter.split(len(lines))
                yield from lines

    def _partition(self, record: OutgoingRecord) -> int | None:
        if record.topic != "orders" or record.key is None:
            return None
        return partition_of(record.key, self._parts.partitions)
