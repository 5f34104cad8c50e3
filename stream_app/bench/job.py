"""The peers' job: units per SKU and event-time hour, durable, each closed hour once on a topic; right answers count."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stream_app.bench.cpu import tree_cpu_seconds
from stream_app.bench.figures import Figure, Outcome, Ratio, Size, Tell
from stream_app.bench.fold import Expected, folded
from stream_app.bench.job_log import HOUR_MS, LATENESS_MS, JobLog
from stream_app.bench.lines import bare_consumer
from stream_app.bench.load import produce
from stream_app.bench.participants import PEERS, Participant, Peer, Restock, faust_python, quix_python
from stream_app.bench.running_worker import Stretch
from stream_app.embedded import Servers, servers
from stream_app.kafka.topics import TopicNames, create

BOUND_SECONDS = 300.0
LOOK_SECONDS = 0.2
COLUMNS = ("", "lines", "seconds", "CPU seconds", "lines per CPU second", "answer")


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody who takes part; ``share`` = its log is so many times smaller than ours, so that the run ends."""

    name: str
    share: int
    bound: float
    ambition: float
    program: Path
    python: Callable[[], Path]

    @property
    def missing(self) -> str:
        """Why it does not take part, empty if it does."""
        if not self.program.exists():
            return f"{self.name} did not take part: its program is in bench/peers of a checkout."
        if not self.python().exists():
            return f"{self.name} did not take part: {self.python()} is missing, which `make bench` makes."
        return ""


PEER_ENTRIES = (
    Entry("faust", 40, 40, 80, PEERS / "faust_table.py", faust_python),
    Entry("quix", 8, 5, 10, PEERS / "quix_windows.py", quix_python),
)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a participant took, and what was wrong with its answer; empty = nothing."""

    name: str
    stretch: Stretch
    faults: str

    @property
    def row(self) -> tuple[str, ...]:
        """The row of the table."""
        spent = self.stretch
        figures = (
            f"{spent.lines:,}",
            f"{spent.seconds:.1f}",
            f"{spent.cpu_seconds:.1f}",
            f"{spent.per_core_second:,.0f}",
        )
        return self.name, *figures, f"WRONG: {self.faults}" if self.faults else "right"


def measure(folder: Path, size: Size, tell: Tell) -> Outcome:
    """Let everybody who is here do the job; see ``compare``."""
    return compare(folder, size, tell, PEER_ENTRIES)


def compare(folder: Path, size: Size, tell: Tell, entries: Sequence[Entry]) -> Outcome:
    """Let the worker and some peers do the job, one after the other, on the same servers.

    Raises:
        EmbeddedUnavailable: If a server cannot be had.
    """
    with servers(folder, tell) as running:
        expected = _written(running, "restock", size, tell)
        ours = _run(Restock(running, folder, "restock", size), "restock", size, expected, tell)
        tell("the bare consumer reads the same topic")
        bare = bare_consumer(running.kafka, TopicNames("restock.").of("orders"), size.lines)
        peers = {one.name: _peer(running, folder, one, size, tell) for one in entries if not one.missing}
    yardstick = ("bare aiokafka consumer", f"{bare.lines:,}", f"{bare.seconds:.1f}", f"{bare.cpu_seconds:.1f}")
    return Outcome(
        COLUMNS,
        [ours.row, *(one.row for one in peers.values()), (*yardstick, f"{bare.per_core_second:,.0f}", "–")],
        _ratios(ours, peers, entries),
        [
            f"{size.hours} hours close, {expected.late_lines:,} lines are late: they correct their hour for us, and are"
            " late data for peers.",
            "CPU seconds are those of the process from its start to its last closed hour; ours with those of Valkey.",
            "A peer's log is smaller in lines and in SKUs alike: as many lines of a window, fewer windows.",
            *(one.missing for one in entries if one.missing),
            "Kafka Streams and Flink are not part of this run.",
        ],
        [f"{one.name}: {one.faults}" for one in (ours, *peers.values()) if one.faults],
    )


def _ratios(ours: Ran, peers: Mapping[str, Ran], entries: Sequence[Entry]) -> list[Ratio]:
    return [
        Ratio(
            f"the peers' job, lines per CPU second, to {one.name}",
            ours.stretch.per_core_second / peers[one.name].stretch.per_core_second,
            one.bound,
            one.ambition,
        )
        for one in entries
        if one.name in peers and not peers[one.name].faults
    ]


def _written(running: Servers, name: str, size: Size, tell: Tell) -> Expected:
    log, names = JobLog.of(size), TopicNames(f"{name}.")
    tell(f"{name}: writing {size.lines:,} order lines")
    create(running.kafka, names, size.partitions, 1)
    asyncio.run(produce(running.kafka, names.of("orders"), log.load, log.times()))
    tell(f"{name}: folding the log")
    return asyncio.run(folded(running.kafka, names.of("orders"), HOUR_MS, LATENESS_MS))


def _peer(running: Servers, folder: Path, entry: Entry, size: Size, tell: Tell) -> Ran:
    smaller = size.divided(entry.share)
    expected = _written(running, entry.name, smaller, tell)
    peer = Peer(running, folder, entry.name, smaller, [str(entry.python()), str(entry.program)])
    return _run(peer, entry.name, smaller, expected, tell)


def _run(one: Participant, name: str, size: Size, expected: Expected, tell: Tell) -> Ran:
    begun, other_begun = time.monotonic(), one.other_cpu_seconds()
    cpu_seconds, is_done = 0.0, False
    one.begin()
    try:
        while not is_done and one.process.is_running and time.monotonic() < begun + BOUND_SECONDS:
            time.sleep(LOOK_SECONDS)
            is_done, cpu_seconds = one.is_done(expected), tree_cpu_seconds(one.process)
            tell(f"{name}: {time.monotonic() - begun:.0f} s, {cpu_seconds:.0f} s of CPU")
        seconds = time.monotonic() - begun
        cpu_seconds += one.other_cpu_seconds() - other_begun
    finally:
        one.stop()
    tell(f"{name}: comparing its answer with the fold of the log")
    faults = one.answer().faults(one.right(expected))
    if not is_done:
        said = one.process.log.read_text(errors="replace").strip().splitlines()[-3:]
        faults = "; ".join([f"not done after {seconds:.0f} s", faults, *said])
    return Ran(name, Stretch(size.lines, seconds, cpu_seconds), faults)


JOB = Figure(
    "job",
    "units per SKU and hour by the worker, Faust and Quix Streams, each compared with a fold of the log",
    8,
    usual=Size(4_000_000, 100_000, 4, 5_000, 4),
    quick=Size(200_000, 5_000, 4, 250, 4),
    measure=measure,
)
