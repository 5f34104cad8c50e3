"""Inventory and catalog records: what is accepted as what, and the refusals that are theirs."""

from typing import Any

import msgspec
import pytest

from replenishment.engine.columns import Role
from replenishment.events import (
    CatalogEntry,
    RestockAccepted,
    RestockRejected,
    RestockShipped,
    StockAdjusted,
    StockCounted,
    StockReceived,
)
from stream_app.wire.json_wire import JsonWire
from tests.wire.builders import (
    ACCEPTANCE,
    ADJUSTMENT,
    AT,
    COUNT,
    RECEIPT,
    TERMS,
    Sent,
    catalog,
    inventory,
    refusal,
    sent,
    without,
)

Fields = dict[str, Any]
KEY = b"uk|A"
COSTS = ("holding_cost_per_unit_day", "shortage_cost_per_unit", "ordering_cost", "unit_cost")


def code(topic: Role, fields: object, **more: Any) -> str | None:
    """Return the code under which one record is refused."""
    found = refusal(topic, sent(fields, **more))
    return None if found is None else found.code


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        (COUNT, StockCounted(KEY, "e1", AT, 5)),
        (ADJUSTMENT, StockAdjusted(KEY, "e1", AT, -2)),
        (RECEIPT, StockReceived(KEY, "e1", AT, 4, "r1", True)),
        (without(RECEIPT, "restock_id", "final"), StockReceived(KEY, "e1", AT, 4)),
        (ACCEPTANCE, RestockAccepted(KEY, "e1", AT, "r1", 4)),
        ({**ACCEPTANCE, "type": "restock_rejected"}, RestockRejected(KEY, "e1", AT, "r1", 4)),
        (
            {**ACCEPTANCE, "type": "restock_shipped", "expected_at": "2026-01-09T00:00:00Z"},
            RestockShipped(KEY, "e1", AT, "r1", 4, 1_767_916_800_000),
        ),
    ],
)
def test_an_inventory_record_becomes_its_event(fields: Fields, event: object) -> None:
    batch = inventory([sent({**fields, "event_time": "2026-01-01T00:00:00Z"}, offset=7)])
    assert batch.events == [event]
    assert batch.offsets == [7]
    assert batch.rejections == []
    assert (batch.span.start, batch.span.end) == (0, 8)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        *((COUNT, name) for name in COUNT),
        *((ADJUSTMENT, name) for name in ("delta", "reason")),
        (RECEIPT, "quantity"),
        *((ACCEPTANCE, name) for name in ("restock_id", "quantity")),
    ],
)
def test_a_required_field_of_inventory_that_is_absent_or_null_is_missing(fields: Fields, name: str) -> None:
    assert code("inventory", without(fields, name)) == "missing_field"
    assert code("inventory", {**fields, name: None}) == "missing_field"


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        *((COUNT, {"on_hand": on_hand}) for on_hand in (-1, 10**9 + 1, 1.0, True, "1", 10**99)),
        *((ADJUSTMENT, {"delta": delta}) for delta in (-(10**9) - 1, 10**9 + 1, 0.5)),
        (ADJUSTMENT, {"reason": 7}),
        *((RECEIPT, {"quantity": quantity}) for quantity in (0, -1, 1_000_001, 4.0)),
        *((RECEIPT, {"final": final}) for final in (1, "true")),
        *((RECEIPT, {"restock_id": restock_id}) for restock_id in ("", "x" * 129, 7)),
        *((ACCEPTANCE, {"quantity": quantity}) for quantity in (0, 1_000_001)),
        (ACCEPTANCE, {"type": "restock_rejected", "quantity": 0}),
        (ACCEPTANCE, {"type": "restock_shipped", "expected_at": "soon"}),
        *((COUNT, {"event_id": event_id}) for event_id in ("", "x" * 129, 7)),
        (COUNT, {"event_time": "2026-01-01T00:00:00"}),
        (COUNT, {"type": 7}),
    ],
)
def test_what_is_out_of_range_in_inventory(fields: Fields, change: Fields) -> None:
    assert code("inventory", {**fields, **change}) == "out_of_range"


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        *((COUNT, {"on_hand": on_hand}) for on_hand in (0, 10**9)),
        *((ADJUSTMENT, {"delta": delta}) for delta in (-(10**9), 0, 10**9)),
        (ADJUSTMENT, {"reason": ""}),
        *((RECEIPT, {"quantity": quantity}) for quantity in (1, 1_000_000)),
        (RECEIPT, {"final": None, "restock_id": None}),
        (COUNT, {"event_id": "x" * 128}),
        (COUNT, {"event_time": AT + 3_600_000}),
    ],
)
def test_borders_of_inventory_are_in_range(fields: Fields, change: Fields) -> None:
    assert code("inventory", {**fields, **change}) is None


def test_other_refusals_hold_for_inventory_too() -> None:
    assert code("inventory", {**COUNT, "event_id": "a\x00"}) == "bad_characters"
    assert code("inventory", {**RECEIPT, "restock_id": "a\x9b"}) == "bad_characters"
    assert code("inventory", {**COUNT, "sku": "a b"}) == "bad_characters"
    assert code("inventory", COUNT, key=None) == "wrong_key"
    assert code("inventory", {**COUNT, "type": "stock_eaten"}) == "unknown_type"
    assert code("inventory", {**COUNT, "event_time": AT + 3_600_001}) == "future_dated"
    assert code("inventory", {**COUNT, "event_time": 0}) == "too_old"
    assert code("inventory", {**COUNT, "note": "x" * 65_536}) == "too_large"
    assert refusal("inventory", Sent(None)) is not None
    found = [refusal("inventory", sent(COUNT), JsonWire(3, None), partition) for partition in range(3)]
    assert [one.code for one in found if one is not None] == ["wrong_partition"] * 2


def test_a_catalog_record_becomes_an_entry_with_defaults_for_what_it_leaves_out() -> None:
    batch = catalog([sent(TERMS), sent({"location": "uk", "sku": "A", "active": None}, offset=1)])
    assert batch.entries == [CatalogEntry(KEY, supplier="ACME", lead_time_days=3.0), CatalogEntry(KEY)]
    assert batch.keys == [KEY, KEY]


def test_a_catalog_record_may_set_everything() -> None:
    fields = {
        **TERMS,
        "category": "lamps",
        "review_period_days": 7,
        "cover_days": 14.5,
        "service_kind": "fill",
        "service_target": 0.98,
        "minimum_order_units": 10,
        "pack_units": 6,
        "maximum_units": 600,
        "active": False,
        "order_quantity_units": 12,
        "levels_from": "textbook",
        "holding_cost_per_unit_day": 0.01,
        "shortage_cost_per_unit": 2,
        "ordering_cost": 25,
        "unit_cost": 1.5,
        "shelf_life_days": 21,
        "rounding": "nearest",
    }
    entry = CatalogEntry(
        KEY, "ACME", "lamps", 3.0, 7.0, 14.5, 0.98, 10, 6, 600, False, "fill", 12, "textbook", 0.01, 2.0, 25.0, 1.5
    )
    assert catalog([sent(fields)]).entries == [
        msgspec.structs.replace(entry, shelf_life_days=21.0, rounding="nearest"),
    ]


def test_order_days_are_weekdays_in_any_order_and_exclude_a_review_period() -> None:
    (entry,) = catalog([sent({**TERMS, "order_days": "Thu, mon"})]).entries
    assert entry == CatalogEntry(KEY, supplier="ACME", lead_time_days=3.0, order_days=9)
    assert code("catalog", {**TERMS, "order_days": "monday"}) == "out_of_range"
    assert code("catalog", {**TERMS, "order_days": ""}) == "out_of_range"
    assert code("catalog", {**TERMS, "order_days": "mon", "review_period_days": 7}) == "out_of_range"
    assert code("catalog", {**TERMS, "order_days": "mon", "review_period_days": 0}) is None


def test_a_tombstone_brings_the_defaults_back() -> None:
    batch = catalog([Sent(None)])
    assert (batch.keys, batch.entries, batch.rejections) == ([KEY], [None], [])


@pytest.mark.parametrize("key", [None, b"", b"uk", b"uk|", b"a|b|c", b"\xff|A", b"u k|A"])
def test_a_tombstone_needs_a_stock_key(key: bytes | None) -> None:
    found = refusal("catalog", Sent(None, key))
    assert found is not None
    assert found.code == "wrong_key"


def test_a_tombstone_is_accepted_in_the_partition_of_its_key_only() -> None:
    found = [refusal("catalog", Sent(None), JsonWire(3, None), partition) for partition in range(3)]
    assert [one.code for one in found if one is not None] == ["wrong_partition"] * 2


@pytest.mark.parametrize(
    ("name", "value", "refused"),
    [
        ("location", None, "missing_field"),
        ("sku", None, "missing_field"),
        *(("lead_time_days", days, "out_of_range") for days in (-0.1, 730.1, "7", True)),
        *(("lead_time_days", days, None) for days in (0, 730, 0.25)),
        *(("review_period_days", days, "out_of_range") for days in (-1, 365.5)),
        *(("review_period_days", days, None) for days in (0, 365)),
        *(("cover_days", days, "out_of_range") for days in (0.99, 0, 366)),
        *(("cover_days", days, None) for days in (1, 365)),
        *(("service_target", level, "out_of_range") for level in (0.49, 1, 0.99991, 95)),
        *(("service_target", level, None) for level in (0.5, 0.9999)),
        *(("service_kind", kind, "out_of_range") for kind in ("alpha", "Fill", 7)),
        *(("service_kind", kind, None) for kind in ("cycle", "fill")),
        *(("shelf_life_days", days, "out_of_range") for days in (0, -1, 3_651, "7")),
        *(("shelf_life_days", days, None) for days in (0.01, 3_650)),
        *(("rounding", rule, "out_of_range") for rule in ("down", 7)),
        *(("rounding", rule, None) for rule in ("up", "nearest", "down_to_max")),
        *(("levels_from", source, "out_of_range") for source in ("model", 7)),
        *((name, cost, "out_of_range") for name in COSTS for cost in (-0.01, 1e9 + 1, "2")),
        *((name, cost, None) for name in COSTS for cost in (0, 0.25, 1e9)),
        *(
            (name, units, refused)
            for name in ("minimum_order_units", "pack_units", "maximum_units", "order_quantity_units")
            for units, refused in ((0, "out_of_range"), (1.5, "out_of_range"), (1_000_001, "out_of_range"), (1, None))
        ),
        *(
            (name, label, refused)
            for name in ("supplier", "category")
            for label, refused in (
                ("ä" * 32, None),
                ("", None),
                ("ä" * 32 + "a", "out_of_range"),
                (7, "out_of_range"),
                ("a\nb", "bad_characters"),
            )
        ),
        *(("active", active, "out_of_range") for active in (1, "yes")),
        ("sku", "a b", "bad_characters"),
        ("sku", "B", "wrong_key"),
    ],
)
def test_ranges_of_the_catalog(name: str, value: object, refused: str | None) -> None:
    assert code("catalog", {**TERMS, name: value}) == refused


NEWSVENDOR = {
    **TERMS,
    "service_kind": "newsvendor",
    "review_period_days": 7,
    "shortage_cost_per_unit": 1,
    "holding_cost_per_unit_day": 0.2 / 7,
}


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({}, None),
        ({"service_target": 0.8333}, None),
        ({"service_target": 0.95}, "out_of_range"),
        ({"review_period_days": 0}, None),
        ({"review_period_days": None, "service_target": 0.8333}, "out_of_range"),
        ({"shortage_cost_per_unit": None}, "missing_field"),
        ({"shortage_cost_per_unit": 0}, "missing_field"),
        ({"holding_cost_per_unit_day": None}, "missing_field"),
    ],
)
def test_a_newsvendor_has_costs_and_no_target_that_says_otherwise(change: Fields, refused: str | None) -> None:
    assert code("catalog", {**NEWSVENDOR, **change}) == refused


def test_the_cheapest_level_needs_both_costs_and_no_target() -> None:
    cost = {**NEWSVENDOR, "service_kind": "cost"}
    assert code("catalog", cost) is None
    assert code("catalog", {**cost, "service_target": 0.95}) is None
    assert code("catalog", {**cost, "holding_cost_per_unit_day": None}) == "missing_field"


def test_a_target_against_the_costs_names_the_level_that_they_make() -> None:
    found = refusal("catalog", sent({**NEWSVENDOR, "service_target": 0.95}))
    assert found is not None
    assert found.reason == "service_target is 0.95, must be left out, or 0.8333 as the costs of the newsvendor make it"
