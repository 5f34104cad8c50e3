"""Policies: textbook numbers, limits as tables of cases, and the laws of a sane order."""

from math import ceil
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replenishment.policy import OrderLimits, Rounding, levels, order_quantity
from replenishment.quantiles import ProtectionDemand

LEVELS = (0.1, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)


def normal_demand(mean: float, deviation: float) -> ProtectionDemand:
    """Return a normal distribution on the grid of levels."""
    units = [[max(NormalDist(mean, deviation).inv_cdf(level), 0.0) for level in LEVELS]]
    return ProtectionDemand(LEVELS, np.array(units))


def test_reorder_point_matches_the_normal_textbook_formula() -> None:
    # s = x_L + k * sigma_L, Silver, Pyke & Thomas 4th ed. section 6.7: mean 58.3, deviation 13.1, P1 = 0.90
    demand = normal_demand(58.3, 13.1)
    both = levels(demand, demand, np.array([0.90]), np.array([False]))
    assert both.reorder_point[0] == ceil(58.3 + 1.2816 * 13.1) == 76


def test_periodic_review_orders_below_the_base_stock_level() -> None:
    demand = normal_demand(100, 20)
    both = levels(demand, demand, np.array([0.95]), np.array([True]))
    assert both.order_up_to_level[0] == ceil(100 + 1.6449 * 20) == 133
    assert both.reorder_point[0] == 132


# position, S, minimum, pack, maximum, ratio -> units
CASES = [
    pytest.param(12, 50, None, 1, None, 4, 38, id="up to S"),
    pytest.param(50, 50, None, 12, None, 4, 0, id="nothing is missing"),
    pytest.param(-10, 50, None, 12, None, 4, 60, id="backorders count as missing"),
    pytest.param(49, 50, 20, 1, None, 4, 20, id="at least the minimum"),
    pytest.param(49, 50, 20, 12, None, 4, 24, id="the minimum goes up to whole packs"),
    pytest.param(0, 50, None, 12, 40, 4, 36, id="the maximum goes down to whole packs"),
    pytest.param(-500, 50, None, 1, None, 4, 200, id="never more than 4 times S"),
    pytest.param(-500, 50, None, 7, None, 4, 196, id="the ratio goes down to whole packs"),
    pytest.param(-1, 0, 30, 1, None, 4, 30, id="one minimum order passes the ratio"),
    pytest.param(-1, 0, None, 24, None, 4, 24, id="one pack passes the ratio"),
]


@pytest.mark.parametrize(("position", "upto", "minimum", "pack", "maximum", "ratio", "units"), CASES)
def test_order_quantity_within_limits(
    position: int, upto: int, minimum: int | None, pack: int, maximum: int | None, ratio: float, units: int
) -> None:
    quantity = order_quantity(position, upto, OrderLimits(minimum, pack, maximum), ratio)
    assert (quantity.units, quantity.reason) == (units, None)


def test_a_maximum_below_the_minimum_is_an_exception_with_its_reason() -> None:
    quantity = order_quantity(0, 50, OrderLimits(minimum_units=20, maximum_units=10), 4)
    assert quantity.units == 0
    assert quantity.reason == "maximum of 10 units leaves whole packs of 1 below the minimum of 20"


limits = st.builds(
    OrderLimits,
    st.none() | st.integers(1, 200),
    st.integers(1, 50),
    st.none() | st.integers(1, 500),
)


@given(position=st.integers(-500, 500), more=st.integers(0, 300), upto=st.integers(0, 400), limits=limits)
def test_more_stock_never_orders_more(position: int, more: int, upto: int, limits: OrderLimits) -> None:
    less_stock = order_quantity(position, upto, limits, 4)
    more_stock = order_quantity(position + more, upto, limits, 4)
    assert more_stock.units <= less_stock.units


@given(position=st.integers(-500, 500), upto=st.integers(0, 400), limits=limits)
def test_an_order_is_whole_packs_within_its_limits(position: int, upto: int, limits: OrderLimits) -> None:
    units = order_quantity(position, upto, limits, 4).units
    assert units % limits.pack_units == 0
    if units:
        assert units >= (limits.minimum_units or 1)
        assert limits.maximum_units is None or units <= limits.maximum_units


curves = st.lists(st.floats(0, 1000, width=32), min_size=len(LEVELS), max_size=len(LEVELS)).map(sorted)


@given(curve=curves, low=st.floats(0.01, 0.9999), high=st.floats(0.01, 0.9999))
def test_a_higher_service_level_never_lowers_the_reorder_point(curve: list[float], low: float, high: float) -> None:
    low, high = sorted((low, high))
    demand = ProtectionDemand(LEVELS, np.array([curve, curve]))
    both = levels(demand, demand, np.array([low, high]), np.array([False, False]))
    assert both.reorder_point[0] <= both.reorder_point[1]
    assert np.all(both.reorder_point <= both.order_up_to_level)


def test_limits_below_one_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="pack_units is 0"):
        OrderLimits(pack_units=0)


@pytest.mark.parametrize(
    ("missing", "minimum", "up", "nearest", "down"),
    [
        (38, None, 48, 36, 36),
        # half a pack more is rounded up
        (42, None, 48, 48, 36),
        (48, None, 48, 48, 48),
        # less than half a pack, less than a whole one: nothing, and nobody is to blame
        (5, None, 12, 0, 0),
        (6, None, 12, 12, 0),
        # a minimum holds before the rule
        (38, 40, 48, 48, 48),
        (5, 40, 48, 48, 48),
    ],
)
def test_a_rounding_rule_makes_whole_packs(missing: int, minimum: int | None, up: int, nearest: int, down: int) -> None:
    for rounding, units in zip(Rounding, (up, nearest, down), strict=True):
        quantity = order_quantity(0, missing, OrderLimits(minimum, 12, rounding=rounding), 4)
        assert (quantity.units, quantity.raw_units, quantity.reason) == (units, missing, None)


@pytest.mark.parametrize(
    ("position", "sells", "units", "reason"),
    [
        (0, 30, 24, None),
        (-5, 31, 36, None),
        (20, 31, 0, None),
        (0, 11, 0, "11 units are expected to sell before they perish, less than the least order of 12"),
    ],
)
def test_shelf_life_leaves_what_sells_beside_the_position(
    position: int, sells: int, units: int, reason: str | None
) -> None:
    quantity = order_quantity(position, 50, OrderLimits(None, 12, shelf_life_units=sells), 4)
    assert (quantity.units, quantity.reason) == (units, reason)
