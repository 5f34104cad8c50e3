"""What a partition does between assignment and revocation, among fakes of its neighbours."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from stream_app.errors import StateCorrupt
from stream_app.ports import Outcome
from stream_app.worker import runner
from stream_app.worker.surroundings import Stage
from tests.worker.fakes import CATALOG_RECORDS, Bench

CATALOG_FIRST = ("catalog", 0, CATALOG_RECORDS)


def played(scene: Callable[[], Awaitable[None]]) -> None:
    """Run a scene to its end."""

    async def whole() -> None:
        await scene()

    asyncio.run(whole())


def test_the_catalog_is_applied_to_its_end_before_any_other_topic() -> None:
    async def scene() -> None:
        bench = Bench()
        restored = await bench.runner.start(generation=1, era=1)
        await bench.deliver("orders", 0, 10)
        assert await restored == {"orders": 0, "inventory": 0, "catalog": CATALOG_RECORDS, "signals": 0}
        await bench.until(lambda: bench.acknowledged == [10])
        assert bench.store.applied == [CATALOG_FIRST, ("orders", 0, 10)]
        await bench.runner.stop()

    played(scene)


def test_a_batch_is_acknowledged_only_once_it_is_durable() -> None:
    async def scene() -> None:
        bench = Bench()
        bench.store.positions["catalog"] = CATALOG_RECORDS
        await (await bench.runner.start(1, 1))
        bench.store.hold = asyncio.Event()
        await bench.deliver("orders", 0, 10)
        for _ in range(10):
            await asyncio.sleep(0)
        assert bench.acknowledged == []
        bench.store.hold.set()
        await bench.until(lambda: bench.acknowledged == [10])
        await bench.runner.stop()

    played(scene)


@pytest.mark.parametrize("outcome", [Outcome.AHEAD, Outcome.REGRESSED, Outcome.FENCED])
def test_a_refused_turn_is_claimed_again_and_read_again_from_where_the_store_stands(outcome: Outcome) -> None:
    async def scene() -> None:
        bench = Bench()
        await (await bench.runner.start(1, 1))
        await bench.deliver("orders", 0, 10)
        await bench.until(lambda: bench.acknowledged == [10])
        bench.store.refusals.append(outcome)
        await bench.deliver("orders", 10, 20)
        await bench.until(lambda: bool(bench.seeks))
        assert bench.seeks == [{"orders": 10, "inventory": 0, "catalog": CATALOG_RECORDS, "signals": 0}]
        await bench.deliver("orders", 20, 30, era=1)
        await bench.deliver("orders", 10, 20, era=2)
        await bench.until(lambda: bench.acknowledged == [10, 20])
        assert bench.store.applied == [CATALOG_FIRST, ("orders", 0, 10), ("orders", 10, 20)]
        assert bench.relay.epoch == bench.store.epoch == 2
        await bench.runner.stop()

    played(scene)


def test_while_the_store_is_away_nothing_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "FIRST_RETRY_SECONDS", 0.0)

    async def scene() -> None:
        bench = Bench()
        bench.store.away_for = 3
        await (await bench.runner.start(1, 1))
        bench.store.away_for = 4
        await bench.deliver("orders", 0, 10)
        await bench.until(lambda: bool(bench.seeks))
        await bench.deliver("orders", 0, 10, era=2)
        await bench.until(lambda: bench.acknowledged == [10])
        assert bench.store.positions["orders"] == 10
        await bench.runner.stop()

    played(scene)


def test_a_claim_nobody_waits_for_any_longer_seeks_by_itself() -> None:
    async def scene() -> None:
        bench = Bench()
        (await bench.runner.start(1, 1)).cancel()
        await bench.until(lambda: bench.runner.stage is Stage.WORKING)
        assert bench.seeks == [{"orders": 0, "inventory": 0, "catalog": CATALOG_RECORDS, "signals": 0}]
        await bench.runner.stop()

    played(scene)


def test_a_partition_of_a_younger_generation_is_let_go_of() -> None:
    async def scene() -> None:
        bench = Bench()
        bench.store.generation = 7
        restored = await bench.runner.start(6, 1)
        await asyncio.wait({restored})
        assert restored.cancelled()
        await bench.until(lambda: bench.runner.stage is Stage.FENCED)
        await bench.deliver("orders", 0, 10)
        assert bench.store.applied == []
        assert bench.failures == []

    played(scene)


def test_state_that_does_not_decode_stops_this_partition_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        bench = Bench()
        monkeypatch.setattr(bench.store, "answer", lambda: (_ for _ in ()).throw(StateCorrupt("hot has 7 bytes")))
        await bench.runner.start(1, 1)
        await bench.until(lambda: bench.runner.stage is Stage.STOPPED)
        assert bench.failures == []

    played(scene)


def test_an_error_nobody_expected_is_handed_to_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        bench = Bench()
        bug = ZeroDivisionError()
        monkeypatch.setattr(bench.store, "answer", lambda: (_ for _ in ()).throw(bug))
        await bench.runner.start(1, 1)
        await bench.until(lambda: bench.failures == [bug])

    played(scene)


def test_revocation_finishes_the_batch_in_hand_and_drops_the_rest() -> None:
    async def scene() -> None:
        bench = Bench()
        await (await bench.runner.start(1, 1))
        bench.store.hold = asyncio.Event()
        await bench.deliver("orders", 0, 10)
        await bench.until(lambda: bench.runner.stage is Stage.WORKING)
        await asyncio.sleep(0)
        await bench.deliver("orders", 10, 20)
        await bench.deliver("orders", 20, 30)
        blocked = asyncio.create_task(bench.deliver("orders", 30, 40))
        stopping = asyncio.create_task(bench.runner.stop())
        await asyncio.sleep(0)
        bench.store.hold.set()
        await stopping
        await blocked
        assert bench.acknowledged == [10]
        assert bench.store.applied == [CATALOG_FIRST, ("orders", 0, 10)]
        assert bench.relay.epoch is None

    played(scene)


def test_silence_ticks_and_a_record_that_is_no_order_does_not_break_it() -> None:
    async def scene() -> None:
        bench = Bench(tick_seconds=30)
        await (await bench.runner.start(1, 1))
        bench.now = 20.0
        await bench.deliver("inventory", 0, 5)
        await bench.until(lambda: bench.acknowledged == [5])
        bench.now = 31.0
        await bench.deliver("inventory", 5, 6)
        await bench.until(lambda: bench.store.ticked_seconds == [31.0])
        await bench.runner.stop()

    played(scene)


def test_time_in_which_orders_may_wait_unread_is_not_silence() -> None:
    async def scene() -> None:
        bench = Bench(tick_seconds=30)
        await (await bench.runner.start(1, 1))
        bench.log.ends["orders"] = 10
        bench.now = 40.0
        await bench.deliver("inventory", 0, 5)
        await bench.until(lambda: bench.acknowledged == [5])
        await bench.deliver("orders", 0, 10)
        await bench.until(lambda: bench.acknowledged == [5, 10])
        bench.log.is_away = True
        bench.now = 80.0
        await bench.deliver("inventory", 5, 6)
        await bench.until(lambda: bench.acknowledged == [5, 10, 6])
        await bench.until(lambda: bench.log.asked_in_vain == 1)
        bench.log.is_away = False
        bench.now = 115.0
        await bench.deliver("inventory", 6, 7)
        await bench.until(lambda: len(bench.store.ticked_seconds) == 1)
        assert bench.store.ticked_seconds == [35.0]
        await bench.runner.stop()

    played(scene)


def test_a_transport_that_cannot_seek_has_what_a_refusal_dropped_read_beside_the_group() -> None:
    async def scene() -> None:
        bench = Bench(fills_gaps=True)
        await (await bench.runner.start(1, 0))
        bench.log.ends["orders"] = 1
        bench.store.refusals.append(Outcome.REGRESSED)
        await bench.deliver("orders", 0, 1, era=0)
        await bench.until(lambda: bench.store.positions["orders"] == 1)
        assert bench.acknowledged == []
        await bench.deliver("orders", 0, 1, era=0)
        await bench.until(lambda: bench.acknowledged == [1])
        assert bench.store.applied == [CATALOG_FIRST, ("orders", 0, 1)]
        await bench.runner.stop()

    played(scene)


def test_a_transport_without_spans_has_gaps_read_again_and_repeats_skipped() -> None:
    async def scene() -> None:
        bench = Bench(fills_gaps=True)
        await (await bench.runner.start(1, 0))
        bench.log.ends["orders"] = 4
        await bench.deliver("orders", 4, 5, era=0)
        await bench.deliver("orders", 2, 3, era=0)
        await bench.deliver("orders", 5, 6, era=0)
        await bench.until(lambda: bench.acknowledged == [5, 3, 6])
        assert bench.store.applied == [CATALOG_FIRST, ("orders", 0, 4), ("orders", 4, 5), ("orders", 5, 6)]
        await bench.runner.stop()

    played(scene)
