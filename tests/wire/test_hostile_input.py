"""Whatever bytes arrive: nothing raises, each record is accepted or refused once, its dead letter has its bytes."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replenishment.engine.columns import (
    ROLES,
    CatalogBatch,
    InventoryBatch,
    OrderColumns,
    Role,
    SignalBatch,
    Span,
)
from replenishment.engine.effects import Effects, LineCounts
from replenishment.engine.progress import Progress
from replenishment.events import Rejection
from stream_app.wire.json_wire import JsonWire
from stream_app.wire.refusals import Code
from tests.wire.builders import (
    ACCEPTANCE,
    ADJUSTMENT,
    AT,
    CANCELLATION,
    COUNT,
    ORDER,
    RECEIPT,
    TERMS,
    WIRE,
    Sent,
    batch,
    numbered,
    orders,
    rows,
    sent,
)

VALID: Sequence[Mapping[str, Any]] = (
    ORDER,
    CANCELLATION,
    {**ORDER, "event_time": "2026-01-01T00:00:00.123Z"},
    {"type": "time_passed", "event_time": AT},
    COUNT,
    ADJUSTMENT,
    RECEIPT,
    ACCEPTANCE,
    TERMS,
)
NAMES = sorted({name for fields in VALID for name in fields} | {"expected_at", "data", "service_kind", "pack_units"})
KINDS = sorted({str(fields["type"]) for fields in VALID if "type" in fields})
BORDERS = [0, 1, -1, 10**6, 10**6 + 1, 10**9, AT, AT + 3_600_001, 2**62, 2**63, 2**64, 10**40, -0.0, 1e308, 0.5]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(BORDERS)
    | st.floats()
    | st.text()
    | st.sampled_from(["uk", "A", "o1", "2026-01-01T00:00:00Z", "cycle", *KINDS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)
CHANGED = st.builds(
    lambda fields, changes, gone: {name: value for name, value in {**fields, **changes}.items() if name not in gone},
    st.sampled_from(VALID),
    st.dictionaries(st.sampled_from(NAMES), JSON, max_size=3),
    st.sets(st.sampled_from(NAMES), max_size=1),
)
OBJECTS = (CHANGED | st.dictionaries(st.sampled_from(NAMES), JSON)).map(lambda fields: json.dumps(fields).encode())
SPLICED = st.builds(
    lambda value, start, end, piece: value[: start % (len(value) + 1)] + piece + value[end % (len(value) + 1) :],
    st.sampled_from(VALID).map(lambda fields: json.dumps(fields).encode()),
    st.integers(0, 200),
    st.integers(0, 200),
    st.binary(max_size=4) | st.sampled_from([b"\\ud800", b"],[", b"},{", b"null", b"1e999", b"\xff", b"\\u0000", b'"']),
)
VALUES = st.none() | st.binary(max_size=40) | OBJECTS | SPLICED | JSON.map(lambda one: json.dumps(one).encode())
KEYS = st.sampled_from([b"uk|A", b"uk|B", None, b"", b"|"]) | st.binary(max_size=8)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "traceparent", "Content-Type"]) | st.text(max_size=3),
        st.sampled_from([b"application/cloudevents+json", b"application/json"]) | st.binary(max_size=5),
    ),
    max_size=2,
)
RECORDS = st.lists(
    st.builds(Sent, VALUES, KEYS, st.just(0), st.sampled_from([-1, 0, AT, 2**63 - 1]), st.just(()) | HEADERS),
    max_size=6,
).map(lambda records: [Sent(one.value, one.key, 3 * at, one.timestamp, one.headers) for at, one in enumerate(records)])
WIRES = st.sampled_from([JsonWire(1, 3_600), JsonWire(1, None), JsonWire(3, 0)])


def rejecting(rejections: Sequence[Rejection], end: int) -> Effects:
    """Return a turn that only refuses."""
    return Effects(Progress(1, {"orders": end}, 0), (), (), (), (), rejections, (), LineCounts())


@given(st.sampled_from(ROLES), RECORDS, WIRES)
def test_every_record_is_accepted_or_refused_once_and_kept(topic: Role, records: list[Sent], wire: JsonWire) -> None:
    fetched = batch(topic, records)
    entry = wire.decode(fetched)
    assert isinstance(entry, OrderColumns | InventoryBatch | CatalogBatch | SignalBatch)
    accepted, refused = list(entry.offsets), [one.offset for one in entry.rejections]
    assert sorted([*accepted, *refused]) == [record.offset for record in records]
    assert accepted == sorted(accepted)
    assert refused == sorted(refused)
    assert entry.span == Span(topic, fetched.start, fetched.end)
    letters = wire.encode(0, rejecting(entry.rejections, fetched.end), fetched)
    for rejection, letter in zip(entry.rejections, letters, strict=True):
        record = records[rejection.offset // 3]
        headers = dict(letter.headers)
        assert (letter.key, letter.value) == (record.key, record.value)
        assert list(letter.headers)[: len(record.headers)] == list(record.headers)
        assert Code(rejection.code).encode() == headers["restock.error.code"]
        assert 0 < len(rejection.reason) <= 500
        assert rejection.reason.isprintable()


@given(st.lists(OBJECTS | SPLICED, max_size=6), WIRES)
def test_the_quick_way_and_the_thorough_way_agree(values: list[bytes], wire: JsonWire) -> None:
    # wrapped as a structured CloudEvent a record never takes the quick way
    plain = numbered(values)
    header = (("content-type", b"application/cloudevents"),)
    wrapped = [Sent(b'{"data":' + one + b"}", b"uk|A", at, AT, header) for at, one in enumerate(values)]
    quick, thorough = orders(plain, wire), orders(wrapped, wire)
    valid = [at for at, one in enumerate(values) if _is_json(one)]
    assert [row for row in rows(quick) if row[0] in valid] == [row for row in rows(thorough) if row[0] in valid]
    assert {row[0] for row in rows(quick)} <= set(valid)


def _is_json(value: bytes) -> bool:
    """Whether a value alone is JSON, so that wrapping does not change its meaning."""
    try:
        json.loads(value.decode(), parse_constant=_refuse)
    except ValueError:
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(constant)


@given(RECORDS)
def test_a_record_is_judged_the_same_alone_and_beside_others(records: list[Sent]) -> None:
    together = orders(records)
    alone = [orders([record]) for record in records]
    assert rows(together) == [row for one in alone for row in rows(one)]
    assert together.rejections == [rejection for one in alone for rejection in one.rejections]


def test_one_values_bytes_never_reach_another_record() -> None:
    values = [b'{"order_id":"o1"', b',"sku":"A"}', b"1],[2", json.dumps(ORDER).encode(), b"{},{}"]
    columns = orders(numbered(values))
    assert [row[0] for row in rows(columns)] == [3]
    assert [(one.offset, one.code) for one in columns.rejections] == [(at, "undecodable") for at in (0, 1, 2, 4)]


ONE = json.dumps(ORDER).encode()
HEAD, TAIL = ONE[:40], ONE[40:]
SPLIT = {
    "an object over two values": [HEAD, TAIL],
    "an object over two values beside two in one": [HEAD, TAIL, ONE + b" " + ONE],
    "an inner object that ends a value": [b'{"pad":{}', b"}", ONE + ONE],
    "an inner object that ends a value before another object": [b'{"pad":{}', ONE, ONE + b"}"],
    "a text that ends and begins like objects": [b'{"pad":"}', b'{"', ONE + b"," + ONE],
    "two in one beside none": [ONE + ONE, b""],
    "two in one beside white space": [ONE + b"\r" + ONE, b" "],
    "a line break within": [HEAD + b"\n" + TAIL, ONE],
    "line breaks around": [b"\n" + ONE + b"\n", ONE],
    "a line break within a text": [ONE.replace(b'"o1"', b'"o}\n{1"'), ONE],
}


@pytest.mark.parametrize("name", SPLIT)
def test_values_read_in_one_go_are_judged_as_if_alone(name: str) -> None:
    records = numbered([ONE, *SPLIT[name], ONE])
    together, alone = orders(records), [orders([record]) for record in records]
    assert rows(together) == [row for one in alone for row in rows(one)]
    assert together.rejections == [rejection for one in alone for rejection in one.rejections]


LARGEST = 65_536
HOSTILE = {
    "brackets": b"[" * LARGEST,
    "objects": b'{"a":' * (LARGEST // 5),
    "brackets after open quotes": b"[" * 600 + b'"\\' * (LARGEST // 2 - 300),
    "quotes": b"[" * 600 + b'"' * (LARGEST - 600),
    "escapes": b'{"order_id":"' + b"\\u001b" * (LARGEST // 6 - 10) + b'"}',
    "digits": b'{"quantity":' + b"9" * (LARGEST - 20) + b"}",
    "fraction of a second": json.dumps({**ORDER, "event_time": "2026-01-01T00:00:00." + "9" * 65_000}).encode(),
    "fraction of a price": b'{"price":0.' + b"9" * (LARGEST - 20) + b"}",
    "names": json.dumps({str(number): 1 for number in range(6_000)}).encode(),
    "control characters": b"\x1b" * LARGEST,
    "no UTF-8": b"\xff" * LARGEST,
    "sku": json.dumps({**ORDER, "sku": "A" * 65_000}).encode(),
    "huge key": b"{}",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("topic", ROLES)
def test_64_kib_of_anything_take_at_most_50_ms(topic: Role, name: str) -> None:
    record = Sent(HOSTILE[name], b"u" * LARGEST if name == "huge key" else b"uk|A")
    fetched = batch(topic, [record])

    def seconds() -> float:
        started = time.process_time()
        WIRE.decode(fetched)
        return time.process_time() - started

    assert min(seconds() for _ in range(3)) <= 0.05


def test_terminal_escapes_in_input_do_not_reach_reasons() -> None:
    escape = "\x1b]0;owned\x07"
    values = [
        {**ORDER, "sku": escape},
        {**ORDER, "order_id": escape},
        {**ORDER, "type": escape * 50},
        {"sku": "\u202e"},
    ]
    records = [sent(fields, key=escape.encode(), offset=at) for at, fields in enumerate(values)]
    reasons = [one.reason for one in orders([*records, Sent(escape.encode(), offset=9)]).rejections]
    assert len(reasons) == 5
    assert all(reason.isprintable() and len(reason) <= 500 for reason in reasons)
