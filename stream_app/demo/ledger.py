"""What the topics say of the live days, read as anybody could read them: the product's state is not asked.

Orders take stock when they happen, what the warehouse received arrives at its
event time, and a cancellation gives back what was ordered in the live days.
The account of it all is ``replenishment.simulation``'s.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl
from kafka import KafkaConsumer, TopicPartition

from replenishment.arrays import Int64s
from replenishment.simulation import DAY_MS, Days, Movements, receipts


class Record(NamedTuple):
    """What is read of any record."""

    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


POLL_RECORDS = 20_000


class LiveLine(msgspec.Struct):
    """What is read of a record on ``orders``."""

    quantity: int
    event_time: int
    type: str = "order_placed"
    placed_at: int | None = None


class Answer(msgspec.Struct):
    """What is read of a record on ``inventory``."""

    type: str
    event_id: str
    event_time: datetime
    quantity: int = 0


class Request(msgspec.Struct):
    """What is read of a record on ``restock``."""

    restock_id: str
    revision: int = 1


@dataclass(frozen=True, slots=True)
class RequestCount:
    """How many different requests there are, and how many ids came with two different payloads."""

    requests: int
    duplicated: int


def read_topic(bootstrap: str, topic: str, start: Mapping[int, int] | None = None) -> Iterator[Record]:
    """Yield each record of a topic from the start offsets (default: 0) to its present end."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        partitions = [TopicPartition(topic, one) for one in sorted(consumer.partitions_for_topic(topic) or ())]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        for one in partitions:
            consumer.seek(one, (start or {}).get(one.partition, 0))
        while any(consumer.position(one) < end for one, end in ends.items()):
            for records in consumer.poll(timeout_ms=1_000, max_records=POLL_RECORDS).values():
                yield from (Record(record.key, record.value, record.headers) for record in records)
    finally:
        consumer.close()


def count_requests(restock: Iterable[Record]) -> RequestCount:
    """Return how many requests were made; a repeat of identical bytes is one request, a revision no further one."""
    decode = msgspec.json.Decoder(Request).decode
    payloads: dict[tuple[str, int], bytes] = {}
    contradicted: set[str] = set()
    for record in restock:
        request, digest = decode(record.value), hashlib.sha256(record.value).digest()
        if payloads.setdefault((request.restock_id, request.revision), digest) != digest:
            contradicted.add(request.restock_id)
    return RequestCount(len({restock_id for restock_id, _ in payloads}), len(contradicted))


def count_rejected(dead_letters: Iterable[Record], topic: str) -> int:
    """Return how many records of a topic were refused; one may be reported more than once."""
    sources = (dict(record.headers) for record in dead_letters)
    return len(
        {
            (headers["__connect.errors.partition"], headers["__connect.errors.offset"])
            for headers in sources
            if headers.get("__connect.errors.topic") == topic.encode()
        }
    )


def order_movements(orders: Iterable[Record], rows: Mapping[bytes, int], days: Days) -> Movements:
    """Return what the orders and cancellations of the days moved.

    Args:
        orders: Records of ``orders``; those of other keys and other days are left out.
        rows: Row of each stock key that is accounted for.
        days: The live days.
    """
    decode = msgspec.json.Decoder(LiveLine).decode
    moved: list[tuple[int, int, int, int, int]] = []
    for record in orders:
        row = rows.get(record.key or b"")
        if row is None:
            continue
        line = decode(record.value)
        if line.placed_at is None:
            moved.append((row, line.event_time, -line.quantity, line.quantity, line.event_time))
        else:
            given_back = line.quantity if line.placed_at >= days.start_at else 0
            moved.append((row, line.event_time, given_back, -line.quantity, line.placed_at))
    columns = np.array(moved, dtype=np.int64).reshape(-1, 5)
    live = columns[(days.day_of(columns[:, 1]) >= 0) & (days.day_of(columns[:, 1]) < days.count)]
    in_order = live[np.argsort(live[:, 1], kind="stable")].T
    return Movements(*in_order)


def receipt_movements(inventory: Iterable[Record], rows: Mapping[bytes, int], days: Days) -> Movements:
    """Return what the warehouse received in the days, each event once by its ``event_id``."""
    decode = msgspec.json.Decoder(Answer).decode
    received: dict[str, tuple[int, int, int]] = {}
    for record in inventory:
        answer, row = decode(record.value), rows.get(record.key or b"")
        if answer.type == "stock_received" and row is not None:
            at = round(answer.event_time.timestamp() * 1000)
            received[answer.event_id] = (row, at, answer.quantity)
    columns = np.array(list(received.values()), dtype=np.int64).reshape(-1, 3)
    live = columns[(days.day_of(columns[:, 1]) >= 0) & (days.day_of(columns[:, 1]) < days.count)].T
    return receipts(*live)


def daily_demand(events: pl.DataFrame, rows: Mapping[bytes, int], location: str, days: Days) -> Int64s:
    """Return the signed demand of each key and day (K, D) as known at the end of the days.

    Args:
        events: Of an ``OrderBook``.
        rows: Row of each stock key that is accounted for.
        location: Location of the book's orders.
        days: The days.
    """
    placed_at = pl.coalesce("placed_at", "event_time")
    quantity = pl.when(pl.col("placed_at").is_null()).then("quantity").otherwise(-pl.col("quantity"))
    end_at = days.start_at + days.count * DAY_MS
    sums = (
        events.filter((pl.col("event_time") < end_at) & (placed_at >= days.start_at))
        .group_by(key=pl.format("{}|{}", pl.lit(location), "sku"), day=(placed_at - days.start_at) // DAY_MS)
        .agg(units=quantity.sum())
    )
    demand = np.zeros((len(rows), days.count), dtype=np.int64)
    for key, day, units in sums.iter_rows():
        if key.encode() in rows:
            demand[rows[key.encode()], day] = units
    return demand
