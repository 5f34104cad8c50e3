"""A real worker under measurement: how far it is, and what it has cost."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import redis

from replenishment.engine.progress import Progress
from stream_app.bench.cpu import tree_cpu_seconds
from stream_app.bench.figures import Tell
from stream_app.embedded import Servers
from stream_app.embedded.bound_process import BoundProcess
from stream_app.errors import RestockError
from stream_app.store.keys import PartitionKeys

READY_SECONDS = 120.0
STALL_SECONDS = 60.0
LOOK_SECONDS = 0.1
_progress = msgspec.json.Decoder(Progress)


class RunningWorker:
    """``restock worker`` with its defaults, on topics and state of a name of its own."""

    def __init__(self, running: Servers, folder: Path, name: str, **settings: str) -> None:
        """Take where it runs; ``name`` begins its topics and its state, ``settings`` come on top."""
        folder.mkdir(parents=True)
        self._client = redis.Redis.from_url(running.redis_url)
        self._prefix = name
        self.process = BoundProcess(
            "worker",
            [sys.executable, "-m", "stream_app.cli.main", "worker"],
            folder,
            {
                "RESTOCK_KAFKA": running.kafka,
                "RESTOCK_REDIS_URL": running.redis_url,
                "RESTOCK_TOPIC_PREFIX": f"{name}.",
                "RESTOCK_STATE_PREFIX": name,
                "RESTOCK_GROUP": name,
                "RESTOCK_MODELS": str(folder / "models"),
                "RESTOCK_TICK_SECONDS": "0",
                "RESTOCK_LOG_FORMAT": "json",
                **settings,
            },
        )

    def begin(self) -> None:
        """Start it, and wait until it is ready.

        Raises:
            EmbeddedUnavailable: If it ends, or is not ready in time.
        """
        self.process.begin()
        self.process.wait_until(lambda: self.told("ready") is not None, READY_SECONDS)

    def stop(self) -> None:
        """End it and the connection to its state."""
        self.process.stop()
        self._client.close()

    @property
    def partitions(self) -> list[int]:
        """Which partitions it says that it works on."""
        told = self.told("partitions_changed") or self.told("ready") or {}
        held = told.get("partitions", [])
        assert isinstance(held, list)
        return held

    def told(self, event: str) -> Mapping[str, object] | None:
        """Return the last line of its log about an event, None if there is none."""
        found: Mapping[str, object] | None = None
        for line in self.process.log.read_text().splitlines():
            if line.startswith("{") and f'"{event}"' in line:
                told = json.loads(line)
                found = told if told.get("event") == event else found
        return found

    def applied_lines(self, partitions: int) -> int:
        """Return how many records of ``orders`` are durable in its state."""
        return sum(one.positions.get("orders", 0) for one in self.progress(partitions))

    def progress(self, partitions: int) -> list[Progress]:
        """Return how far each partition is that has begun."""
        stored = [self._client.hget(PartitionKeys(self._prefix, one).meta, "progress") for one in range(partitions)]
        return [_progress.decode(one) for one in stored if isinstance(one, bytes)]

    def unsent(self, partitions: int) -> int:
        """Return how many records wait in its outbox."""
        waiting = [self._client.xlen(PartitionKeys(self._prefix, one).outbox) for one in range(partitions)]
        return sum(int(one) for one in waiting if isinstance(one, int))

    def applied_all(self, lines: int, partitions: int, tell: Tell) -> "Stretch":
        """Wait until a number of records is durable; return what it took from the first of them on.

        Raises:
            RestockError: If it ends or stands still.
        """
        first = seen = self._look(partitions)
        moved_at = time.monotonic()
        while seen.lines < lines:
            time.sleep(LOOK_SECONDS)
            before, seen = seen, self._look(partitions)
            first = first if first.lines else seen
            moved_at = seen.seconds if seen.lines > before.lines else moved_at
            tell(f"{seen.lines:,} of {lines:,} lines applied")
            if not self.process.is_running or time.monotonic() - moved_at > STALL_SECONDS:
                raise RestockError(f"the worker ended or stands still at {seen.lines:,} lines; log: {self.process.log}")
        return Stretch(
            seen.lines - first.lines, seen.seconds - first.seconds, max(seen.cpu_seconds - first.cpu_seconds, 0.01)
        )

    def _look(self, partitions: int) -> "Stretch":
        return Stretch(self.applied_lines(partitions), time.monotonic(), tree_cpu_seconds(self.process))


class Stretch(msgspec.Struct, frozen=True):
    """Lines, and the wall and CPU seconds that they took."""

    lines: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Lines in a second of wall time."""
        return self.lines / self.seconds

    @property
    def per_core_second(self) -> float:
        """Lines in a second of CPU time."""
        return self.lines / self.cpu_seconds

    def row(self, name: str) -> tuple[str, ...]:
        """Return it as a row of a table."""
        return name, f"{self.lines:,}", f"{self.per_second:,.0f}", f"{self.per_core_second:,.0f}"
