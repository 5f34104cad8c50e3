"""What the buyer reads and says as bytes: nothing wrong gets in, and events go on as they came."""

import json
from typing import Any

import msgspec
import pytest

from replenishment.joint.advance import BuyerEffects
from replenishment.joint.book import Waiting
from replenishment.joint.decisions import ProposalExcepted, RequestPlaced, RevisionPassedOn
from replenishment.joint.proposals import MONEY, Proposal, ProposalBatch, SupplierTerms, TermsBatch
from replenishment.joint.rows import LARGEST_PROPOSAL_BYTES, packed_row
from stream_app.ports import OutgoingRecord, RecordBatch
from stream_app.topic_reader import Message
from stream_app.wire.joint_orders import BuyerWire
from stream_app.wire.outgoing import proposal_record, restock_record
from stream_app.wire.proposals import KEPT_HEADERS, LONGEST_HEADER_BYTES
from tests.joint.builders import START, Buyer, terms
from tests.wire.test_outgoing import RESTOCK

WIRE = BuyerWire(1, 3_600)
PROPOSED = proposal_record(msgspec.structs.replace(RESTOCK, unit_cost=2.5), None, "urn:restock")


def read(role: str, value: Any, key: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()) -> Any:
    content = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    record = Message(0, 7, START, key, content, headers)
    return WIRE.decode(RecordBatch(role, role, 0, 7, 8, [record]))  # type: ignore[arg-type]


def proposed(**changes: Any) -> ProposalBatch:
    event = json.loads(PROPOSED.value or b"") | changes
    batch: ProposalBatch = read("proposals", event, PROPOSED.key, tuple(PROPOSED.headers))
    return batch


def said(*decisions: Any) -> list[OutgoingRecord]:
    effects = BuyerEffects(Buyer().book.progress, (), decisions, ())
    return list(WIRE.encode(effects, None))


def test_a_proposal_is_the_request_with_a_cost_keyed_by_supplier() -> None:
    request = restock_record(RESTOCK, None, "urn:restock")
    assert (PROPOSED.topic, PROPOSED.key, PROPOSED.headers) == ("proposals", RESTOCK.supplier.encode(), request.headers)
    event = json.loads(PROPOSED.value or b"")
    assert event.pop("unit_cost") == 2.5
    assert event == json.loads(request.value or b"")


def test_what_a_worker_proposes_is_read_whole() -> None:
    (one,) = proposed().messages
    assert isinstance(one, Proposal)
    assert (one.restock_id, one.key, one.units) == (RESTOCK.restock_id, RESTOCK.key, RESTOCK.units)
    assert (one.unit_cost, one.is_released) == (round(2.5 * MONEY), True)
    assert json.loads(one.record) == json.loads(PROPOSED.value or b"")


def test_a_request_that_waits_for_approval_is_not_released() -> None:
    (one,) = proposed(requires_approval=True).messages
    assert isinstance(one, Proposal) and not one.is_released


def test_a_request_placed_whole_is_the_event_of_the_worker_and_its_joint_order() -> None:
    (one,) = proposed().messages
    assert isinstance(one, Proposal)
    (placed,) = said(RequestPlaced(one, one.units, "id", START))
    request = restock_record(RESTOCK, None, "urn:restock")
    assert (placed.topic, placed.key, list(placed.headers)) == ("restock", RESTOCK.key, list(request.headers))
    event = json.loads(placed.value or b"")
    joint = event.pop("joint")
    assert event.pop("unit_cost") == 2.5 and event == json.loads(request.value or b"")
    assert joint == {
        "joint_order_id": "id",
        "placed_at": "2026-01-05T00:00:00.000Z",
        "proposed_quantity": RESTOCK.units,
    }


def test_a_withdrawal_is_passed_on_as_it_came() -> None:
    (one,) = proposed(revision=2, quantity=0, withdrawn="needless").messages
    assert isinstance(one, Proposal)
    event = json.loads(said(RevisionPassedOn(one, 0, "id", START))[0].value or b"")
    assert (event["revision"], event["quantity"], event["withdrawn"]) == (2, 0, "needless")


@pytest.mark.parametrize(
    ("outcome", "units", "told"),
    [("reduced", 3, "restock_accepted"), ("refused", 0, "restock_rejected"), ("held", 3, None)],
)
def test_a_worker_is_told_what_its_proposal_lost(outcome: Any, units: int, told: str | None) -> None:
    (one,) = proposed().messages
    assert isinstance(one, Proposal)
    event, *answers = said(ProposalExcepted(outcome, "short_supply", one, units, START))
    assert json.loads(event.value or b"")["type"] == f"proposal_{outcome}"
    assert [json.loads(answer.value or b"")["type"] for answer in answers] == ([told] if told else [])
    assert all((answer.topic, answer.key) == ("inventory", one.key) for answer in answers)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": -1}, "out_of_range"),
        ({"quantity": "12"}, "out_of_range"),
        ({"restock_id": "x|y"}, "out_of_range"),
        ({"restock_id": None}, "out_of_range"),
        ({"location": "a b"}, "out_of_range"),
        ({"evidence": {}}, "missing_field"),
        ({"unit_cost": -1}, "out_of_range"),
        ({"supplier": "somebody"}, "wrong_key"),
        ({"decided_at": "yesterday"}, "out_of_range"),
        ({"decided_at": "1999-01-01T00:00:00Z"}, "too_old"),
        ({"type": "wish"}, "unknown_type"),
        ({"padding": "x" * LARGEST_PROPOSAL_BYTES}, "too_large"),
    ],
)
def test_a_wrong_proposal_is_refused_by_its_code(changes: dict[str, Any], code: str) -> None:
    batch = proposed(**changes)
    assert not batch.messages and [one.code for one in batch.rejections] == [code]


def test_word_of_short_supply_from_the_future_is_refused() -> None:
    event = {"type": "supply_limited", "supplier": "a", "sku": "A", "units": 1, "until": START, "event_time": START}
    assert not read("proposals", event, b"a").rejections
    late = read("proposals", event | {"event_time": START + 3_600_001}, b"a")
    assert [one.code for one in late.rejections] == ["future_dated"]


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"\xff", None])
def test_what_is_no_object_is_refused(value: bytes | None) -> None:
    assert [one.code for one in read("proposals", value, b"a").rejections] == ["undecodable"]


def test_the_longest_proposal_with_the_longest_headers_fits_its_row() -> None:
    headers = tuple((name, b"x" * LONGEST_HEADER_BYTES) for name in KEPT_HEADERS)
    event = json.loads(PROPOSED.value or b"")
    event |= {"location": "l" * 64, "sku": "s" * 64, "supplier": "s" * 64, "padding": ""}
    event["padding"] = "x" * (LARGEST_PROPOSAL_BYTES - len(json.dumps(event)))
    batch = read("proposals", event, b"s" * 64, headers)
    (one,) = batch.messages
    assert packed_row("proposals", Waiting(one, START))


def test_terms_are_read_in_money_and_a_tombstone_takes_them_back() -> None:
    event = {"supplier": "a", "minimum_order_value": 12.5, "below_minimum": "refuse"}
    expected = SupplierTerms("a", minimum_order_value=round(12.5 * MONEY), below_minimum="refuse")
    batch: TermsBatch = read("suppliers", event, b"a")
    assert batch.terms == [("a", expected)]
    assert read("suppliers", None, b"a").terms == [("a", None)]
    assert terms(value=12.5, below="refuse", days=30).supplier == "acme"


@pytest.mark.parametrize(
    "changes",
    [
        {"minimum_order_value": -1},
        {"minimum_order_units": 0},
        {"budget_days": 367},
        {"below_minimum": "wait"},
        {"gather_minutes": 90, "longest_wait_hours": 1},
        {"budget": 1, "minimum_order_value": 2},
    ],
)
def test_wrong_or_contradictory_terms_are_refused(changes: dict[str, Any]) -> None:
    batch = read("suppliers", {"supplier": "a"} | changes, b"a")
    assert not batch.terms and [one.code for one in batch.rejections] == ["out_of_range"]
