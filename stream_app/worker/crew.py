"""The partitions of this process: which runner has which, and what came of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Generic

from replenishment.engine.columns import Role
from stream_app.kafka.batching import Fetched
from stream_app.ports import RecordBatch
from stream_app.worker.inbox import Delivery
from stream_app.worker.runner import PartitionRunner
from stream_app.worker.surroundings import ShellT, Stage, Surroundings

RESTORE_SECONDS = 20.0
"""A claim that takes longer goes on by itself; the transport gives up after 30 s."""


class Crew(Generic[ShellT]):
    """One runner for each partition that was ever ours; implements ``Batching``."""

    def __init__(self, around: Surroundings[ShellT]) -> None:
        self._around = around
        self._runners: dict[int, PartitionRunner[ShellT]] = {}
        self.is_assigned = False

    @property
    def roles(self) -> Mapping[str, Role]:
        """Role of each input topic, by its real name."""
        return self._around.inputs.roles

    @property
    def stages(self) -> Mapping[int, Stage]:
        """How far each assigned partition is."""
        return {
            number: runner.stage for number, runner in sorted(self._runners.items()) if runner.stage is not Stage.IDLE
        }

    @property
    def runners(self) -> tuple[PartitionRunner[ShellT], ...]:
        """Runners of all partitions that are at work."""
        return tuple(runner for runner in self._runners.values() if runner.stage is Stage.WORKING)

    async def restore(
        self, partitions: AbstractSet[int], generation: int, era: int
    ) -> Mapping[int, Mapping[Role, int]]:
        """Own exactly these partitions; return the positions of those claimed in time."""
        await self.release(self._runners.keys() - partitions)
        restored = {number: await self._runner(number).start(generation, era) for number in sorted(partitions)}
        self.is_assigned = True
        self._around.changed()
        if restored:
            await asyncio.wait(restored.values(), timeout=RESTORE_SECONDS)
        for late in restored.values():
            late.cancel()
        return {number: future.result() for number, future in restored.items() if not future.cancelled()}

    async def release(self, partitions: AbstractSet[int]) -> None:
        """Finish the batch in hand of each partition and let go of it."""
        if partitions:
            self.is_assigned = False
            await asyncio.gather(*(self._runner(number).stop() for number in partitions))

    async def close(self) -> None:
        """Let go of everything."""
        await self.release(set(self._runners))

    async def deliver(self, value: Fetched, acknowledge: Callable[[], Awaitable[object]]) -> None:
        """Hand a fetched batch to the runner of its partition."""
        delivery = Delivery(value.batch, value.era, acknowledge)
        await self._runner(value.batch.partition).deliver(delivery)

    async def deliver_single(self, batch: RecordBatch, acknowledge: Callable[[], Awaitable[object]]) -> None:
        """The same for a batch of one record from a transport without eras."""
        await self._runner(batch.partition).deliver(Delivery(batch, 0, acknowledge))

    def _runner(self, number: int) -> PartitionRunner[ShellT]:
        if number not in self._runners:
            self._runners[number] = PartitionRunner(number, self._around)
        return self._runners[number]
