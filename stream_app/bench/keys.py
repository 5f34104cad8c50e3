"""What stock keys cost: memory in worker and Redis, and a worker's start, beside HGETALL of the same rows."""

import time
from pathlib import Path

import redis

from stream_app.bench.cpu import tree_resident_bytes
from stream_app.bench.figures import Figure, Outcome, Ratio, Size, Tell
from stream_app.bench.many_keys import bytes_of, close_day, stored_rows, worker_with_keys
from stream_app.bench.running_worker import RunningWorker
from stream_app.embedded import Servers, servers
from stream_app.kafka.topics import TopicNames, create

START_SECONDS = 3.0
"""What a start may take before its keys count; where the machine is slower, what a start without keys took."""


def measure(folder: Path, size: Size, tell: Tell) -> Outcome:
    """Start a worker without keys, one that gets them and closes a day, and one that finds them.

    Raises:
        EmbeddedUnavailable: If a server cannot be had.
        RestockError: If a worker ends or stands still.
    """
    with servers(folder, tell) as running, redis.Redis.from_url(running.redis_url) as client:
        tell("a worker without keys starts")
        create(running.kafka, TopicNames("none."), size.partitions, 1)
        empty_seconds, empty_bytes = _started(running, folder / "none", "none")
        before = _used_bytes(client)
        with worker_with_keys(running, folder, "keys", size, tell) as worker:
            close_day(running, worker, "keys", size, 0)
        redis_bytes = _used_bytes(client) - before
        tell("a worker finds the keys")
        seconds, worker_bytes = _started(running, folder / "again", "keys")
        begun = time.perf_counter()
        rows = stored_rows(client, "keys")
        read_seconds = time.perf_counter() - begun
    allowed = max(START_SECONDS, empty_seconds)
    per_key = [(worker_bytes - empty_bytes) / size.skus / 1000, redis_bytes / size.skus / 1000]
    return Outcome(
        ("", "seconds", "KB for each key"),
        [
            ("a worker starts without keys", f"{empty_seconds:.2f}", "–"),
            (f"a worker starts with {size.skus:,} keys", f"{seconds:.2f}", f"{per_key[0]:.2f}"),
            ("HGETALL of all rows", f"{read_seconds:.2f}", f"{bytes_of(rows) / size.skus / 1000:.2f}"),
            ("Valkey", "–", f"{per_key[1]:.2f}"),
        ],
        [
            Ratio(
                f"start beyond {allowed:.1f} s, to HGETALL of the same rows",
                max(seconds - allowed, 0) / read_seconds,
                4,
                2,
                is_less_better=True,
            ),
            Ratio("memory of the worker, KB for each key", per_key[0], 3.5, 2.5, is_less_better=True),
            Ratio("memory of Valkey, KB for each key", per_key[1], 2, 1.5, is_less_better=True),
        ],
        ["Memory of the worker is resident, beyond that of a worker without keys."],
    )


def _started(running: Servers, folder: Path, name: str) -> tuple[float, int]:
    """Start a worker until it is ready; return the seconds and its resident bytes, and end it."""
    worker = RunningWorker(running, folder, name)
    begun = time.perf_counter()
    try:
        worker.begin()
        return time.perf_counter() - begun, tree_resident_bytes(worker.process)
    finally:
        worker.stop()


def _used_bytes(client: "redis.Redis") -> int:
    told = client.info("memory")
    assert isinstance(told, dict)
    return int(told["used_memory"])


KEYS = Figure(
    "keys",
    "memory of each stock key in worker and Valkey, and the start of a worker, beside HGETALL of the same rows",
    1,
    usual=Size(100_000, 100_000),
    quick=Size(4_000, 4_000),
    measure=measure,
)
