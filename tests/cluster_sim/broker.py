"""Kafka as a worker sees it: logs with retention, and a consumer group with eager rebalances."""

import asyncio
from dataclasses import dataclass, field

from replenishment.engine.columns import ROLES, Role
from stream_app.kafka.topics import TopicNames
from stream_app.ports import OutgoingRecord
from tests.cluster_sim.dice import Dice
from tests.stream.shop import Kept

SESSION_SECONDS = 8.0
REBALANCE_SECONDS = 6.0
NAMES = TopicNames("sim.")


@dataclass
class Log:
    """Records of one topic and partition; those before ``earliest`` are gone for readers."""

    records: list[Kept] = field(default_factory=list)
    earliest: int = 0

    @property
    def end(self) -> int:
        """The position after the last record."""
        return len(self.records)

    def read(self, start: int, at_most: int) -> list[Kept]:
        """Return records from a position on."""
        return self.records[max(start, self.earliest) : max(start, self.earliest) + at_most]


class Broker:
    """All logs, and what was published."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.logs: dict[tuple[Role, int], Log] = {
            (role, number): Log() for role in ROLES for number in range(partitions)
        }
        self.published: list[OutgoingRecord] = []

    def append(self, role: Role, partition: int, key: bytes | None, value: bytes | None) -> None:
        """Add a record."""
        log = self.logs[role, partition]
        log.records.append(Kept(log.end, key, value))


class UnknownMemberError(Exception):
    """The group took the member for dead."""


class Group:
    """The coordinator of the consumer group: generations, members, committed offsets."""

    def __init__(self, dice: Dice, partitions: int) -> None:
        self._dice = dice
        self._partitions = partitions
        self.generation = 0
        self.members: dict[str, float] = {}
        self.committed: dict[tuple[Role, int], int] = {}
        self._joining: dict[str, asyncio.Future[tuple[int, tuple[int, ...]]]] = {}
        self._is_rebalancing = False
        self._round = 0

    async def join(self, member: str) -> tuple[int, tuple[int, ...]]:
        """Return the next generation, and which partitions are the member's in it."""
        loop = asyncio.get_running_loop()
        self.members[member] = loop.time()
        joined: asyncio.Future[tuple[int, tuple[int, ...]]] = loop.create_future()
        self._joining[member] = joined
        self.rebalance()
        self._complete_if_all_are_here()
        return await joined

    def heartbeat(self, member: str) -> bool:
        """Return whether the member must join again.

        Raises:
            UnknownMemberError: If it was taken for dead.
        """
        if member not in self.members:
            raise UnknownMemberError(member)
        self.members[member] = asyncio.get_running_loop().time()
        return self._is_rebalancing

    def leave(self, member: str) -> None:
        """Go in order."""
        if self.members.pop(member, None) is not None:
            self._joining.pop(member, None)
            self.rebalance()
            self._complete_if_all_are_here()

    def commit(self, member: str, generation: int, role: Role, partition: int, position: int) -> bool:
        """Keep a position, unless it is of an older generation."""
        is_current = generation == self.generation and member in self.members
        if is_current:
            self.committed[role, partition] = position
        return is_current

    def expel_silent(self) -> None:
        """Take for dead who has not been heard of."""
        now = asyncio.get_running_loop().time()
        for member in [name for name, heard in self.members.items() if heard + SESSION_SECONDS < now]:
            if member not in self._joining:
                self._dice.tell("group", f"takes {member} for dead")
                self.leave(member)

    def rebalance(self) -> None:
        """Begin a rebalance unless one is under way: every member has to join again."""
        if self._is_rebalancing or not self.members:
            return
        self._is_rebalancing = True
        self._round += 1
        begun = self._round
        asyncio.get_running_loop().call_later(REBALANCE_SECONDS, lambda: self._complete(begun))

    def _complete_if_all_are_here(self) -> None:
        if self._is_rebalancing and self._joining.keys() >= self.members.keys():
            self._complete(self._round)

    def _complete(self, begun: int) -> None:
        if begun != self._round or not self._is_rebalancing:
            return
        joined = {name: future for name, future in sorted(self._joining.items()) if not future.done()}
        self.members = {name: asyncio.get_running_loop().time() for name in joined}
        self._joining.clear()
        self._is_rebalancing = False
        self.generation += 1
        for place, (name, future) in enumerate(joined.items()):
            mine = tuple(range(place, self._partitions, len(joined)))
            self._dice.tell("group", f"generation {self.generation}: {name} gets {mine}")
            future.set_result((self.generation, mine))
