"""A request in sentences: every figure of the evidence is said, and said right."""

from typing import Any

import msgspec
import pytest

from replenishment.evidence import Evidence
from stream_app.demo.explanation import explained
from stream_app.explain.sentences import request_sentences
from stream_app.wire.outgoing import ONLY_WHERE_USED

EVIDENCE: dict[str, Any] = {
    "policy": "(s,S)",
    "service_kind": "cycle",
    "service_level": 0.95,
    "on_hand": 1140,
    "backorders": 2,
    "on_order": 30,
    "in_transit": 40,
    "pending": 5,
    "inventory_position": 1213,
    "reorder_point": 1214,
    "order_up_to_level": 2000,
    "protection_buckets": 8,
    "cover_buckets": 7,
    "bucket_seconds": 86_400,
    "lead_time_days": 7.0,
    "lead_time_mean_buckets": 7.0,
    "lead_time_deviation_buckets": 0.0,
    "deliveries_observed": 0,
    "forecast_origin": "2011-11-15T00:00:00.000Z",
    "expected_units": 811.4,
    "quantile_units": 1213.2,
    "reorder_units": 1213.2,
    "order_up_to_units": 1999.5,
    "raw_units": 787,
    "rounding": "up",
    "units_after": {"pack_units": 787},
    "order_quantity_units": None,
    "minimum_units": None,
    "pack_units": 1,
    "maximum_units": None,
    "cap_units": 8000,
    "textbook_units": 850,
    "stock_assumed": True,
    "cold_start": False,
    "model_rung": "champion",
    "positions": {"orders": 177_095, "inventory": 12, "catalog": 1_260},
}
REQUEST: dict[str, Any] = {
    "restock_id": "r1",
    "location": "uk",
    "sku": "22423",
    "supplier": "supplier-22",
    "quantity": 787,
    "decided_at": "2011-11-15T10:24:00.000Z",
    "needed_by": "2011-11-22T10:24:00.000Z",
    "model_version": "2026-11-24.1",
    "evidence": EVIDENCE,
}


def answer(kind: str, day: int) -> dict[str, Any]:
    return {"type": kind, "quantity": 787, "event_time": f"2011-11-{day}T10:24:00.000Z"}


def test_the_evidence_of_the_example_has_the_fields_of_the_trade() -> None:
    # what the request of a key without such terms leaves out
    assert EVIDENCE.keys() | ONLY_WHERE_USED == {field.name for field in msgspec.structs.fields(Evidence)}


def test_a_request_is_explained_from_its_position_to_its_receipt() -> None:
    answers = [answer("stock_received", 22), answer("restock_accepted", 15), answer("restock_shipped", 21)]
    assert explained(REQUEST, "REGENCY CAKESTAND 3 TIER", answers) == [
        (
            "787 units of 22423 (REGENCY CAKESTAND 3 TIER) for uk were requested from supplier-22"
            " on 2011-11-15 10:24, needed by 2011-11-22 10:24."
        ),
        (
            "Just before, the inventory position was 1,213 = 1,140 on hand (assumed at the start, not counted yet)"
            " - 2 owed + 30 on order + 40 in transit + 5 pending."
        ),
        (
            "That is at or below the reorder point of 1,214: what demand over the next 8 buckets of 24 h"
            " (lead time 7 days, then the bucket in which it arrives) stays within with a probability of 95%."
            " Expected are 811 units."
        ),
        (
            "Missing up to the order-up-to level of 2,000 (the same over the lead time and 7 buckets of cover): 787,"
            " and so many were requested."
        ),
        (
            "Forecast by 2026-11-24.1 (champion) with demand known up to 2011-11-15 00:00;"
            " decided at offsets catalog 1,260, inventory 12, orders 177,095 of the partition."
        ),
        (
            "The warehouse accepted 787 units on 2011-11-15 10:24, shipped 787 units on 2011-11-21 10:24,"
            " received 787 units on 2011-11-22 10:24."
        ),
    ]


def test_limits_that_changed_the_quantity_are_named() -> None:
    request = REQUEST | {"quantity": 792, "evidence": EVIDENCE | {"pack_units": 12, "minimum_units": 24}}
    assert explained(request, "X", [])[3] == (
        "Missing up to the order-up-to level of 2,000 (the same over the lead time and 7 buckets of cover): 787;"
        " requested after limits (minimum 24, pack 12): 792."
    )


def test_a_request_cut_by_the_general_cap_says_so() -> None:
    assert "cap on a single request" in explained(REQUEST | {"quantity": 500}, "X", [])[3]


@pytest.mark.parametrize(
    ("change", "said"), [({"supplier": ""}, "were requested on 2011"), ({"supplier": "s"}, "were requested from s on")]
)
def test_a_request_without_a_supplier_names_none(change: dict[str, str], said: str) -> None:
    assert said in explained(REQUEST | change, "X", [])[0]


def test_an_unanswered_request_says_so() -> None:
    assert explained(REQUEST, "X", [])[-1] == "The warehouse has not answered yet."


def test_deliveries_that_disagree_with_the_catalog_are_in_the_explanation() -> None:
    changed = {"lead_time_mean_buckets": 8.25, "lead_time_deviation_buckets": 1.5, "deliveries_observed": 9}
    request = {**REQUEST, "evidence": {**EVIDENCE, **changed}}
    assert "(lead time 7 days by the catalog, 8.2 ± 1.5 days after 9 deliveries, then" in " ".join(
        request_sentences(request)
    )
    older = {name: value for name, value in EVIDENCE.items() if name not in changed}
    assert "(lead time 7 days, then" in " ".join(request_sentences({**REQUEST, "evidence": older}))


def test_a_request_for_a_new_sku_says_that_little_was_known() -> None:
    new = REQUEST | {"evidence": EVIDENCE | {"cold_start": True}}
    assert any("The SKU is new" in sentence for sentence in explained(new, "X", []))
    assert not any("The SKU is new" in sentence for sentence in explained(REQUEST, "X", []))
