"""A topic full of orders: skewed SKUs, lz4, spread over partitions as any producer would."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from replenishment.arrays import Int64s
from replenishment.keys import key_bytes

LINES_PER_BATCH = 5_000
FIRST_AT = 1_767_225_600_000
"""2026-01-01T00:00:00Z: all lines fall in the hour after it, so that no bucket closes."""
SPAN_MS = 3_000_000


@dataclass(frozen=True, slots=True)
class Load:
    """How many order lines over how many SKUs and partitions; the same numbers make the same bytes."""

    lines: int
    skus: int
    partitions: int
    seed: int = 1
    is_even: bool = False

    def skus_of_lines(self) -> Int64s:
        """Return the SKU number of each line (N,): a few sell much, most sell little; or all the same, in turn."""
        if self.is_even:
            return np.arange(self.lines, dtype=np.int64) % self.skus
        weights = 1.0 / np.arange(1, self.skus + 1) ** 0.8
        drawn = np.random.default_rng(self.seed).choice(self.skus, size=self.lines, p=weights / weights.sum())
        return drawn.astype(np.int64)


def keys_of(load: Load) -> list[bytes]:
    """Return the stock key of each SKU number."""
    return [key_bytes("uk", f"S{number:06d}") for number in range(load.skus)]


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key under Kafka's default partitioner."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def order_value(number: int, sku: int, at: int) -> bytes:
    """Return one order line of about 96 bytes.

    Example:
        >>> len(order_value(123_456, 77, FIRST_AT))
        96
    """
    text = '{"order_id":"o%08d","location":"uk","sku":"S%06d","quantity":%d,"event_time":%d}'
    return (text % (number, sku, 1 + number % 12, at)).encode()


def times_of(load: Load) -> Int64s:
    """Return the event time of each line, rising within one hour, (N,)."""
    return FIRST_AT + np.arange(load.lines, dtype=np.int64) * SPAN_MS // load.lines


def partitions_of_lines(load: Load) -> Int64s:
    """Return the partition of each line, (N,)."""
    partitions = np.array([partition_of(key, load.partitions) for key in keys_of(load)], dtype=np.int64)
    return np.asarray(partitions[load.skus_of_lines()])


async def produce(bootstrap: str, topic: str, load: Load, times: Int64s | None = None) -> None:
    """Write all lines of a load to a topic that has its partitions; ``times`` are other event times, (N,)."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type="lz4", max_request_size=2**21)
    await producer.start()
    try:
        places = partitions_of_lines(load)
        records = _Records(keys_of(load), load.skus_of_lines(), times_of(load) if times is None else times)
        for partition in range(load.partitions):
            await _produce_partition(producer, topic, partition, records.of(np.flatnonzero(places == partition)))
        await producer.flush()
    finally:
        await producer.stop()


@dataclass(frozen=True, slots=True)
class _Records:
    keys: Sequence[bytes]
    skus: Int64s
    times: Int64s

    def of(self, numbers: Int64s) -> Iterator[tuple[bytes, bytes]]:
        """Yield key and value of lines."""
        for number, sku, at in zip(
            numbers.tolist(), self.skus[numbers].tolist(), self.times[numbers].tolist(), strict=True
        ):
            yield self.keys[sku], order_value(number, sku, at)


async def _produce_partition(
    producer: AIOKafkaProducer, topic: str, partition: int, records: Iterable[tuple[bytes, bytes]]
) -> None:
    waiting: list[asyncio.Future[object]] = []
    batch, count = producer.create_batch(), 0
    for key, value in records:
        if count == LINES_PER_BATCH or batch.append(key=key, value=value, timestamp=None) is None:
            batch.close()
            waiting.append(await producer.send_batch(batch, topic, partition=partition))
            batch, count = producer.create_batch(), 0
            batch.append(key=key, value=value, timestamp=None)
        count += 1
    batch.close()
    waiting.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*waiting)
