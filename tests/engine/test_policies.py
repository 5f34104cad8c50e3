"""Policies in the engine: terms of the catalog become levels, quantities and evidence of their kind."""

from math import ceil, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from replenishment.engine.recent import recent_of
from replenishment.events import CatalogEntry, StockCounted
from tests.engine.builders import DAY, T0, catalog_batch, inventory_batch, order_columns, play, time_passed
from tests.engine.test_review import KEY, S_LOW, requests, sell, selling


def test_a_key_with_a_lot_orders_whole_lots_until_its_position_is_above_s() -> None:
    state, ledger = selling(order_quantity_units=30)
    assert state.position_of(0) == S_LOW + 30
    sell(state, ledger, 95)
    (request,) = requests(ledger)
    evidence = request.evidence
    assert (evidence.policy, evidence.order_quantity_units, evidence.reorder_point) == ("(s,nQ)", 30, S_LOW)
    assert (evidence.inventory_position, request.units) == (S_LOW - 65, 90)
    assert state.position_of(0) == S_LOW + 25


def test_a_newsvendor_aims_at_the_ratio_of_its_costs_over_its_review_period() -> None:
    costs: dict[str, Any] = {"holding_cost_per_unit_day": 0.2 / 7, "shortage_cost_per_unit": 1.0}
    state, _ = selling(service_kind="newsvendor", review_period_days=7.0, **costs)
    derived = state.champion.rows[0]
    assert derived["service_level"] == pytest.approx(1 / 1.2)
    # the quantile at l over h buckets is 10 h (0.5 + l), linear between 0.5 and 0.9: 14 buckets of lead and review
    assert derived["order_up_to_level"] == ceil(14 * 10 * (0.5 + 1 / 1.2))
    continuous, _ = selling(service_kind="newsvendor", **costs)
    assert continuous.champion.rows[0]["service_level"] == pytest.approx(1 / (1 + 0.2 / 7))


def test_a_fill_rate_needs_less_stock_than_the_same_number_as_cycle_service() -> None:
    fill, ledger = selling(service_kind="fill", service_target=0.95)
    cycle, _ = selling(service_target=0.95)
    assert 0 < fill.champion.rows[0]["reorder_point"] < cycle.champion.rows[0]["reorder_point"]
    sell(fill, ledger, 150)
    assert requests(ledger)[0].evidence.service_kind == "fill"
    assert requests(ledger)[0].evidence.service_level == 0.95


def test_without_a_lead_time_a_fill_rate_covers_the_review_alone() -> None:
    state, _ = selling(service_kind="fill", service_target=0.9, lead_time_days=0.0, review_period_days=5.0)
    assert 0 < state.champion.rows[0]["order_up_to_level"] <= 50 * 1.4


def test_textbook_levels_come_from_the_window_and_not_from_the_forecast() -> None:
    state, ledger = selling(levels_from="textbook")
    recent = recent_of(state, np.array([0]))
    assert (recent.mean[0], recent.deviation[0]) == (10.0, 0.0)
    assert state.champion.rows[0]["reorder_point"] == 8 * 10
    assert state.champion.rows[0]["order_up_to_level"] == 8 * 10 + 7 * 10
    sell(state, ledger, 75)
    assert requests(ledger)[0].evidence.policy == "min/max"
    assert requests(ledger)[0].units == requests(ledger)[0].evidence.textbook_units == 75


def test_recent_demand_is_that_of_28_days_and_of_no_day_before_the_first() -> None:
    state, ledger = selling(days=40)
    start, end = state.progress.positions["orders"], T0 + 43 * DAY + DAY // 24
    play(state, [order_columns([time_passed(start, end)], start, start + 1)], ledger)
    # 25 days of ten units, three of none
    recent = recent_of(state, np.array([0]))
    assert recent.mean[0] == pytest.approx(250 / 28)
    assert recent.deviation[0] == pytest.approx(np.std([10] * 25 + [0] * 3, ddof=1))
    young, _ = selling(days=3)
    assert recent_of(young, np.array([0])).mean[0] == 10.0


def test_the_evidence_says_what_the_textbook_would_have_ordered() -> None:
    state, ledger = selling(days=40)
    start, end = state.progress.positions["orders"], T0 + 43 * DAY + DAY // 24
    play(state, [order_columns([time_passed(start, end)], start, start + 1)], ledger)
    recent = recent_of(state, np.array([0]))
    play(state, [inventory_batch([StockCounted(KEY, "c", end, 7)])], ledger)
    reorder = recent.mean[0] * 8 + NormalDist().inv_cdf(0.95) * recent.deviation[0] * sqrt(8)
    request = requests(ledger)[-1]
    position = request.evidence.inventory_position
    assert request.evidence.textbook_units == ceil(reorder + recent.mean[0] * 7) - position


def test_terms_of_a_policy_change_levels_at_the_next_closing() -> None:
    state, ledger = selling()
    before = state.champion.rows[0]["order_up_to_level"]
    play(state, [catalog_batch([CatalogEntry(KEY, order_quantity_units=500)], start=1)], ledger)
    assert state.champion.rows[0]["order_up_to_level"] == before
    start = state.progress.positions["orders"]
    play(state, [order_columns([time_passed(start, T0 + 11 * DAY + DAY // 24)], start, start + 1)], ledger)
    derived = state.champion.rows[0]
    assert derived["order_up_to_level"] == derived["reorder_point"] + 500
