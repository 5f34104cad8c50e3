"""Plans on the page of one SKU: where they lie, what they say, and which part of the forecast is due to them."""

from typing import Any

import pytest

from stream_app.page.charts import Demand, demand_chart
from stream_app.page.plans import plans_of
from stream_app.settings import Settings
from stream_app.store.reader import StateReader
from stream_app.store.redis_store import RedisStore
from tests.engine.builders import DAY, HOUR, T0, PlanReader
from tests.page.visitor import visitor
from tests.store.clients import client_of
from tests.stream.shop import Kept, Shop, Source, batch, order, record, time_passed


def plan(offset: int, signal_id: str, first: float, last: float, sku: str = "A", **values: Any) -> Kept:
    """Return a record that plans something from one day to another."""
    times = {"starts_at": round(T0 + first * DAY), "ends_at": round(T0 + last * DAY)}
    return record(offset, sku, signal_id=signal_id, type="planned", **times, **values)


async def sold(settings: Settings, plans: list[Kept]) -> None:
    """Ten units of A and B a day for ten days, by a version that multiplies what a promotion covers."""
    lines = [order(place, "AB"[place % 2], T0 + place // 2 * DAY + HOUR, 10) for place in range(20)]
    async with client_of(settings.redis_url) as client:
        shop = Shop(decide_from=T0 + 5 * DAY, source=Source([PlanReader()]))
        worker = await shop.worker(RedisStore(client, settings.state_prefix))
        await worker.accept(batch("signals", plans))
        await worker.accept(batch("orders", [*lines, time_passed(20, T0 + 10 * DAY + 2 * HOUR)]))


async def test_the_part_of_the_forecast_that_plans_make_is_drawn_and_said(nowhere: Settings) -> None:
    await sold(nowhere, [plan(0, "sale", 11, 13, promotion=True, price=8.0, pages=2.0)])
    async with visitor(nowhere) as planner:
        await planner.come_in()
        page = (await planner.see("/sku?location=main&sku=A")).page
        (mark,) = page.all("rect", kind="planned")
        assert "2011-02-10 – 2011-02-12: pages 2, price 8.00, promotion 100.0 %" in mark.text
        assert len(page.all("rect", kind="uplift")) == 1
        told = page.one("section", aria_labelledby="demand").text
        assert "are due to plans: without them it would be" in told
        other = (await planner.see("/sku?location=main&sku=B")).page
        assert not other.all("rect", kind="planned") and not other.all("rect", kind="uplift")
        assert "due to plans" not in other.one("main").text


async def test_only_plans_of_the_key_that_hold_are_read_from_among_others(nowhere: Settings) -> None:
    others = [plan(place, f"p{place}", place, place + 1, sku="B", price=float(place)) for place in range(1, 30)]
    own = [
        plan(0, "long", 2, 12, promotion=0.5),
        plan(30, "revised", 11, 12, promotion=0.1),
        plan(31, "revised", 12, 13, promotion=0.2),
        plan(32, "off", 11, 12, promotion=0.3),
        record(33, "A", signal_id="off", type="withdrawn"),
    ]
    await sold(nowhere, [own[0], *others, *own[1:]])
    async with client_of(nowhere.redis_url) as client:
        reader = StateReader(client, nowhere.state_prefix)
        found: dict[int, list[dict[str, float]]] = {}
        for ordinal in (0, 1):
            for one in await plans_of(reader, 0, ordinal, T0):
                found.setdefault(ordinal, []).append(dict(one.values))
    assert [{"promotion": 0.5}, {"promotion": 0.2}] in found.values()
    assert 29 in [len(one) for one in found.values()]


@pytest.mark.parametrize("planned_units", [6.0, -6.0])
def test_the_uplift_lies_between_the_forecast_with_and_without_plans(planned_units: float) -> None:
    shown = Demand([("d", 10)], expected_units=10.0, bands=[(5.0, 15.0)], ahead_buckets=4, planned_units=planned_units)
    chart = demand_chart(shown)
    (part,) = [one for one in chart.boxes if one.kind == "uplift"]
    (expected,) = chart.rules
    edge = part.y if planned_units > 0 else part.y + part.height
    assert edge == pytest.approx(expected.y1, abs=0.11)
    assert part.y >= 0 and part.height > 0
