"""Another model version takes over beside the stream; whatever is wrong with it, the old one stays."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from replenishment.arrays import Float32s, Names
from replenishment.engine.plan import Plan
from replenishment.engine.rows import forecast_table
from replenishment.forecaster import ClosedBucket, Forecast
from replenishment.lead_time import Delays
from stream_app.ports import Outcome
from tests.engine.builders import DAY, T0, MeanForecaster
from tests.stream.shop import Shop, Source, batch, orders, time_passed

LINES = orders(days=12)


async def back_filled(shop: Shop, lines: int = 60) -> None:
    processor = await shop.worker()
    await processor.accept(batch("orders", LINES[:lines]))


def test_an_incoming_version_takes_over_and_the_rows_of_the_old_one_go() -> None:
    async def scene() -> None:
        shop = Shop()
        processor = await shop.worker()
        await processor.accept(batch("orders", LINES[:60]))
        assert await processor.use(MeanForecaster("mean-2"), "champion")
        assert processor.version == "mean-2"
        assert "forecast:mean-1" not in shop.rows
        assert shop.memory.partitions[0].progress.model_version == "mean-2"
        await processor.accept(batch("orders", LINES[60:]))
        assert {one["model_version"] for one in shop.said_on("demand")} == {"mean-1", "mean-2"}
        assert shop.notes.versions == ["mean-1", "mean-2"]

    asyncio.run(scene())


def test_a_version_rebuilt_from_windows_decides_as_if_it_had_always_served() -> None:
    async def scene(*, is_swapped: bool) -> dict[bytes, bytes]:
        shop = Shop(source=Source([MeanForecaster("mean-1" if is_swapped else "mean-2")]))
        processor = await shop.worker()
        await processor.accept(batch("orders", LINES[:60]))
        if is_swapped:
            await processor.use(MeanForecaster("mean-2"), "champion")
        await processor.accept(batch("orders", LINES[60:]))
        return shop.rows["forecast:mean-2"]

    # the one correction of a late line reaches windows, not memories: leave those rows out
    swapped, always = asyncio.run(scene(is_swapped=True)), asyncio.run(scene(is_swapped=False))
    assert swapped.keys() == always.keys()
    same = [key for key in swapped if key != b"main|S3"]
    assert len(same) == 8
    assert [decided(swapped[key]) for key in same] == [decided(always[key]) for key in same]


class Late(MeanForecaster):
    """Knows that all suppliers come three buckets late."""

    def delays(self, suppliers: Names) -> Delays:
        return Delays(np.full((len(suppliers), 1), 3), np.ones((len(suppliers), 1)))


def test_a_version_that_knows_suppliers_decides_by_them_from_the_swap_on() -> None:
    async def levels(serving: MeanForecaster, *, is_swapped: bool) -> list[list[object]]:
        source = Source([MeanForecaster() if is_swapped else serving])
        shop = Shop(source=source, plan=Plan(learns_lead_times=True))
        processor = await shop.worker()
        await processor.accept(batch("orders", LINES[:60]))
        if is_swapped:
            await processor.use(serving, "champion")
        # a late line of S3 reaches windows, not memories
        return [decided(row) for key, row in sorted(shop.rows["forecast:mean-2"].items()) if key != b"main|S3"]

    swapped, always = (asyncio.run(levels(Late("mean-2"), is_swapped=one)) for one in (True, False))
    assert swapped == always
    assert always != asyncio.run(levels(MeanForecaster("mean-2"), is_swapped=False))


def decided(row: bytes) -> list[object]:
    """Return what a row says but for forecasts that wait to be scored: those a version did not make it cannot have."""
    grid = MeanForecaster.grid
    fields = forecast_table("mean-2", MeanForecaster.memory_floats, len(grid.levels)).unpack(row)[0]
    names = [name for name in fields.dtype.names or () if not name.startswith("scored_") and name != "traits"]
    return [np.asarray(fields[name]).tolist() for name in names]


def test_batches_are_taken_while_a_version_is_rebuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_app.processor.REBUILD_KEYS", 1)

    async def scene() -> None:
        shop = Shop()
        processor = await shop.worker()
        await processor.accept(batch("orders", LINES[:60]))
        swapping = asyncio.create_task(processor.use(MeanForecaster("mean-2"), "champion"))
        for place in range(60, len(LINES)):
            assert await processor.accept(batch("orders", LINES[place : place + 1])) is Outcome.APPLIED
            if place == 63:
                assert not swapping.done()
        assert await swapping
        undisturbed = Shop(source=Source([MeanForecaster("mean-2")]))
        await back_filled(undisturbed, len(LINES))
        assert shop.rows["hot"].keys() == undisturbed.rows["hot"].keys()
        assert shop.rows["window"] == undisturbed.rows["window"]

    asyncio.run(scene())


def failing(forecaster: MeanForecaster) -> Forecast:
    raise RuntimeError("no such operator")


def misshapen(forecaster: MeanForecaster) -> Forecast:
    return Forecast(np.zeros((1, 1, 1), dtype=np.float32), np.zeros((1, 1), dtype=np.float32))


@pytest.mark.parametrize("wrong", [failing, misshapen])
@pytest.mark.parametrize("good_steps", [0, 3])
def test_a_version_that_fails_is_given_up_and_the_old_one_goes_on(
    wrong: Callable[[MeanForecaster], Forecast], good_steps: int
) -> None:
    class Broken(MeanForecaster):
        steps = 0

        def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
            self.steps += 1
            return super().step(closed, memory) if self.steps <= good_steps else wrong(self)

    async def scene() -> None:
        shop = Shop()
        processor = await shop.worker()
        await processor.accept(batch("orders", LINES[:60]))
        with pytest.raises((RuntimeError, ValueError)):
            await processor.use(Broken("broken"), "champion")
        assert processor.version == "mean-1"
        await processor.accept(batch("orders", LINES[60:]))
        undisturbed = Shop()
        await back_filled(undisturbed, len(LINES))
        assert shop.rows == undisturbed.rows
        assert shop.said == undisturbed.said

    asyncio.run(scene())


def test_a_version_that_fails_in_a_closing_does_not_stop_the_closing() -> None:
    class Tiring(MeanForecaster):
        is_tired = False

        def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
            if self.is_tired:
                raise RuntimeError("tired")
            return super().step(closed, memory)

    async def scene(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("stream_app.processor.REBUILD_KEYS", 1)
        shop = Shop()
        processor = await shop.worker()
        await processor.accept(batch("orders", LINES[:60]))
        incoming = Tiring("tiring")
        swapping = asyncio.create_task(processor.use(incoming, "champion"))
        while "forecast:tiring" not in shop.rows:
            await asyncio.sleep(0)
        incoming.is_tired = True
        assert await processor.accept(batch("orders", LINES[60:])) is Outcome.APPLIED
        with pytest.raises(RuntimeError, match="tired"):
            await swapping
        assert processor.version == "mean-1"

    with pytest.MonkeyPatch.context() as monkeypatch:
        asyncio.run(scene(monkeypatch))


def test_a_newer_version_takes_the_place_of_one_that_is_being_rebuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_app.processor.REBUILD_KEYS", 1)

    async def scene() -> None:
        shop = Shop()
        processor = await shop.worker()
        await processor.accept(batch("orders", LINES[:60]))
        older = asyncio.create_task(processor.use(MeanForecaster("mean-2"), "champion"))
        while "forecast:mean-2" not in shop.rows:
            await asyncio.sleep(0)
        assert await processor.use(MeanForecaster("mean-3"), "champion")
        assert not await older
        await processor.accept(batch("orders", LINES[60:]))
        assert [name for name in shop.rows if name.startswith("forecast")] == ["forecast:mean-3"]

    asyncio.run(scene())


def test_the_version_that_serves_may_only_change_its_rung() -> None:
    async def scene() -> None:
        shop = Shop()
        processor = await shop.worker()
        await processor.accept(batch("orders", LINES[:60]))
        turn = shop.memory.partitions[0].progress.turn
        assert await processor.use(MeanForecaster("mean-1"), "starter")
        assert shop.memory.partitions[0].progress.turn == turn

    asyncio.run(scene())


def test_a_partition_that_was_lost_meanwhile_is_not_swapped() -> None:
    async def scene() -> None:
        shop = Shop()
        zombie = await shop.worker()
        await zombie.accept(batch("orders", LINES[:60]))
        await shop.worker()
        assert not await zombie.use(MeanForecaster("mean-2"), "champion")
        assert not await zombie.use(MeanForecaster("mean-2"), "champion")
        assert shop.memory.partitions[0].progress.model_version == "mean-1"

    asyncio.run(scene())


def test_after_a_claim_the_version_that_served_before_goes_on_serving() -> None:
    async def scene() -> None:
        shop = Shop()
        await back_filled(shop)
        shop.source = Source([MeanForecaster("mean-1"), MeanForecaster("mean-2")])
        processor = await shop.worker()
        assert processor.version == "mean-1"

    asyncio.run(scene())


def test_a_version_that_can_no_longer_be_loaded_is_replaced_before_anything_else_happens() -> None:
    async def scene() -> None:
        shop = Shop()
        await back_filled(shop)
        shop.source = Source([MeanForecaster("mean-2")])
        processor = await shop.worker()
        assert processor.version == "mean-2"
        assert "forecast:mean-1" not in shop.rows
        await processor.accept(batch("orders", LINES[60:]))
        swapped = Shop()
        other = await swapped.worker()
        await other.accept(batch("orders", LINES[:60]))
        await other.use(MeanForecaster("mean-2"), "champion")
        await other.accept(batch("orders", LINES[60:]))
        assert shop.rows == swapped.rows
        assert shop.said == swapped.said

    asyncio.run(scene())


def test_what_a_crash_left_of_a_rebuild_is_cleared_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_app.processor.REBUILD_KEYS", 1)

    async def scene() -> None:
        shop = Shop()
        processor = await shop.worker()
        await processor.accept(batch("orders", LINES[:60]))
        swapping = asyncio.create_task(processor.use(MeanForecaster("mean-2"), "champion"))
        while "forecast:mean-2" not in shop.rows:
            await asyncio.sleep(0)
        swapping.cancel()
        await asyncio.wait({swapping})
        processor = await shop.worker()
        assert processor.version == "mean-1"
        await processor.accept(batch("orders", [*LINES[60:], time_passed(len(LINES), T0 + 20 * DAY)]))
        assert [name for name in shop.rows if name.startswith("forecast")] == ["forecast:mean-1"]

    asyncio.run(scene())
