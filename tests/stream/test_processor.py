"""A partition from claim to revocation: real wire, engine and store in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replenishment.arrays import Float32s
from replenishment.forecaster import ClosedBucket, Forecast
from stream_app.errors import Unavailable
from stream_app.ports import Fence, Outcome, OutgoingRecord, Written
from stream_app.processor import Processor
from stream_app.store.memory_store import MemoryStore
from tests.engine.builders import DAY, HOUR, T0, MeanForecaster
from tests.stream.shop import Notes, Shop, Source, batch, counted, cuts, order, orders, time_passed

Apply = Callable[[Fence, Written, Sequence[OutgoingRecord]], Awaitable[Outcome]]


class Watched(MemoryStore):
    """A store in memory whose applies go through a function."""

    def __init__(self, shop: Shop, wrap: Callable[[Apply], Apply]) -> None:
        super().__init__()
        self.partitions = shop.memory.partitions
        self._apply = wrap(super().apply)

    async def apply(self, fence: Fence, effects: Written, outgoing: Sequence[OutgoingRecord]) -> Outcome:
        return await self._apply(fence, effects, outgoing)


def played(lines_cut_at: Sequence[int] = ()) -> Shop:
    """Return the shop after all lines, fetched in given pieces."""

    async def scene() -> Shop:
        shop = Shop()
        processor = await shop.worker()
        for one in cuts(orders(), lines_cut_at):
            assert await processor.accept(one) is Outcome.APPLIED
        return shop

    return asyncio.run(scene())


def test_records_become_rows_restocks_demand_and_dead_letters() -> None:
    shop = played()
    assert set(shop.rows) == {"hot", "window", "forecast:mean-1", "restocks", "accuracy"}
    assert shop.memory.partitions[0].progress.positions == {"orders": 90}
    refused = [one for one in orders() if b'"quantity": 0' in (one.value or b"")]
    assert [one.value for one in shop.said if one.topic == "dead-letter"] == [one.value for one in refused]
    assert {one["sku"] for one in shop.said_on("restock")} <= {f"S{number}" for number in range(9)}
    assert shop.said_on("restock")
    assert {one["kind"] for one in shop.said_on("demand")} == {"closed", "correction"}
    assert shop.notes.applied_turns == list(range(1, len(shop.notes.applied_turns) + 1))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 90), max_size=8))
def test_any_cut_into_fetches_gives_the_same_bytes(lines_cut_at: list[int]) -> None:
    whole, cut = played(), played(lines_cut_at)
    assert cut.rows == whole.rows
    assert cut.said == whole.said


class DiedError(Exception):
    """The process is gone."""


def dying(after_turns: int, *, answer_is_lost: bool) -> Callable[[Apply], Apply]:
    """Let a process die at a turn, before or after the store has it."""
    left = after_turns

    def wrap(apply: Apply) -> Apply:
        async def applied(fence: Fence, effects: Written, outgoing: Sequence[OutgoingRecord]) -> Outcome:
            nonlocal left
            left -= 1
            if left < 0 and not answer_is_lost:
                raise DiedError
            outcome = await apply(fence, effects, outgoing)
            if left < 0:
                raise DiedError
            return outcome

        return applied

    return wrap


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 25), st.booleans()), min_size=1, max_size=4), st.integers(1, 40))
def test_processes_that_die_at_any_turn_lose_and_double_nothing(deaths: list[tuple[int, bool]], fetch: int) -> None:
    lines = orders()

    async def read_on(shop: Shop, processor: Processor) -> None:
        position = shop.memory.partitions[0].progress.positions.get("orders", 0)
        while position < len(lines):
            assert (await processor.accept(batch("orders", lines[position : position + fetch]))).is_durable
            position = min(position + fetch, len(lines))

    async def scene() -> Shop:
        shop = Shop()
        for turns, answer_is_lost in deaths:
            store = Watched(shop, dying(turns, answer_is_lost=answer_is_lost))
            try:
                await read_on(shop, await shop.worker(store))
            except DiedError:
                continue
        await read_on(shop, await shop.worker())
        return shop

    shop, undisturbed = asyncio.run(scene()), played()
    assert shop.rows == undisturbed.rows
    assert shop.said == undisturbed.said


def test_a_worker_that_lost_its_partition_is_fenced_and_forgets_its_state() -> None:
    async def scene() -> None:
        shop = Shop()
        lines = orders()
        zombie, rightful = await shop.worker(), await shop.worker()
        assert await zombie.accept(batch("orders", lines[:5])) is Outcome.FENCED
        assert zombie.version is None
        assert await zombie.accept(batch("orders", lines[:5])) is Outcome.REGRESSED
        assert await rightful.accept(batch("orders", lines[:5])) is Outcome.APPLIED
        assert shop.notes.refusals == [Outcome.FENCED]

    asyncio.run(scene())


@pytest.mark.parametrize(("start", "outcome"), [(7, Outcome.REGRESSED), (3, Outcome.AHEAD)])
def test_a_fetch_that_does_not_begin_where_the_partition_stands_changes_nothing(start: int, outcome: Outcome) -> None:
    async def scene() -> None:
        shop = Shop()
        lines = orders()
        processor = await shop.worker()
        await processor.accept(batch("orders", lines[:5]))
        before = dict(shop.rows["hot"])
        assert await processor.accept(batch("orders", lines[start : start + 5])) is outcome
        assert processor.version is None
        assert shop.rows["hot"] == before

    asyncio.run(scene())


def test_the_next_turn_is_computed_while_the_store_has_the_one_before_and_only_one_is_in_flight() -> None:
    story: list[str] = []

    def wrap(apply: Apply) -> Apply:
        async def applied(fence: Fence, effects: Written, outgoing: Sequence[OutgoingRecord]) -> Outcome:
            story.append(f"asked {effects.progress.turn}")
            for _ in range(3):
                await asyncio.sleep(0)
            story.append(f"answered {effects.progress.turn}")
            return await apply(fence, effects, outgoing)

        return applied

    class Telling(MeanForecaster):
        def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
            story.append("stepped")
            return super().step(closed, memory)

    async def scene() -> None:
        shop = Shop(source=Source([Telling()]))
        processor = await shop.worker(Watched(shop, wrap))
        await processor.accept(batch("orders", orders(days=2)))

    asyncio.run(scene())
    steps = [place for place, told in enumerate(story) if told == "stepped"]
    assert steps
    assert all(story[place - 1].startswith(("asked", "stepped")) for place in steps)
    talk = [one for one in story if one != "stepped"]
    assert talk == [f"{verb} {turn}" for turn in range(1, len(talk) // 2 + 1) for verb in ("asked", "answered")]


def test_while_requests_are_held_back_everything_else_goes_on() -> None:
    async def scene() -> None:
        shop = Shop()
        processor = await shop.worker(is_requesting=False)
        lines = orders()
        await processor.accept(batch("orders", lines[:80]))
        assert not shop.said_on("restock")
        assert shop.said_on("demand")
        processor.is_requesting = True
        await processor.accept(batch("orders", lines[80:]))
        assert shop.said_on("restock")

    asyncio.run(scene())


def test_silence_closes_buckets() -> None:
    async def scene() -> None:
        shop = Shop()
        processor = await shop.worker()
        await processor.accept(batch("orders", [order(0, "A", T0 + HOUR, 3), time_passed(1, T0 + 2 * HOUR)]))
        assert await processor.tick(3_600.0) is Outcome.APPLIED
        assert not shop.said_on("demand")
        assert await processor.tick(24 * 3_600.0) is Outcome.APPLIED
        assert [one["units"] for one in shop.said_on("demand")] == [[3]]

    asyncio.run(scene())


def test_a_tick_before_the_first_record_changes_nothing() -> None:
    async def scene() -> None:
        shop = Shop()
        processor = await shop.worker()
        assert await processor.tick(10.0) is Outcome.APPLIED
        assert shop.memory.partitions[0].progress.turn == 0

    asyncio.run(scene())


def test_another_claim_while_a_partition_is_loaded_is_noticed_at_the_first_turn() -> None:
    def wrap(apply: Apply) -> Apply:
        async def refused(fence: Fence, effects: Written, outgoing: Sequence[OutgoingRecord]) -> Outcome:
            return await apply(Fence(fence.partition, fence.epoch - 1), effects, outgoing)

        return refused

    async def scene() -> None:
        shop = Shop()
        processor = await shop.worker()
        await processor.accept(batch("orders", [*orders(days=1), time_passed(9, T0 + DAY)]))
        shop.source = Source([MeanForecaster("mean-2")])
        with pytest.raises(Unavailable, match="claimed by another worker"):
            await shop.worker(Watched(shop, wrap))

    asyncio.run(scene())


def test_counts_answer_at_once() -> None:
    async def scene() -> None:
        shop = Shop()
        processor = await shop.worker()
        await processor.accept(batch("orders", [*orders(days=6), time_passed(54, T0 + 7 * DAY)]))
        before = len(shop.said_on("restock"))
        outcome = await processor.accept(batch("inventory", [counted(0, "S8", T0 + 7 * DAY, 0)]))
        assert outcome is Outcome.APPLIED
        assert len(shop.said_on("restock")) >= before
        assert shop.memory.partitions[0].progress.positions == {"orders": 55, "inventory": 1}

    asyncio.run(scene())


def test_a_claim_shows_the_accuracy_that_was_known_before() -> None:
    async def scene() -> None:
        shop = Shop()
        processor = await shop.worker()
        await processor.accept(batch("orders", orders(days=30)))
        before = [(one.role, one.version, one.account.tobytes()) for one in shop.notes.accuracy]
        assert before[0][:2] == ("champion", "mean-1")
        assert shop.notes.accuracy[0].account["sums"].any()
        again = shop.notes = Notes()
        await shop.worker()
        assert [(one.role, one.version, one.account.tobytes()) for one in again.accuracy] == before

    asyncio.run(scene())
