"""One replay: a partition of its own, from the first record of the files to the last, and what came of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from replenishment.engine.effects import Effects, VersionAccuracy
from replenishment.engine.plan import Plan
from replenishment.engine.progress import UNKNOWN, Progress
from stream_app.errors import RestockError
from stream_app.ports import ForecasterSource, Meter, Outcome, OutgoingRecord
from stream_app.processor import Parts, Processor
from stream_app.replay.sequence import Sequenced
from stream_app.store.memory_store import MemoryStore
from stream_app.wire.json_wire import JsonWire
from stream_app.wire.times import shown

MOST_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was refused, by file and row number."""

    file: str
    row: int
    code: str
    reason: str
    value: str


@dataclass(slots=True)
class Tally:
    """Counts turns; implements ``Meter``."""

    buckets_closed: int = 0
    restocks: int = 0
    withdrawn: int = 0
    withheld: int = 0
    lost_units: int = 0
    unknown_requests: int = 0
    keys: int = 0
    open_requests: int = 0
    rejections: list[tuple[str, int, str, str]] = field(default_factory=list)
    version: str = ""
    rung: str = ""

    def applied(self, partition: int, effects: Effects, seconds: float) -> None:  # noqa: ARG002  the port's signature
        """Add one turn."""
        self.buckets_closed += effects.buckets_closed
        self.restocks += sum(one.revision == 1 for one in effects.restocks)
        self.withdrawn += sum(one.withdrawn is not None for one in effects.restocks)
        self.withheld += len(effects.withheld)
        self.lost_units += effects.counts.lost_units
        self.unknown_requests += effects.counts.unknown_requests
        self.keys, self.open_requests = effects.keys, effects.open_requests
        self.rejections += [(one.topic, one.offset, one.code, one.reason) for one in effects.rejections]

    def refused(self, partition: int, outcome: Outcome) -> None:  # noqa: ARG002  the port's signature
        """Nobody else has the partition of a replay."""
        raise RestockError(f"the store in memory refused a turn ({outcome.value}): report this as a bug")

    def swapped(self, partition: int, version: str, rung: str) -> None:  # noqa: ARG002  the port's signature
        """Note who forecasts."""
        self.version, self.rung = version, rung

    def scored(self, partition: int, accuracy: Sequence[VersionAccuracy]) -> None:
        """Nobody watches a replay."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay; ``summary`` is for people and tools, ``refusals`` names each refused row."""

    summary: dict[str, object]
    refusals: Sequence[Refusal]
    outgoing: Sequence[OutgoingRecord]

    def values(self, topic: str) -> Iterable[bytes]:
        """Yield the values of all records that left on a topic, in order."""
        return (one.value for one in self.outgoing if one.topic == topic and one.value is not None)


async def replayed(
    files: Sequenced,
    plan: Plan,
    source: ForecasterSource,
    decide_from: int,
    advanced: Callable[[int], None] | None = None,
) -> Replayed:
    """Run all records through wire, engine and a store in memory.

    Args:
        files: Records in order.
        plan: As for a worker.
        source: Who forecasts.
        decide_from: From when stock moves and requests are made, epoch milliseconds.
        advanced: Told how many records each batch had.
    """
    tally, store = Tally(), MemoryStore()
    # no group, no other claims; file records have no timestamps, so no event is in the future
    processor = Processor(Parts(plan, store, JsonWire(1, None), tally, source), decide_from)
    await processor.claim(0, -1)
    for batch in files.batches():
        await processor.accept(batch)
        if advanced is not None:
            advanced(len(batch.records))
    partition, outgoing = store.partitions[0], store.outgoing(0)
    refusals = _refusals(files, tally)
    return Replayed(_summary(files, tally, partition.progress, refusals), refusals, outgoing)


def _refusals(files: Sequenced, tally: Tally) -> Sequence[Refusal]:
    wanted = {(topic, offset) for topic, offset, _, _ in tally.rejections}
    rows = {(one.role, one.offset): one for one in files.records if (one.role, one.offset) in wanted}
    found = []
    for topic, offset, code, reason in tally.rejections:
        record = rows[topic, offset]  # type: ignore[index]
        found.append(Refusal(topic, record.row, code, reason, record.value.decode(errors="backslashreplace")))
    return found


def _summary(
    files: Sequenced,
    tally: Tally,
    progress: Progress,
    refusals: Sequence[Refusal],
) -> dict[str, object]:
    return {
        "records": dict(Counter(one.role for one in files.records)),
        "ignored": dict(files.ignored),
        "rejected": dict(Counter(one.code for one in refusals)),
        "late_corrected": progress.late_corrected,
        "late_dropped": progress.late_dropped,
        "repeated": progress.repeated,
        "not_stock": progress.not_stock,
        "held": progress.held,
        "stock_keys": tally.keys,
        "buckets_closed": tally.buckets_closed,
        "restocks": tally.restocks,
        "withdrawn": tally.withdrawn,
        "withheld": tally.withheld,
        "open_requests": tally.open_requests,
        "unknown_requests": tally.unknown_requests,
        "lost_units": tally.lost_units,
        "clock": _instant(progress.clock),
        "watermark": _instant(progress.watermark),
        "closed_through": _instant(progress.closed_through),
        "decide_from": shown(progress.decide_from),
        "model_version": tally.version,
        "model_rung": tally.rung,
    }


def _instant(at: int) -> str | None:
    return None if at == UNKNOWN else shown(at)


_meters: type[Meter] = Tally
