"""A topic full of orders: skewed SKUs, times within one bucket, lz4, spread over partitions as any producer would."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from replenishment.arrays import Int64s
from replenishment.keys import key_bytes

LINES_PER_BATCH = 5_000
FIRST_AT = 1_767_225_600_000
"""2026-01-01T00:00:00Z: all lines fall in the hour after it, so that no bucket closes."""


@dataclass(frozen=True, slots=True)
class Load:
    """How many order lines over how many SKUs and partitions; the same numbers make the same bytes."""

    lines: int
    skus: int
    partitions: int
    seed: int = 1

    def skus_of_lines(self) -> Int64s:
        """Return the SKU number of each line (N,): a few sell much, most sell little."""
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


async def produce(bootstrap: str, topic: str, load: Load) -> None:
    """Write all lines of a load to a topic that has its partitions."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type="lz4", max_request_size=2**21)
    await producer.start()
    try:
        keys = keys_of(load)
        partitions = np.array([partition_of(key, load.partitions) for key in keys])
        drawn = load.skus_of_lines()
        for partition in range(load.partitions):
            numbers = np.flatnonzero(partitions[drawn] == partition)
            await _produce_partition(producer, topic, partition, list(_records(load, keys, drawn, numbers)))
        await producer.flush()
    finally:
        await producer.stop()


def _records(load: Load, keys: Sequence[bytes], drawn: Int64s, numbers: Int64s) -> Iterator[tuple[bytes, bytes]]:
    span_ms = 3_000_000
    for number in numbers.tolist():
        sku = int(drawn[number])
        yield keys[sku], order_value(number, sku, FIRST_AT + number * span_ms // load.lines)


async def _produce_partition(
    producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[tuple[bytes, bytes]]
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
