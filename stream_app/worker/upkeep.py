"""What a worker does beside the stream: beats, looks at the stop button, follows champion and shadow, measures lag."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from replenishment.engine.columns import ROLES, Role
from replenishment.forecaster import Forecaster
from stream_app.errors import RestockError, StateCorrupt, Unavailable
from stream_app.kafka.span_reader import SpanReader
from stream_app.ports import Switch
from stream_app.store.reader import StateReader
from stream_app.swap import ChampionFollower
from stream_app.worker.crew import Crew
from stream_app.worker.readiness import Outside
from stream_app.worker.runner import PartitionRunner
from stream_app.worker.surroundings import Shell

BEAT_SECONDS = 1.0
LOOK_SECONDS = 1.0
"""How often the stop button and the champion pointer are looked at."""
MEASURE_SECONDS = 5.0

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sources:
    """What upkeep looks at.

    ``switch`` is the stop button, ``reader`` tells where partitions stand in
    the store, ``ends`` where topics end (nobody else may use it: it reads one
    span at a time), ``follower`` who should serve.
    """

    switch: Switch
    reader: StateReader
    ends: SpanReader
    follower: ChampionFollower


class Upkeep:
    """Loops that run as long as a session; none of them can stop the stream.

    Args:
        outside: Gets beats, whether Kafka answers, and gauges that nobody else can see.
        sources: What is looked at.
        is_observing: Whether nothing is ever requested.
    """

    def __init__(self, outside: Outside, sources: Sources, *, is_observing: bool) -> None:
        self._health, self._meter = outside.health, outside.meter
        self._switch = sources.switch
        self._reader = sources.reader
        self._ends = sources.ends
        self._follower = sources.follower
        self._is_observing = is_observing
        self._is_paused = False
        self._unusable: str | None = None
        self._unusable_shadow: str | None = None

    @property
    def is_requesting(self) -> bool:
        """Whether requests may be made."""
        return not (self._is_observing or self._is_paused)

    async def keep(self, crew: Crew[Shell]) -> None:
        """Do all of it for a crew until cancelled."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._beat())
            loops.create_task(_every(LOOK_SECONDS, lambda: self._pass_on_switch(crew)))
            loops.create_task(_every(LOOK_SECONDS, lambda: self._follow_champion(crew)))
            # a loop of its own: a promotion must not wait until a shadow is rebuilt
            loops.create_task(_every(LOOK_SECONDS, lambda: self._follow_shadow(crew)))
            loops.create_task(_every(MEASURE_SECONDS, lambda: self._measure(crew)))

    async def _beat(self) -> None:
        while True:
            self._health.beat()
            await asyncio.sleep(BEAT_SECONDS)

    async def look_at_switch(self) -> None:
        """Look at the stop button; to be done before the first claim, which may already request."""
        is_paused = await self._switch.is_paused()
        if is_paused != self._is_paused:
            log.warning("requests_paused" if is_paused else "requests_resumed")
        self._is_paused = is_paused

    async def _pass_on_switch(self, crew: Crew[Shell]) -> None:
        await self.look_at_switch()
        for runner in crew.runners:
            if runner.shell is not None:
                runner.shell.is_requesting = self.is_requesting

    async def _follow_champion(self, crew: Crew[Shell]) -> None:
        await asyncio.to_thread(self._follower.look)
        forecaster, rung = self._follower.champion()
        for runner in crew.runners:
            shell = runner.shell
            if shell is None or shell.serves == (forecaster.version, rung) or forecaster.version == self._unusable:
                continue
            try:
                is_swapped = await shell.use(forecaster, rung)
            except RestockError as wrong:
                log.warning("swap_waits", partition=runner.partition, version=forecaster.version, error=str(wrong))
            except Exception as wrong:  # whatever a model does wrong, the old one goes on serving
                self._unusable = forecaster.version
                self._meter.swap_failed()
                log.exception("model_refused", version=forecaster.version, error=str(wrong))
            else:
                if is_swapped:
                    log.info("model_swapped", partition=runner.partition, version=forecaster.version, rung=rung)

    async def _follow_shadow(self, crew: Crew[Shell]) -> None:
        shadow = self._follower.shadow()
        if shadow is None:
            self._unusable_shadow = None
        for runner in crew.runners:
            wanted = None if shadow is None or shadow.version == self._unusable_shadow else shadow
            if runner.shell is not None:
                await self._shadow_in(runner.partition, runner.shell, wanted)

    async def _shadow_in(self, partition: int, shell: Shell, shadow: Forecaster | None) -> None:
        version = None if shadow is None else shadow.version
        try:
            is_another = await shell.shadow(shadow)
        except RestockError as wrong:
            log.warning("shadow_waits", partition=partition, version=version, error=str(wrong))
        except Exception as wrong:  # whatever a shadow does wrong, the champion goes on without it
            self._unusable_shadow = version
            self._meter.swap_failed()
            log.exception("shadow_refused", version=version, error=str(wrong))
        else:
            if is_another:
                log.info("shadow_begins" if shadow else "shadow_ended", partition=partition, version=version)

    async def _measure(self, crew: Crew[Shell]) -> None:
        for runner in crew.runners:
            try:
                await self._measure_partition(runner)
            except Unavailable as away:
                # Redis says so itself where it is asked for the stream
                log.debug("lag_unknown", partition=runner.partition, error=str(away))

    async def _measure_partition(self, runner: PartitionRunner[Shell]) -> None:
        number, shell = runner.partition, runner.shell
        standing = await self._reader.standing(number)
        if standing is None or shell is None:
            return
        self._meter.waiting(number, standing.unsent)
        self._meter.rebuilding(number, shell.rebuild_pending_keys)
        for role in ROLES:
            end = await self._end(role, number)
            self._meter.lagging(role, number, max(0, end - standing.progress.positions.get(role, 0)))

    async def _end(self, role: Role, partition: int) -> int:
        try:
            end = await self._ends.end(role, partition)
        except Unavailable as away:
            self._health.lacks("kafka", str(away))
            raise
        self._health.has("kafka")
        return end


async def _every(seconds: float, do: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await do()
        except StateCorrupt:
            log.exception("upkeep_failed")
        await asyncio.sleep(seconds)
