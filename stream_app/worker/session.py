"""One life of the Faust app: a crew of partitions on it, from its start to its end or its crash."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic

import structlog
from aiokafka.errors import KafkaError

from replenishment.engine.columns import Role
from stream_app.errors import RestockError, Unavailable
from stream_app.kafka.batching import BatchApp
from stream_app.kafka.outbox import Relay
from stream_app.kafka.span_reader import SpanReader
from stream_app.kafka.transport import RestoreTimeout
from stream_app.settings import Settings
from stream_app.worker.crew import Crew
from stream_app.worker.stream import attach, batch_consumer, build_app
from stream_app.worker.surroundings import Inputs, ShellT, Stage, Surroundings

SESSION_ENDS_BY = (KafkaError, Unavailable, RestoreTimeout, OSError)
"""What ends a session, but not the worker."""
APP_STOP_SECONDS = 8.0

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SessionParts(Generic[ShellT]):
    """What outlives a session.

    ``group`` is the consumer group, ``shell`` builds the shell of a fresh
    claim, ``keep`` runs beside the stream as long as the session lasts,
    ``show`` is told whether partitions are assigned and how far each is.
    """

    settings: Settings
    group: str
    inputs: Inputs
    shell: Callable[[], ShellT]
    spans: SpanReader
    relay: Relay
    keep: Callable[[Crew[ShellT]], Coroutine[None, None, None]]
    show: Callable[[bool, Mapping[int, Stage]], None]


class Session(Generic[ShellT]):
    """A Faust app and its crew."""

    def __init__(self, around: SessionParts[ShellT]) -> None:
        self._around = around
        self._app: BatchApp = build_app(around.settings, around.group)
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._crew: Crew[ShellT] = Crew(self._surroundings())
        attach(self._app, self._crew, around.settings)

    async def hold(self) -> None:
        """Work until cancelled, or until something fails, which is raised."""
        keeping = asyncio.create_task(self._around.keep(self._crew))
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

    def _surroundings(self) -> Surroundings[ShellT]:
        around = self._around
        return Surroundings(
            inputs=around.inputs,
            shell=around.shell,
            spans=around.spans,
            relay=around.relay,
            seek=self._seek,
            changed=lambda: around.show(self._crew.is_assigned, self._crew.stages),
            failed=self._fail,
            tick_seconds=around.settings.tick_seconds,
            fills_gaps=around.settings.transport == "kafka",
        )

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
