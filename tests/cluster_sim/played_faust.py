"""A stand-in for Faust and for its consumer: the product's batching consumer runs on it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from faust.transport.drivers import aiokafka as stock
from faust.types import TP

from replenishment.engine.columns import Role
from stream_app.kafka.transport import Consumer
from tests.cluster_sim.broker import NAMES, Log, UnknownMemberError
from tests.cluster_sim.redis import Violated
from tests.cluster_sim.timeline import Process
from tests.cluster_sim.world import World

HEARTBEAT_SECONDS = 1.0
COMMIT_SECONDS = 1.5
IDLE_SECONDS = 0.2


class Stand(stock.Consumer):
    """What ``kafkabatch`` needs of Faust's consumer, on a played broker."""

    def __init__(self, app: "PlayedApp", world: World, process: Process) -> None:
        self.app: Any = app
        self.world, self.process = world, process
        self.positions: dict[TP, int] = {}
        self._acked: Any = {}
        self._acked_index: Any = {}
        self._committed_offset: Any = {}

    def assignment(self) -> set[TP]:
        return set(self.positions)

    async def earliest_offsets(self, *partitions: TP) -> Any:
        await self.world.dice.pass_word(self.process, "earliest offsets")
        return {tp: self.log_of(tp).earliest for tp in partitions}

    async def highwaters(self, *partitions: TP) -> Any:
        await self.world.dice.pass_word(self.process, "ends of topics")
        return {tp: self.log_of(tp).end for tp in partitions}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        self.positions.update({tp: max(position, self.log_of(tp).earliest) for tp, position in partitions.items()})

    async def perform_seek(self) -> None:
        for tp in self.positions:
            self.positions[tp] = self.world.group.committed.get((role_of(tp), tp.partition), 0)

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self.world.dice.tell(self.process.name, "has let go")

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        """Fetch some records."""
        dice, fetched = self.world.dice, {}
        await dice.pass_word(self.process, "fetch")
        for tp in sorted(self.positions):
            records = self.log_of(tp).read(self.positions[tp], dice.rng.randrange(1, 30))
            if not records:
                continue
            self.positions[tp] = records[-1].offset + 1
            fetched[tp] = [SimpleNamespace(**vars(one), timestamp_type=0) for one in records]
        return fetched

    def acknowledge(self, tp: TP, offset: int) -> None:
        """Note an offset, as Faust's consumer does."""
        index = self._acked_index.setdefault(tp, set())
        if offset not in index:
            index.add(offset)
            self._acked.setdefault(tp, []).append(offset)

    async def commit(self, *_: Any, **__: Any) -> bool:
        """Commit what is acknowledged."""
        due = {tp: offset for tp in sorted(self._acked) if (offset := self._new_offset(tp)) is not None}
        await self.world.dice.pass_word(self.process, "commit")
        for tp, offset in due.items():
            if offset > self.world.redis.highest.get((role_of(tp), tp.partition), 0):
                raise Violated(f"{self.process.name} commits {offset} of {tp}, which was never applied")
            generation = self.app.consumer_generation_id
            self.world.group.commit(self.process.name, generation, role_of(tp), tp.partition, offset)
        return True

    def log_of(self, tp: TP) -> Log:
        """Return the log of a topic and partition."""
        return self.world.broker.logs[role_of(tp), tp.partition]


class PlayedConsumer(Consumer, Stand):
    """The product's consumer; what it takes from Faust's comes from ``Stand``."""


def role_of(tp: TP) -> Role:
    """Return the role of a topic."""
    return NAMES.inputs[tp.topic]


class PlayedApp:
    """Faust as the session sees it: it joins the group, fetches, hands over, commits."""

    def __init__(self, world: World, process: Process) -> None:
        self.world, self.process = world, process
        self.crash_reason: BaseException | None = None
        self.consumer_generation_id = -1
        self.batching: Any = None
        self.consumer: Any = None
        self._crashed = asyncio.Event()
        self._must_join = asyncio.Event()
        self._queue: asyncio.Queue[Any] = asyncio.Queue(2)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to work."""
        self.consumer = PlayedConsumer(self, self.world, self.process)
        loops = (self._live, self._hand_over, self._beat, self._commit)
        self._tasks = [asyncio.create_task(self._guarded(one)) for one in loops]

    async def stop(self) -> None:
        """Leave the group."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.world.dice.pass_word(self.process, "leave")
        self.world.group.leave(self.process.name)

    async def _guarded(self, loop: Callable[[], Awaitable[None]]) -> None:
        try:
            await loop()
        except Exception as wrong:
            self.crash_reason = wrong
            self._crashed.set()

    async def _live(self) -> None:
        while True:
            await self.world.dice.pass_word(self.process, "join", is_seam=True)
            generation, mine = await self.world.group.join(self.process.name)
            await self.process.stand()
            self._must_join.clear()
            self.consumer_generation_id = generation
            topics = sorted(NAMES.inputs)
            self.consumer.positions = {TP(topic, number): 0 for number in mine for topic in topics}
            await self.consumer.perform_seek()
            while not self._must_join.is_set():
                await self._fetch()
            await self.consumer.on_partitions_revoked(self.consumer.assignment())
            self.consumer.positions = {}

    async def _fetch(self) -> None:
        """Fetch and queue; at times Faust loses a batch on the way to its agent, or hands it over twice."""
        fetched, falls = await self.consumer._getmany(active_partitions=None, timeout=0.0), self.world.dice.falls
        for tp, records in fetched.items():
            times = 0 if falls("skipped batch", 0.01) else 2 if falls("repeated batch", 0.01) else 1
            for record in times * records:
                putting = asyncio.ensure_future(self._queue.put((tp, record)))
                waiting = asyncio.ensure_future(self._must_join.wait())
                await asyncio.wait([putting, waiting], return_when=asyncio.FIRST_COMPLETED)
                putting.cancel()
                waiting.cancel()
        if not fetched:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._must_join.wait(), IDLE_SECONDS)

    async def _hand_over(self) -> None:
        while True:
            tp, record = await self._queue.get()

            async def acknowledge(tp: TP = tp, offset: int = record.offset) -> None:
                await self.process.stand()
                self.consumer.acknowledge(tp, offset)

            await self.batching.deliver(record.value, acknowledge)

    async def _beat(self) -> None:
        while True:
            await self.process.stand(HEARTBEAT_SECONDS)
            try:
                must_join = self.world.group.heartbeat(self.process.name)
            except UnknownMemberError:
                must_join = self.consumer_generation_id >= 0
            if must_join:
                self._must_join.set()

    async def _commit(self) -> None:
        while True:
            await self.process.stand(COMMIT_SECONDS)
            await self.consumer.commit()
