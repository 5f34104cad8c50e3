"""A model swap under load: lines per second while every key is rebuilt for the new version, and the longest pause."""

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from model_store.artifact import SELF_TEST, Draft, read
from model_store.starter import starter_directory
from model_store.versions import Versions
from stream_app.bench.figures import Figure, Outcome, Ratio, Size, Tell
from stream_app.bench.load import Load, produce, times_of
from stream_app.bench.many_keys import DAY_MS, close_day, worker_with_keys
from stream_app.bench.running_worker import RunningWorker
from stream_app.embedded import servers
from stream_app.embedded.failures import EmbeddedUnavailable
from stream_app.kafka.topics import TopicNames

LOOK_SECONDS = 0.01
BOUND_SECONDS = 300.0
UNDISTURBED_SHARE = 0.25
"""Share of the lines that are applied before the swap: the yardstick."""


def measure(folder: Path, size: Size, tell: Tell) -> Outcome:
    """Let a worker with all keys read a backlog, and promote another version meanwhile.

    Raises:
        EmbeddedUnavailable: If a server cannot be had, or the worker ends or has not swapped by the last line.
    """
    keys = Size(size.skus, size.skus, size.partitions)
    with servers(folder, tell) as running:
        with worker_with_keys(running, folder, "swap", keys, tell) as worker:
            close_day(running, worker, "swap", keys, 0)
        tell(f"writing {size.lines:,} order lines")
        load = Load(size.lines, size.skus, size.partitions, seed=2)
        asyncio.run(produce(running.kafka, TopicNames("swap.").of("orders"), load, times_of(load) + DAY_MS))
        again = RunningWorker(running, folder / "again", "swap")
        try:
            again.begin()
            looks, begun, ended = _swapped(again, folder / "again" / "models", size, tell)
        finally:
            again.stop()
    without, during = looks[:begun], looks[begun - 1 : ended]
    ratio, pause = _per_second(during) / _per_second(without), _longest_pause(during) - _longest_pause(without)
    return Outcome(
        ("", "lines per second", "longest pause in seconds"),
        [_row("without a swap", without), _row(f"while {size.skus:,} keys are rebuilt and flipped", during)],
        [
            Ratio("lines per second during a swap, to without", ratio, 0.6, 0.8),
            Ratio("seconds that a swap adds to the longest pause", pause, 0.25, 0.05, is_less_better=True),
        ],
        ["Each key has one closed bucket to be rebuilt from; a fetch that is applied is a pause, too."],
    )


Looks = Sequence[tuple[float, int]]


def _swapped(worker: RunningWorker, models: Path, size: Size, tell: Tell) -> tuple[Looks, int, int]:
    """Return looks at how many lines are applied, and which were the first and the last of the swap."""
    total, first = size.skus + size.lines, worker.applied_lines(size.partitions)
    promote_at = first + (total - first) * UNDISTURBED_SHARE
    looks, begun = [(time.monotonic(), first)], 0
    while worker.process.is_running and looks[-1][1] < total and time.monotonic() < looks[0][0] + BOUND_SECONDS:
        time.sleep(LOOK_SECONDS)
        looks.append((time.monotonic(), worker.applied_lines(size.partitions)))
        tell(f"{looks[-1][1]:,} of {total:,} lines applied")
        if not begun and looks[-1][1] >= promote_at:
            _promote_another(models)
            begun = len(looks)
        if begun and worker.count_of("model_swapped") >= size.partitions:
            return looks, begun, len(looks)
    raise EmbeddedUnavailable("worker", "it ended, or the lines did before it had swapped; log:", worker.process.log)


def _promote_another(models: Path) -> None:
    """Publish the starter's net under another id, and make it the champion."""
    starter = read(starter_directory(), packaged=True)
    described = starter.manifest
    files = {name: raw for name, raw in starter.files.items() if name != SELF_TEST}
    span = described.data_from_at, described.data_until_at
    draft = Draft(described.spec, files, *span, created_by={"program": "restock bench"})
    versions = Versions(models)
    versions.promote(versions.publish(draft), who="restock bench", why="a swap under load", at=time.time_ns() // 10**6)


def _per_second(looks: Looks) -> float:
    return (looks[-1][1] - looks[0][1]) / (looks[-1][0] - looks[0][0])


def _longest_pause(looks: Looks) -> float:
    """Return the longest time between two looks at which more was applied than before, in seconds.

    Example:
        >>> _longest_pause([(0.0, 10), (0.5, 20), (1.0, 20), (2.0, 30)])
        1.5
    """
    moved = [looks[0][0]] + [at for (_, before), (at, now) in pairwise(looks) if now > before]
    return max((later - earlier for earlier, later in pairwise(moved)), default=0.0)


def _row(name: str, looks: Looks) -> tuple[str, ...]:
    return name, f"{_per_second(looks):,.0f}", f"{_longest_pause(looks):.2f}"


SWAP = Figure(
    "swap",
    "a backlog of lines, and another version promoted meanwhile: every key is rebuilt for it",
    3,
    usual=Size(4_000_000, 100_000),
    quick=Size(1_000_000, 2_000),
    measure=measure,
)
