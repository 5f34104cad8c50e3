"""A worker that holds many stock keys, and the rows that it keeps of them in Redis."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import redis
from kafka import KafkaProducer

from stream_app.bench.figures import Size, Tell
from stream_app.bench.load import FIRST_AT, Load, produce
from stream_app.bench.running_worker import RunningWorker
from stream_app.embedded import Servers
from stream_app.errors import RestockError
from stream_app.kafka.topics import TopicNames, create

DAY_MS = 86_400_000
CLOSES_AFTER_MS = 3_700_000
"""The default allowed lateness of one hour, and a little."""
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.005


@contextmanager
def worker_with_keys(running: Servers, folder: Path, name: str, size: Size, tell: Tell) -> Iterator[RunningWorker]:
    """Yield a running worker that has every stock key of a size, each ordered as often, in one open daily bucket."""
    names = TopicNames(f"{name}.")
    create(running.kafka, names, size.partitions, 1)
    worker = RunningWorker(running, folder / name, name)
    try:
        worker.begin()
        tell(f"writing {size.lines:,} order lines")
        load = Load(size.lines, size.skus, size.partitions, is_even=True)
        asyncio.run(produce(running.kafka, names.of("orders"), load))
        worker.applied_all(size.lines, size.partitions, tell)
        yield worker
    finally:
        worker.stop()


def close_day(running: Servers, worker: RunningWorker, name: str, size: Size, day: int) -> float:
    """Let time pass until a day has ended, 0 = the first; return the seconds until its closing is durable everywhere.

    Raises:
        RestockError: If it is not, within two minutes.
    """
    at = FIRST_AT + (day + 1) * DAY_MS
    producer = KafkaProducer(bootstrap_servers=running.kafka)
    value = json.dumps({"type": "time_passed", "event_time": at + CLOSES_AFTER_MS}).encode()
    begun = time.perf_counter()
    for partition in range(size.partitions):
        producer.send(f"{name}.orders", value=value, partition=partition)
    producer.flush()
    while any(one.closed_through < at for one in worker.progress(size.partitions)):
        if time.perf_counter() > begun + PATIENCE_SECONDS:
            raise RestockError(f"the worker did not close a day within {PATIENCE_SECONDS:g} s")
        time.sleep(LOOK_SECONDS)
    seconds = time.perf_counter() - begun
    producer.close()
    return seconds


def stored_rows(client: "redis.Redis", name: str) -> Mapping[bytes, Mapping[bytes, bytes]]:
    """Return every row that a worker of this name keeps, by hash and field."""
    found: dict[bytes, Mapping[bytes, bytes]] = {}
    for key in client.scan_iter(f"restock:{{{name}:*}}:*", count=1_000, _type="hash"):
        found[key] = cast(Mapping[bytes, bytes], client.hgetall(key))
    return found


def bytes_of(rows: Mapping[bytes, Mapping[bytes, bytes]]) -> int:
    """Return how many bytes fields and values have."""
    return sum(len(field) + len(value) for table in rows.values() for field, value in table.items())
