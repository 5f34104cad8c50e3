"""Whole orders to order lines. Same record and same rules give the same bytes, so what is sent twice is one line.

What makes a record no order refuses it as a whole. What is wrong with a
single line is left to who reads ``orders``: that line alone is refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from replenishment.events import Rejection
from replenishment.keys import key_bytes
from stream_app.ports import OutgoingRecord, Record, RecordBatch
from stream_app.wire.admission import Admission
from stream_app.wire.envelope import LARGEST_VALUE_BYTES, fields_of
from stream_app.wire.fields import Fields
from stream_app.wire.mapped_wire import OWN_FORM
from stream_app.wire.mapping import WholeOrderRules, mapped
from stream_app.wire.order_record import LARGEST_LINE, placed_at_of
from stream_app.wire.outgoing import trace_headers
from stream_app.wire.refusals import Code, Faults

LARGEST_ORDER_BYTES = 2**20
SOURCE = "restock.split-from"
"""Header of a line: ``topic/partition/offset`` of its order."""
TYPES = ("order_placed", "order_cancelled")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def order_lines(
    record: Record, batch: RecordBatch, rules: WholeOrderRules, admission: Admission
) -> Sequence[OutgoingRecord] | Rejection:
    """Return the lines of an order in their order, at least one, or why it is none; never raises for bad input.

    Args:
        record: Whose value is the order.
        batch: What the record was fetched with.
        rules: Where lines and fields are.
        admission: Checks its time.
    """
    faults = Faults()
    lines = _lines(record, rules, admission, faults)
    if faults.code is None:
        return [line_record(line, value, record, batch) for line, value in lines]
    return faults.rejection("orders", record.offset) or ()


def line_record(line: Mapping[str, Any], value: bytes, record: Record, batch: RecordBatch) -> OutgoingRecord:
    """Return a line of a record as it goes to ``orders``.

    Args:
        line: Its fields; one without a proper stock key is refused by who reads it.
        value: Its JSON.
        record: What it is a line of.
        batch: What the record was fetched with.
    """
    key = key_bytes(str(line.get("location", "")), str(line.get("sku", "")))
    source = source_of(record, batch).encode()
    return OutgoingRecord("orders", key, value, ((OWN_FORM, b"1"), (SOURCE, source), *trace_headers(record)))


def source_of(record: Record, batch: RecordBatch) -> str:
    """Return ``topic/partition/offset`` of a record."""
    return f"{batch.source}/{batch.partition}/{record.offset}"


def _lines(
    record: Record, rules: WholeOrderRules, admission: Admission, faults: Faults
) -> Sequence[tuple[Mapping[str, Any], bytes]]:
    """Return each line and its JSON; what they are is of no account once there is a fault."""
    order = _order(record, faults)
    found = _line_objects(order, rules, faults)
    shared = mapped(rules.order, order)
    for value in _written([shared], faults):
        _check_shared(Fields(_raw(value), faults), record, admission)
    if faults.code is not None:
        return ()
    lines = [{**shared, **own} for own in _numbered([mapped(rules.line, one) for one in found])]
    return list(zip(lines, _written(lines, faults), strict=False))


def _order(record: Record, faults: Faults) -> Mapping[str, Any]:
    fields = fields_of(record, faults, LARGEST_ORDER_BYTES)
    try:
        return {name: _decode(content) for name, content in fields.items()}
    except (ValueError, RecursionError) as wrong:
        faults.add(Code.UNDECODABLE, f"value is no JSON ({wrong}), must be a JSON object")
        return {}


def _line_objects(order: Mapping[str, Any], rules: WholeOrderRules, faults: Faults) -> Sequence[Mapping[str, Any]]:
    lines, where = rules.lines.read(order), rules.lines.source
    if lines is None:
        faults.add(Code.MISSING_FIELD, f"{where} is missing, must be the array of the order's lines")
    elif not isinstance(lines, list) or not 1 <= len(lines) <= LARGEST_LINE:
        faults.add(Code.OUT_OF_RANGE, f"{where} must be an array of 1 to {LARGEST_LINE} lines")
    else:
        for place, line in enumerate(lines):
            if not isinstance(line, dict):
                faults.add(Code.OUT_OF_RANGE, f"{where}[{place}] must be a JSON object")
        return lines
    return ()


def _written(objects: Sequence[Mapping[str, Any]], faults: Faults) -> Sequence[bytes]:
    """Return the JSON of each, as far as it can be that of a line."""
    values = []
    for one in objects:
        try:
            values.append(_encode(one))
        except (ValueError, OverflowError, RecursionError) as wrong:
            faults.add(Code.OUT_OF_RANGE, f"a field of the order cannot be passed on ({wrong})")
    largest = max(map(len, values), default=0)
    if largest > LARGEST_VALUE_BYTES:
        faults.add(Code.TOO_LARGE, f"a line would have {largest} bytes, must have at most {LARGEST_VALUE_BYTES}")
    return values


def _check_shared(fields: Fields, record: Record, admission: Admission) -> None:
    """Check what a line needs to be known again and to be counted in its bucket."""
    kind = fields.event_type("order_placed", TYPES)
    fields.identifier("order_id")
    at = fields.time("event_time")
    admission.check_event_time(at, record, fields)
    if kind == "order_cancelled":
        placed_at_of(fields, at)


def _numbered(lines: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield lines with numbers that differ: their own if all have one and they do, else their places from 1 on.

    Example:
        >>> [one["line"] for one in _numbered([{"line": 20}, {"line": 10}])]
        [20, 10]
        >>> [one["line"] for one in _numbered([{"line": 2}, {"sku": "A"}, {"line": 2}])]
        [1, 2, 3]
    """
    own = [line.get("line") for line in lines]
    is_own = all(type(one) is int and 1 <= one <= LARGEST_LINE for one in own) and len(set(own)) == len(own)
    for place, line in enumerate(lines, 1):
        yield line if is_own else {**line, "line": place}
