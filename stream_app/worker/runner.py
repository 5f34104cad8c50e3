"""One partition in the hands of this process: claim, read catalog and signals, then work batch by batch.

Whatever goes wrong on the way, state in memory is dropped and the partition
claimed again; the store decides where it stands. Nothing here is acknowledged
before it is durable.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Generic

import structlog

from replenishment.engine.columns import Role
from stream_app.errors import FencedClaim, StateCorrupt, StateLost, Unavailable
from stream_app.ports import Outcome
from stream_app.worker.inbox import Delivery, Inbox
from stream_app.worker.surroundings import ShellT, Stage, Surroundings

INBOX_BATCHES = 2
FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 5.0
STOP_SECONDS = 4.0
"""How long a batch in hand may take to finish when the partition is revoked."""

log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class _Standing(Generic[ShellT]):
    """Where the partition stands since its claim."""

    shell: ShellT
    positions: dict[Role, int]
    era: int
    quiet_since: float = field(default=0.0)


class PartitionRunner(Generic[ShellT]):
    """Runs one partition from assignment to revocation; ``stage`` says how far it is."""

    def __init__(self, partition: int, around: Surroundings[ShellT]) -> None:
        self.partition = partition
        self.stage = Stage.IDLE
        self.shell: ShellT | None = None
        self._around = around
        self._inbox = Inbox(INBOX_BATCHES)
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._applied_before = 0
        self._log = log.bind(partition=partition)

    async def start(self, generation: int, era: int) -> asyncio.Future[Mapping[Role, int]]:
        """Begin (again) to own the partition.

        Returns:
            A future of its positions. Whoever no longer wants to wait cancels
            it: the runner then asks for a seek of its own once it has claimed.
        """
        await self.stop()
        self._is_stopping = False
        self._inbox.open()
        restored: asyncio.Future[Mapping[Role, int]] = asyncio.get_running_loop().create_future()
        self._enter(Stage.CLAIMING)
        self._task = asyncio.create_task(self._run(generation, era, restored), name=f"partition-{self.partition}")
        return restored

    async def stop(self) -> None:
        """Finish the batch in hand, within seconds, and let go of the rest."""
        self._is_stopping = True
        self._inbox.shut()
        self._around.relay.disown(self.partition)
        task, self._task = self._task, None
        if task is not None:
            if self.stage is Stage.WORKING:
                await asyncio.wait({task}, timeout=STOP_SECONDS)
            task.cancel()
            await asyncio.wait({task})
        self.shell = None
        self._enter(Stage.IDLE)

    @property
    def _roles(self) -> Sequence[Role]:
        return [*self._around.inputs.roles.values()]

    async def deliver(self, delivery: Delivery) -> None:
        """Hand a batch over as soon as there is room for it."""
        await self._inbox.put(delivery)

    async def _run(self, generation: int, era: int, restored: asyncio.Future[Mapping[Role, int]]) -> None:
        to_read = self._around.inputs.read_first
        try:
            while not self._is_stopping:
                standing = await self._claimed(generation, era, to_read)
                # a transport that cannot seek does not bring again what was dropped with the claim before
                to_read = self._roles if self._around.fills_gaps else to_read
                if restored.done():
                    standing.era = self._around.seek(self.partition, standing.positions)
                else:
                    restored.set_result(dict(standing.positions))
                self._enter(Stage.WORKING)
                await self._work_until_refused(standing)
                self.shell = None
                self._around.relay.disown(self.partition)
                if not self._is_stopping:
                    self._enter(Stage.CLAIMING)
        except FencedClaim as younger:
            self._log.warning("partition_fenced", error=str(younger))
            self._enter(Stage.FENCED)
        except StateCorrupt as broken:
            self._log.error("partition_stopped", error=str(broken))
            self._around.relay.disown(self.partition)
            self._enter(Stage.STOPPED)
        except Exception as fatal:
            self._around.failed(fatal)
        finally:
            self._inbox.shut()
            restored.cancel()

    async def _claimed(self, generation: int, era: int, to_read: Sequence[Role]) -> _Standing[ShellT]:
        """Claim until the store answers; return where the partition stands with some topics read to their ends."""
        retry_seconds = FIRST_RETRY_SECONDS
        while True:
            shell = self._around.shell()
            try:
                claim = await shell.claim(self.partition, generation)
                positions = {role: claim.progress.positions.get(role, 0) for role in self._roles}
                self._require_state(positions)
                standing = _Standing(shell, positions, era, self._around.clock())
                if await self._are_read(standing, to_read):
                    self.shell = shell
                    self._around.relay.own(claim.fence)
                    return standing
            except Unavailable as away:
                self._log.warning("claim_waits", seconds=retry_seconds, error=str(away))
            await asyncio.sleep(retry_seconds)
            retry_seconds = min(2 * retry_seconds, LONGEST_RETRY_SECONDS)

    def _require_state(self, positions: Mapping[Role, int]) -> None:
        """Raise StateLost if the store knows nothing of what it had applied before; less than that is re-read."""
        if self._applied_before and not any(positions.values()):
            raise StateLost({self.partition: self._applied_before}, "any longer")
        self._applied_before = max(self._applied_before, positions[self._around.inputs.clock])

    async def _are_read(self, standing: _Standing[ShellT], roles: Sequence[Role]) -> bool:
        for role in roles:
            if not await self._fill(standing, role, await self._around.spans.end(role, self.partition)):
                return False
        return True

    async def _fill(self, standing: _Standing[ShellT], role: Role, end: int) -> bool:
        """Take what lies between the position and ``end`` straight from Kafka."""
        async with aclosing(self._around.spans.read(role, self.partition, standing.positions[role], end)) as missing:
            async for batch in missing:
                if not (await standing.shell.accept(batch)).is_durable:
                    return False
                standing.positions[role] = batch.end
        return True

    async def _work_until_refused(self, standing: _Standing[ShellT]) -> None:
        try:
            while not self._is_stopping:
                outcome = await self._next_turn(standing)
                if not outcome.is_durable:
                    self._log.warning("claims_again", outcome=outcome.value)
                    return
        except Unavailable as away:
            self._log.warning("claims_again", error=str(away))

    async def _next_turn(self, standing: _Standing[ShellT]) -> Outcome:
        delivery = await self._inbox.take(self._seconds_to_tick(standing))
        if delivery is None:
            return await self._ticked(standing)
        if delivery.era != standing.era:
            return Outcome.REPEATED
        return await self._accepted(standing, delivery)

    async def _accepted(self, standing: _Standing[ShellT], delivery: Delivery) -> Outcome:
        batch, position = delivery.batch, standing.positions[delivery.batch.topic]
        if batch.end > position:
            if self._around.fills_gaps and batch.start != position:
                if not await self._fill(standing, batch.topic, batch.start):
                    return Outcome.REGRESSED
                batch = replace(batch, start=standing.positions[batch.topic])
            outcome = await standing.shell.accept(batch)
            if not outcome.is_durable:
                return outcome
            standing.positions[batch.topic] = batch.end
            self._around.relay.wake(self.partition)
        if batch.topic == self._around.inputs.clock:
            self._applied_before = standing.positions[batch.topic]
            standing.quiet_since = self._around.clock()
        await delivery.acknowledge()
        return Outcome.APPLIED

    def _seconds_to_tick(self, standing: _Standing[ShellT]) -> float | None:
        if not self._around.tick_seconds:
            return None
        return max(0.0, standing.quiet_since + self._around.tick_seconds - self._around.clock())

    async def _ticked(self, standing: _Standing[ShellT]) -> Outcome:
        """Let silent time pass; time in which orders may wait unread in Kafka is not silence."""
        if self._is_stopping or not self._around.tick_seconds:
            return Outcome.REPEATED
        now = self._around.clock()
        elapsed_seconds, standing.quiet_since = now - standing.quiet_since, now
        if not await self._is_caught_up(standing.positions[self._around.inputs.clock]):
            return Outcome.REPEATED
        outcome = await standing.shell.tick(elapsed_seconds)
        self._around.relay.wake(self.partition)
        return outcome

    async def _is_caught_up(self, position: int) -> bool:
        """Whether Kafka answers, and holds nothing of the clock from a position on."""
        clock = self._around.inputs.clock
        try:
            end = await self._around.spans.end(clock, self.partition)
            async with aclosing(self._around.spans.read(clock, self.partition, position, end)) as unread:
                async for _ in unread:
                    return False
        except Unavailable:
            return False
        return True

    def _enter(self, stage: Stage) -> None:
        if stage is not self.stage:
            self.stage = stage
            self._around.changed()
