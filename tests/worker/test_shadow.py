"""A worker follows the pointer of the shadow beside the stream: begin, fail, promote, end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from model_store.versions import Versions
from replenishment.arrays import Float32s
from replenishment.engine.plan import Plan
from replenishment.forecaster import ClosedBucket, Forecast
from stream_app.ops.health import Health
from stream_app.ops.metrics import PrometheusMeter
from stream_app.processor import Processor
from stream_app.store.memory_store import MemoryStore
from stream_app.swap import ChampionFollower
from stream_app.worker import upkeep
from stream_app.worker.readiness import Outside
from stream_app.worker.upkeep import Sources, Upkeep
from tests.engine.builders import MeanForecaster
from tests.model_store.builders import moving_average_draft
from tests.stream.shop import Shop, Source, batch, orders

BY = {"who": "ana", "why": "test"}
PLAN = Plan()


@dataclass
class OneRunner:
    """A partition at work, of a crew of one."""

    shell: Processor
    partition: int = 0


@dataclass
class OneCrew:
    """Stands for a crew that owns one partition."""

    runners: tuple[OneRunner, ...]


class NobodyStands:
    """Stands for a reader of a store in which no partition is known: nothing is measured."""

    async def standing(self, partition: int) -> None:
        return None


class Following:
    """A worker's upkeep over a model store and one partition in memory."""

    def __init__(self, versions: Versions) -> None:
        self.follower = ChampionFollower(versions, PLAN)
        self.shop = Shop(source=cast("Source", self.follower), plan=PLAN)
        self.meter = PrometheusMeter()

    async def watched(self, steps: Callable[[Processor], Any]) -> None:
        """Run upkeep while steps are taken."""
        processor = await self.shop.worker()
        await processor.accept(batch("orders", orders(days=8)))
        sources = Sources(MemoryStore(), cast("Any", NobodyStands()), cast("Any", None), self.follower)
        self.kept = kept = Upkeep(Outside(Health(), self.meter, ""), sources, is_observing=False)
        loops = asyncio.create_task(kept.keep(cast("Any", OneCrew((OneRunner(processor),)))))
        try:
            async with asyncio.timeout(20):
                await steps(processor)
        finally:
            loops.cancel()
            await asyncio.wait({loops})

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for a condition."""
        while not is_so():
            await asyncio.sleep(0.005)

    @property
    def tables(self) -> set[str]:
        """Versions that have rows."""
        return {name.removeprefix("forecast:") for name in self.shop.rows if name.startswith("forecast:")}

    @property
    def failures(self) -> float:
        """Versions that could not be used."""
        return self.meter.registry.get_sample_value("restock_model_swap_failures_total") or 0.0


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Versions:
    monkeypatch.setattr(upkeep, "LOOK_SECONDS", 0.01)
    return Versions(tmp_path / "models")


def test_a_worker_begins_promotes_and_ends_a_shadow_as_the_pointer_says(versions: Versions) -> None:
    a, b, c = (versions.publish(moving_average_draft(20 + n)) for n in range(3))
    versions.promote(a, **BY, at=1)
    following = Following(versions)

    async def steps(processor: Processor) -> None:
        versions.begin_shadow(b, **BY, at=2)
        await following.until(lambda: following.tables == {a, b})
        assert processor.version == a
        versions.promote(b, **BY, at=3)
        await following.until(lambda: processor.version == b)
        assert following.tables == {b}
        versions.promote(c, **BY, at=4)
        await following.until(lambda: processor.version == c and following.tables == {c, b})
        versions.end_shadow(**BY, at=5)
        await following.until(lambda: following.tables == {c})

    asyncio.run(following.watched(steps))
    assert following.failures == 0


def test_a_shadow_that_fails_is_given_up_until_the_pointer_moves(versions: Versions) -> None:
    class Broken(MeanForecaster):
        def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
            raise RuntimeError("no such operator")

    a, b = (versions.publish(moving_average_draft(20 + n)) for n in range(2))
    versions.promote(a, **BY, at=1)
    following = Following(versions)

    async def steps(processor: Processor) -> None:
        following.follower._loaded[b] = Broken(b)
        versions.begin_shadow(b, **BY, at=2)
        await following.until(lambda: following.failures == 1 and following.tables == {a})
        versions.end_shadow(**BY, at=3)
        await following.until(lambda: following.kept._unusable_shadow is None)
        del following.follower._loaded[b]
        versions.begin_shadow(b, **BY, at=4)
        await following.until(lambda: following.tables == {a, b})
        assert processor.version == a

    asyncio.run(following.watched(steps))
    assert following.failures == 1
