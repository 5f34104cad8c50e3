"""A row of a file as the records to send: value, key, partition, and which row of which file it is.

Files may leave out the location and the identity of a line or event. The
identity is then made from the row's place and content: the same row has the
same one however often it is fed, another row another one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from replenishment.engine.columns import Role
from replenishment.keys import MAIN_LOCATION, key_bytes, stock_key
from stream_app.kafka.sender import Outgoing
from stream_app.replay.rows import Fields, Row, rows_of_file
from stream_app.replay.sequence import identity_field
from stream_app.wire.admission import partition_of
from stream_app.wire.mapped_wire import OWN_FORM

FED_AS = OWN_FORM
"""Header: ``<feed>/<row>``."""
_IDS = uuid5(NAMESPACE_URL, "urn:restock:fed-row")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class FedRow:
    """One row to send; ``is_for_all`` = to every partition, since it moves their clocks."""

    row: int
    key: bytes | None
    value: bytes
    is_for_all: bool = False

    def records(self, feed: str, partitions: int) -> Iterator[Outgoing]:
        """Yield the row as a record of its partition, or of each."""
        headers = ((FED_AS, f"{feed}/{self.row}".encode()),)
        for partition in range(partitions) if self.is_for_all else (self._partition(partitions),):
            yield Outgoing(partition, self.key, self.value, headers)

    def _partition(self, partitions: int) -> int:
        """Return where the row goes; one without a stock key is refused anywhere, but goes to one place always."""
        if self.key is not None and stock_key(self.key) is not None:
            return partition_of(self.key, partitions)
        return self.row % partitions


def fed_rows(path: Path, role: Role) -> Iterator[FedRow]:
    """Yield the rows of a file in their order; bucket facts of an inventory file are none.

    Raises:
        ConfigError: If the file cannot be read or lacks columns.
    """
    for number, row in rows_of_file(path, role):
        if isinstance(row, dict) and role == "inventory" and "type" not in row and "bucket_start" in row:
            continue
        yield _fed(role, number, row)


def _fed(role: Role, number: int, row: Row) -> FedRow:
    if isinstance(row, bytes):
        return FedRow(number, None, row)
    if row.get("type") == "time_passed" and role == "orders":
        return FedRow(number, None, encoded(row), is_for_all=True)
    fields = completed(role, number, row)
    location, sku = fields.get("location"), fields.get("sku")
    key = key_bytes(location, sku) if isinstance(location, str) and isinstance(sku, str) else None
    return FedRow(number, key, encoded(fields))


def completed(role: Role, number: int, row: Fields) -> Fields:
    """Return a row with its location and identity."""
    identity = identity_field(role, row)
    fields: dict[str, Any] = {"location": MAIN_LOCATION, **row}
    if identity is not None and identity not in row:
        fields[identity] = str(uuid5(_IDS, f"{number}:{encoded(row).hex()}"))
    return fields


def encoded(fields: Fields) -> bytes:
    """Return a row as the value of a record."""
    try:
        return _encode(fields)
    except (UnicodeEncodeError, OverflowError):
        # no JSON has such a value; the wire refuses it as it would from a producer
        return repr(fields).encode(errors="backslashreplace")
