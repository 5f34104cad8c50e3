"""Terms of a catalog in the engine: order days, rounding, shelf life; each with levels and units worked out by hand."""

from math import ceil
from typing import Any

import numpy as np
import pytest

from replenishment.buckets import BucketWidth
from replenishment.engine.expected import expected_quantiles
from replenishment.engine.plan import Plan
from replenishment.engine.state import PartitionState
from replenishment.events import CatalogEntry, OrderWithheld, StockCounted
from replenishment.order_days import set_of_days
from tests.engine.builders import (
    DAY,
    HOUR,
    T0,
    Ledger,
    Line,
    MeanForecaster,
    catalog_batch,
    fresh,
    inventory_batch,
    order_columns,
    play,
    time_passed,
)
from tests.engine.test_review import KEY, requests, sell, selling

MON_THU = set_of_days(["mon", "thu"])
# T0 is a Sunday: ten days of history end with Wednesday 2011-02-09, 00:00; the quantile at 0.95 is 14.5 a bucket


def counted(state: PartitionState, ledger: Ledger, units: int) -> None:
    start = state.progress.positions.get("inventory", 0)
    play(state, [inventory_batch([StockCounted(KEY, f"c{start}", state.progress.clock, units)], start)], ledger)


def pass_to(state: PartitionState, ledger: Ledger, at: int) -> None:
    start = state.progress.positions["orders"]
    play(state, [order_columns([time_passed(start, at)], start, start + 1)], ledger)


def withheld(ledger: Ledger) -> list[OrderWithheld]:
    return [one for one in ledger.said if isinstance(one, OrderWithheld)]


def test_orders_wait_for_the_order_day_and_last_until_the_one_after_it() -> None:
    state, ledger = selling(order_days=MON_THU)
    # closed on a Wednesday: the next order goes out on Thursday and lasts to Monday, 5 buckets from now
    assert state.champion.rows["protection_buckets"][0] == 7 + 5
    assert state.champion.rows["order_up_to_level"][0] == 12 * 14.5
    counted(state, ledger, 74)
    sell(state, ledger, 10)
    assert requests(ledger) == []
    pass_to(state, ledger, T0 + 11 * DAY + HOUR)
    # the Thursday: four days to Monday; S = ceil(11 · 14.5) = 160
    (request,) = requests(ledger)
    assert (request.units, request.evidence.protection_buckets) == (160 - 64, 11)
    assert (request.evidence.policy, request.evidence.order_days) == ("(R,S)", "mon,thu")
    pass_to(state, ledger, T0 + 14 * DAY + HOUR)
    assert len(requests(ledger)) == 1
    pass_to(state, ledger, T0 + 15 * DAY + HOUR)
    # the Monday: three days to Thursday
    assert state.champion.rows["protection_buckets"][0] == 7 + 3


def test_weeks_that_never_end_on_an_order_day_are_an_exception_and_no_order() -> None:
    week = BucketWidth.anchored(7 * 86_400, T0)
    state, ledger = selling(21, Plan(width=week), order_days=MON_THU)
    counted(state, ledger, 0)
    pass_to(state, ledger, T0 + 28 * DAY + HOUR)
    assert requests(ledger) == []
    assert {one.reason for one in withheld(ledger)} == {
        "the supplier takes orders on mon,thu, and no bucket of 168 h ends on such a day"
    }
    sundays, ledger = selling(21, Plan(width=week), order_days=set_of_days(["sun"]))
    counted(sundays, ledger, 0)
    pass_to(sundays, ledger, T0 + 28 * DAY + HOUR)
    assert len(requests(ledger)) == 1


def test_a_lot_and_a_newsvendor_keep_to_order_days() -> None:
    state, ledger = selling(order_days=MON_THU, order_quantity_units=30)
    sell(state, ledger, 150)
    assert requests(ledger) == []
    costs: dict[str, Any] = {"holding_cost_per_unit_day": 0.05, "shortage_cost_per_unit": 1.0}
    state, _ = selling(order_days=MON_THU, service_kind="newsvendor", **costs)
    # what is ordered on Thursday is held to Monday: five days from Wednesday on
    assert state.champion.rows["service_level"][0] == pytest.approx(1 / (1 + 5 * 0.05))


@pytest.mark.parametrize(("rounding", "units"), [("up", 96), ("nearest", 84), ("down_to_max", 84)])
def test_packs_are_rounded_by_the_rule_of_the_key_and_the_evidence_says_so(rounding: str, units: int) -> None:
    state, ledger = selling(pack_units=12, rounding=rounding)
    # s = 116, S = 203: at 114 there are missing 89 = 7.4 packs
    sell(state, ledger, 203 - 114)
    (request,) = requests(ledger)
    evidence = request.evidence
    assert (request.units, evidence.raw_units, evidence.rounding) == (units, 89, rounding)
    assert evidence.units_after == {"minimum_units": 89, "pack_units": units, "cap_units": units}


def test_less_than_the_rule_makes_a_pack_of_is_neither_ordered_nor_an_exception() -> None:
    state, ledger = selling(pack_units=1_000, rounding="down_to_max")
    sell(state, ledger, 150)
    assert (requests(ledger), withheld(ledger)) == ([], [])


def test_an_order_brings_no_more_than_sells_before_it_perishes() -> None:
    # the median over lead time and shelf life, 7 + 3 buckets, is 100; S = 203
    state, ledger = selling(shelf_life_days=3.0, pack_units=12)
    sell(state, ledger, 203 - 20)
    (request,) = requests(ledger)
    evidence = request.evidence
    assert (evidence.raw_units, evidence.shelf_life_units, evidence.shelf_life_days) == (183, 100, 3.0)
    # of 192 in packs only 100 - 20 would sell: 6 packs
    assert (request.units, evidence.units_after["shelf_life_units"]) == (72, 72)


def test_a_position_that_lasts_until_the_order_would_perish_needs_none() -> None:
    state, ledger = selling(shelf_life_days=3.0)
    sell(state, ledger, 203 - 105)
    assert (requests(ledger), withheld(ledger)) == ([], [])


def test_a_pack_that_never_sells_within_its_shelf_life_is_an_exception() -> None:
    state, ledger = selling(shelf_life_days=3.0, pack_units=144)
    sell(state, ledger, 200)
    assert requests(ledger) == []
    (exception,) = withheld(ledger)
    assert exception.reason == "100 units are expected to sell before they perish, less than the least order of 144"


def test_demand_that_stock_cannot_serve_before_delivery_is_not_ordered_for() -> None:
    # at level l ten units a day are 10 h (0.5 + l) over h buckets; S over 7 + 1 buckets at 0.95 is 116
    state, ledger = selling(review_period_days=1.0, unmet_demand="lost_sales")
    counted(state, ledger, 0)
    sell(state, ledger, 10)
    pass_to(state, ledger, T0 + 11 * DAY + HOUR)
    # nothing on hand and nothing under way: all of the seven days' demand is lost, about 70 units in the mean
    demand = state.champion.rows["lost_units"][0]
    (request,) = requests(ledger)
    evidence = request.evidence
    assert evidence.lost_units == pytest.approx(demand, abs=0.001)
    assert 65 < demand < 75
    assert request.units == ceil(116 - demand) + 10
    assert evidence.order_up_to_level == ceil(116 - demand)


def test_supply_that_comes_in_time_saves_the_demand_after_it() -> None:
    backorders, _ = selling(review_period_days=1.0)
    plenty, ledger = selling(review_period_days=1.0, unmet_demand="lost_sales")
    # the assumed stock covers the lead time at nearly every level: hardly a unit is lost
    assert plenty.champion.rows["order_up_to_level"][0] == backorders.champion.rows["order_up_to_level"][0]
    counted(plenty, ledger, 0)
    pass_to(plenty, ledger, T0 + 11 * DAY + HOUR)
    first = plenty.champion.rows["lost_units"][0]
    pass_to(plenty, ledger, T0 + 12 * DAY + HOUR)
    # what was ordered yesterday comes in six days: only the demand of those six is lost, the seventh is served
    assert 0 < plenty.champion.rows["lost_units"][0] < first


def begun(daily: float | None, **terms: object) -> tuple[PartitionState, Ledger]:
    """Return a key that never sold, beside one that moves the clock through ten days from the catalog entry on."""
    state = fresh(decide_from=T0 + DAY)
    entry = CatalogEntry(KEY, expected_daily_units=daily, **terms)  # type: ignore[arg-type]
    ledger = play(state, [catalog_batch([entry])])
    play(state, [order_columns([Line(0, b"uk|B", T0 + HOUR, 1)], 0, 1)], ledger)
    return state, ledger


def test_a_key_that_never_sold_is_ordered_by_what_the_catalog_expects_of_it() -> None:
    state, ledger = begun(10.0, pack_units=10)
    counted(state, ledger, 0)
    pass_to(state, ledger, T0 + DAY + 2 * HOUR)
    # the first closed bucket sold nothing: 13 of 14 buckets are expected, 13 · 10 / 14 units a day
    mean = 130 / 14
    seven, fourteen = (expected_quantiles(MeanForecaster.grid, np.array([mean]))[0, at, 3] for at in (1, 2))
    derived = state.champion.rows[0]
    assert derived["order_up_to_units"] == pytest.approx(fourteen, rel=1e-6)
    assert derived["reorder_units"] == pytest.approx(seven + (fourteen - seven) / 7, rel=1e-6)
    (request,) = requests(ledger)
    assert request.units == -(-ceil(fourteen) // 10) * 10
    assert (request.evidence.expected_daily_units, request.evidence.cold_start) == (10.0, True)


def test_what_is_expected_gives_way_to_what_sells_and_is_gone_after_fourteen_buckets() -> None:
    state, ledger = begun(10.0)
    for day in range(1, 15):
        start = state.progress.positions["orders"]
        play(state, [order_columns([Line(start, KEY, T0 + day * DAY + HOUR, 2)], start, start + 1)], ledger)
    pass_to(state, ledger, T0 + 15 * DAY + 2 * HOUR)
    assert state.champion.rows["expected_daily_units"][0] == 0.0
    # 14 times 2 in 15 buckets: the forecaster's own mean
    assert state.champion.rows["order_up_to_units"][0] == pytest.approx(28 / 15 * 14 * 1.45, rel=1e-5)


def test_a_key_of_which_nothing_is_expected_has_no_levels_until_it_sells() -> None:
    state, ledger = begun(None)
    inactive, _ = begun(10.0, active=False)
    for one in (state, inactive):
        pass_to(one, ledger, T0 + 3 * DAY + 2 * HOUR)
        assert not one.champion.has_levels(np.array([0]))[0]
