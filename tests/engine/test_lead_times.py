"""Lead times in the engine: deliveries are learnt, levels cover what may come, late supply is said and not doubled."""

import numpy as np
import pytest

from replenishment.closed_loop.loop import ClosedLoop
from replenishment.closed_loop.suppliers import Suppliers
from replenishment.closed_loop.world import Lines, Period, World
from replenishment.engine.plan import Plan
from replenishment.engine.state import PartitionState
from replenishment.events import (
    CatalogEntry,
    InventoryEvent,
    RestockAccepted,
    RestockRequested,
    RestockShipped,
    StockCounted,
    StockReceived,
    SupplyOverdue,
)
from replenishment.forecaster import Serving
from tests.engine.builders import DAY, HOUR, SERVING, T0, Ledger, inventory_batch, order_columns, play, time_passed
from tests.engine.test_review import KEY, S_HIGH, S_LOW, requests, sell, selling


def pass_days(state: PartitionState, ledger: Ledger, days: float) -> int:
    """Let event time pass; return the clock."""
    start, at = state.progress.positions["orders"], state.progress.clock + round(days * DAY)
    play(state, [order_columns([time_passed(start, at)], start, start + 1)], ledger)
    return at


def receive(state: PartitionState, ledger: Ledger, request: RestockRequested, *parts: tuple[int, int]) -> None:
    """Receive units at times."""
    start = state.progress.positions.get("inventory", 0)
    events = [
        StockReceived(KEY, f"{request.restock_id}/{start + place}", at, units, request.restock_id)
        for place, (at, units) in enumerate(parts)
    ]
    play(state, [inventory_batch(events, start)], ledger)


def requested(state: PartitionState, ledger: Ledger) -> RestockRequested:
    """Make a request due by a count of nothing; return it."""
    start = state.progress.positions.get("inventory", 0)
    known = len(requests(ledger))
    play(state, [inventory_batch([StockCounted(KEY, f"count-{start}", state.progress.clock, 0)], start)], ledger)
    assert len(requests(ledger)) == known + 1
    return requests(ledger)[-1]


def learnt(state: PartitionState) -> list[int]:
    known = state.deliveries[0]
    return known["buckets"][: known["observed"]].tolist()  # type: ignore[no-any-return]


def test_a_delivery_on_its_day_leaves_the_levels_as_the_catalog_has_them() -> None:
    state, ledger = selling()
    request = requested(state, ledger)
    at = pass_days(state, ledger, 7)
    receive(state, ledger, request, (at, request.units))
    pass_days(state, ledger, 1)
    derived = state.champion.rows[0]
    assert learnt(state) == [7]
    assert (derived["lead_time_mean_buckets"], derived["lead_time_deviation_buckets"]) == (7.0, 0.0)
    assert derived["protection_buckets"] == 8


def after_late_deliveries(plan: Plan) -> tuple[PartitionState, Ledger]:
    """Return a key with two deliveries that took 12 days instead of 7, a day later."""
    state, ledger = selling(plan=plan)
    for _ in range(2):
        request = requested(state, ledger)
        receive(state, ledger, request, (pass_days(state, ledger, 12), request.units))
    pass_days(state, ledger, 1)
    return state, ledger


def test_late_deliveries_raise_the_levels_and_the_evidence_says_why() -> None:
    state, ledger = after_late_deliveries(Plan())
    assert learnt(state) == [12, 12]
    derived, promised = state.champion.rows[0], after_late_deliveries(Plan(learns_lead_times=False))[0].champion.rows[0]
    assert derived["reorder_point"] > promised["reorder_point"]
    assert derived["order_up_to_level"] > promised["order_up_to_level"]
    evidence = requested(state, ledger).evidence
    mean = (4 * 7 + 2 * 12) / 6
    deviation = ((4 * (7 - mean) ** 2 + 2 * (12 - mean) ** 2) / 6) ** 0.5
    assert (evidence.lead_time_days, evidence.deliveries_observed) == (7.0, 2)
    assert evidence.lead_time_mean_buckets == pytest.approx(mean, abs=0.001)
    assert evidence.lead_time_deviation_buckets == pytest.approx(deviation, abs=0.001)
    assert evidence.protection_buckets == 9 + 1


def test_with_learning_off_the_catalog_is_taken_at_its_word() -> None:
    state, _ = after_late_deliveries(Plan(learns_lead_times=False))
    assert learnt(state) == [12, 12]
    assert state.champion.rows[0]["protection_buckets"] == 8
    assert state.champion.rows[0]["deliveries_observed"] == 0


def test_a_delivery_in_parts_took_the_mean_over_its_units() -> None:
    state, ledger = selling()
    request = requested(state, ledger)
    first = pass_days(state, ledger, 7)
    receive(state, ledger, request, (first, request.units - request.units // 4))
    assert learnt(state) == []
    second = pass_days(state, ledger, 8)
    receive(state, ledger, request, (second, request.units // 4))
    assert learnt(state) == [9]


def test_only_the_latest_deliveries_are_remembered_one_by_one() -> None:
    state, ledger = selling()
    for days in range(1, 15):
        request = requested(state, ledger)
        receive(state, ledger, request, (pass_days(state, ledger, days), request.units))
    known = state.deliveries[0]
    assert known["observed"] == 14
    assert sorted(known["buckets"].tolist()) == list(range(3, 15))


def test_what_was_learnt_survives_a_crash() -> None:
    state, ledger = selling()
    for days in (5, 9, 14):
        request = requested(state, ledger)
        receive(state, ledger, request, (pass_days(state, ledger, days), request.units))
    pass_days(state, ledger, 1)
    again = ledger.reload(state.plan, SERVING)
    assert again.deliveries[0].tobytes() == state.deliveries[0].tobytes()
    assert again.requests == state.requests


def test_supply_that_is_overdue_is_said_once_and_never_ordered_again() -> None:
    state, ledger = selling()
    request = requested(state, ledger)
    start = state.progress.positions["inventory"]
    answers: list[InventoryEvent] = [
        RestockAccepted(KEY, "a", state.progress.clock, request.restock_id, request.units),
        RestockShipped(KEY, "s", state.progress.clock, request.restock_id, request.units),
    ]
    play(state, [inventory_batch(answers, start)], ledger)
    sell(state, ledger, 5)
    at = pass_days(state, ledger, 9)
    pass_days(state, ledger, 3)
    (late,) = [one for one in ledger.said if isinstance(one, SupplyOverdue)]
    assert (late.restock_id, late.needed_by, late.noticed_at) == (request.restock_id, request.needed_by, at)
    assert (late.open_units, late.on_hand_units, late.backorder_units) == (request.units, 0, 5)
    assert (len(requests(ledger)), state.overdue_requests) == (1, 1)
    receive(state, ledger, request, (state.progress.clock, request.units))
    pass_days(state, ledger, 1)
    assert state.overdue_requests == 0


def test_levels_under_a_certain_lead_time_are_those_of_before() -> None:
    state, _ = selling()
    assert (state.champion.rows[0]["reorder_point"], state.champion.rows[0]["order_up_to_level"]) == (S_LOW, S_HIGH)


def served(suppliers: Suppliers, *, learns: bool) -> float:
    """Return the share of cycles without a shortage over a year of steady noisy demand."""
    rng = np.random.default_rng(7)
    days, keys = 420, 40
    at = np.repeat(T0 - 60 * DAY + np.arange(days) * DAY + 10 * HOUR, keys)
    units = rng.poisson(4, days * keys) + 1
    names = [b"main|%d" % number for _ in range(days) for number in range(keys)]
    lines = Lines(np.zeros(len(at), dtype=np.uint8), names, at, at, units.astype(np.int64))
    catalog = [CatalogEntry(key, lead_time_days=5, cover_days=5) for key in dict.fromkeys(names)]
    plan = Plan(allowed_lateness_seconds=0, lost_sales=True, learns_lead_times=learns)
    period = Period(T0, plan.width, days - 60)
    loop = ClosedLoop(World(catalog, lines, (), suppliers=suppliers), period, plan, Serving(SERVING.champion))
    assert sum(1 for _ in loop.run()) == period.buckets
    sums = loop.outcome().sums
    return 1 - float(sums["short_cycles"].sum() / sums["cycles"].sum())


def test_learning_lead_times_keeps_service_where_suppliers_are_late_and_unsteady() -> None:
    late = Suppliers(ratio=1.8, spread=0.4)
    assert served(late, learns=True) > served(late, learns=False) + 0.1


def test_learning_changes_nothing_where_suppliers_are_punctual() -> None:
    assert served(Suppliers(), learns=True) == served(Suppliers(), learns=False)
