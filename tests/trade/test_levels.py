"""Levels of every policy: numbers that textbooks print, and the laws that hold whatever the demand."""

from math import ceil
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replenishment.policy import (
    IntervalDemand,
    Levels,
    OrderLimits,
    Policy,
    RecentDemand,
    ServiceKind,
    Targets,
    critical_ratio,
    levels_of,
    lot_quantity,
)
from replenishment.policy.levels import least_stock
from replenishment.quantiles import ProtectionDemand

FINE = tuple(np.arange(1, 1000) / 1000)
COARSE = (0.1, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)


def normal(mean: float, deviation: float) -> ProtectionDemand:
    """Return a normal demand on a fine grid."""
    return ProtectionDemand(FINE, np.array([[NormalDist(mean, deviation).inv_cdf(level) for level in FINE]]))


def made(
    policy: Policy,
    kind: ServiceKind,
    level: float,
    protection: ProtectionDemand,
    lot: int = 0,
    lead: ProtectionDemand | None = None,
    cover: ProtectionDemand | None = None,
) -> Levels:
    """Return the levels of one key."""
    targets = Targets(
        np.array([policy], dtype=np.uint8),
        np.array([kind], dtype=np.uint8),
        np.array([level]),
        np.array([lot], dtype=np.int64),
    )
    return levels_of(IntervalDemand(protection, cover or protection, lead), targets)


def test_newsvendor_matches_snyder_shen_example_4_3() -> None:
    # Fundamentals of Supply Chain Theory, 2nd ed., example 4.3: h = 0.18, p = 0.70, N(50, 8): S* = 56.6
    ratio = critical_ratio(np.array([0.70]), np.array([0.18]), np.array([1.0]))
    assert ratio[0] == pytest.approx(0.7955, abs=1e-4)
    found = made(Policy.R_S, ServiceKind.NEWSVENDOR, float(ratio[0]), normal(50, 8))
    assert found.order_up_to_units[0] == pytest.approx(56.604, abs=0.01)
    assert (found.reorder_point[0], found.order_up_to_level[0]) == (56, 57)


def test_fill_rate_of_a_lot_matches_silver_pyke_thomas() -> None:
    # Inventory and Production Management in Supply Chains, section 6.7, specified fill rate P2, developing liquid:
    # demand of the lead time N(50, 11.4), Q = 200, P2 = 0.99: G(k) = 0.175, k = 0.58, s = 56.6, say 57
    found = made(Policy.S_NQ, ServiceKind.FILL, 0.99, normal(50, 11.4), lot=200)
    assert found.reorder_units[0] == pytest.approx(50 + 0.58 * 11.4, abs=0.1)
    assert (found.reorder_point[0], found.order_up_to_level[0]) == (57, 257)


def test_cycle_service_of_a_lot_matches_silver_pyke_thomas() -> None:
    # the same book, section 6.7: x_L = 58.3, sigma_L = 13.1, P1 = 0.90: k = 1.28, s = 75.1, say 76
    found = made(Policy.S_NQ, ServiceKind.CYCLE, 0.90, normal(58.3, 13.1), lot=129)
    assert found.reorder_units[0] == pytest.approx(75.1, abs=0.05)
    assert found.reorder_point[0] == 76


def test_a_fill_rate_under_periodic_review_is_the_smallest_stock_that_serves_it() -> None:
    lead, protection = normal(40, 9), normal(60, 11)
    found = made(Policy.R_S, ServiceKind.FILL, 0.95, protection, lead=lead)
    allowed = 0.05 * (protection.mean() - lead.mean())[0]

    def short(stock: int) -> float:
        at = np.array([float(stock)])
        return float((protection.expected_shortage(at) - lead.expected_shortage(at))[0])

    upto = int(found.order_up_to_level[0])
    assert short(upto) <= allowed < short(upto - 1)


def test_a_fill_rate_holds_in_a_simulation_of_its_own_demand() -> None:
    # (R,S), L = 2, R = 1, normal demand of N(20, 6) a day, backorders: what the formula promises is what happens
    random = np.random.default_rng(5)
    demand = random.normal(20, 6, 200_000)
    lead, protection = normal(40, 6 * 2**0.5), normal(60, 6 * 3**0.5)
    upto = made(Policy.R_S, ServiceKind.FILL, 0.95, protection, lead=lead).order_up_to_units[0]
    before = np.convolve(demand, np.ones(2), "valid")[:-1]  # of the two days before each day
    short = np.maximum(before + demand[2:] - upto, 0) - np.maximum(before - upto, 0)
    assert 1 - short.sum() / demand[2:].sum() == pytest.approx(0.95, abs=0.003)


def test_min_max_is_the_normal_formula_of_recent_demand() -> None:
    # m = 10, sigma = 3, L + R = 9 buckets, 0.95: 90 + 1.645 * 3 * 3 = 104.8; seven days of cover: 174.8
    recent = RecentDemand(np.array([10.0]), np.array([3.0]))
    demand = IntervalDemand(normal(1, 1), normal(1, 1), None, recent, np.array([9], dtype=np.int64), np.array([7.0]))
    nothing = np.array([0])
    targets = Targets(np.array([Policy.MIN_MAX], dtype=np.uint8), nothing.astype(np.uint8), np.array([0.95]), nothing)
    found = levels_of(demand, targets)
    assert (found.reorder_point[0], found.order_up_to_level[0]) == (ceil(104.8), ceil(174.8))


curves = st.lists(st.floats(0, 1000, width=32), min_size=len(COARSE), max_size=len(COARSE)).map(sorted)
shares = st.floats(0.01, 0.9999)


@given(curve=curves, stock=st.floats(0, 2000), more=st.floats(0, 500))
def test_expected_shortage_falls_with_stock_and_is_the_mean_without_any(
    curve: list[float], stock: float, more: float
) -> None:
    demand = ProtectionDemand(COARSE, np.array([curve]))
    less, high, low = (demand.expected_shortage(np.array([at]))[0] for at in (0.0, stock, stock + more))
    assert less == pytest.approx(demand.mean()[0], rel=1e-9, abs=1e-9)
    assert 0 <= low <= high + 1e-9
    assert high - low <= more + 1e-9


@given(curve=curves, growth=st.floats(0, 3), low=shares, high=shares, kind=st.sampled_from(ServiceKind))
@pytest.mark.parametrize("policy", [Policy.S_S, Policy.R_S, Policy.S_NQ])
def test_a_higher_target_never_lowers_a_level(
    policy: Policy, curve: list[float], growth: float, low: float, high: float, kind: ServiceKind
) -> None:
    low, high = sorted((low, high))
    lead = ProtectionDemand(COARSE, np.array([curve, curve]))
    protection = ProtectionDemand(COARSE, lead.units * (1 + growth))
    cover = ProtectionDemand(COARSE, lead.units * (2 + growth))
    both = np.ones(2, dtype=np.int64)
    targets = Targets(
        (both * policy).astype(np.uint8), (both * kind).astype(np.uint8), np.array([low, high]), both * 12
    )
    found = levels_of(IntervalDemand(protection, cover, lead), targets)
    assert found.reorder_point[0] <= found.reorder_point[1]
    assert np.all(found.reorder_point <= found.order_up_to_level)


@given(curve=curves, allowed=st.floats(0.001, 100))
def test_the_least_stock_is_enough_and_no_less_is(curve: list[float], allowed: float) -> None:
    demand = ProtectionDemand(COARSE, np.array([curve]))
    stock = least_stock(demand, np.array([allowed]))
    assert demand.expected_shortage(stock)[0] <= allowed + 1e-6
    if stock[0] > 0.01:
        assert demand.expected_shortage(stock - 0.01)[0] > allowed - 1e-6


@given(position=st.integers(-500, 500), more=st.integers(0, 300), s=st.integers(0, 400), lot=st.integers(1, 90))
def test_lots_lift_the_position_above_s_and_no_lot_too_many(position: int, more: int, s: int, lot: int) -> None:
    free = OrderLimits()
    units = lot_quantity(position, s, lot, free, 1_000).units
    assert units % lot == 0
    if position <= s:
        assert s < position + units <= s + lot
    else:
        assert units == 0
    assert lot_quantity(position + more, s, lot, free, 1_000).units <= units


def test_a_newsvendor_without_costs_in_its_rows_still_has_a_level_and_never_a_certain_one() -> None:
    costs = (np.array([0.0, 1.0, 1e9]), np.array([0.0, 0.0, 1e-9]), np.array([1.0, 1.0, 1.0]))
    assert critical_ratio(*costs).tolist() == [0.5, 0.9999, 0.9999]


def test_without_a_lead_time_the_cheapest_stock_is_the_newsvendors() -> None:
    lead = ProtectionDemand(FINE, np.zeros((1, len(FINE))))
    found = made(Policy.R_S, ServiceKind.COST, 0.70 / 0.88, normal(50, 8), lead=lead)
    assert found.order_up_to_units[0] == pytest.approx(56.604, abs=0.01)


def test_the_cheapest_stock_costs_no_more_than_its_neighbours() -> None:
    # h = 1 a cycle, p = 9: one unit more or less costs more, by the definition of the cost itself
    lead, protection = normal(40, 9), normal(60, 11)
    stock = made(Policy.R_S, ServiceKind.COST, 0.9, protection, lead=lead).order_up_to_units

    def cost(at: float) -> float:
        units = np.array([at])
        short = protection.expected_shortage(units)
        held = units - protection.mean() + short
        return float((held + 9 * (short - lead.expected_shortage(units)))[0])

    assert cost(stock[0]) <= min(cost(stock[0] - 0.5), cost(stock[0] + 0.5))


@given(curve=curves, stock=st.floats(0, 2000))
def test_the_probability_within_is_the_slope_of_the_expected_shortage(curve: list[float], stock: float) -> None:
    demand = ProtectionDemand(COARSE, np.array([curve]))
    step = 1e-3
    before, after = (demand.expected_shortage(np.array([at]))[0] for at in (stock, stock + step))
    low, high = (demand.probability_within(np.array([at]))[0] for at in (stock, stock + step))
    assert 0 <= low <= high <= 1
    assert 1 - high - 1e-6 <= (before - after) / step <= 1 - low + 1e-6
