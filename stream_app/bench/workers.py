"""CPU seconds of a line with two workers against one."""

import asyncio
import time
from pathlib import Path

from stream_app.bench.cpu import tree_cpu_seconds
from stream_app.bench.figures import Figure, Outcome, Ratio, Size, Tell
from stream_app.bench.load import Load, produce
from stream_app.bench.running_worker import RunningWorker, Stretch
from stream_app.embedded import Servers, servers
from stream_app.embedded.failures import EmbeddedUnavailable
from stream_app.kafka.topics import TopicNames, create

SETTLE_SECONDS = 60.0
STALL_SECONDS = 300.0
WARM_UP_LINES = 20_000


def measure(folder: Path, size: Size, tell: Tell) -> Outcome:
    """Give one worker lines, then two workers the same lines; both wait for them with their partitions assigned.

    Raises:
        EmbeddedUnavailable: If a server cannot be had, or a worker is not ready.
    """
    with servers(folder, tell) as running:
        one, two = (_spent(running, folder, count, size, tell) for count in (1, 2))
    return Outcome(
        ("", "records", "per second", "per core second"),
        [one.row("one worker"), two.row("two workers")],
        [
            Ratio(
                "CPU seconds of a line, two workers to one",
                one.per_core_second / two.per_core_second,
                1.15,
                1.05,
                is_less_better=True,
            )
        ],
        ["Lines are written while they are read: a second is one of the producer, too."],
    )


def _spent(running: Servers, folder: Path, count: int, size: Size, tell: Tell) -> Stretch:
    name = f"workers{count}"
    load = Load(size.lines, size.skus, size.partitions)
    create(running.kafka, TopicNames(f"{name}."), size.partitions, 1)
    workers = [RunningWorker(running, folder / f"{name}-{place}", name) for place in range(count)]
    try:
        for worker in workers:
            worker.begin()
        _share(workers, size)
        warm_up = Load(WARM_UP_LINES, size.skus, size.partitions, seed=2)
        _feed(running, workers[0], name, warm_up, WARM_UP_LINES)
        begun, spent = time.perf_counter(), sum(tree_cpu_seconds(one.process) for one in workers)
        tell(f"{size.lines:,} lines for {count} of them")
        _feed(running, workers[0], name, load, WARM_UP_LINES + size.lines)
        seconds = time.perf_counter() - begun
        return Stretch(size.lines, seconds, sum(tree_cpu_seconds(one.process) for one in workers) - spent)
    finally:
        for worker in workers:
            worker.stop()


def _feed(running: Servers, worker: RunningWorker, name: str, load: Load, total: int) -> None:
    """Write the lines of a load; return once so many are durable in all."""
    asyncio.run(produce(running.kafka, TopicNames(f"{name}.").of("orders"), load))
    worker.process.wait_until(lambda: worker.applied_lines(load.partitions) >= total, STALL_SECONDS)


def _share(workers: list[RunningWorker], size: Size) -> None:
    """Wait until each partition has one of the workers, and each of them some."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        held = [worker.partitions for worker in workers]
        if all(held) and sum(len(some) for some in held) == size.partitions:
            return
        if time.monotonic() > end:
            raise EmbeddedUnavailable("worker", f"partitions are not shared out: {held}; log:", workers[0].process.log)
        time.sleep(0.1)


WORKERS = Figure(
    "workers",
    "the same lines by one worker, then by two",
    2,
    usual=Size(1_000_000, 20_000),
    quick=Size(50_000, 2_000),
    measure=measure,
)
