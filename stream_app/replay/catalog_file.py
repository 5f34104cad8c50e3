"""Terms of stock keys as rows of a catalog file: read once they were checked, and written."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from replenishment.engine.columns import CatalogBatch
from replenishment.events import CatalogEntry
from replenishment.keys import stock_key
from replenishment.order_days import named_days
from stream_app.replay.sequence import FileRecord, Sequenced
from stream_app.wire.json_wire import JsonWire

TERMS = tuple(name for name in CatalogEntry.__struct_fields__ if name != "key")
COLUMNS = ("location", "sku", *TERMS)
_BY_COSTS = ("newsvendor", "cost")


def fields_of(entry: CatalogEntry) -> dict[str, Any]:
    """Return an entry as the fields of a row; None = not set.

    Of kinds whose level follows from costs the service target is not set: a
    catalog that has one beside them may contradict itself.

    Example:
        >>> fields_of(CatalogEntry(key=b"uk|A", pack_units=6))["pack_units"]
        6
    """
    location, sku = stock_key(entry.key) or ("", "")
    fields: dict[str, Any] = {"location": location, "sku": sku, **msgspec.structs.asdict(entry)}
    del fields["key"]
    fields |= {"order_days": named_days(entry.order_days) or None, "successor_of": entry.successor_of or None}
    if entry.service_kind in _BY_COSTS:
        fields["service_target"] = None
    return fields


def entries_of(records: Sequence[FileRecord]) -> list[CatalogEntry]:
    """Return the terms of rows that were checked; their offsets are numbered anew."""
    for place, record in enumerate(records):
        record.offset = place
    wire = JsonWire(1, None)
    decoded = [wire.decode(batch) for batch in Sequenced(records).batches()]
    return [entry for one in decoded if isinstance(one, CatalogBatch) for entry in one.entries if entry is not None]


def differences(before: CatalogEntry, after: CatalogEntry) -> Mapping[str, tuple[Any, Any]]:
    """Return what changes from one entry to another, by term."""
    old, new = fields_of(before), fields_of(after)
    return {name: (old[name], new[name]) for name in TERMS if old[name] != new[name]}


def write_catalog(out: IO[str], entries: Iterable[CatalogEntry]) -> int:
    """Write entries as CSV, every term in a column; return how many."""
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    rows = [{name: _text(value) for name, value in fields_of(entry).items()} for entry in entries]
    writer.writerows(rows)
    return len(rows)


def write_catalog_file(path: Path, entries: Iterable[CatalogEntry]) -> int:
    """Write entries to a file as `write_catalog` does."""
    with path.open("w", encoding="utf-8", newline="") as out:
        return write_catalog(out, entries)


def _text(value: Any) -> Any:
    """Return a value as a catalog file has it; the shortest text of a number that reads back the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
