"""Values of all kinds as JSON objects: encoding, size, nesting, repeated names, CloudEvents; shown with orders."""

import json
from typing import Any

import pytest

from replenishment.engine.columns import LineKind
from tests.wire.builders import (
    AT,
    ORDER,
    Sent,
    orders,
    refusal,
    rows,
    sent,
    value_with,
    without,
)

ROW = (0, LineKind.PLACED, b"uk|A", AT, AT, 3, 25_500)


def code(fields: object, **more: Any) -> str | None:
    """Return the code under which one record is refused."""
    found = refusal("orders", sent(fields, **more))
    return None if found is None else found.code


def raw_code(value: bytes | None) -> str | None:
    """Return the code under which a value is refused."""
    found = refusal("orders", Sent(value))
    return None if found is None else found.code


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b" ",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{",
        b"{}{}",
        json.dumps(ORDER).encode() + b"x",
        b"\xef\xbb\xbf" + json.dumps(ORDER).encode(),
        json.dumps(ORDER).encode("utf-16"),
        b"1],[2",
        b'{"order_id":"o1"},{"order_id":"o2"}',
        value_with("order_id", '"\\ud800"'),
        value_with("colour", '"\\ud800"'),
        value_with("quantity", "NaN"),
        value_with("quantity", "01"),
        value_with("colour", "Infinity"),
        value_with("order_id", '"a\nb"'),
        json.dumps(ORDER).encode().replace(b"o1", b"\xff"),
        json.dumps({**ORDER, "colour": "?"}).encode().replace(b"?", b"\xff"),
        b"[" * 100_000,
        value_with("colour", "[" * 20_000 + "]" * 20_000),
        value_with("colour", "[" * 501 + "]" * 501),
        b'{"a":' * 60_000,
    ],
)
def test_what_is_no_json_object_is_undecodable(value: bytes | None) -> None:
    assert raw_code(value) == "undecodable"


def test_nesting_up_to_the_limit_and_brackets_in_texts_are_no_concern() -> None:
    assert raw_code(value_with("colour", "[" * 499 + "]" * 499)) is None
    assert raw_code(value_with("colour", json.dumps('"\\[' * 5_000))) is None


def test_a_value_may_have_64_kib() -> None:
    empty = len(json.dumps({**ORDER, "note": ""}))
    assert code({**ORDER, "note": "x" * (65_536 - empty)}) is None
    assert code({**ORDER, "note": "x" * (65_537 - empty)}) == "too_large"
    assert code({"note": "x" * 65_537}) == "too_large"
    assert code({"note": "x" * (65_536 - len('{"note": ""}'))}) == "missing_field"
    assert raw_code(b"x" * 65_537) == "undecodable"


def test_of_repeated_names_the_last_counts() -> None:
    twice = json.dumps(ORDER)[:-1] + ', "quantity": 7}'
    assert rows(orders([Sent(twice.encode())]))[0][5] == 7
    healed = '{"quantity": "x", ' + json.dumps(ORDER)[1:]
    assert rows(orders([Sent(healed.encode())])) == [ROW]
    assert raw_code((json.dumps(ORDER)[:-1] + ', "sku": null}').encode()) == "missing_field"


CLOUD_EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order", "data": ORDER}


@pytest.mark.parametrize("name", ["content-type", "Content-Type"])
@pytest.mark.parametrize("content", [b"application/cloudevents+json", b"Application/CloudEvents; charset=utf-8"])
def test_a_structured_cloud_event_is_unwrapped(name: str, content: bytes) -> None:
    headers = [("traceparent", b"00-1"), (name, content)]
    assert rows(orders([sent(CLOUD_EVENT, headers=headers)])) == [ROW]
    assert code(without(CLOUD_EVENT, "data"), headers=headers) == "missing_field"
    assert code({**CLOUD_EVENT, "data": "text"}, headers=headers) == "undecodable"
    assert code({**CLOUD_EVENT, "data": {**ORDER, "quantity": 0}}, headers=headers) == "out_of_range"


def test_of_a_structured_cloud_event_only_the_inside_counts() -> None:
    headers = [("content-type", b"application/cloudevents+json")]
    outside = {**ORDER, "data": {**ORDER, "quantity": 7}}
    assert orders([sent(outside, headers=headers)]).units.tolist() == [7]


def test_headers_of_a_binary_cloud_event_change_nothing() -> None:
    headers = [("ce_specversion", b"1.0"), ("ce_type", b"x"), ("content-type", b"application/json"), ("ce_id", b"\xff")]
    assert rows(orders([sent(ORDER, headers=headers)])) == [ROW]
    assert code(CLOUD_EVENT) == "missing_field"
