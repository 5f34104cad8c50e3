"""Order lines per second and core: back-fill through a worker with durable state, beside a bare consumer."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from stream_app.bench.figures import Figure, Outcome, Ratio, Size, Tell
from stream_app.bench.load import Load, produce
from stream_app.bench.running_worker import RunningWorker, Stretch
from stream_app.embedded import servers
from stream_app.errors import RestockError
from stream_app.kafka.topics import TopicNames, create

COLUMNS = ("", "records", "per second", "per core second")


def measure(folder: Path, size: Size, tell: Tell) -> Outcome:
    """Run both on servers of their own in ``folder``.

    Raises:
        EmbeddedUnavailable: If a server cannot be had.
        RestockError: If the worker ends or stands still.
    """
    load, names = Load(size.lines, size.skus, size.partitions), TopicNames("lines.")
    with servers(folder, tell) as running:
        create(running.kafka, names, load.partitions, 1)
        tell(f"writing {load.lines:,} order lines")
        asyncio.run(produce(running.kafka, names.of("orders"), load))
        worker = RunningWorker(running, folder / "worker", "lines")
        try:
            worker.begin()
            ours = worker.applied_all(load.lines, load.partitions, tell)
        finally:
            worker.stop()
        tell("the bare consumer reads the same topic")
        bare = bare_consumer(running.kafka, names.of("orders"), load.lines)
    ratio = ours.per_core_second / bare.per_core_second
    return Outcome(
        COLUMNS,
        [ours.row("restock worker, durable state"), bare.row("bare aiokafka consumer")],
        [Ratio("order lines per second and core, to a bare consumer", ratio, 0.40, 0.60)],
    )


def bare_consumer(bootstrap: str, topic: str, lines: int) -> Stretch:
    """Return what reading a topic takes if nothing is done with its records.

    Raises:
        RestockError: If it cannot be read.
    """
    command = [sys.executable, "-m", "stream_app.bench.bare_consumer", bootstrap, topic, str(lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RestockError(f"the bare consumer failed:\n{done.stderr}")
    figures = json.loads(done.stdout)
    return Stretch(int(figures["records"]), figures["seconds"], figures["cpu_seconds"])


LINES = Figure(
    "lines",
    "back-fill without closings through a worker, then a bare consumer of the same topic",
    2,
    usual=Size(2_000_000, 20_000),
    quick=Size(100_000, 2_000),
    measure=measure,
)
