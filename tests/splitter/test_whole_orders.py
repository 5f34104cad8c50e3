"""One record becomes its lines, always the same ones, or a refusal; each line is one that a worker takes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replenishment.events import Rejection
from stream_app.errors import ConfigError
from stream_app.ports import OutgoingRecord, RecordBatch
from stream_app.topic_reader import Message
from stream_app.wire.admission import Admission, partition_of
from stream_app.wire.mapping import WholeOrderRules, whole_order_rules
from stream_app.wire.order_record import OrderRow, read_order
from stream_app.wire.whole_orders import LARGEST_ORDER_BYTES, order_lines

AT = 1_769_846_400_000
PARTITIONS = 3
ADMISSION = Admission(PARTITIONS, 3_600)
OWN = whole_order_rules(None)


def order(**changed: Any) -> dict[str, Any]:
    lines = [{"sku": "A", "quantity": 2, "price": 1.5}, {"sku": "B", "quantity": 1, "location": "north"}]
    return {"order_id": "o-1", "location": "main", "event_time": AT, "customer": 17, "lines": lines} | changed


def split(
    value: bytes | dict[str, Any] | None, rules: WholeOrderRules = OWN, headers: tuple[tuple[str, bytes], ...] = ()
) -> list[OutgoingRecord] | Rejection:
    written = json.dumps(value).encode() if isinstance(value, dict) else value
    record = Message(2, 40, AT, b"o-1", written, headers)
    found = order_lines(record, RecordBatch("orders", "shop", 2, 40, 41, [record]), rules, ADMISSION)
    return found if isinstance(found, Rejection) else list(found)


def lines(value: dict[str, Any], rules: WholeOrderRules = OWN) -> list[OutgoingRecord]:
    found = split(value, rules)
    assert not isinstance(found, Rejection), found
    return found


def values(found: list[OutgoingRecord]) -> list[dict[str, Any]]:
    return [json.loads(one.value or b"") for one in found]


def rules_of(tmp_path: Path, **section: Any) -> WholeOrderRules:
    file = tmp_path / "mapping.json"
    file.write_text(json.dumps({"whole_orders": section}))
    return whole_order_rules(file)


def test_lines_inherit_what_the_order_says_and_keep_what_they_say_themselves() -> None:
    shared = {"order_id": "o-1", "event_time": AT, "customer": "17"}
    assert values(lines(order())) == [
        {**shared, "location": "main", "line": 1, "sku": "A", "quantity": 2, "price": 1.5},
        {**shared, "location": "north", "line": 2, "sku": "B", "quantity": 1},
    ]
    assert [one.key for one in lines(order())] == [b"main|A", b"north|B"]


def test_a_line_names_the_place_of_its_order_and_passes_the_trace_on() -> None:
    found = split(order(), headers=(("traceparent", b"00-1-2-01"), ("other", b"x")))
    assert not isinstance(found, Rejection)
    headers = (("restock.fed-as", b"1"), ("restock.split-from", b"shop/2/40"), ("traceparent", b"00-1-2-01"))
    assert {tuple(one.headers) for one in found} == {headers}


def test_lines_keep_their_own_numbers_only_if_all_have_different_ones() -> None:
    own = [{"sku": "A", "line": 20}, {"sku": "A", "line": 10}]
    assert [one["line"] for one in values(lines(order(lines=own)))] == [20, 10]
    for number in (20, None, 0, "20", 2.5, True, [1]):
        mixed = [{"sku": "A", "line": 20}, {"sku": "A", "line": number}]
        assert [one["line"] for one in values(lines(order(lines=mixed)))] == [1, 2], number


def test_orders_of_another_form_are_mapped(tmp_path: Path) -> None:
    rules = rules_of(
        tmp_path,
        lines="$.head.items",
        order={
            "order_id": "$.head.no",
            "location": {"constant": "main"},
            "event_time": {"path": "$.head.placed", "time": "epoch_seconds"},
            "type": {"path": "$.kind", "values": {"SALE": "order_placed"}},
        },
        line={"sku": "$.article", "quantity": {"path": "$.qty", "as": "number"}, "line": "$.pos"},
    )
    theirs = {"kind": "SALE", "head": {"no": 7, "placed": AT // 1000, "items": [{"article": 9, "qty": "3", "pos": 5}]}}
    mapped = {"order_id": "7", "location": "main", "event_time": AT, "type": "order_placed"}
    assert values(lines(theirs, rules)) == [{**mapped, "sku": "9", "quantity": 3, "line": 5}]


def test_a_cancelled_order_gives_back_every_line() -> None:
    found = values(lines(order(type="order_cancelled", placed_at=AT - 5)))
    assert [(one["type"], one["placed_at"]) for one in found] == [("order_cancelled", AT - 5)] * 2


@pytest.mark.parametrize(
    ("value", "code", "says"),
    [
        (None, "undecodable", "value is null"),
        (b"no json", "undecodable", "must be a JSON object"),
        (b"[1]", "undecodable", "no object"),
        (b'{"lines": 1e999}', "undecodable", "no JSON"),
        (b"{" + b" " * LARGEST_ORDER_BYTES + b"}", "too_large", "must have at most 1048576"),
        (order(lines=None), "missing_field", "$.lines is missing"),
        (order(lines=[]), "out_of_range", "$.lines must be an array of 1 to 100000 lines"),
        (order(lines={"sku": "A"}), "out_of_range", "$.lines must be an array"),
        (order(lines=[{}] * 100_001), "out_of_range", "1 to 100000 lines"),
        (order(lines=[{}, 7]), "out_of_range", "$.lines[1] must be a JSON object"),
        (order(lines=[{"sku": "A" * 70_000}]), "too_large", "a line would have"),
        (order(order_id=None), "missing_field", "order_id is missing"),
        (order(order_id="a\nb"), "bad_characters", "order_id"),
        (order(event_time=None), "missing_field", "event_time is missing"),
        (order(event_time=AT + 7_200_000), "future_dated", "event_time"),
        (order(event_time=5), "too_old", "event_time"),
        (order(type="time_passed"), "unknown_type", "order_placed or order_cancelled"),
        (order(type="order_cancelled"), "missing_field", "placed_at is missing"),
        (order(type="order_cancelled", placed_at=AT + 1), "placed_after", "placed_at"),
    ],
)
def test_what_is_no_order_is_refused_as_a_whole(value: bytes | dict[str, Any] | None, code: str, says: str) -> None:
    refused = split(value)
    assert isinstance(refused, Rejection), refused
    assert (refused.code, refused.offset) == (code, 40) and says in refused.reason


@pytest.mark.parametrize("wrong", [{"quantity": -1}, {"sku": "two words"}, {"sku": None}, {"location": [1]}])
def test_what_is_wrong_with_a_line_refuses_that_line_alone(wrong: dict[str, Any]) -> None:
    found = lines(order(lines=[{"sku": "A", "quantity": 1, **wrong}, {"sku": "B", "quantity": 1}]))
    first, second = [read(one) for one in found]
    assert isinstance(first, Rejection) and isinstance(second, OrderRow)


def read(one: OutgoingRecord) -> OrderRow | Rejection:
    partition = partition_of(one.key or b"", PARTITIONS)
    return read_order(Message(partition, 0, AT, one.key, one.value, tuple(one.headers)), partition, ADMISSION)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*order(), "type", "x"]), JSON))
def test_any_object_is_split_to_the_same_lines_each_time_or_refused(changed: dict[str, Any]) -> None:
    found = split(order(**changed))
    assert found == split(order(**changed))
    if not isinstance(found, Rejection):
        numbers = [one["line"] for one in values(found)]
        assert found and len(set(numbers)) == len(numbers)


@given(st.binary(max_size=60))
def test_any_bytes_are_taken(value: bytes) -> None:
    assert isinstance(split(value), Rejection | list)


def test_a_text_that_is_no_unicode_is_refused_or_passed_on() -> None:
    for name in ("order_id", "customer", "lines"):
        text = r'"\ud800"' if name != "lines" else r'[{"sku": "\ud800", "quantity": 1}]'
        value = json.dumps(order() | {name: "?"}).replace('"?"', text).encode()
        assert isinstance(split(value), Rejection | list)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"lines": "lines"}, "whole_orders.lines: 'lines' is no path"),
        ({"order": {"sku": "$.sku"}}, "whole_orders.order.sku: no field of whole_orders.order; it may be type,"),
        ({"line": {"order_id": "$.no"}}, "whole_orders.line.order_id: no field"),
        ({"row": {}}, "unknown field"),
    ],
)
def test_a_wrong_section_of_the_mapping_is_told(tmp_path: Path, section: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        rules_of(tmp_path, **section)
