"""One life of the Faust app: a crew of partitions on it, from its start to its end or its crash."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import structlog
from aiokafka.errors import KafkaError

from replenishment.engine.columns import Role
from stream_app.errors import RestockError, Unavailable
from stream_app.kafka.batching import BatchApp
from stream_app.kafka.outbox import Relay
from stream_app.kafka.span_reader import SpanReader
from stream_app.kafka.topics import TopicNames
from stream_app.kafka.transport import RestoreTimeout
from stream_app.processor import Parts, Processor
from stream_app.settings import Settings
from stream_app.worker.crew import Crew
from stream_app.worker.readiness import Readiness
from stream_app.worker.stream import attach, batch_consumer, build_app
from stream_app.worker.surroundings import Surroundings
from stream_app.worker.upkeep import Upkeep

SESSION_ENDS_BY = (KafkaError, Unavailable, RestoreTimeout, OSError)
"""What ends a session, but not the worker."""
APP_STOP_SECONDS = 8.0

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SessionParts:
    """What outlives a session."""

    settings: Settings
    names: TopicNames
    parts: Parts
    spans: SpanReader
    relay: Relay
    upkeep: Upkeep
    readiness: Readiness


class Session:
    """A Faust app and its crew."""

    def __init__(self, around: SessionParts) -> None:
        self._around = around
        self._app: BatchApp = build_app(around.settings, around.names)
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._crew = Crew(around.names.inputs, self._surroundings())
        attach(self._app, self._crew, around.settings)

    async def hold(self) -> None:
        """Work until cancelled, or until something fails, which is raised."""
        keeping = asyncio.create_task(self._around.upkeep.keep(self._crew))
        crashing = asyncio.create_task(_crashed(self._app))
        try:
            await self._app.start()
            ends: set[asyncio.Future[None]] = {self._failed, keeping, crashing}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            self._raise_reason(keeping)
        finally:
            keeping.cancel()
            crashing.cancel()
            await self._end()

    def _raise_reason(self, keeping: "asyncio.Task[None]") -> None:
        if self._failed.done():
            self._failed.result()
        if keeping.done():
            keeping.result()
        raise self._app.crash_reason or RestockError("Faust ended without giving a reason: start the worker again")

    async def _end(self) -> None:
        """Finish the batches in hand, then leave the group; neither may take long."""
        self._failed.cancel()
        try:
            async with asyncio.timeout(APP_STOP_SECONDS):
                await self._crew.close()
                await self._app.stop()
        except TimeoutError:
            log.warning("session_left_behind", seconds=APP_STOP_SECONDS)

    def _surroundings(self) -> Surroundings:
        around = self._around
        return Surroundings(
            shell=self._shell,
            spans=around.spans,
            relay=around.relay,
            seek=self._seek,
            changed=lambda: around.readiness.show(self._crew.is_assigned, self._crew.stages),
            failed=self._fail,
            tick_seconds=around.settings.tick_seconds,
            fills_gaps=around.settings.transport == "kafka",
        )

    def _shell(self) -> Processor:
        decide_from = self._around.settings.decide_from_at
        first_claim_at = round(time.time() * 1000) if decide_from is None else decide_from
        return Processor(self._around.parts, first_claim_at, is_requesting=self._around.upkeep.is_requesting)

    def _seek(self, partition: int, positions: Mapping[Role, int]) -> int:
        # the stock transport has no eras: its runners read what is missing beside the group
        if self._around.settings.transport == "kafka":
            return 0
        return batch_consumer(self._app).seek_before_next_fetch(partition, positions)

    def _fail(self, reason: BaseException) -> None:
        with suppress(asyncio.InvalidStateError):
            self._failed.set_exception(reason)


async def _crashed(app: BatchApp) -> None:
    # Faust has no public way to await a crash
    await app._crashed.wait()
