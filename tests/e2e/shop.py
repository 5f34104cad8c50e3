"""A shop of a few SKUs: its history, its live days and its stock, as records with their partitions."""

import json
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from aiokafka.partitioner import murmur2

PARTITIONS = 3
DAY = 86_400
HISTORY_DAYS = 60
START = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
LIVE = START + HISTORY_DAYS * DAY
SKUS = [f"SKU-{number:03d}" for number in range(90)]

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


def mixed_order(rng: random.Random, number: int, at: float) -> Record:
    """Return a line; now and then a cancellation, a late line or one that must be refused."""
    sku = rng.choices(SKUS, weights=range(1, len(SKUS) + 1))[0]
    line: dict[str, Any] = {"order_id": f"o{number}", "location": "main", "sku": sku}
    line |= {"quantity": rng.randint(1, 9), "event_time": round(at * 1000)}
    chance = rng.random()
    if chance < 0.02:
        line |= {"type": "order_cancelled", "placed_at": round((at - rng.choice([60, DAY, 3 * DAY])) * 1000)}
    elif chance < 0.04:
        line["event_time"] = round((at - rng.choice([2, 200]) * DAY) * 1000)
    elif chance < 0.05:
        line["quantity"] = 0
    return keyed(f"main|{sku}".encode(), line)


def answers(requests: Mapping[str, Mapping[str, Any]], done: set[str]) -> Iterator[Record]:
    """Yield acceptance and receipt of every request that is not in ``done``, and put it there."""
    for restock_id in sorted(requests.keys() - done):
        request = requests[restock_id]
        done.add(restock_id)
        if request["quantity"] == 0:  # taken back before anybody answered
            continue
        about = {name: request[name] for name in ("restock_id", "location", "sku", "quantity")}
        key = f"{request['location']}|{request['sku']}".encode()
        for kind in ("restock_accepted", "stock_received"):
            event = {"type": kind, "event_id": f"{kind}-{restock_id}", "event_time": request["decided_at"]}
            yield keyed(key, {**about, **event})
