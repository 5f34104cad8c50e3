"""An independent judge of order records: which refusal code a record must get. Imports no product code.

Plain on purpose: the json module, one record at a time, the codes in their order of precedence.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka.partitioner import murmur2

PART = re.compile(r"[A-Za-z0-9._:/-]{1,64}")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
EARLIEST = 946_684_800_000
ORDER = (
    "undecodable",
    "too_large",
    "missing_field",
    "out_of_range",
    "bad_characters",
    "wrong_key",
    "wrong_partition",
    "unknown_type",
    "future_dated",
    "too_old",
    "placed_after",
)


@dataclass(frozen=True)
class Sent:
    """One record as it was sent."""

    partition: int
    key: bytes | None
    value: bytes | None


class NoJson(Exception):
    """The value is no JSON object."""


def code_of(record: Sent, partitions: int, latest: int) -> str | None:
    """Return the code that a record must be refused with, None if it must be accepted.

    ``latest`` is the latest event time allowed, epoch milliseconds.
    """
    try:
        fields = _object(record.value)
    except NoJson:
        return "undecodable"
    assert record.value is not None
    if len(record.value) > 64 * 1024:
        return "too_large"
    found = set(_faults(fields, record, partitions, latest))
    return next((code for code in ORDER if code in found), None)


def _object(value: bytes | None) -> dict[str, Any]:
    def refused(_: str) -> None:
        raise ValueError

    try:
        loaded = json.loads((value or b"").decode(), parse_constant=refused)
    except (ValueError, RecursionError) as wrong:
        raise NoJson from wrong
    if not isinstance(loaded, dict) or _depth(value or b"") > 500:
        raise NoJson
    try:
        json.dumps(loaded, ensure_ascii=False).encode()
    except UnicodeEncodeError as half:
        # half of a surrogate pair is no character, whatever the grammar says
        raise NoJson from half
    return {name: field for name, field in loaded.items() if field is not None}


def _depth(value: bytes) -> int:
    depth = deepest = 0
    for one in re.sub(rb'"(?:[^"\\]|\\.)*"', b"", value):
        depth += (one in b"[{") - (one in b"]}")
        deepest = max(deepest, depth)
    return deepest


def _faults(fields: dict[str, Any], record: Sent, partitions: int, latest: int) -> Any:
    kind = fields.get("type", "order_placed")
    if not isinstance(kind, str):
        yield "out_of_range"
    elif kind not in ("order_placed", "order_cancelled", "time_passed"):
        yield "unknown_type"
    at = yield from _time(fields, "event_time")
    if at is not None and at > latest:
        yield "future_dated"
    if at is not None and at < EARLIEST:
        yield "too_old"
    if kind == "time_passed":
        return
    if kind == "order_cancelled":
        placed = yield from _time(fields, "placed_at")
        if placed is not None and placed < EARLIEST:
            yield "too_old"
        if placed is not None and at is not None and placed > at:
            yield "placed_after"
    yield from _line(fields)
    yield from _key(fields, record, partitions)


def _line(fields: dict[str, Any]) -> Any:
    order_id = fields.get("order_id")
    if order_id is None:
        yield "missing_field"
    elif not isinstance(order_id, str) or not 1 <= len(order_id) <= 128:
        yield "out_of_range"
    if isinstance(order_id, str) and CONTROL.search(order_id):
        yield "bad_characters"
    if "quantity" not in fields:
        yield "missing_field"
    elif not _is_integer(fields["quantity"], 1, 10**6):
        yield "out_of_range"
    if "line" in fields and not _is_integer(fields["line"], 1, 100_000):
        yield "out_of_range"
    price = fields.get("price")
    if price is not None and (isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price <= 10**9):
        yield "out_of_range"


def _key(fields: dict[str, Any], record: Sent, partitions: int) -> Any:
    parts = []
    for name in ("location", "sku"):
        part = fields.get(name)
        if part is None:
            yield "missing_field"
        elif not isinstance(part, str):
            yield "out_of_range"
        elif not PART.fullmatch(part):
            yield "bad_characters"
        parts.append(part if isinstance(part, str) else "")
    expected = "|".join(parts).encode(errors="replace")
    if record.key != expected:
        yield "wrong_key"
    elif int(murmur2(expected) & 0x7FFFFFFF) % partitions != record.partition:
        yield "wrong_partition"


def _is_integer(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _time(fields: dict[str, Any], name: str) -> Any:
    value = fields.get(name)
    if value is None:
        yield "missing_field"
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2**62:
        return value
    if isinstance(value, str) and RFC_3339.fullmatch(value):
        try:
            parsed = datetime.fromisoformat(value.upper().replace(" ", "T"))
            return int((parsed - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
        except ValueError:
            pass
    yield "out_of_range"
    return None
