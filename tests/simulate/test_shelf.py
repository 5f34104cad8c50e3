"""Goods that perish in a simulation: ages by first in, first out, and what waste costs; days worked out by hand."""

import pytest

from replenishment.buckets import BucketWidth
from replenishment.closed_loop.world import Period, World
from replenishment.events import CatalogEntry, StockCounted, StockReceived
from tests.engine.builders import DAY, HOUR, T0
from tests.simulate.test_loop import KEY, lines, played

DAYS = BucketWidth(86_400)


def perishing(**terms: object) -> CatalogEntry:
    costs = {"unit_cost": 2.5, "holding_cost_per_unit_day": 0.1}
    return CatalogEntry(KEY, lead_time_days=1, review_period_days=1, **{**costs, **terms})  # type: ignore[arg-type]


def test_the_oldest_is_sold_first_and_what_is_left_of_it_is_wasted_before_the_review() -> None:
    # day                0     1     2
    # opening stock     20                    perishes with the end of day 1
    # asked              4     5     6        ten a day are expected for certain: S = 20 over two days
    world = World(
        [perishing(shelf_life_days=2.0)],
        lines((T0 - DAY, 1), (T0 + HOUR, 4), (T0 + DAY + HOUR, 5), (T0 + 2 * DAY + HOUR, 6)),
        (StockCounted(KEY, "c", T0, 20),),
    )
    loop = played(world, Period(T0, DAYS, 3))
    # day 0 ends with 16: 4 are ordered and come at the start of day 2. Day 1 ends with 11 of the first 20: wasted,
    # and S is missing but for the 4 under way: 16. Day 2 sells 4 of the 4 that came, 2 are lost; 4 more are missing
    assert [one.request.units for one in loop.decisions] == [4, 16, 4]
    found = loop.outcome()
    assert {name: int(found.sums[name][0]) for name in ("expired_units", "served_units", "end_units")} == {
        "expired_units": 11,
        "served_units": 4 + 5 + 4,
        "end_units": 16 + 0 + 0,
    }
    assert found.waste[0] == 11 * 2.5
    assert found.total[0] == pytest.approx(11 * 2.5 + 1.6)


def test_a_younger_batch_outlives_an_older_one() -> None:
    world = World(
        [perishing(shelf_life_days=3.0, active=False)],
        lines((T0 - DAY, 1), (T0 + 2 * DAY + HOUR, 8)),
        (StockCounted(KEY, "c", T0, 5), StockReceived(KEY, "r", T0 + DAY, 10)),
    )
    loop = played(world, Period(T0, DAYS, 4))
    # 5 of day 0 and 3 of day 1 are sold on day 2; 7 of day 1 perish with the end of day 3
    assert int(loop.outcome().sums["expired_units"][0]) == 7
    assert int(loop.state.hot["net_units"][0]) == 0


def test_a_key_whose_goods_keep_wastes_nothing() -> None:
    world = World([perishing()], lines((T0 - DAY, 1)), (StockCounted(KEY, "c", T0, 500),))
    found = played(world, Period(T0, DAYS, 9)).outcome()
    assert (int(found.sums["expired_units"][0]), float(found.waste[0])) == (0, 0.0)
