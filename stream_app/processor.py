"""The shell of one partition, from claim to revocation: decode, advance, encode, apply, in order.

Whoever owns a processor calls ``claim`` once, then ``accept`` and ``tick``.
After any answer that is not durable the state in memory is gone: claim again
with a new processor and read on from the positions of that claim. No clock is
read here but the loop's, for how long the store took.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from replenishment.engine.advance import SpanGap, advance, finish
from replenishment.engine.columns import Entry, Tick
from replenishment.engine.effects import Effects
from replenishment.engine.plan import Plan
from replenishment.engine.rebuild import abandon, begin_rebuild, dismiss, flip, pending_keys, rebuild_chunk
from replenishment.engine.restore import StateMismatch, restore, restored, tables
from replenishment.engine.rows import LAYOUT
from replenishment.engine.state import PartitionState, opened
from replenishment.engine.turn import accuracy_of
from replenishment.forecaster import Forecaster
from stream_app.errors import StateCorrupt, Unavailable
from stream_app.ports import (
    Claim,
    Fence,
    ForecasterSource,
    Meter,
    Opening,
    Outcome,
    OutgoingRecord,
    RecordBatch,
    StateStore,
    Wire,
)
from stream_app.standing import Standing, Trial, begun

REBUILD_KEYS = 128
"""Keys stepped through their windows between two batches: some tens of milliseconds."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the processors of a process share.

    ``owner`` names the product whose state it is, ``partitions`` how many
    partitions its input topics have: both are kept with the state.
    """

    plan: Plan
    store: StateStore
    wire: Wire
    meter: Meter
    source: ForecasterSource
    owner: str = ""
    partitions: int = 1


class Processor:
    """One partition between one claim and the next.

    Args:
        parts: Plan, store, wire, meter and forecasters.
        decide_from: When deciding begins if this is the partition's first claim, epoch milliseconds.
        is_requesting: Whether requests may be made; False while observing or paused.
    """

    def __init__(self, parts: Parts, decide_from: int, *, is_requesting: bool = True) -> None:
        self._parts = parts
        self._decide_from = decide_from
        self._is_requesting = is_requesting
        self._turns = asyncio.Lock()
        self._standing: Standing | None = None

    @property
    def version(self) -> str | None:
        """Model version that serves; None without a claim."""
        return None if self._standing is None else self._standing.state.champion.version

    @property
    def serves(self) -> tuple[str, str] | None:
        """Model version that serves and its rung of the fallback; None without a claim."""
        return None if self._standing is None else (self._standing.champion.version, self._standing.rung)

    @property
    def rebuild_pending_keys(self) -> int:
        """How many keys an incoming version must still be stepped for; 0 if none is incoming."""
        return 0 if self._standing is None else pending_keys(self._standing.state)

    @property
    def is_requesting(self) -> bool:
        """Whether requests may be made; takes effect with the next batch."""
        return self._is_requesting

    @is_requesting.setter
    def is_requesting(self, is_requesting: bool) -> None:
        self._is_requesting = is_requesting

    async def claim(self, partition: int, generation: int) -> Claim:
        """Take the partition over, load it, and finish what a crash left undone.

        A version that served before goes on serving if it can still be loaded;
        else the one that should serve now is rebuilt from the windows first.

        Returns:
            The claim, with the progress from which to read on.

        Raises:
            FencedClaim: If a younger generation owns the partition.
            LayoutMismatch: If it was written under other settings.
            StateCorrupt: If its rows do not fit together.
            Unavailable: If another claim came in between.
        """
        plan = self._parts.plan
        layout = {"row_layout": LAYOUT, "partitions": self._parts.partitions, **plan.layout}
        opening = Opening(self._decide_from, layout, self._parts.owner)
        claim = await self._parts.store.claim(partition, generation, opening)
        champion, rung = self._forecaster_of(claim.progress.model_version)
        state = opened(partition, plan, claim.progress, champion)
        await self._load(state, claim)
        async with self._turns:
            self._standing = Standing(claim.fence, state, champion, rung)
            if state.champion.version != champion.version:
                await self._require_durable(self._rebuilt_at_once(self._standing), claim.fence)
            await self._require_durable(
                finish(state, self._standing.serving(is_requesting=self._is_requesting)), claim.fence
            )
        self._parts.meter.swapped(partition, champion.version, rung)
        self._parts.meter.scored(partition, accuracy_of(state))
        return replace(claim, progress=state.progress)

    async def accept(self, batch: RecordBatch) -> Outcome:
        """Return once every turn of a batch is durable, or the partition must be claimed again."""
        # before the lock: decoded while the store has the turns of the batch before
        entry = self._parts.wire.decode(batch)
        async with self._turns:
            return await self._advance(entry, batch)

    async def tick(self, elapsed_seconds: float) -> Outcome:
        """The same for silence of some seconds."""
        async with self._turns:
            return await self._advance(Tick(elapsed_seconds), None)

    async def use(self, forecaster: Forecaster, rung: str) -> bool:
        """Rebuild a version from the windows between batches, a few keys at a time, then let it serve.

        Returns:
            Whether it serves now; False if the partition must be claimed again
            or another version came in between.

        Raises:
            Exception: What the version raised; the old one goes on serving.
        """
        async with self._turns:
            standing = self._standing
            if standing is None:
                return False
            if standing.champion.version == forecaster.version:
                return self._serve(standing, forecaster, rung)
            trial = standing.shadow_of(forecaster.version) or begun(standing, forecaster)
            trial.is_shadow = False
        while True:
            async with self._turns:
                if self._standing is not standing or standing.incoming is not trial:
                    return False
                if trial.error is not None:
                    abandon(standing.state)
                    standing.incoming = None
                    raise trial.error
                effects = rebuild_chunk(standing.state, trial, REBUILD_KEYS)
                is_rebuilt = effects is None and trial.error is None
                turn = flip(standing.state) if is_rebuilt else effects
                if turn is not None and not (await self._settle(standing, iter([turn]), None)).is_durable:
                    return False
                if is_rebuilt:
                    return self._serve(standing, forecaster, rung)

    async def shadow(self, forecaster: Forecaster | None) -> bool:
        """Step a version beside the champion from now on, rebuilt like one that takes over; None = no version.

        To be asked again and again: it steps what lags and finds out what the
        version did wrong. A version that takes over comes first.

        Returns:
            Whether another version is beside the champion than before.

        Raises:
            Exception: What the version raised; it is dismissed.
        """
        async with self._turns:
            standing = self._standing
            if standing is None or standing.is_swapping:
                return False
            wanted = None if forecaster is None or forecaster.version == standing.champion.version else forecaster
            before, trial = standing.incoming, None if wanted is None else standing.shadow_of(wanted.version)
            if before is not None and trial is None:
                await self._dismiss(standing)
            if wanted is not None and trial is None:
                trial = begun(standing, wanted, is_shadow=True)
        if trial is not None:
            await self._keep_up(standing, trial)
        return trial is not before

    async def _keep_up(self, standing: Standing, trial: Trial) -> None:
        """Step what of a shadow lags, a few keys at a time between batches."""
        while True:
            async with self._turns:
                if self._standing is not standing or standing.incoming is not trial or not trial.is_shadow:
                    return
                if trial.error is not None:
                    await self._dismiss(standing)
                    raise trial.error
                effects = rebuild_chunk(standing.state, trial, REBUILD_KEYS)
                if effects is None:
                    return
                await self._settle(standing, iter([effects]), None)

    async def _dismiss(self, standing: Standing) -> None:
        standing.incoming = None
        await self._settle(standing, iter([dismiss(standing.state)]), None)

    def _forecaster_of(self, version: str) -> tuple[Forecaster, str]:
        known = self._parts.source.of_version(version) if version else None
        return known or self._parts.source.champion()

    async def _load(self, state: PartitionState, claim: Claim) -> None:
        needed = tables(state)
        try:
            for table in needed:
                async for writes in self._parts.store.load(claim.fence, table.name, table.row_bytes):
                    restore(state, writes)
            restored(state)
        except StateMismatch as wrong:
            raise StateCorrupt(f"{wrong}. Keep the Redis files and restore a back-up") from wrong
        # versions whose rebuild a crash ended; a lost champion's rows go when another one has taken over
        kept = {state.champion.table.name, *(table.name for table in needed)}
        state.abandoned += [name for name in claim.tables if name not in kept]

    def _rebuilt_at_once(self, standing: Standing) -> Iterator[Effects]:
        begin_rebuild(standing.state, standing.champion)
        while (effects := rebuild_chunk(standing.state, standing.champion, REBUILD_KEYS)) is not None:
            yield effects
        yield flip(standing.state)

    async def _require_durable(self, turns: Iterator[Effects], fence: Fence) -> None:
        standing = self._standing
        outcome = Outcome.FENCED if standing is None else await self._settle(standing, turns, None)
        if not outcome.is_durable:
            raise Unavailable(
                f"partition {fence.partition} was claimed by another worker while it was loaded ({outcome.value}); "
                "nothing to do: it is claimed again"
            )

    async def _advance(self, entry: Entry, batch: RecordBatch | None) -> Outcome:
        standing = self._standing
        if standing is None:
            return Outcome.REGRESSED
        serving = standing.serving(is_requesting=self._is_requesting)
        return await self._settle(standing, advance(standing.state, entry, serving), batch)

    async def _settle(self, standing: Standing, turns: Iterator[Effects], batch: RecordBatch | None) -> Outcome:
        """Make turns durable in order; the next one is computed while the store has the one before."""
        applying: asyncio.Task[Outcome] | None = None
        outcome = Outcome.APPLIED
        try:
            for effects in turns:
                outgoing = self._parts.wire.encode(standing.fence.partition, effects, batch)
                if applying is not None:
                    outcome = await applying
                    if not outcome.is_durable:
                        break
                applying = asyncio.create_task(self._apply(standing.fence, effects, outgoing))
                await asyncio.sleep(0)
            else:
                outcome = outcome if applying is None else await applying
        except SpanGap as gap:
            outcome = Outcome.AHEAD if gap.got < gap.expected else Outcome.REGRESSED
        except BaseException:
            self._standing = None
            if applying is not None:
                applying.cancel()
            raise
        if not outcome.is_durable:
            self._standing = None
            self._parts.meter.refused(standing.fence.partition, outcome)
        return outcome

    async def _apply(self, fence: Fence, effects: Effects, outgoing: Sequence[OutgoingRecord]) -> Outcome:
        clock = asyncio.get_running_loop().time
        asked = clock()
        outcome = await self._parts.store.apply(fence, effects, outgoing)
        if outcome.is_durable:
            self._parts.meter.applied(fence.partition, effects, clock() - asked)
        return outcome

    def _serve(self, standing: Standing, forecaster: Forecaster, rung: str) -> bool:
        standing.champion, standing.rung, standing.incoming = forecaster, rung, None
        self._parts.meter.swapped(standing.fence.partition, forecaster.version, rung)
        return True
