"""A partition's whole life against the real store: whatever happens in between, the log decides what it comes to.

Records are produced, fetched in any cut, applied, applied again after a lost
answer; workers crash between any two turns, sleep and wake as zombies; the
store fails over to a replica that has missed its last turns; a model is
swapped in. The oracle is one worker that got the whole log at once.
"""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest
import redis as blocking_redis
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from stream_app.ports import Fence, Outcome, OutgoingRecord, Written
from stream_app.processor import Parts, Processor
from stream_app.store.connection import connected
from stream_app.store.patience import Patience
from stream_app.store.redis_store import RedisStore
from stream_app.wire.json_wire import JsonWire
from tests.engine.builders import DAY, T0, MeanForecaster
from tests.stream.shop import PLAN, Kept, Notes, Shop, Source, batch, order, time_passed

SKUS = 9
BOUNDED = (Phase.explicit, Phase.generate)
"""Without shrinking, which takes minutes: add Phase.shrink to look into a failure."""
EXAMPLES = 25
"""Lives of up to 20 events each, some 15 s; a fault in a guard shows within a few."""
DECIDE_FROM = T0 + 4 * DAY


class Crash(Exception):
    """The process is gone."""


class FaultyStore(RedisStore):
    """Loses answers, after which the same turn is asked for again, and can end the process at a turn."""

    answers_lost = 0
    turns_left: int | None = None

    async def apply(self, fence: Fence, effects: Written, outgoing: Sequence[OutgoingRecord]) -> Outcome:
        if self.turns_left is not None:
            self.turns_left -= 1
            if self.turns_left < 0:
                raise Crash
        outcome = await super().apply(fence, effects, outgoing)
        if self.answers_lost and outcome is Outcome.APPLIED:
            self.answers_lost -= 1
            repeated = await super().apply(fence, effects, outgoing)
            assert repeated is Outcome.REPEATED
        return outcome


class PartitionLife(RuleBasedStateMachine):
    """One partition; ``log`` is what Kafka holds of ``orders``, ``counts`` of ``inventory``."""

    redis_url = ""

    def __init__(self) -> None:
        super().__init__()
        self.prefix = f"life-{uuid4().hex}"
        self.loop = asyncio.new_event_loop()
        self.server = blocking_redis.Redis.from_url(self.redis_url)
        self.client = connected(self.redis_url)
        self.source = Source()
        self.log: list[Kept] = []
        self.days = 0
        self.said: dict[bytes, bytes] = {}
        self.backups: list[dict[bytes, bytes]] = []
        self.zombies: list[Processor] = []
        self.highest = 0
        self.generation = 1
        self.is_swapped = False

    @initialize()
    def first_claim(self) -> None:
        """A worker comes."""
        self.claim()

    def claim(self) -> None:
        """Another worker of a younger generation takes over."""
        self.generation += 1
        self.store = FaultyStore(self.client, self.prefix, Patience(10.0))
        parts = Parts(PLAN, self.store, JsonWire(1, None), Notes(), self.source)
        self.processor = Processor(parts, DECIDE_FROM)
        claim = self.loop.run_until_complete(self.processor.claim(0, self.generation))
        self.position = claim.progress.positions.get("orders", 0)

    @rule(lines=st.integers(1, 25), seed=st.integers(0, 10**6))
    def produce(self, lines: int, seed: int) -> None:
        """Orders come in, some late, some that must be refused; at times only time passes."""
        for number in range(lines):
            offset, dice = len(self.log), (seed * 31 + number * 7) % 23
            at = T0 + self.days * DAY + number * (DAY // 25)
            if dice == 0:
                self.log.append(time_passed(offset, at))
            else:
                late = 2 * DAY if dice == 1 else 0
                self.log.append(order(offset, f"S{dice % SKUS}", at - late, 0 if dice == 2 else 1 + dice % 5))
        self.days += seed % 3

    @precondition(lambda self: self.position < len(self.log))
    @rule(records=st.integers(1, 40), answers_lost=st.integers(0, 2))
    def work(self, records: int, answers_lost: int) -> None:
        """The worker gets a fetch; answers of the store may be lost on the way."""
        self.store.answers_lost = answers_lost
        self.accept(self.position, min(len(self.log), self.position + records))

    def accept(self, start: int, end: int) -> None:
        """Hand a fetch over; claim again if the store stands elsewhere."""
        outcome = self.loop.run_until_complete(self.processor.accept(batch("orders", self.log[start:end])))
        if outcome.is_durable:
            self.position = end
        else:
            self.claim()

    @precondition(lambda self: self.position < len(self.log))
    @rule(turns=st.integers(0, 5))
    def crash(self, turns: int) -> None:
        """The process ends in the middle of a fetch, closings included."""
        self.store.turns_left = turns
        try:
            self.accept(self.position, len(self.log))
        except Crash:
            self.claim()
        else:
            self.store.turns_left = None

    @rule()
    def fall_asleep(self) -> None:
        """The worker is taken for dead; another one takes over."""
        self.zombies.append(self.processor)
        self.claim()

    @precondition(lambda self: self.zombies and self.log)
    @rule()
    def wake_up(self) -> None:
        """A zombie goes on with a fetch it had; the store lets it change nothing."""
        zombie, before = self.zombies.pop(), self.dump()
        outcome = self.loop.run_until_complete(zombie.accept(batch("orders", self.log[-1:])))
        assert not outcome.is_durable
        assert self.dump() == before

    @rule()
    def replicate(self) -> None:
        """A replica is up to here."""
        self.backups.append(self.dump())

    @precondition(lambda self: self.backups)
    @rule()
    def fail_over(self) -> None:
        """The server is replaced by a replica that has missed what came since."""
        for name in self.keys():
            self.server.delete(name)
        for name, content in self.backups.pop().items():
            self.server.restore(name, 0, content)
        self.backups.clear()
        self.highest = 0
        if self.position < len(self.log):
            self.accept(self.position, len(self.log))
        self.claim()

    @rule()
    def swap(self) -> None:
        """Another version is promoted; when is not in the log, so from here on only facts must agree."""
        self.is_swapped = True
        self.source.forecasters.append(MeanForecaster(f"mean-{len(self.source.forecasters) + 1}"))
        self.loop.run_until_complete(self.processor.use(self.source.forecasters[-1], "champion"))

    @rule(is_begun=st.booleans())
    def shadow(self, *, is_begun: bool) -> None:
        """A version steps beside the champion from here on, or no longer; nothing else may change."""
        wanted = MeanForecaster("beside") if is_begun else None
        self.loop.run_until_complete(self.processor.shadow(wanted))

    @invariant()
    def what_was_said_is_never_said_otherwise(self) -> None:
        """A request that is published again has the same bytes."""
        if self.is_swapped:
            return
        for _, record in self.loop.run_until_complete(self.store.unsent(0, 10**6)):
            if record.topic == "restock":
                said = self.said.setdefault(dict(record.headers)["ce_id"], record.value or b"")
                assert said == record.value

    @invariant()
    def positions_never_go_back(self) -> None:
        """But for a failover."""
        assert self.position >= self.highest
        self.highest = self.position

    def keys(self) -> list[bytes]:
        """Names of all that Redis holds of the product."""
        found: list[bytes] = self.server.keys(f"restock:{{{self.prefix}:*")  # type: ignore[assignment]
        return found

    def dump(self) -> dict[bytes, bytes]:
        """All that Redis holds, but for who owns it."""
        return {name: self.server.dump(name) or b"" for name in self.keys()}

    def teardown(self) -> None:
        """Apply the rest, and compare with one worker that got the whole log at once."""
        try:
            self.compare()
        finally:
            for name in self.keys():
                self.server.delete(name)
            self.loop.run_until_complete(self.client.aclose())
            self.server.close()
            self.loop.close()

    def compare(self) -> None:
        """Compare rows and requests."""
        for _ in range(3):
            if self.position < len(self.log):
                self.accept(self.position, len(self.log))
        self.what_was_said_is_never_said_otherwise()
        if not self.log:
            return
        shop = self.loop.run_until_complete(reference(self.log))
        for table in ("window",) if self.is_swapped else ("window", "hot", "forecast:mean-1", "accuracy"):
            stored = self.server.hgetall(f"restock:{{{self.prefix}:0}}:{table}")
            stored.pop(b"beside", None)  # what a shadow's forecasts turned out to be
            assert stored == shop.rows.get(table, {}), table
        if not self.is_swapped:
            requests = {dict(one.headers)["ce_id"]: one.value for one in shop.said if one.topic == "restock"}
            assert self.said == requests


async def reference(log: Sequence[Kept]) -> Shop:
    """Return what a worker in memory makes of the whole log."""
    shop = Shop(decide_from=DECIDE_FROM)
    worker = await shop.worker()
    assert await worker.accept(batch("orders", log)) is Outcome.APPLIED
    return shop


@pytest.mark.timeout(400)
def test_whatever_happens_the_log_decides(redis_url: str) -> None:
    PartitionLife.redis_url = redis_url
    run_state_machine_as_test(
        PartitionLife,
        settings=settings(max_examples=EXAMPLES, stateful_step_count=20, deadline=None, phases=BOUNDED),
    )
