"""A version beside the champion of a partition: rebuilt, stepped, compared, and never heard of outside."""

import asyncio
from pathlib import Path

import pytest

from model_store.versions import Versions
from replenishment.arrays import Float32s
from replenishment.engine.plan import Plan
from replenishment.forecaster import ClosedBucket, Forecast
from stream_app.processor import Processor
from stream_app.swap import ChampionFollower, Failure
from tests.engine.builders import MeanForecaster
from tests.model_store.builders import moving_average_draft
from tests.stream.shop import Shop, batch, orders

LINES = orders(days=12)
OWN = "forecast:mean-2"


class Tiring(MeanForecaster):
    """Fails once it is tired."""

    is_tired = False

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        if self.is_tired:
            raise RuntimeError("tired")
        return super().step(closed, memory)


async def back_filled(shop: Shop) -> Processor:
    processor = await shop.worker()
    await processor.accept(batch("orders", LINES[:60]))
    return processor


async def undisturbed() -> Shop:
    shop = Shop()
    processor = await back_filled(shop)
    await processor.accept(batch("orders", LINES[60:]))
    return shop


def champions(shop: Shop) -> dict[str, dict[bytes, bytes]]:
    """Return all rows but those of the shadow."""
    rows = {name: dict(table) for name, table in shop.rows.items() if name != OWN}
    rows["accuracy"].pop(b"mean-2", None)
    return rows


def roles(shop: Shop) -> list[str]:
    return [one.role for one in shop.notes.accuracy]


def test_a_shadow_is_stepped_and_scored_and_nothing_outside_changes() -> None:
    async def scene() -> None:
        shop, alone = Shop(), await undisturbed()
        processor = await back_filled(shop)
        assert await processor.shadow(MeanForecaster("mean-2"))
        assert not await processor.shadow(MeanForecaster("mean-2")), "it is beside the champion already"
        await processor.accept(batch("orders", LINES[60:]))
        assert (processor.version, processor.rebuild_pending_keys) == ("mean-1", 0)
        assert len(shop.rows[OWN]) == len(shop.rows["hot"])
        assert shop.said == alone.said
        assert champions(shop) == alone.rows
        assert roles(shop) == ["champion", "challenger"]

    asyncio.run(scene())


def test_an_ended_shadow_leaves_nothing_behind() -> None:
    async def scene() -> None:
        shop, alone = Shop(), await undisturbed()
        processor = await back_filled(shop)
        await processor.shadow(MeanForecaster("mean-2"))
        await processor.accept(batch("orders", LINES[60:]))
        assert await processor.shadow(None)
        assert not await processor.shadow(None)
        assert shop.rows == alone.rows
        assert roles(shop) == ["champion"]

    asyncio.run(scene())


def test_a_shadow_that_is_promoted_takes_over_at_once_with_its_scores() -> None:
    async def scene() -> None:
        shop = Shop()
        processor = await back_filled(shop)
        await processor.shadow(MeanForecaster("mean-2"))
        await processor.accept(batch("orders", LINES[60:]))
        scores = shop.rows["accuracy"][b"mean-2"]
        turn = shop.memory.partitions[0].progress.turn
        assert await processor.use(MeanForecaster("mean-2"), "champion")
        assert shop.memory.partitions[0].progress.turn == turn + 1, "the flip; nothing is rebuilt"
        assert shop.rows["accuracy"] == {b"mean-2": scores}
        assert not await processor.shadow(MeanForecaster("mean-2")), "the champion is no shadow of itself"

    asyncio.run(scene())


def test_another_version_takes_over_before_the_shadow_begins_anew() -> None:
    async def scene() -> None:
        shop = Shop()
        processor = await back_filled(shop)
        await processor.shadow(MeanForecaster("mean-2"))
        assert await processor.use(MeanForecaster("mean-3"), "champion")
        assert OWN not in shop.rows and set(shop.rows["accuracy"]) == {b"mean-3"}
        assert await processor.shadow(MeanForecaster("mean-2"))
        assert processor.version == "mean-3"
        assert len(shop.rows[OWN]) == len(shop.rows["hot"])

    asyncio.run(scene())


def test_a_shadow_waits_while_another_version_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_app.processor.REBUILD_KEYS", 1)

    async def scene() -> None:
        shop = Shop()
        processor = await back_filled(shop)
        swapping = asyncio.create_task(processor.use(MeanForecaster("mean-3"), "champion"))
        while "forecast:mean-3" not in shop.rows:
            await asyncio.sleep(0)
        assert not await processor.shadow(MeanForecaster("mean-2"))
        assert await swapping

    asyncio.run(scene())


def test_a_shadow_that_fails_is_dismissed_and_the_champion_goes_on() -> None:
    async def scene() -> None:
        shop, alone = Shop(), await undisturbed()
        processor = await back_filled(shop)
        shadow = Tiring("mean-2")
        await processor.shadow(shadow)
        shadow.is_tired = True
        await processor.accept(batch("orders", LINES[60:]))
        with pytest.raises(RuntimeError, match="tired"):
            await processor.shadow(shadow)
        assert shop.rows == alone.rows
        assert shop.said == alone.said

    asyncio.run(scene())


def test_after_a_claim_the_shadow_is_rebuilt_and_its_scores_go_on() -> None:
    async def scene() -> None:
        shop = Shop()
        processor = await back_filled(shop)
        await processor.shadow(MeanForecaster("mean-2"))
        await processor.accept(batch("orders", LINES[60:90]))
        scores = shop.rows["accuracy"][b"mean-2"]
        processor = await shop.worker()
        await processor.shadow(MeanForecaster("mean-2"))
        assert shop.rows["accuracy"][b"mean-2"] == scores
        assert len(shop.rows[OWN]) == len(shop.rows["hot"])

    asyncio.run(scene())


def test_the_follower_sees_a_shadow_begin_and_end_and_refuses_a_damaged_one(tmp_path: Path) -> None:
    versions, failures = Versions(tmp_path / "models"), list[Failure]()
    a, b, c = (versions.publish(moving_average_draft(20 + n)) for n in range(3))
    by = {"who": "ana", "why": "test"}
    versions.promote(a, **by, at=1)
    follower = ChampionFollower(versions, Plan(), failures.append)

    def seen() -> str | None:
        follower.look()
        found = follower.shadow()
        return None if found is None else found.version

    assert seen() is None
    versions.begin_shadow(b, **by, at=2)
    assert seen() == b
    versions.promote(b, **by, at=3)
    assert seen() == b, "the partition tells that it is the champion already"
    versions.begin_shadow(c, **by, at=4)
    (versions.root / c / "extra").write_bytes(b"")
    assert seen() is None and [one.version for one in failures] == [c]
    versions.end_shadow(**by, at=5)
    assert seen() is None and len(failures) == 1
    (versions.root / "shadow").write_text("{")
    assert seen() is None and failures[-1].version == "shadow"
    assert follower.champion()[0].version == b
