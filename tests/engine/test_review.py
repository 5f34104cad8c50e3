"""Reviews: who asks for how much, when, and what says so."""

from math import ceil
from uuid import NAMESPACE_URL, uuid5

import pytest

from replenishment.engine.columns import LineKind
from replenishment.engine.plan import Plan
from replenishment.engine.state import PartitionState
from replenishment.events import (
    CatalogEntry,
    InventoryEvent,
    OrderWithheld,
    RestockAccepted,
    RestockRejected,
    RestockRequested,
    RestockShipped,
    StockAdjusted,
    StockCounted,
    StockReceived,
)
from replenishment.forecaster import Serving
from tests.engine.builders import (
    DAY,
    HOUR,
    SERVING,
    T0,
    Ledger,
    Line,
    catalog_batch,
    fresh,
    inventory_batch,
    order_columns,
    play,
    time_passed,
)

KEY = b"uk|A"
# ten units a day: at level 0.95 one bucket is 14.5, so s = 8 * 14.5 = 116 and S = 14 * 14.5 = 203
S_LOW, S_HIGH = ceil(8 * 10 * 1.45), ceil(14 * 10 * 1.45)


def selling(days: int = 10, plan: Plan | None = None, **terms: object) -> tuple[PartitionState, Ledger]:
    """Return a key that sold ten a day, deciding from the end of its history on, and the next offset."""
    state = fresh(plan, decide_from=T0 + days * DAY)
    ledger = play(state, [catalog_batch([CatalogEntry(KEY, supplier="acme", **terms)])])  # type: ignore[arg-type]
    lines = [Line(day, KEY, T0 + day * DAY + HOUR, 10) for day in range(days)]
    lines.append(time_passed(days, T0 + days * DAY + HOUR))
    play(state, [order_columns(lines, 0, days + 1)], ledger)
    return state, ledger


def requests(ledger: Ledger) -> list[RestockRequested]:
    """Return what was requested so far."""
    return [one for one in ledger.said if isinstance(one, RestockRequested)]


def sell(state: PartitionState, ledger: Ledger, *units: int, serving: Serving = SERVING) -> None:
    """Sell at the partition's clock, one line each."""
    at, start = state.progress.clock, state.progress.positions["orders"]
    lines = [Line(start + place, KEY, at, one) for place, one in enumerate(units)]
    play(state, [order_columns(lines, start, start + len(lines))], ledger, serving)


def test_unknown_stock_is_assumed_at_the_order_up_to_level_when_deciding_begins() -> None:
    state, ledger = selling()
    assert state.champion.rows[0]["reorder_point"] == S_LOW
    assert state.position_of(0) == S_HIGH
    assert requests(ledger) == []


def test_the_request_belongs_to_the_first_line_at_or_below_the_reorder_point() -> None:
    state, ledger = selling()
    sell(state, ledger, S_HIGH - S_LOW - 1, 1, 5, 5)
    (request,) = requests(ledger)
    assert request.units == S_HIGH - S_LOW
    assert request.evidence.positions["orders"] == 11 + 2
    assert request.evidence.inventory_position == S_LOW
    assert request.evidence.stock_assumed
    assert request.evidence.cold_start
    assert state.position_of(0) == S_HIGH - 10


def test_a_request_raises_the_position_by_exactly_its_units_and_its_receipt_leaves_it() -> None:
    state, ledger = selling()
    sell(state, ledger, 150)
    (request,) = requests(ledger)
    assert state.position_of(0) == S_HIGH - 150 + request.units
    at = state.progress.clock
    answers: list[InventoryEvent] = [
        RestockAccepted(KEY, "e1", at, request.restock_id, request.units),
        StockReceived(KEY, "e2", at, request.units, request.restock_id),
    ]
    play(state, [inventory_batch(answers)], ledger)
    assert state.position_of(0) == S_HIGH - 150 + request.units
    assert (state.on_order[0], state.pending[0], state.open_requests) == (0, 0, 0)


def test_ids_of_one_bucket_count_up_and_start_again_in_the_next() -> None:
    state, ledger = selling()
    sell(state, ledger, 150, 150, 150)
    first = [one.restock_id for one in requests(ledger)]
    assert len(set(first)) == len(first) == 3
    assert state.hot["slot"][0] == 3
    start = state.progress.positions["orders"]
    play(state, [order_columns([time_passed(start, T0 + 11 * DAY + 2 * HOUR)], start, start + 1)], ledger)
    sell(state, ledger, 500)
    assert len({one.restock_id for one in requests(ledger)}) == len(requests(ledger)) > 3


def test_restock_id_is_the_uuid_of_key_supplier_bucket_and_slot() -> None:
    state, ledger = selling()
    sell(state, ledger, 150)
    name = "uk|A|acme|2011-02-09T00:00:00Z|0"
    assert requests(ledger)[0].restock_id == str(uuid5(uuid5(NAMESPACE_URL, "urn:restock:request"), name))


def test_lines_before_deciding_move_no_stock() -> None:
    state, ledger = selling()
    start = state.progress.positions["orders"]
    old = [Line(start, KEY, T0 + 10 * DAY - 1, 150), Line(start + 1, KEY, T0 + 10 * DAY, 1)]
    play(state, [order_columns(old, start, start + 2)], ledger)
    assert state.position_of(0) == S_HIGH - 1


def test_a_cancellation_gives_units_back_to_its_bucket_and_to_the_position() -> None:
    state, ledger = selling()
    sell(state, ledger, 40)
    start, at = state.progress.positions["orders"], state.progress.clock
    back = Line(start, KEY, at, 15, LineKind.CANCELLED, placed_at=at)
    older = Line(start + 1, KEY, at, 5, LineKind.CANCELLED, placed_at=T0 + 9 * DAY)
    play(state, [order_columns([back, older], start, start + 2)], ledger)
    assert state.position_of(0) == S_HIGH - 40 + 15
    assert state.hot["open_units"][0].sum() == 25
    assert state.window["units"][0, 15_009 % 112] == 5


def test_a_withheld_order_says_why() -> None:
    state, ledger = selling(pack_units=500, maximum_units=400)
    sell(state, ledger, 150)
    (withheld,) = (one for one in ledger.said if isinstance(one, OrderWithheld))
    assert withheld.reason == "maximum of 400 units is less than one pack of 500"
    assert requests(ledger) == []


def test_observing_and_inactive_keys_request_nothing() -> None:
    state, ledger = selling()
    sell(state, ledger, 200, serving=Serving(SERVING.champion, is_requesting=False))
    assert requests(ledger) == []
    play(state, [catalog_batch([CatalogEntry(KEY, active=False)], start=1)], ledger)
    sell(state, ledger, 1)
    assert requests(ledger) == []


def test_after_a_refusal_nothing_is_requested_before_the_next_closing() -> None:
    state, ledger = selling()
    sell(state, ledger, 150)
    request = requests(ledger)[0]
    refusal = RestockRejected(KEY, "e1", state.progress.clock, request.restock_id, request.units)
    again = RestockAccepted(KEY, "e2", state.progress.clock, request.restock_id, 1)
    play(state, [inventory_batch([refusal, again])], ledger)
    assert "takes no more answers" in ledger.said[-1].reason  # type: ignore[attr-defined]
    sell(state, ledger, 5)
    assert len(requests(ledger)) == 1
    start = state.progress.positions["orders"]
    play(state, [order_columns([time_passed(start, T0 + 11 * DAY + 2 * HOUR)], start, start + 1)], ledger)
    assert len(requests(ledger)) == 2


def test_a_count_is_reviewed_and_older_movements_do_not_touch_it() -> None:
    state, ledger = selling()
    at = state.progress.clock
    play(state, [inventory_batch([StockCounted(KEY, "c1", at + HOUR, 20)])], ledger)
    assert requests(ledger)[0].units == S_HIGH - 20
    assert not requests(ledger)[0].evidence.stock_assumed
    older: list[InventoryEvent] = [
        StockAdjusted(KEY, "a1", at, -5),
        StockCounted(KEY, "c0", at, 99),
        StockReceived(KEY, "r", at, 7),
    ]
    sell(state, ledger, 3)  # the line's event time is before the count's
    play(state, [inventory_batch(older, start=1)], ledger)
    assert state.hot["net_units"][0] == 20


def test_the_same_event_id_counts_once() -> None:
    state, ledger = selling()
    event = StockAdjusted(KEY, "a1", state.progress.clock, -5)
    play(state, [inventory_batch([event, event])], ledger)
    assert state.position_of(0) == S_HIGH - 5
    assert state.progress.repeated == 1


def test_periodic_review_happens_only_at_its_closings() -> None:
    state, ledger = selling(review_period_days=3.0)
    sell(state, ledger, 150)
    assert requests(ledger) == []
    for day in (11, 12, 13):
        start = state.progress.positions["orders"]
        passing = time_passed(start, T0 + day * DAY + HOUR)
        play(state, [order_columns([passing], start, start + 1)], ledger)
        assert len(requests(ledger)) == (day == 13)
    (request,) = requests(ledger)
    assert request.evidence.policy == "(R,S)"
    assert request.evidence.protection_buckets == 10


@pytest.mark.parametrize(("lost_sales", "net"), [(False, -47), (True, 3)])
def test_shortage_becomes_backorders_or_lost_sales(lost_sales: bool, net: int) -> None:
    state, ledger = selling(plan=Plan(lost_sales=lost_sales), active=False)
    sell(state, ledger, S_HIGH, 50)
    start, at = state.progress.positions["orders"], state.progress.clock
    back = Line(start, KEY, at, 3, LineKind.CANCELLED, placed_at=at)
    play(state, [order_columns([back], start, start + 1)], ledger)
    assert state.hot["net_units"][0] == net


def test_unanswered_requests_past_their_expiry_are_counted_and_stay_in_the_position() -> None:
    state, ledger = selling()
    sell(state, ledger, 150)
    pending = int(state.pending[0])
    start = state.progress.positions["orders"]
    passing = time_passed(start, T0 + 26 * DAY)
    play(state, [order_columns([passing], start, start + 1)], ledger)
    assert state.expired_requests >= 1
    assert state.pending[0] >= pending


def test_goods_under_way_before_are_in_transit_where_files_may_say_so() -> None:
    shipped = RestockShipped(KEY, "s1", T0 + 10 * DAY, "po-1", 60, T0 + 12 * DAY)
    state, ledger = selling(plan=Plan(takes_unknown_shipments=True))
    play(state, [inventory_batch([shipped])], ledger)
    assert (state.in_transit[0], state.pending[0], state.position_of(0)) == (60, 0, S_HIGH + 60)
    received = StockReceived(KEY, "r1", T0 + 12 * DAY, 60, "po-1", final=True)
    play(state, [inventory_batch([received], start=1)], ledger)
    assert (state.in_transit[0], state.position_of(0), state.open_requests) == (0, S_HIGH + 60, 0)


@pytest.mark.parametrize(("takes", "expected_at"), [(False, T0 + 12 * DAY), (True, None)])
def test_an_unknown_shipment_changes_nothing_otherwise(takes: bool, expected_at: int | None) -> None:
    state, ledger = selling(plan=Plan(takes_unknown_shipments=takes))
    play(state, [inventory_batch([RestockShipped(KEY, "s1", T0 + 10 * DAY, "po-1", 60, expected_at)])], ledger)
    assert state.position_of(0) == S_HIGH
