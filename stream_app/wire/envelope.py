"""From a record to the fields of its JSON object, whoever wrote it: bare JSON, CloudEvents binary or structured.

Binary-mode headers need no attention: the value is the event. Structured mode
is told by its content type and unwrapped to ``data``.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from msgspec import Raw

from stream_app.ports import Headers, Record
from stream_app.wire.refusals import Code, Faults, excerpt

LARGEST_VALUE_BYTES = 64 * 1024
DEEPEST = 500
"""So many nested arrays and objects are surely within the recursion limit, however deep the call stack is."""
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
# possessive, and the closing quote may be missing: linear whatever the bytes are
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_STEPS = np.zeros(256, dtype=np.int8)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1
_NO_FIELDS: Mapping[str, Raw] = {}


def is_plain(record: Record) -> bool:
    """Return whether a value is UTF-8 of allowed size, nested no deeper than allowed, and not wrapped."""
    value = record.value
    return (
        value is not None
        and (len(value) <= DEEPEST or (len(value) <= LARGEST_VALUE_BYTES and _most_nested(value) <= DEEPEST))
        and (value.isascii() or _is_utf_8(value))
        and not (record.headers and is_structured(record.headers))
    )


def joined_plain(records: Sequence[Record]) -> bytes | None:
    """Return the values of records joined by newlines, None unless every one is surely plain.

    ASCII is UTF-8, and so many brackets in all of them leave too few for any to be nested deeper than allowed.
    """
    headers = [record.headers for record in records]
    if not records or (any(headers) and any(map(is_structured, headers))):
        return None
    try:
        values = [record.value for record in records]
        joined = b"\n".join(values)  # type: ignore[arg-type] # None is what the except is for
    except TypeError:
        return None
    longest = max(map(len, values))  # type: ignore[arg-type]
    is_shallow = longest <= DEEPEST or (
        longest <= LARGEST_VALUE_BYTES and _most_nested(joined) < len(records) + DEEPEST
    )
    return joined if is_shallow and joined.isascii() else None


def is_structured(headers: Headers) -> bool:
    """Return whether the value is a whole CloudEvent.

    Example:
        >>> is_structured([("Content-Type", b"Application/CloudEvents+JSON; charset=utf-8")])
        True
        >>> is_structured([("content-type", b"application/json"), ("ce_id", b"1")])
        False
    """
    return any(
        name.lower() == "content-type"
        and content is not None
        and content.lower().startswith(b"application/cloudevents")
        for name, content in headers
    )


def fields_of(record: Record, faults: Faults, largest_bytes: int = LARGEST_VALUE_BYTES) -> Mapping[str, Raw]:
    """Return the raw JSON of each field of a record's event; none where a fault forbids to look further.

    Of a repeated name the last one counts.
    """
    value = record.value
    if value is None:
        faults.add(Code.UNDECODABLE, "value is null, must be a JSON object")
        return _NO_FIELDS
    fields = _object(value, "value", faults)
    if faults.code is None and len(value) > largest_bytes:
        faults.add(Code.TOO_LARGE, f"value has {len(value)} bytes, must have at most {largest_bytes}")
        return _NO_FIELDS
    if faults.code is None and is_structured(record.headers):
        return _unwrapped(fields, faults)
    return fields


def _unwrapped(event: Mapping[str, Raw], faults: Faults) -> Mapping[str, Raw]:
    content = bytes(event.get("data", b"null"))
    if content == b"null":
        faults.add(Code.MISSING_FIELD, "data of the CloudEvent is missing, must be a JSON object")
        return _NO_FIELDS
    return _object(content, "data of the CloudEvent", faults)


def _object(value: bytes, name: str, faults: Faults) -> Mapping[str, Raw]:
    problem = _undecodable(value)
    if problem is None:
        try:
            return _OBJECT.decode(value)
        except msgspec.ValidationError:
            problem = "is JSON, but no object"
        # a lone surrogate in a name is found only when the name is read
        except (ValueError, RecursionError) as wrong:
            problem = f"is no JSON ({wrong})"
    faults.add(Code.UNDECODABLE, f"{name} {problem}, must be a JSON object; it begins with {excerpt(value)}")
    return _NO_FIELDS


def _undecodable(value: bytes) -> str | None:
    if not _is_utf_8(value):
        return "is not UTF-8"
    if _most_nested(value) > DEEPEST and _nesting(value) > DEEPEST:
        return f"is nested deeper than {DEEPEST}"
    return None


def _is_utf_8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _most_nested(value: bytes) -> int:
    """Return how deep a value could at most be nested."""
    return value.count(b"[") + value.count(b"{")


def _nesting(value: bytes) -> int:
    """Return how deep a value is nested, brackets in texts not counted."""
    unquoted = np.frombuffer(_QUOTED.sub(b"", value), dtype=np.uint8)
    return int(np.cumsum(_STEPS[unquoted], dtype=np.int64).max(initial=0))
