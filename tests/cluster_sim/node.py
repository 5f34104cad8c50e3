"""A worker of the cluster: the product's sessions among stand-ins for what lies outside of it."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaError

from replenishment.engine.columns import Role
from server_access.kafka import KafkaAccess
from stream_app.kafka.outbox import Relay
from stream_app.ports import OutgoingRecord, RecordBatch
from stream_app.processor import Parts, Processor
from stream_app.wire.json_wire import JsonWire
from stream_app.worker.run import hold_sessions
from stream_app.worker.session import Session, SessionParts
from stream_app.worker.surroundings import Inputs
from stream_app.worker.upkeep import Sources, Upkeep
from tests.cluster_sim.broker import NAMES
from tests.cluster_sim.redis import Link
from tests.cluster_sim.timeline import PROCESS, Process
from tests.cluster_sim.world import Follower, World
from tests.stream.shop import Notes


class Spans:
    """Implements what runners and upkeep need of a ``SpanReader``."""

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process

    async def end(self, role: Role, partition: int) -> int:
        await self._world.dice.pass_word(self._process, "end of a topic")
        return self._world.broker.logs[role, partition].end

    async def read(self, role: Role, partition: int, start: int, end: int) -> AsyncGenerator[RecordBatch, None]:
        log = self._world.broker.logs[role, partition]
        while start < end:
            await self._world.dice.pass_word(self._process, "read a span")
            records = [one for one in log.read(start, 20) if one.offset < end]
            if not records:
                return
            yield RecordBatch(role, NAMES.of(role), partition, start, records[-1].offset + 1, records)
            start = records[-1].offset + 1


class Producer:
    """A producer that can fail before or after the broker has the record; its process is who made it."""

    world: World

    def __init__(self, **_: Any) -> None:
        process = PROCESS.get()
        assert process is not None
        self._process = process

    async def start(self) -> None:
        await self.world.dice.pass_word(self._process, "producer starts")

    async def stop(self) -> None:
        await self._process.stand()

    async def send(
        self, topic: str, *, value: bytes | None, key: bytes | None, partition: int | None, headers: Iterable[Any]
    ) -> "asyncio.Future[None]":
        dice = self.world.dice
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await dice.pass_word(self._process, "send")
        if dice.falls("refused send", 0.01):
            raise KafkaError("the broker is away")
        role = topic.removeprefix(NAMES.prefix)
        self.world.broker.published.append(OutgoingRecord(role, key, value, tuple(headers)))
        if dice.falls("lost acknowledgement", 0.01):
            acknowledged.set_exception(KafkaError("no acknowledgement"))
            acknowledged.exception()
        else:
            acknowledged.set_result(None)
        return acknowledged


class Nothing:
    """A meter, or whatever else only watches."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


class Reader:
    """Tells upkeep nothing: gauges are not what is tested here."""

    async def standing(self, partition: int) -> None:
        """Return nothing."""


async def work(world: World, process: Process) -> None:
    """Run a worker until it dies or is cancelled, which ends it in order."""
    link, follower, spans = Link(world.redis, process), Follower(world.pointer), Spans(world, process)
    outside: Any = SimpleNamespace(health=Nothing(), meter=Nothing(), address="")
    sources: Any = SimpleNamespace(switch=link, reader=Reader(), ends=spans, follower=follower)
    upkeep = Upkeep(outside, Sources(**vars(sources)), is_observing=False)
    relay = Relay(KafkaAccess("sim:9092"), link, NAMES, {})
    parts = Parts(
        world.plan, link, JsonWire(world.broker.partitions, None), Notes(), follower, "sim", world.broker.partitions
    )

    def shell() -> Processor:
        return Processor(parts, world.settings.decide_from_at, is_requesting=upkeep.is_requesting)

    read: Any = spans
    around = SessionParts(
        world.settings, "sim", Inputs(NAMES.inputs), shell, read, relay, upkeep.keep, lambda _assigned, _stages: None
    )
    try:
        await hold_sessions(lambda: Session(around).hold(), outside)
    finally:
        await relay.close()
