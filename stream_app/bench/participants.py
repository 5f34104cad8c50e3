"""Who does the peers' job: the worker, and programs of others below ``bench/peers``."""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec
import redis
from kafka import KafkaConsumer, TopicPartition

from stream_app.bench.cpu import redis_cpu_seconds
from stream_app.bench.figures import Size
from stream_app.bench.fold import Answer, Expected, Windows, record_batches
from stream_app.bench.job_log import HOUR_MS, LATENESS_MS
from stream_app.bench.running_worker import RunningWorker
from stream_app.embedded import Servers
from stream_app.embedded.bound_process import BoundProcess
from stream_app.embedded.jars import cache_folder
from stream_app.kafka.topics import TopicNames

PEERS = Path(__file__).parents[2] / "bench" / "peers"


class Participant(Protocol):
    """Reads ``NAME.orders`` and gives closed hours out on ``NAME.demand``."""

    @property
    def process(self) -> BoundProcess:
        """What runs."""

    def begin(self) -> None:
        """Start it."""

    def stop(self) -> None:
        """End it."""

    def is_done(self, expected: Expected) -> bool:
        """Whether all that is expected seems to be given out; only the answer tells whether it is."""

    def other_cpu_seconds(self) -> float:
        """Return the CPU seconds that its state costs in another process."""

    def right(self, expected: Expected) -> Windows:
        """Return what its answer should be."""

    def answer(self) -> Answer:
        """Return what it gave out."""


class _Demand(msgspec.Struct, gc=False):
    bucket_start: str
    kind: str
    location: list[str]
    sku: list[str]
    units: list[int]


class _Closed(msgspec.Struct, gc=False):
    start: int
    value: int


_demand = msgspec.json.Decoder(_Demand)
_closed = msgspec.json.Decoder(_Closed)


class Restock:
    """Our worker, without a model; late lines correct the hour they belong to."""

    def __init__(self, running: Servers, folder: Path, name: str, size: Size) -> None:
        """Take where it runs and how much it is given."""
        self._running, self._size, self._topic = running, size, TopicNames(f"{name}.").of("demand")
        settings = {
            "RESTOCK_BUCKET_SECONDS": str(HOUR_MS // 1000),
            "RESTOCK_ALLOWED_LATENESS_SECONDS": str(LATENESS_MS // 1000),
        }
        self._worker = RunningWorker(running, folder / name, name, **settings)

    @property
    def process(self) -> BoundProcess:
        """The worker."""
        return self._worker.process

    def begin(self) -> None:
        """Start it."""
        self.process.begin()

    def stop(self) -> None:
        """End it."""
        self._worker.stop()

    def is_done(self, expected: Expected) -> bool:  # noqa: ARG002 - peers need it
        """Whether all lines are durable and all records have left."""
        partitions = self._size.partitions
        return self._worker.applied_lines(partitions) >= self._size.lines and not self._worker.unsent(partitions)

    def other_cpu_seconds(self) -> float:
        """Return those of Redis."""
        with redis.Redis.from_url(self._running.redis_url) as client:
            return redis_cpu_seconds(client)

    def right(self, expected: Expected) -> Windows:
        """Return the sums with late lines."""
        return expected.with_late

    def answer(self) -> Answer:
        """Return closed hours that are not 0, as corrected."""
        return asyncio.run(self._answer())

    async def _answer(self) -> Answer:
        windows: dict[tuple[bytes, int], int] = {}
        closed: Counter[tuple[bytes, int]] = Counter()
        async for _, records in record_batches(self._running.kafka, self._topic):
            for demand in (_demand.decode(record.value) for record in records):
                start = round(datetime.fromisoformat(demand.bucket_start).timestamp() * 1000)
                keys = [f"{place}|{sku}".encode() for place, sku in zip(demand.location, demand.sku, strict=True)]
                told = {(key, start): units for key, units in zip(keys, demand.units, strict=True)}
                windows.update(told)
                closed.update(told.keys() if demand.kind == "closed" else ())
        return Answer({one: units for one, units in windows.items() if units}, _doubled(closed))


class Peer:
    """A program of ``bench/peers``; late lines are late data to it."""

    def __init__(self, running: Servers, folder: Path, name: str, size: Size, command: Sequence[str]) -> None:
        """Take where it runs, how much it is given, and what starts it but for the arguments."""
        self._running, self._size = running, size
        self._topic = TopicNames(f"{name}.").of("demand")
        home = folder / name
        home.mkdir(parents=True)
        orders = TopicNames(f"{name}.").of("orders")
        arguments = [running.kafka, orders, self._topic, str(size.partitions)]
        self._process = BoundProcess(name, [*command, *arguments], home)

    @property
    def process(self) -> BoundProcess:
        """The program."""
        return self._process

    def begin(self) -> None:
        """Start it."""
        self._consumer = KafkaConsumer(bootstrap_servers=self._running.kafka, enable_auto_commit=False)
        self._process.begin()

    def stop(self) -> None:
        """End it."""
        self._consumer.close()
        self._process.kill()  # a peer may take minutes to end by itself

    def is_done(self, expected: Expected) -> bool:
        """Whether as many hours were given out as are expected."""
        places = [TopicPartition(self._topic, one) for one in range(self._size.partitions)]
        return sum(map(int, self._consumer.end_offsets(places).values())) >= len(expected.on_time)

    def other_cpu_seconds(self) -> float:
        """Return 0: its state is in its process and in Kafka."""
        return 0.0

    def right(self, expected: Expected) -> Windows:
        """Return the sums without late lines."""
        return expected.on_time

    def answer(self) -> Answer:
        """Return the hours it gave out."""
        return asyncio.run(self._answer())

    async def _answer(self) -> Answer:
        windows: dict[tuple[bytes, int], int] = {}
        given: Counter[tuple[bytes, int]] = Counter()
        async for _, records in record_batches(self._running.kafka, self._topic):
            for record in records:
                closed = _closed.decode(record.value)
                windows[record.key, closed.start] = closed.value
                given[record.key, closed.start] += 1
        return Answer(windows, _doubled(given))


def quix_python() -> Path:
    """Return the Python of the environment that ``make bench`` makes for peers that are no packages of ours."""
    return cache_folder() / "peers" / "bin" / "python"


def faust_python() -> Path:
    """Return our own: Faust is in it."""
    return Path(sys.executable)


def _doubled(given: Counter[tuple[bytes, int]]) -> int:
    return sum(count > 1 for count in given.values())
