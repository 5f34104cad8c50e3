"""The Faust app of the splitter: one agent over the topic of orders, which acknowledges what is written."""

import asyncio
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any, cast

import mode
import structlog

from replenishment.engine.columns import Role
from stream_app.errors import RestockError
from stream_app.kafka.batching import BatchApp, BatchSchema, Fetched
from stream_app.kafka.groups import splitter_group
from stream_app.settings import Settings
from stream_app.splitter.turn import SplitParts, Turns
from stream_app.worker.stream import build_app

FETCH_RECORDS = 500
"""Orders of a turn: so many at most are split again after a crash."""
QUEUED_BATCHES = 2
RELEASE_SECONDS = 10.0
APP_STOP_SECONDS = 8.0

log = structlog.stdlib.get_logger(__name__)


class Splitter:
    """One life of the app; implements ``Batching``: positions are those that the group has committed."""

    def __init__(
        self, settings: Settings, source: str, parts: SplitParts, assigned: Callable[[list[int]], None]
    ) -> None:
        self._source = source
        self._assigned = assigned
        self._turns = Turns(parts)
        self._turn = asyncio.Lock()
        self._is_over = False
        # the other transport hands over one record at a time, and nothing else is different
        settings = settings.model_copy(update={"transport": "kafkabatch"})
        self._app: BatchApp = build_app(settings, splitter_group(settings.group, source), FETCH_RECORDS)
        self._app.batching = self
        topic = self._app.topic(source, schema=BatchSchema(), maxsize=QUEUED_BATCHES)
        self._app.agent(topic, name="split", concurrency=1, supervisor_strategy=mode.CrashingSupervisor)(self._split)

    @property
    def roles(self) -> Mapping[str, Role]:
        """The one topic that is read, whose records are orders."""
        return {self._source: "orders"}

    async def restore(
        self,
        partitions: AbstractSet[int],
        generation: int,  # noqa: ARG002  nothing is claimed
        era: int,  # noqa: ARG002
    ) -> Mapping[int, Mapping[Role, int]]:
        """Leave positions to Kafka: there is no state that could stand elsewhere."""
        self._assigned(sorted(partitions))
        return {}

    async def release(self, partitions: AbstractSet[int]) -> None:  # noqa: ARG002  a turn is short
        """Finish the turn in hand; what is still queued may be split here and elsewhere, to the same lines."""
        with suppress(TimeoutError):
            async with asyncio.timeout(RELEASE_SECONDS), self._turn:
                pass

    async def hold(self) -> None:
        """Split until cancelled, or until something fails, which is raised."""
        try:
            await self._app.start()
            # Faust has no public way to await a crash
            await self._app._crashed.wait()
            raise self._app.crash_reason or RestockError(
                "Faust ended without giving a reason: start the splitter again"
            )
        finally:
            await self._end()

    async def _split(self, stream: Any) -> None:
        async for event in stream.noack().events():
            async with self._turn:
                if self._is_over:
                    return
                await self._turns.make(cast(Fetched, event.value).batch)
                await stream.ack(event)
                await self._app.consumer.commit()

    async def _end(self) -> None:
        """Finish the turn in hand and begin no other, then leave the group; neither may take long."""
        self._is_over = True
        await self.release(set())
        try:
            async with asyncio.timeout(APP_STOP_SECONDS):
                await self._app.stop()
        except TimeoutError:
            log.warning("session_left_behind", seconds=APP_STOP_SECONDS)
        await self._turns.close()
