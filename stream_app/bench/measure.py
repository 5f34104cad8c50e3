"""Back-fill through a real worker with durable state, then a bare consumer of the same topic, on embedded servers."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import msgspec
import redis
from prometheus_client.parser import text_string_to_metric_families

from replenishment.engine.progress import Progress
from server_access.kafka import KafkaAccess
from stream_app.bench.load import Load, produce
from stream_app.embedded import Servers, servers
from stream_app.embedded.bound_process import BoundProcess
from stream_app.errors import RestockError
from stream_app.kafka.topics import TopicNames, create
from stream_app.store.keys import PartitionKeys

READY_SECONDS = 60.0
STALL_SECONDS = 60.0
LOOK_SECONDS = 0.1
STATE_PREFIX = "bench"
_progress = msgspec.json.Decoder(Progress)


@dataclass(frozen=True, slots=True)
class Speed:
    """Records of a run, its wall seconds, and the CPU seconds of its process (0 where the system does not tell)."""

    records: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Records in a second of wall time."""
        return self.records / self.seconds

    @property
    def per_core_second(self) -> float:
        """Records in a second of CPU time; of wall time where that is not known."""
        return self.records / (self.cpu_seconds or self.seconds)


@dataclass(frozen=True, slots=True)
class Measured:
    """A worker beside its yardstick, of one run on one machine."""

    worker: Speed
    bare_consumer: Speed

    @property
    def ratio(self) -> float:
        """Worker to bare consumer, order lines per second and core."""
        return self.worker.per_core_second / self.bare_consumer.per_core_second


def measure(folder: Path, load: Load, tell: Callable[[str], None]) -> Measured:
    """Run both on servers of their own in ``folder``; ``tell`` gets a line of what is going on.

    Raises:
        EmbeddedUnavailable: If a server cannot be had.
        RestockError: If the worker ends or stands still.
    """
    with servers(folder, tell) as running:
        names = TopicNames()
        create(KafkaAccess(running.kafka), names, load.partitions, 1)
        tell(f"writing {load.lines:,} order lines")
        asyncio.run(produce(running.kafka, names.of("orders"), load))
        worker = _worker_speed(running, folder / "worker", load, tell)
        tell("the bare consumer reads the same topic")
        return Measured(worker, _bare_speed(running.kafka, names.of("orders"), load))


def _worker_speed(running: Servers, folder: Path, load: Load, tell: Callable[[str], None]) -> Speed:
    folder.mkdir(parents=True)
    worker = BoundProcess(
        "worker",
        [sys.executable, "-m", "stream_app.cli.main", "worker"],
        folder,
        {
            "RESTOCK_KAFKA": running.kafka,
            "RESTOCK_REDIS_URL": running.redis_url,
            "RESTOCK_STATE_PREFIX": STATE_PREFIX,
            "RESTOCK_MODELS": str(folder / "models"),
            "RESTOCK_TICK_SECONDS": "0",
            "RESTOCK_LOG_FORMAT": "json",
        },
    )
    worker.begin()
    try:
        worker.wait_until(lambda: _page(worker) is not None, READY_SECONDS)
        return _watched(worker, running.redis_url, load, tell)
    finally:
        worker.stop()


def _watched(worker: BoundProcess, redis_url: str, load: Load, tell: Callable[[str], None]) -> Speed:
    """Take times and CPU from the first lines that are durable to the last."""
    page = _page(worker) or ""
    with redis.Redis.from_url(redis_url) as client:
        first = _look(client, page, load)
        moved_at, seen = time.monotonic(), first
        while seen.lines < load.lines:
            time.sleep(LOOK_SECONDS)
            before, seen = seen, _look(client, page, load)
            if not first.lines:
                first = seen
            if seen.lines > before.lines:
                moved_at = seen.at
            tell(f"{seen.lines:,} of {load.lines:,} lines applied")
            if not worker.is_running or time.monotonic() - moved_at > STALL_SECONDS:
                raise RestockError(f"the worker ended or stands still at {seen.lines:,} lines; its log: {worker.log}")
    return Speed(seen.lines - first.lines, seen.at - first.at, seen.cpu_seconds - first.cpu_seconds)


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    lines: int
    cpu_seconds: float


def _look(client: "redis.Redis", page: str, load: Load) -> _Look:
    stored = [client.hget(PartitionKeys(STATE_PREFIX, one).meta, "progress") for one in range(load.partitions)]
    lines = sum(_progress.decode(one).positions.get("orders", 0) for one in stored if isinstance(one, bytes))
    return _Look(time.monotonic(), lines, _cpu_seconds(page))


def _cpu_seconds(page: str) -> float:
    with urlopen(f"{page}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = (sample for family in families for sample in family.samples)
    return next((sample.value for sample in samples if sample.name == "process_cpu_seconds_total"), 0.0)


def _page(worker: BoundProcess) -> str | None:
    """Return where a worker that is ready shows its metrics."""
    for line in worker.log.read_text().splitlines():
        if '"ready"' in line:
            told: Mapping[str, object] = json.loads(line)
            if told.get("event") == "ready":
                return str(told["metrics"])
    return None


def _bare_speed(bootstrap: str, topic: str, load: Load) -> Speed:
    command = [sys.executable, "-m", "stream_app.bench.bare_consumer", bootstrap, topic, str(load.lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RestockError(f"the bare consumer failed:\n{done.stderr}")
    figures = json.loads(done.stdout)
    return Speed(int(figures["records"]), figures["seconds"], figures["cpu_seconds"])
