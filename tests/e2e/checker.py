"""An independent reading of the topics: what windows, positions and restocks must be. Imports no product code.

Slow and plain on purpose: one record at a time, dictionaries, the rules of
docs/reference as sentences. Where it and the product differ, one is wrong.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition

DAY_SECONDS = 86_400
MONDAY_SECONDS = 4 * DAY_SECONDS


@dataclass(frozen=True)
class Logged:
    """One record of a topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]

    @property
    def fields(self) -> dict[str, Any]:
        """The value as a JSON object."""
        assert self.value is not None
        loaded = json.loads(self.value)
        assert isinstance(loaded, dict)
        return loaded


def read_topic(bootstrap: str, topic: str) -> list[Logged]:
    """Return every record of a topic, by partition and offset."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        partitions = [TopicPartition(topic, one) for one in sorted(consumer.partitions_for_topic(topic) or ())]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        found = [record for one in _until(consumer, ends) for record in one]
    finally:
        consumer.close()
    return sorted(found, key=lambda record: (record.partition, record.offset))


def _until(consumer: KafkaConsumer, ends: dict[TopicPartition, int]) -> Iterator[list[Logged]]:
    while any(consumer.position(one) < end for one, end in ends.items()):
        for records in consumer.poll(timeout_ms=1_000, max_records=50_000).values():
            yield [Logged(one.partition, one.offset, one.key, one.value, dict(one.headers or ())) for one in records]


def seconds(value: int | str) -> float:
    """Return an event time in seconds."""
    if isinstance(value, int):
        return value / 1000
    return datetime.fromisoformat(value).timestamp()


def shown(at_seconds: float) -> str:
    """Return a time as the product shows it."""
    return datetime.fromtimestamp(at_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@dataclass
class KeyFold:
    """What the log says of one stock key."""

    units: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    has_lines: set[int] = field(default_factory=set)
    born: int | None = None
    moved_units: int = 0


@dataclass
class PartitionFold:
    """One partition of ``orders``, folded record by record."""

    bucket_seconds: int
    lateness_seconds: float
    window_buckets: int
    decide_from: float
    counted_from: float
    clock: float = float("-inf")
    first_open: int | None = None
    late_corrected: int = 0
    late_dropped: int = 0
    keys: dict[str, KeyFold] = field(default_factory=lambda: defaultdict(KeyFold))

    def bucket(self, at: float) -> int:
        """Return the bucket of a time."""
        return int((at - MONDAY_SECONDS) // self.bucket_seconds)

    def take(self, record: Logged) -> None:
        """Fold one accepted record in."""
        line = record.fields
        at = seconds(line["event_time"])
        self.clock = max(self.clock, at)
        watermark_bucket = self.bucket(self.clock - self.lateness_seconds)
        self.first_open = watermark_bucket if self.first_open is None else max(self.first_open, watermark_bucket)
        if line.get("type") == "time_passed":
            return
        placed = seconds(line["placed_at"]) if "placed_at" in line else at
        signed = -line["quantity"] if line.get("type") == "order_cancelled" else line["quantity"]
        key = self.keys[f"{line['location']}|{line['sku']}"]
        if min(at, placed) >= self.decide_from and at >= self.counted_from:
            key.moved_units += signed
        bucket = self.bucket(placed)
        if bucket < self.first_open:
            if bucket < self.first_open - self.window_buckets:
                self.late_dropped += 1
                return
            self.late_corrected += 1
        key.units[bucket] += signed
        key.has_lines.add(bucket)
        key.born = bucket if key.born is None else min(key.born, bucket)

    def window_of(self, name: str) -> list[list[object]]:
        """Return the closed buckets of a key, as ``restock state`` shows them."""
        key = self.keys[name]
        if key.born is None or self.first_open is None:
            return []
        first = max(key.born, self.first_open - self.window_buckets)
        return [[self._start(one), key.units.get(one, 0)] for one in range(first, self.first_open)]

    def open_of(self, name: str) -> list[list[object]]:
        """Return the open buckets of a key that have lines."""
        key = self.keys[name]
        return [[self._start(one), key.units[one]] for one in sorted(key.has_lines) if one >= (self.first_open or 0)]

    def _start(self, bucket: int) -> str:
        return shown(bucket * self.bucket_seconds + MONDAY_SECONDS)


def unique_requests(restocks: list[Logged]) -> dict[str, dict[str, Any]]:
    """Return the last revision of requests by id; a repeated revision must repeat its bytes."""
    values: dict[tuple[str, int], bytes] = {}
    for record in restocks:
        told = (record.fields["restock_id"], record.fields["revision"])
        assert record.value is not None
        assert values.setdefault(told, record.value) == record.value, f"two payloads of {told}"
    return {restock_id: json.loads(values[restock_id, revision]) for restock_id, revision in sorted(values)}
