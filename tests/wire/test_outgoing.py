"""Golden messages: what consumers of ``restock``, ``demand`` and ``dead-letter`` read, byte for byte."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replenishment.engine.effects import Effects, LineCounts
from replenishment.engine.plan import Plan
from replenishment.engine.progress import Progress
from replenishment.events import DemandClosed, Evidence, ForecastsScored, Rejection, RestockRequested
from stream_app.ports import OutgoingRecord, RecordBatch
from tests.wire.builders import AT, ORDER, WIRE, Sent, batch, sent

DAY_MS = 86_400_000
TRACE = (("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("tracestate", b"congo=t61"))
EVIDENCE = Evidence(
    policy="(s,S)",
    service_kind="cycle",
    service_level=0.95,
    on_hand=3,
    backorders=0,
    on_order=1,
    in_transit=2,
    pending=0,
    inventory_position=6,
    reorder_point=9,
    order_up_to_level=30,
    protection_buckets=8,
    cover_buckets=7,
    bucket_seconds=86_400,
    lead_time_days=7.0,
    lead_time_mean_buckets=7.4,
    lead_time_deviation_buckets=0.8,
    deliveries_observed=5,
    forecast_origin=AT,
    expected_units=6.125,
    quantile_units=8.5,
    reorder_units=8.5,
    order_up_to_units=29.25,
    raw_units=24,
    order_quantity_units=None,
    minimum_units=None,
    pack_units=6,
    maximum_units=600,
    cap_units=120,
    textbook_units=18,
    stock_assumed=True,
    cold_start=False,
    model_rung="champion",
    positions={"orders": 42, "inventory": 7},
)
RESTOCK = RestockRequested(
    restock_id="6e0d4ce4-0d3b-5a33-a89c-1c7b4a3a4f3e",
    revision=1,
    key=b"uk|A",
    supplier="ACME",
    units=24,
    decided_at=AT + 1,
    needed_by=AT + 1 + 7 * DAY_MS,
    expires_at=AT + 14 * DAY_MS,
    model_version="starter-1",
    evidence=EVIDENCE,
)
CLOSED = DemandClosed(
    kind="closed",
    bucket_start=AT,
    bucket_seconds=86_400,
    chunk=0,
    chunks=2,
    model_version="starter-1",
    keys=(b"uk|A", b"uk/store-2|B:1"),
    units=np.array([3, -1], dtype=np.int64),
    order_lines=np.array([2, 0], dtype=np.int64),
    price_mean=np.array([2.55, np.nan]),
    available_ratio=np.array([1.0, 0.5]),
)
RESTOCK_VALUE = (
    b'{"restock_id":"6e0d4ce4-0d3b-5a33-a89c-1c7b4a3a4f3e","revision":1,"location":"uk","sku":"A","supplier":"ACME",'
    b'"quantity":24,"needed_by":"2026-01-08T00:00:00.001Z","decided_at":"2026-01-01T00:00:00.001Z",'
    b'"model_version":"starter-1","evidence":{"policy":"(s,S)","service_kind":"cycle","service_level":0.95,'
    b'"on_hand":3,"backorders":0,"on_order":1,"in_transit":2,"pending":0,"inventory_position":6,"reorder_point":9,'
    b'"order_up_to_level":30,"protection_buckets":8,"cover_buckets":7,"bucket_seconds":86400,"lead_time_days":7.0,'
    b'"lead_time_mean_buckets":7.4,"lead_time_deviation_buckets":0.8,"deliveries_observed":5,'
    b'"forecast_origin":"2026-01-01T00:00:00.000Z","expected_units":6.125,"quantile_units":8.5,"reorder_units":8.5,'
    b'"order_up_to_units":29.25,"raw_units":24,"order_quantity_units":null,"minimum_units":null,"pack_units":6,'
    b'"maximum_units":600,"cap_units":120,"textbook_units":18,"stock_assumed":true,"cold_start":false,'
    b'"model_rung":"champion","positions":{"inventory":7,"orders":42}}}'
)
DEMAND_VALUE = (
    b'{"schema":1,"partition":2,"bucket_start":"2026-01-01T00:00:00.000Z","bucket_seconds":86400,"kind":"closed",'
    b'"chunk":0,"chunks":2,"model_version":"starter-1","location":["uk","uk/store-2"],"sku":["A","B:1"],'
    b'"units":[3,-1],"order_lines":[2,0],"price_mean":[2.55,null],"available_fraction":[1.0,0.5]}'
)


def effects(**more: Any) -> Effects:
    """Return a turn that says something."""
    silent: dict[str, Any] = {
        "writes": (),
        "restocks": (),
        "causes": (),
        "demand": (),
        "rejections": (),
        "withheld": (),
    }
    return Effects(Progress(1, {"orders": 42}, 0), **{**silent, **more}, counts=LineCounts())


def encoded(turn: Effects, fetched: RecordBatch | None = None) -> Sequence[OutgoingRecord]:
    return WIRE.encode(2, turn, fetched)


def test_a_restock_request_carries_evidence_cloud_event_headers_and_the_trace_of_its_order() -> None:
    cause = Sent(b"{}", offset=41, headers=(("x", b"y"), *TRACE))
    fetched = batch("orders", [Sent(b"{}", offset=17), cause])
    assert encoded(effects(restocks=[RESTOCK], causes=[41]), fetched) == (
        OutgoingRecord(
            "restock",
            b"uk|A",
            RESTOCK_VALUE,
            (
                ("content-type", b"application/json"),
                ("ce_specversion", b"1.0"),
                ("ce_id", b"6e0d4ce4-0d3b-5a33-a89c-1c7b4a3a4f3e"),
                ("ce_source", b"urn:restock"),
                ("ce_type", b"restock.requested"),
                ("ce_time", b"2026-01-01T00:00:00.001Z"),
                *TRACE,
            ),
        ),
    )


def test_a_request_has_the_same_bytes_in_whatever_order_topics_came_to_be_known() -> None:
    fields = {name: getattr(RESTOCK, name) for name in RestockRequested.__struct_fields__}
    evidence = {name: getattr(EVIDENCE, name) for name in Evidence.__struct_fields__}
    other = RestockRequested(
        **{**fields, "evidence": Evidence(**{**evidence, "positions": {"inventory": 7, "orders": 42}})}
    )
    assert encoded(effects(restocks=[RESTOCK], causes=[-1])) == encoded(effects(restocks=[other], causes=[-1]))


def test_a_request_that_no_order_caused_has_no_trace() -> None:
    (record,) = encoded(effects(restocks=[RESTOCK], causes=[-1]))
    assert record.value == RESTOCK_VALUE
    assert not {"traceparent", "tracestate"} & {name for name, _ in record.headers}


def test_trace_headers_that_are_too_long_or_empty_are_left_out() -> None:
    headers = (("traceparent", b"0" * 513), ("tracestate", b""))
    (record,) = encoded(effects(restocks=[RESTOCK], causes=[0]), batch("orders", [sent(ORDER, headers=headers)]))
    assert not {"traceparent", "tracestate"} & {name for name, _ in record.headers}


def test_closed_demand_is_in_columns_with_null_for_what_is_unknown() -> None:
    (record,) = encoded(effects(demand=[CLOSED]))
    assert (record.topic, record.key, record.value) == ("demand", b"p2", DEMAND_VALUE)
    headers = dict(record.headers)
    assert headers["ce_type"] == b"demand.closed"
    assert headers["ce_time"] == b"2026-01-01T00:00:00.000Z"
    other_ids = {
        dict(WIRE.encode(partition, effects(demand=[demand]), None)[0].headers)["ce_id"]
        for partition, demand in ((2, CLOSED), (3, CLOSED), (2, _with_units(CLOSED, [3, 0])))
    }
    assert len(other_ids) == 3
    assert headers["ce_id"] in other_ids


def test_scored_forecasts_are_told_beside_the_keys_they_are_of() -> None:
    scored = ForecastsScored(
        places=np.array([1]),
        lead_buckets=np.array([8]),
        actual_units=np.array([12.0]),
        expected_units=np.array([10.12345]),
        quantile_units=np.array([[9.0, 13.0, 15.0, 18.0, 24.0]]),
    )
    (record,) = encoded(effects(demand=[msgspec.structs.replace(CLOSED, scored=scored)]))
    assert json.loads(record.value or b"")["scored"] == {
        "place": [1],
        "lead_buckets": [8],
        "units": [12],
        "expected_units": [10.123],
        "levels": [0.5, 0.8, 0.9, 0.95, 0.99],
        "quantile_units": [[9.0, 13.0, 15.0, 18.0, 24.0]],
    }


def _with_units(demand: DemandClosed, units: list[int]) -> DemandClosed:
    fields = {name: getattr(demand, name) for name in DemandClosed.__struct_fields__}
    return DemandClosed(**{**fields, "units": np.array(units, dtype=np.int64)})


def test_the_largest_chunk_of_demand_has_at_most_512_kib() -> None:
    count = Plan().closing_chunk_keys
    demand = DemandClosed(
        kind="correction",
        bucket_start=AT,
        bucket_seconds=2_419_200,
        chunk=10_000,
        chunks=10_000,
        model_version="v" * 128,
        keys=[b"%s|%064d" % (b"l" * 64, number) for number in range(count)],
        units=np.full(count, -(2**31), dtype=np.int64),
        order_lines=np.full(count, 2**16 - 1, dtype=np.int64),
        price_mean=np.full(count, -1.2345678901234567e-300),
        available_ratio=np.full(count, -1.2345678901234567e-300),
    )
    (record,) = encoded(effects(demand=[demand]))
    assert record.value is not None
    assert len(record.value) <= 512 * 1024


def test_a_withdrawal_is_a_revision_of_no_units_and_an_event_of_its_own() -> None:
    withdrawal = msgspec.structs.replace(RESTOCK, revision=2, units=0, withdrawn="needless")
    asked, (taken_back,) = (
        encoded(effects(restocks=[RESTOCK], causes=[-1]))[0],
        encoded(effects(restocks=[withdrawal], causes=[-1])),
    )
    value, headers = json.loads(taken_back.value or b""), dict(taken_back.headers)
    assert value == json.loads(asked.value or b"") | {"revision": 2, "quantity": 0, "withdrawn": "needless"}
    assert (headers["ce_id"], headers["ce_type"]) == (f"{RESTOCK.restock_id}/2".encode(), b"restock.withdrawn")
    assert taken_back.key == asked.key


def test_a_turn_is_encoded_as_restocks_then_demand_then_dead_letters() -> None:
    turn = effects(
        restocks=[RESTOCK],
        causes=[-1],
        demand=[CLOSED],
        rejections=[Rejection("orders", 0, "undecodable", "value is no JSON")],
    )
    fetched = batch("orders", [Sent(b"\xff")])
    assert [one.topic for one in encoded(turn, fetched)] == ["restock", "demand", "dead-letter"]
    assert encoded(turn, fetched) == encoded(turn, fetched)
    assert encoded(effects()) == ()


@given(
    st.tuples(st.floats(0, 1e9), st.integers(0, 10**9), st.text(max_size=20)),
    st.integers(0, 253_402_300_799_999),
)
def test_values_survive_any_json_parser(facts: tuple[float, int, str], at: int) -> None:
    expected_units, units, supplier = facts
    fields = {name: getattr(EVIDENCE, name) for name in Evidence.__struct_fields__}
    evidence = Evidence(**{**fields, "expected_units": expected_units})
    restock = {name: getattr(RESTOCK, name) for name in RestockRequested.__struct_fields__}
    changed = RestockRequested(
        **{**restock, "evidence": evidence, "units": units, "supplier": supplier, "decided_at": at}
    )
    (record,) = encoded(effects(restocks=[changed], causes=[-1]))
    assert record.value is not None
    read = json.loads(record.value)
    assert (read["evidence"]["expected_units"], read["quantity"], read["supplier"]) == facts


def test_a_turn_that_names_a_record_which_is_not_there_is_a_bug_and_raises() -> None:
    refused = effects(rejections=[Rejection("orders", 5, "undecodable", "")])
    with pytest.raises(ValueError, match="offset 5 is not in the batch"):
        encoded(refused, batch("orders", [Sent(b"", offset=4), Sent(b"", offset=6)]))
    with pytest.raises(ValueError, match="no batch"):
        encoded(refused)
    with pytest.raises(ValueError, match="offset 3 is not"):
        encoded(effects(restocks=[RESTOCK], causes=[3]))
