"""One cluster's life from its seed: it is hurt, heals, and is judged."""

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

import structlog

from replenishment.forecaster import Forecaster
from stream_app.worker import session, upkeep
from stream_app.worker.surroundings import Surroundings
from tests.cluster_sim.broker import Broker, Group
from tests.cluster_sim.dice import Dice
from tests.cluster_sim.node import Producer, work
from tests.cluster_sim.oracles import judge, require
from tests.cluster_sim.played_faust import PlayedApp
from tests.cluster_sim.redis import PlayedRedis
from tests.cluster_sim.scenario import PLAN, PLAY_SECONDS, Coming, Scenario, drawn
from tests.cluster_sim.timeline import PROCESS, Process, VirtualLoop
from tests.cluster_sim.world import Pointer, World
from tests.engine.builders import MeanForecaster

HEAL_SECONDS = 240.0
RESTART_SECONDS = 2.0
MOST_WORKERS = 4


@dataclass(frozen=True)
class Life:
    """What came of a seed: ``digest`` is of its whole story, ``failure`` what was violated, None = nothing."""

    seed: int
    story: list[str]
    faults: dict[str, int]
    failure: str | None

    @property
    def digest(self) -> str:
        """The same for the same seed, always."""
        return hashlib.sha256("\n".join(self.story).encode()).hexdigest()


def lived(seed: int) -> Life:
    """Return what came of a seed."""
    scenario, loop = drawn(seed), VirtualLoop()
    dice = Dice(Random(seed + 1), loop)
    forecasters: list[Forecaster] = [MeanForecaster()]
    settings = SimpleNamespace(tick_seconds=scenario.tick_seconds, transport="kafkabatch")
    settings.decide_from_at = scenario.decide_from
    broker, group = Broker(scenario.partitions), Group(dice, scenario.partitions)
    world = World(dice, broker, PlayedRedis(dice), group, PLAN, settings, Pointer(forecasters))
    failure = None
    try:
        with _played_faust(world, loop), asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(_Cluster(world, scenario).live())
        judge(world, scenario)
    except AssertionError as violated:
        failure = str(violated)
    return Life(seed, dice.story, dice.faults, failure)


@contextmanager
def _played_faust(world: World, loop: VirtualLoop) -> Iterator[None]:
    """Put the stand-ins where the product makes Faust, the producer, and asks for the time."""
    clocked = partial(Surroundings, clock=loop.time)
    with (
        patch.object(session, "build_app", lambda *_: _app(world)),
        patch.object(session, "attach", lambda app, crew, _: setattr(app, "batching", crew)),
        patch.object(session, "batch_consumer", lambda app: app.consumer),
        patch.object(session, "Surroundings", clocked),
        patch("stream_app.kafka.outbox.AIOKafkaProducer", type("Producer", (Producer,), {"world": world})),
        patch.multiple(upkeep, BEAT_SECONDS=30.0, LOOK_SECONDS=2.0, MEASURE_SECONDS=30.0),
        patch("stream_app.worker.runner.log", _silent()),
        patch("stream_app.worker.run.log", _silent()),
        patch("stream_app.kafka.outbox.log", _silent()),
        patch("stream_app.worker.upkeep.log", _silent()),
        patch("stream_app.worker.session.log", _silent()),
    ):
        yield


def _app(world: World) -> PlayedApp:
    process = PROCESS.get()
    assert process is not None
    return PlayedApp(world, process)


def _silent() -> structlog.stdlib.BoundLogger:
    silent: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        None, processors=[_dropped], wrapper_class=structlog.stdlib.BoundLogger
    )
    return silent


def _dropped(*_: object) -> structlog.typing.EventDict:
    raise structlog.DropEvent


class _Cluster:
    """Workers that come and go, records that are produced, deeds that are done."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self.world, self.scenario = world, scenario
        self.dice, self.rng = world.dice, world.dice.rng
        self.processes: dict[Process, asyncio.Task[None]] = {}
        self.begun = 0
        self.wanted = scenario.workers
        self.ended: str | None = None

    async def live(self) -> None:
        """Play, heal, end."""
        for _ in range(self.wanted):
            self.start()
        supervising = asyncio.create_task(self._supervise())
        try:
            await asyncio.gather(asyncio.sleep(PLAY_SECONDS), self._produce(), self._do())
            self.dice.is_quiet, self.world.redis.is_away = True, False
            self.dice.tell("cluster", "heals")
            # a batch that was skipped last shows with the next one, or when positions are restored
            self.world.group.rebalance()
            await self._healed()
        finally:
            await self._ended(supervising)

    async def _ended(self, supervising: "asyncio.Task[None]") -> None:
        supervising.cancel()
        for process in list(self.processes):
            process.die()
        everybody = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(everybody)

    def start(self) -> None:
        """Start one more worker."""
        self.begun += 1
        process = Process(asyncio.get_running_loop(), f"worker-{self.begun}")
        self.dice.tell(process.name, "starts")
        self.processes[process] = process.begin(work(self.world, process))

    async def _produce(self) -> None:
        for one in self.scenario.coming:
            await asyncio.sleep(max(0.0, one.at - asyncio.get_running_loop().time()))
            self._append(one)

    def _append(self, one: Coming) -> None:
        self.world.broker.append(one.role, one.partition, one.key, one.value)

    async def _supervise(self) -> None:
        """Start workers in the place of those that died, and expel members that are silent."""
        while True:
            await asyncio.sleep(RESTART_SECONDS)
            self.world.group.expel_silent()
            for process, task in list(self.processes.items()):
                if task.done():
                    del self.processes[process]
                    if not task.cancelled() and task.exception() is not None:
                        self.ended = f"{process.name} ended: {task.exception()!r}"
            while len(self.processes) < self.wanted:
                self.start()

    async def _do(self) -> None:
        for at, deed in self.scenario.deeds:
            await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))
            self.dice.tell("cluster", deed)
            self.dice.faults[deed] = self.dice.faults.get(deed, 0) + 1
            await DEEDS[deed](self)

    async def fail_over(self) -> None:
        self.world.redis.fail_over()

    async def redis_away(self) -> None:
        self.world.redis.is_away = True
        await asyncio.sleep(self.rng.uniform(0.5, 8))
        self.world.redis.is_away = False

    async def join(self) -> None:
        self.wanted = min(MOST_WORKERS, self.wanted + 1)

    async def leave(self) -> None:
        if self.wanted > 1 and self.processes:
            self.wanted -= 1
            self.rng.choice(list(self.processes.values())).cancel()

    async def kill(self) -> None:
        if self.processes:
            self.rng.choice(list(self.processes)).die()

    async def rebalance(self) -> None:
        self.world.group.rebalance()

    async def retain(self) -> None:
        """Delete old records, but for what is not yet applied even on the replica."""
        for (role, partition), log in self.world.broker.logs.items():
            log.earliest = max(log.earliest, self.world.redis.replicated_positions(partition).get(role, 0))

    async def switch(self) -> None:
        versions = self.world.pointer.forecasters
        versions.append(MeanForecaster(f"mean-{len(versions) + 1}"))

    async def _healed(self) -> None:
        end = asyncio.get_running_loop().time() + HEAL_SECONDS
        while not self._is_healed():
            require(self.ended is None, str(self.ended))
            require(asyncio.get_running_loop().time() < end, f"not healed: {self._standings()}")
            await asyncio.sleep(0.5)

    def _is_healed(self) -> bool:
        kept = self.world.redis.primary.partitions
        champion = self.world.pointer.forecasters[-1].version
        return all(
            number in kept
            and kept[number].sent == len(kept[number].outgoing)
            and kept[number].progress.model_version == champion
            and all(
                log.end <= kept[number].progress.positions.get(role, 0)
                for (role, partition), log in self.world.broker.logs.items()
                if partition == number
            )
            for number in range(self.scenario.partitions)
        )

    def _standings(self) -> str:
        return "; ".join(
            f"{number}: {kept.progress.positions} {kept.progress.model_version}, "
            f"{kept.sent} of {len(kept.outgoing)} sent"
            for number, kept in sorted(self.world.redis.primary.partitions.items())
        )


DEEDS = {
    "failover": _Cluster.fail_over,
    "redis away": _Cluster.redis_away,
    "join": _Cluster.join,
    "leave": _Cluster.leave,
    "kill": _Cluster.kill,
    "rebalance": _Cluster.rebalance,
    "retention": _Cluster.retain,
    "switch": _Cluster.switch,
}
