"""A shop of a few SKUs: its history, its live days and its stock, as records with their partitions."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from aiokafka.partitioner import murmur2

PARTITIONS = 3
DAY = 86_400
HISTORY_DAYS = 60
START = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
LIVE = START + HISTORY_DAYS * DAY
SKUS = [f"SKU-{number:03d}" for number in range(30)]

Record = tuple[int, bytes | None, bytes | None]


def partition_of(key: bytes) -> int:
    """Return where Kafka's default partitioner puts a key."""
    return int(murmur2(key) & 0x7FFFFFFF) % PARTITIONS


def keyed(key: bytes, value: dict[str, Any]) -> Record:
    """Return a record with its partition."""
    return partition_of(key), key, json.dumps(value).encode()


def order_line(number: int, at: float) -> Record:
    """Return the order line of a number, always the same one."""
    rng = random.Random(number)
    sku = rng.choice(SKUS)
    line = {"order_id": f"o{number}", "location": "main", "sku": sku, "quantity": rng.randint(1, 9)}
    return keyed(f"main|{sku}".encode(), line | {"event_time": round(at * 1000)})


def history(lines: int) -> Iterator[Record]:
    """Yield order lines spread over the days before deciding begins."""
    for number in range(lines):
        yield order_line(number, START + HISTORY_DAYS * DAY * number / lines)


def time_passed(at: float) -> Iterator[Record]:
    """Yield the control record of each partition."""
    value = json.dumps({"type": "time_passed", "event_time": round(at * 1000)}).encode()
    return ((partition, None, value) for partition in range(PARTITIONS))


def counted(at: float, on_hand: int) -> Iterator[Record]:
    """Yield a count of every SKU."""
    for sku in SKUS:
        event = {"type": "stock_counted", "event_id": f"count-{sku}", "location": "main", "sku": sku}
        yield keyed(f"main|{sku}".encode(), event | {"event_time": round(at * 1000), "on_hand": on_hand})
