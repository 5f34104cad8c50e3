"""The relay: publishes what the outbox of each owned partition holds, in order, and then trims it.

Nothing is skipped: an entry leaves the outbox only after the broker has
acknowledged it and all before it. A crash between the two publishes it again,
with the same bytes and the same id.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from server_access.kafka import KafkaAccess
from stream_app.errors import Unavailable
from stream_app.kafka.producer import started_producer, stop_producer
from stream_app.kafka.topics import TopicNames
from stream_app.ports import Fence, Outbox, OutgoingRecord

IN_FLIGHT_ENTRIES = 128
"""At most this many entries are read and sent before their acknowledgements are awaited."""
POLL_SECONDS = 5.0
FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 15.0

log = structlog.stdlib.get_logger(__name__)


class Relay:
    """One producer for all partitions of the process, one task for each partition it owns.

    Args:
        kafka: Where it publishes.
        outbox: Where entries come from.
        names: Real names of topics.
        counts: Partitions of each topic, by real name.
        sent: Called with the partition and the number of entries published.
    """

    def __init__(
        self,
        kafka: KafkaAccess,
        outbox: Outbox,
        names: TopicNames,
        counts: Mapping[str, int],
        sent: Callable[[int, int], None] = lambda _partition, _entries: None,
    ) -> None:
        self._kafka = kafka
        self._outbox = outbox
        self._names = names
        self._sent = sent
        self._demand_follows_partitions = counts.get(names.of("demand")) == counts.get(names.of("orders"))
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._wakers: dict[int, asyncio.Event] = {}

    def own(self, fence: Fence) -> None:
        """Publish for a partition from now on, in the name of its latest claim."""
        self.disown(fence.partition)
        waker = self._wakers[fence.partition] = asyncio.Event()
        name = f"relay-{fence.partition}"
        self._tasks[fence.partition] = asyncio.create_task(self._publish_for_ever(fence, waker), name=name)

    def disown(self, partition: int) -> None:
        """Stop publishing for a partition."""
        self._wakers.pop(partition, None)
        task = self._tasks.pop(partition, None)
        if task is not None:
            task.cancel()

    def wake(self, partition: int) -> None:
        """Look into the outbox now: a turn was applied."""
        waker = self._wakers.get(partition)
        if waker is not None:
            waker.set()

    async def close(self) -> None:
        """Stop all tasks and the producer, within seconds."""
        tasks = list(self._tasks.values())
        for partition in list(self._tasks):
            self.disown(partition)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._drop_producer()

    async def _publish_for_ever(self, fence: Fence, waker: asyncio.Event) -> None:
        retry_seconds = FIRST_RETRY_SECONDS
        while True:
            waker.clear()
            try:
                if not await self._publish_all(fence):
                    log.info("relay_fenced", partition=fence.partition)
                    return
                retry_seconds = FIRST_RETRY_SECONDS
            except (KafkaError, Unavailable, OSError) as wrong:
                log.warning("relay_waits", partition=fence.partition, seconds=retry_seconds, error=str(wrong))
                await self._drop_producer()
                await asyncio.sleep(retry_seconds)
                retry_seconds = min(2 * retry_seconds, LONGEST_RETRY_SECONDS)
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(waker.wait(), POLL_SECONDS)

    async def _publish_all(self, fence: Fence) -> bool:
        """Empty the outbox of a partition; return False if its claim is no longer ours."""
        while entries := await self._outbox.unsent(fence.partition, IN_FLIGHT_ENTRIES):
            await self._send([record for _, record in entries])
            if not await self._outbox.mark_sent(fence, entries[-1][0]):
                return False
            self._sent(fence.partition, len(entries))
        return True

    async def _send(self, records: Sequence[OutgoingRecord]) -> None:
        producer = await self._started_producer()
        acknowledgements = [
            await producer.send(
                self._names.of(record.topic),
                value=record.value,
                key=record.key,
                partition=self._partition(record),
                headers=list(record.headers),
            )
            for record in records
        ]
        await asyncio.gather(*acknowledgements)

    def _partition(self, record: OutgoingRecord) -> int | None:
        if record.topic == "demand" and self._demand_follows_partitions and record.key is not None:
            return demand_partition(record.key)
        return None

    async def _started_producer(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                self._producer = await started_producer(self._kafka)
            return self._producer

    async def _drop_producer(self) -> None:
        """Let go of a producer that failed: an idempotent one may be past recovery."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop_producer(producer)


def demand_partition(key: bytes) -> int | None:
    """Return the partition number that the key of a demand record names, or None.

    Example:
        >>> demand_partition(b"p12"), demand_partition(b"uk|A")
        (12, None)
    """
    number = key[1:]
    return int(number) if key[:1] == b"p" and number.isdigit() else None
