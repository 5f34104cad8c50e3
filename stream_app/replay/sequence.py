"""Rows of files as records in the one order that replay has: event time, then topic, then place in the file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import msgspec

from replenishment.engine.columns import ROLES, Role
from replenishment.keys import MAIN_LOCATION, key_bytes
from stream_app.ports import Headers, RecordBatch
from stream_app.replay.catalog_defaults import is_for_many
from stream_app.replay.rows import Fields, Row, raw_rows, rows_of_file
from stream_app.wire.times import instant_at

_IDENTITY: Mapping[Role, str] = {"orders": "order_id", "inventory": "event_id", "signals": "signal_id"}
BUCKET_FACTS = "bucket facts"
"""Rows of an inventory file that are no event, as they are counted."""
BATCH_RECORDS = 20_000
BEFORE_ALL = -(2**63)
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class FileRecord:
    """Implements ``Record``; ``row`` is its place in the file, ``at`` the event time it is ordered by."""

    role: Role
    row: int
    at: int
    key: bytes | None
    value: bytes
    offset: int = -1
    timestamp: int = -1
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Sequenced:
    """Records of all files in order, and how many rows of each file are none; offsets count within a role."""

    records: Sequence[FileRecord]
    ignored: Mapping[str, int] = field(default_factory=dict)

    @property
    def first_at(self) -> int:
        """Earliest event time of an order; 0 if there is none."""
        return min((one.at for one in self.records if one.role == "orders" and one.at != BEFORE_ALL), default=0)

    def batches(self) -> Iterator[RecordBatch]:
        """Yield the records as fetches of one partition."""
        for role, run in groupby(self.records, key=attrgetter("role")):
            records = list(run)
            for first in range(0, len(records), BATCH_RECORDS):
                some = records[first : first + BATCH_RECORDS]
                yield RecordBatch(role, role, 0, some[0].offset, some[-1].offset + 1, some)


def sequenced(files: Mapping[Role, Path]) -> Sequenced:
    """Return all rows of the files as records in order.

    Raises:
        ConfigError: If a file cannot be read.
    """
    records: list[FileRecord] = []
    ignored: dict[str, int] = {}
    # the order of ROLES is the rank of topics at the same event time
    for role in (role for role in ROLES if role in files):
        latest_at = BEFORE_ALL
        for number, row in rows_of_file(files[role], role):
            if role == "inventory" and isinstance(row, dict) and "type" not in row and "bucket_start" in row:
                ignored[BUCKET_FACTS] = ignored.get(BUCKET_FACTS, 0) + 1
                continue
            record = _record(role, number, row, latest_at)
            latest_at = record.at
            records.append(record)
    # stable: equal times keep the rank of topics and the order within a file
    records.sort(key=attrgetter("at"))
    for role in ROLES:
        for offset, record in enumerate(one for one in records if one.role == role):
            record.offset = offset
    return Sequenced(records, ignored)


def sequenced_for_many(catalog: Path) -> Sequenced:
    """Return the rows of a catalog file that hold for many, each as a stock key with no other terms.

    Raises:
        ConfigError: If the file cannot be read.
    """
    rows = [(number, row) for number, row in raw_rows(catalog, "catalog") if isinstance(row, dict) and is_for_many(row)]
    records = [_record("catalog", number, {**row, "sku": "ANY"}, BEFORE_ALL) for number, row in rows]
    for offset, record in enumerate(records):
        record.offset = offset
    return Sequenced(records)


def _record(role: Role, number: int, row: Row, latest_at: int) -> FileRecord:
    """Return a row as a record; one without a readable time goes with the row before it."""
    if isinstance(row, bytes):
        return FileRecord(role, number, latest_at, None, row)
    fields = _completed(role, number, row)
    is_always = role == "catalog" or (role == "signals" and fields.get("event_time") is None)
    at = BEFORE_ALL if is_always else _at(fields.get("event_time"), latest_at)
    location, sku = fields.get("location"), fields.get("sku")
    key = key_bytes(location, sku) if isinstance(location, str) and isinstance(sku, str) else None
    return FileRecord(role, number, at, key, _value(fields))


def _value(fields: Fields) -> bytes:
    try:
        return _encode(fields)
    except (UnicodeEncodeError, OverflowError):
        # no JSON has such a value; the wire refuses it as it would from a producer
        return repr(fields).encode(errors="backslashreplace")


def _completed(role: Role, number: int, row: Fields) -> Fields:
    """Add what files may leave out: the location, and the identity of a line, which is its row."""
    if row.get("type") == "time_passed":
        return row
    name = identity_field(role, row)
    identity = {} if name is None else {name: f"row-{number}"}
    return {"location": MAIN_LOCATION, **identity, **row}


def identity_field(role: Role, row: Fields) -> str | None:
    """Return the field that tells rows apart and may be left out; who takes a signal back must say which."""
    return None if row.get("type") == "withdrawn" else _IDENTITY.get(role)


def _at(value: object, otherwise: int) -> int:
    if isinstance(value, int):
        return value
    read = instant_at(value) if isinstance(value, str) else None
    return otherwise if read is None else read
