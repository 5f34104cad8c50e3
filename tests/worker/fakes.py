"""A shell, a log of records and a relay in memory, for tests of the runner alone."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field

from replenishment.engine.columns import Role
from replenishment.engine.progress import Progress
from replenishment.forecaster import Forecaster
from stream_app.errors import FencedClaim, Unavailable
from stream_app.ports import Claim, Fence, Outcome, RecordBatch
from stream_app.worker.inbox import Delivery
from stream_app.worker.runner import PartitionRunner
from stream_app.worker.surroundings import Inputs, Surroundings

CATALOG_RECORDS = 5


@dataclass
class FakeStore:
    """Positions of one partition, compared and set as the real one does."""

    positions: dict[str, int] = field(default_factory=lambda: {"orders": 0, "inventory": 0, "catalog": 0, "signals": 0})
    generation: int = 0
    epoch: int = 0
    applied: list[tuple[str, int, int]] = field(default_factory=list)
    ticked_seconds: list[float] = field(default_factory=list)
    away_for: int = 0
    refusals: list[Outcome] = field(default_factory=list)
    hold: asyncio.Event | None = None

    def answer(self) -> None:
        """Fail as often as told to."""
        if self.away_for:
            self.away_for -= 1
            raise Unavailable("the store is away")


class FakeShell:
    """Claims and applies spans at a ``FakeStore``; serves one version and takes no other."""

    is_requesting = True
    serves = ("version-1", "champion")
    rebuild_pending_keys = 0

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self._epoch = 0

    async def claim(self, partition: int, generation: int) -> Claim:
        self._store.answer()
        if generation < self._store.generation:
            raise FencedClaim(f"partition {partition} belongs to generation {self._store.generation}")
        self._store.generation = generation
        self._store.epoch += 1
        self._epoch = self._store.epoch
        return Claim(Fence(partition, self._epoch), Progress(0, dict(self._store.positions), 0))

    async def accept(self, batch: RecordBatch) -> Outcome:
        self._store.answer()
        if self._store.hold is not None:
            await self._store.hold.wait()
        if self._store.refusals:
            return self._store.refusals.pop(0)
        if self._epoch != self._store.epoch:
            return Outcome.FENCED
        if self._store.positions[batch.topic] != batch.start:
            return Outcome.REGRESSED
        self._store.positions[batch.topic] = batch.end
        self._store.applied.append((batch.topic, batch.start, batch.end))
        return Outcome.APPLIED

    async def use(self, forecaster: Forecaster, rung: str) -> bool:
        return False

    async def shadow(self, forecaster: Forecaster | None) -> bool:
        return False

    async def tick(self, elapsed_seconds: float) -> Outcome:
        self._store.ticked_seconds.append(elapsed_seconds)
        return Outcome.APPLIED


class FakeLog:
    """Kafka as seen past the group: how many records each topic holds; ``is_away`` = no broker answers."""

    def __init__(self, ends: Mapping[Role, int] | None = None) -> None:
        self.ends: dict[Role, int] = {
            "orders": 0,
            "inventory": 0,
            "catalog": CATALOG_RECORDS,
            "signals": 0,
            **(ends or {}),
        }
        self.is_away = False
        self.asked_in_vain = 0

    async def end(self, role: Role, partition: int) -> int:
        if self.is_away:
            self.asked_in_vain += 1
            raise Unavailable("Kafka is away")
        return self.ends[role]

    async def read(self, role: Role, partition: int, start: int, end: int) -> AsyncGenerator[RecordBatch, None]:
        if start < end:
            yield RecordBatch(role, role, partition, start, end, [])


class FakeRelay:
    """Remembers for which epoch it publishes."""

    def __init__(self) -> None:
        self.epoch: int | None = None

    def own(self, fence: Fence) -> None:
        self.epoch = fence.epoch

    def disown(self, partition: int) -> None:
        self.epoch = None

    def wake(self, partition: int) -> None:
        pass


class Bench:
    """A runner of partition 0 among fakes; ``now`` is its clock."""

    def __init__(self, *, tick_seconds: float = 0.0, fills_gaps: bool = False) -> None:
        self.store, self.log, self.relay = FakeStore(), FakeLog(), FakeRelay()
        self.now = 0.0
        self._fills_gaps = fills_gaps
        self.seeks: list[Mapping[Role, int]] = []
        self.failures: list[BaseException] = []
        self.acknowledged: list[int] = []
        self._changed = asyncio.Event()
        self.runner = PartitionRunner(
            0,
            Surroundings(
                inputs=Inputs(
                    {"catalog": "catalog", "signals": "signals", "inventory": "inventory", "orders": "orders"}
                ),
                shell=lambda: FakeShell(self.store),
                spans=self.log,
                relay=self.relay,
                seek=self._seek,
                changed=self._changed.set,
                failed=self.failures.append,
                tick_seconds=tick_seconds,
                fills_gaps=fills_gaps,
                clock=lambda: self.now,
            ),
        )

    async def deliver(self, topic: Role, start: int, end: int, era: int = 1) -> None:
        """Hand a batch over."""

        async def acknowledge() -> None:
            self.acknowledged.append(end)

        await self.runner.deliver(Delivery(RecordBatch(topic, topic, 0, start, end, []), era, acknowledge))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the runner work until a condition holds, at most for a while."""
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0)

    def _seek(self, partition: int, positions: Mapping[Role, int]) -> int:
        self.seeks.append(dict(positions))
        return 0 if self._fills_gaps else 1 + len(self.seeks)
