"""Redis with a replica that lags behind, and the link of a process to it."""

from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from replenishment.engine.effects import Effects, RowWrites
from replenishment.engine.progress import Progress
from stream_app.errors import Unavailable
from stream_app.ports import Claim, Fence, Opening, Outbox, Outcome, OutgoingRecord, StateStore, Switch, Written
from stream_app.store.memory_store import MemoryStore
from tests.cluster_sim.dice import Dice
from tests.cluster_sim.timeline import Process

LAG_WORDS = 25
"""The replica is at most this many writes behind."""
RETRY_SECONDS = 0.25


class Violated(AssertionError):
    """Something happened that must never happen."""


@dataclass(frozen=True)
class AppliedTurn:
    """One turn that is in the store."""

    before: Progress
    after: Progress
    batch_words: int = 0


@dataclass
class PlayedRedis:
    """A primary, its replica, and what of the partitions' lives the primary knows."""

    dice: Dice
    primary: MemoryStore = field(default_factory=MemoryStore)
    replica: MemoryStore = field(default_factory=MemoryStore)
    turns: dict[int, list[AppliedTurn]] = field(default_factory=dict)
    forgotten: list[tuple[int, str, OutgoingRecord]] = field(default_factory=list)
    highest: dict[tuple[str, int], int] = field(default_factory=dict)
    failovers: int = 0
    is_away: bool = False
    _unreplicated: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    _owners: dict[int, tuple[int, int, str]] = field(default_factory=dict)

    def write(self, who: str, name: str, *arguments: Any) -> Any:
        """Do a write on the primary; the replica gets it later."""
        before = self._progress_of(arguments[0])
        answer = at_once(getattr(self.primary, name)(*arguments))
        self._unreplicated.append((name, arguments))
        while len(self._unreplicated) > LAG_WORDS or (self._unreplicated and self.dice.rng.random() < 0.3):
            self._replicate()
        if name == "claim":
            self._owned(who, arguments[0], arguments[1], answer)
        if answer is Outcome.APPLIED:
            self._applied(who, arguments[0], before, arguments[1])
        return answer

    def fail_over(self) -> None:
        """Put the replica, which has missed the last writes, in the place of the primary.

        It knows something of every partition: of a server that knows nothing the product asks people.
        """
        while any(
            one not in self.replica.partitions or (kept.progress.positions and not self.replicated_positions(one))
            for one, kept in self.primary.partitions.items()
        ):
            self._replicate()
        lost = len(self._unreplicated)
        self._unreplicated.clear()
        for partition, kept in self.primary.partitions.items():
            survived = self.replica.partitions.get(partition)
            known = {name for name, _ in survived.outgoing} if survived else set()
            self.forgotten += [(partition, name, record) for name, record in kept.outgoing if name not in known]
            turn = survived.progress.turn if survived else 0
            self.turns[partition] = [one for one in self.turns.get(partition, []) if one.after.turn <= turn]
        self.primary, self.replica = self.replica, copied(self.replica)
        self._owners.clear()
        self.failovers += 1
        self.dice.tell("redis", f"fails over and forgets {lost} writes")

    def replicated_positions(self, partition: int) -> dict[str, int]:
        """Return the positions that a failover can go back to at worst."""
        kept = self.replica.partitions.get(partition)
        return dict(kept.progress.positions) if kept else {}

    def _replicate(self) -> None:
        name, arguments = self._unreplicated.pop(0)
        at_once(getattr(self.replica, name)(*arguments))

    def _progress_of(self, at: Any) -> Progress | None:
        kept = self.primary.partitions.get(at.partition if isinstance(at, Fence) else at)
        return kept.progress if kept else None

    def _owned(self, who: str, partition: int, generation: int, claim: Claim) -> None:
        owner = self._owners.get(partition)
        if owner and generation < owner[0]:
            raise Violated(f"{who} of generation {generation} took partition {partition} from {owner}")
        self._owners[partition] = (generation, claim.fence.epoch, who)

    def _applied(self, who: str, fence: Fence, before: Progress | None, effects: Effects) -> None:
        assert before is not None
        after, partition = effects.progress, fence.partition
        owner = self._owners.get(partition)
        # a failover that forgets a claim lets its epoch be given twice: turns then tell who was first
        is_owner = owner is None or (owner[1] == fence.epoch and (owner[2] == who or self.failovers))
        if not is_owner:
            raise Violated(f"{who} applied turn {after.turn} of partition {partition}, which {owner} owns")
        if any(after.positions.get(role, 0) < position for role, position in before.positions.items()):
            raise Violated(f"positions of partition {partition} went back from {before.positions} to {after.positions}")
        if after.turn != before.turn + 1:
            raise Violated(f"turn {after.turn} of partition {partition} was applied after {before.turn}")
        self.turns.setdefault(partition, []).append(AppliedTurn(before, after))
        for role, position in after.positions.items():
            self.highest[role, partition] = max(position, self.highest.get((role, partition), 0))


class Link:
    """What a process has of Redis: words may be late or lost, then the identical request is repeated."""

    def __init__(self, redis: PlayedRedis, process: Process) -> None:
        self._redis = redis
        self._process = process
        self._dice = redis.dice

    async def claim(self, partition: int, generation: int, opening: Opening) -> Claim:
        """As the port says."""
        answer: Claim = await self._written("claim", partition, generation, opening, is_seam=True)
        return answer

    async def load(self, fence: Fence, table: str, row_bytes: int) -> AsyncIterator[RowWrites]:
        """As the port says."""
        await self._dice.pass_word(self._process, f"load {table}")
        async for writes in self._redis.primary.load(fence, table, row_bytes):
            yield writes

    async def apply(self, fence: Fence, effects: Written, outgoing: Sequence[OutgoingRecord]) -> Outcome:
        """As the port says."""
        is_seam = isinstance(effects, Effects) and any(one.chunk < one.chunks - 1 for one in effects.demand)
        answer: Outcome = await self._written("apply", fence, effects, outgoing, is_seam=is_seam)
        return answer

    async def unsent(self, partition: int, at_most: int) -> Sequence[tuple[str, OutgoingRecord]]:
        """As the port says."""
        await self._dice.pass_word(self._process, "unsent")
        return await self._redis.primary.unsent(partition, at_most)

    async def mark_sent(self, fence: Fence, entry_id: str) -> bool:
        """As the port says."""
        answer: bool = await self._written("mark_sent", fence, entry_id)
        return answer

    async def is_paused(self) -> bool:
        """As the port says."""
        return await self._redis.primary.is_paused()

    async def set_paused(self, paused: bool) -> None:
        """As the port says."""
        await self._redis.primary.set_paused(paused)

    async def _written(self, name: str, *arguments: Any, is_seam: bool = False) -> Any:
        while True:
            await self._dice.pass_word(self._process, name, is_seam=is_seam)
            if self._redis.is_away and self._dice.rng.random() < 0.3:
                raise Unavailable("Redis does not answer")
            if not self._redis.is_away and not self._dice.is_word_lost():
                answer = self._redis.write(self._process.name, name, *arguments)
                self._dice.tell(self._process.name, f"{name} {told(name, arguments)} -> {told('', [answer])}")
                await self._dice.pass_word(self._process, f"answer to {name}", is_seam=is_seam)
                if not self._dice.is_word_lost():
                    return answer
            await self._process.stand(RETRY_SECONDS)


def told(name: str, arguments: Any) -> str:
    """Return a request or an answer as the story has it."""
    if name == "apply":
        fence, effects, outgoing = arguments
        progress = effects.progress
        return (
            f"p{fence.partition} epoch {fence.epoch} turn {progress.turn} at {dict(sorted(progress.positions.items()))}"
            f" closed {progress.closed_through} out {len(outgoing)} version {progress.model_version}"
        )
    if name == "claim":
        return f"p{arguments[0]} generation {arguments[1]}"
    (answer, *rest) = arguments
    if isinstance(answer, Claim):
        return f"epoch {answer.fence.epoch} at {dict(sorted(answer.progress.positions.items()))}"
    return " ".join(map(str, [answer, *rest]))


def at_once(asked: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine that waits for nobody returns."""
    try:
        asked.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("a store in memory waits for nobody")


def copied(store: MemoryStore) -> MemoryStore:
    """Return a store of its own with the same content."""
    other = MemoryStore()
    for number, kept in store.partitions.items():
        other.partitions[number] = replace(
            kept,
            tables={name: dict(rows) for name, rows in kept.tables.items()},
            row_bytes=dict(kept.row_bytes),
            outgoing=list(kept.outgoing),
        )
    return other


_roles: tuple[type[StateStore], type[Outbox], type[Switch]] = (Link, Link, Link)
