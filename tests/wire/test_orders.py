"""Order records: what is accepted as what, and each refusal with its precedence and its borders."""

from typing import Any

import pytest

from replenishment.engine.columns import LineKind
from stream_app.wire.admission import partition_of
from stream_app.wire.json_wire import JsonWire
from tests.wire.builders import (
    AT,
    CANCELLATION,
    ORDER,
    Sent,
    orders,
    refusal,
    rows,
    sent,
    value_with,
    without,
)

PLACED, CANCELLED, TIME_PASSED = LineKind
HOUR = 3_600_000
ROW = (0, PLACED, b"uk|A", AT, AT, 3, 25_500)
Fields = dict[str, Any]


def code(fields: object, **more: Any) -> str | None:
    """Return the code under which one record is refused."""
    found = refusal("orders", sent(fields, **more))
    return None if found is None else found.code


def raw_code(value: bytes | None, **more: Any) -> str | None:
    found = refusal("orders", Sent(value, **more))
    return None if found is None else found.code


@pytest.mark.parametrize(
    "fields",
    [
        ORDER,
        {**ORDER, "type": "order_placed"},
        {**ORDER, "type": None, "line": None},
        {**ORDER, "event_time": "2026-01-01T00:00:00Z"},
        {**ORDER, "event_time": "2026-01-01T01:00:00.0009+01:00"},
        {**ORDER, "event_time": "2026-01-01T00:00:00.00000000000000000000000001Z"},
        {**ORDER, "colour": {"deep": [1, 2, {"er": None}]}, "placed_at": "never"},
        {**ORDER, "order_id": "Ö" * 128},
        {**ORDER, "order_id": "a\u00a0b"},
    ],
)
def test_an_order_line_becomes_a_row(fields: Fields) -> None:
    assert rows(orders([sent(fields)])) == [ROW]


def test_price_is_kept_in_ten_thousandths_and_may_be_absent() -> None:
    prices = [0, -0.0, 10**9, 0.00005, 0.00015, 0.00019, 2, None]
    columns = orders([sent({**ORDER, "price": price}, offset=place) for place, price in enumerate(prices)])
    # 0.00005 is half a part and goes to the even neighbour; 0.00015 lies just below one and a half
    assert columns.prices.tolist() == [0, 0, 10**13, 0, 1, 2, 20_000, -1]


def test_a_cancellation_takes_back_from_the_bucket_of_its_placing() -> None:
    assert rows(orders([sent(CANCELLATION)])) == [(0, CANCELLED, b"uk|A", AT, AT - 1000, 3, 25_500)]
    at_once = {**CANCELLATION, "placed_at": "2026-01-01T00:00:00.0004Z"}
    assert rows(orders([sent(at_once)])) == [(0, CANCELLED, b"uk|A", AT, AT, 3, 25_500)]


def test_time_passed_needs_no_key_and_no_other_field() -> None:
    passed = {"type": "time_passed", "event_time": AT, "quantity": "whatever"}
    for key in (None, b"any"):
        assert rows(orders([sent(passed, key=key)])) == [(0, TIME_PASSED, b"", AT, AT, 0, -1)]


def test_rows_stay_in_log_order_whatever_is_between_them() -> None:
    values = [ORDER, CANCELLATION, {"type": "time_passed", "event_time": AT}, {**ORDER, "sku": "B"}, {}, ORDER]
    records = [sent(fields, offset=10 * place) for place, fields in enumerate(values)]
    columns = orders(records)
    assert [(offset, kind) for offset, kind, *_ in rows(columns)] == [
        (0, PLACED),
        (10, CANCELLED),
        (20, TIME_PASSED),
        (50, PLACED),
    ]
    assert [(one.offset, one.code) for one in columns.rejections] == [(30, "wrong_key"), (40, "missing_field")]
    assert columns.span.end == 51


def test_an_empty_batch_has_empty_columns() -> None:
    columns = orders([])
    assert rows(columns) == []
    assert columns.rejections == []


@pytest.mark.parametrize("name", ["order_id", "location", "sku", "quantity", "event_time"])
def test_a_required_field_that_is_absent_or_null_is_missing(name: str) -> None:
    assert code(without(ORDER, name)) == "missing_field"
    assert code({**ORDER, name: None}) == "missing_field"
    assert code({**CANCELLATION, name: None}) == "missing_field"


def test_a_cancellation_needs_placed_at_and_time_passed_needs_event_time() -> None:
    assert code(without(CANCELLATION, "placed_at")) == "missing_field"
    assert code({"type": "time_passed"}) == "missing_field"


OUT_OF_RANGE = {
    "quantity": [
        "0",
        "-3",
        "1000001",
        "3.0",
        "3e0",
        "true",
        '"3"',
        "[3]",
        "{}",
        "9" * 100,
        "9" * 10_000,
        "1e400",
        "-0",
    ],
    "line": ["0", "100001", "1.0", "true", '"1"', "9" * 100],
    "price": ["-0.01", "1000000000.01", "true", '"2"', "1e308", "1e400", "9" * 400, "[]"],
    "order_id": ['""', '"' + "x" * 129 + '"', "7", "true", "{}"],
    "location": ["7", "[]", "false"],
    "sku": ["7", "{}", "1e400"],
    "type": ["7", "[]", "true"],
    "event_time": [
        '"2026-01-01T00:00:00"',
        '"yesterday"',
        '""',
        "1767225600000.0",
        "1.7672256e12",
        "true",
        "[]",
        "9" * 30,
        "-" + "9" * 30,
        "9" * 10_000,
        '"2026-02-30T00:00:00Z"',
    ],
}


@pytest.mark.parametrize(("name", "raw"), [(name, raw) for name, raws in OUT_OF_RANGE.items() for raw in raws])
def test_wrong_types_ranges_and_lengths_are_out_of_range(name: str, raw: str) -> None:
    assert raw_code(value_with(name, raw)) == "out_of_range"


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": 1},
        {"quantity": 1_000_000},
        {"line": 1},
        {"line": 100_000},
        {"price": 0},
        {"price": 1_000_000_000},
        {"order_id": "x"},
        {"order_id": "x" * 128},
        {"event_time": 946_684_800_000},
        {"event_time": AT + HOUR},
        {"event_time": "2000-01-01T00:00:00Z"},
        {"event_time": "2026-01-01T01:00:00.0009Z"},
    ],
)
def test_borders_are_in_range(fields: Fields) -> None:
    assert code({**ORDER, **fields}) is None


def test_placed_at_is_checked_like_event_time() -> None:
    for wrong in ("soon", 1.5, True, 10**30):
        assert code({**CANCELLATION, "placed_at": wrong}) == "out_of_range"
    assert code({**CANCELLATION, "placed_at": 946_684_799_999}) == "too_old"
    assert code({**CANCELLATION, "placed_at": 946_684_800_000}) is None
    assert code({**CANCELLATION, "placed_at": AT + 1}) == "placed_after"


@pytest.mark.parametrize("name", ["location", "sku"])
@pytest.mark.parametrize("part", ["", "x" * 65, "a b", "a|b", "ä", "a\n", "\x00", "\x1b[31m", "A\u200b"])
def test_parts_of_a_key_have_1_to_64_plain_characters(name: str, part: str) -> None:
    assert code({**ORDER, name: part}) == "bad_characters"


@pytest.mark.parametrize("order_id", ["a\nb", "\x00", "\x1b[2J", "a\x7f", "a\x85b", "\x9b0m"])
def test_ids_have_no_control_characters(order_id: str) -> None:
    assert code({**ORDER, "order_id": order_id}) == "bad_characters"


@pytest.mark.parametrize("key", [None, b"", b"uk|B", b"uk", b"A|uk", b"uk|A ", b"\xff\xfe", b"u" * 1_000_000])
def test_the_key_must_be_location_and_sku_of_the_value(key: bytes | None) -> None:
    assert code(ORDER, key=key) == "wrong_key"
    assert code(CANCELLATION, key=key) == "wrong_key"


@pytest.mark.parametrize(
    ("key", "murmur2"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536), (b"abc", 479470107)],
)
def test_partitions_are_those_of_kafkas_java_client(key: bytes, murmur2: int) -> None:
    # hashes from UtilsTest.testMurmur2 of Apache Kafka
    for partitions in (1, 3, 7, 64):
        assert partition_of(key, partitions) == (murmur2 & 0x7FFFFFFF) % partitions


def test_a_key_is_accepted_in_its_murmur2_partition_only() -> None:
    wire = JsonWire(partitions=3, max_future_seconds=3_600)
    found = {partition: refusal("orders", sent(ORDER), wire, partition) for partition in range(3)}
    accepted = [partition for partition, one in found.items() if one is None]
    assert accepted == [partition_of(b"uk|A", 3)]
    assert {one.code for one in found.values() if one is not None} == {"wrong_partition"}
    again = [refusal("orders", sent(ORDER), wire, partition) for partition in range(3)]
    assert again == list(found.values()), "what was learnt of a key in one partition must not pass in another"


def test_time_passed_is_accepted_in_every_partition() -> None:
    wire = JsonWire(partitions=3, max_future_seconds=3_600)
    passed = sent({"type": "time_passed", "event_time": AT}, key=None)
    assert [refusal("orders", passed, wire, partition) for partition in range(3)] == [None] * 3


def test_unknown_types_are_refused() -> None:
    for kind in ("order_lost", "ORDER_PLACED", "", "x" * 10_000):
        assert code({**ORDER, "type": kind}) == "unknown_type"


@pytest.mark.parametrize("fields", [ORDER, CANCELLATION, {"type": "time_passed"}])
def test_events_in_the_future_or_before_2000_are_refused(fields: Fields) -> None:
    assert code({**fields, "event_time": AT + HOUR + 1}) == "future_dated"
    assert code({**fields, "event_time": "2026-01-01T01:00:00.001Z"}) == "future_dated"
    assert code({**fields, "event_time": AT * 1000}) == "future_dated"
    assert (
        code({**without(fields, "placed_at"), "event_time": 946_684_799_999, "placed_at": 946_684_800_000}) == "too_old"
    )
    assert code({**fields, "event_time": "1999-12-31T23:59:59.999Z"}) == "too_old"
    assert code({**fields, "event_time": -1}) == "too_old"


@pytest.mark.parametrize(("wire", "timestamp"), [(JsonWire(1, None), AT), (JsonWire(1, 3_600), -1)])
def test_without_timestamps_only_the_calendar_bounds_the_future(wire: JsonWire, timestamp: int) -> None:
    def of(at: object) -> str | None:
        found = refusal("orders", sent({**ORDER, "event_time": at}, timestamp=timestamp), wire)
        return None if found is None else found.code

    assert of("9999-12-31T23:59:59.999Z") is None
    assert of(253_402_300_800_000) == "future_dated"


def test_a_timestamp_at_the_end_of_time_bounds_nothing_but_breaks_nothing() -> None:
    assert code(ORDER, timestamp=2**63 - 1) is None


PRECEDENCE: list[tuple[str, Fields]] = [
    ("out_of_range", {"quantity": 0}),
    ("bad_characters", {"order_id": "a\n"}),
    ("wrong_key", {"sku": "B"}),
    ("unknown_type", {"type": "order_lost"}),
    ("future_dated", {"event_time": AT + 2 * HOUR}),
]


@pytest.mark.parametrize("first", range(len(PRECEDENCE)))
def test_of_several_faults_the_first_code_counts(first: int) -> None:
    fields = dict(ORDER)
    for _, fault in PRECEDENCE[first:]:
        fields |= fault
    assert code(fields) == PRECEDENCE[first][0]
    assert code(without(fields, "location")) == "missing_field"


def test_of_faults_of_one_code_the_first_in_reading_order_is_named() -> None:
    found = refusal("orders", sent(without(ORDER, "location", "sku")))
    assert found is not None
    assert found.reason.startswith("location is missing")


def test_too_old_comes_before_placed_after() -> None:
    assert code({**CANCELLATION, "event_time": 5, "placed_at": AT}) == "too_old"


def test_reasons_say_what_was_received_and_what_is_expected() -> None:
    found = refusal("orders", sent({**ORDER, "quantity": -3}))
    assert found is not None
    assert found.reason == (
        "quantity is -3, must be an integer from 1 to 1000000; to take back an order send type order_cancelled"
    )
    late = refusal("orders", sent({**ORDER, "event_time": AT + 2 * HOUR}))
    assert late is not None
    assert late.reason == (
        "event_time is 1767232800000, must be at most 2026-01-01T01:00:00.000Z, "
        "the record's timestamp plus RESTOCK_MAX_FUTURE_SECONDS"
    )
