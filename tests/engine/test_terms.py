"""Terms of a catalog in the engine: order days, rounding, shelf life; each with levels and units worked out by hand."""

import pytest

from replenishment.buckets import BucketWidth
from replenishment.engine.plan import Plan
from replenishment.engine.state import PartitionState
from replenishment.events import OrderWithheld, StockCounted
from replenishment.order_days import set_of_days
from tests.engine.builders import DAY, HOUR, T0, Ledger, inventory_batch, order_columns, play, time_passed
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
    costs = {"holding_cost_per_unit_day": 0.05, "shortage_cost_per_unit": 1.0}
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
