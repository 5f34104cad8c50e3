"""Opening stock: a file of counts as ``stock_counted`` events, one for each stock key."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from replenishment.keys import key_bytes
from stream_app.errors import ConfigError
from stream_app.feed.check import RefusedRow
from stream_app.feed.records import FedRow, completed, encoded
from stream_app.replay.rows import Fields, rows_of_file

KIND = "stock_counted"


def counted_rows(path: Path, at: int) -> Sequence[FedRow]:
    """Return the counts of a file as events; ``at`` (epoch ms) is the time of those that name none.

    Raises:
        ConfigError: If the file cannot be read, or holds other events than counts.
    """
    return [_counted(path, number, row, at) for number, row in rows_of_file(path, "inventory")]


def _counted(path: Path, number: int, row: Fields | bytes, at: int) -> FedRow:
    if isinstance(row, bytes):
        return FedRow(number, None, row)
    kind = row.get("type", KIND)
    if kind != KIND:
        problem = f"{path} row {number} is {kind!r}, but only counts are imported: `restock feed --topic inventory`"
        raise ConfigError([problem])
    event: dict[str, Any] = completed("inventory", number, {"event_time": at, **row, "type": KIND})
    location, sku = event.get("location"), event.get("sku")
    key = key_bytes(location, sku) if isinstance(location, str) and isinstance(sku, str) else None
    return FedRow(number, key, encoded(event))


def counted_twice(rows: Sequence[FedRow]) -> Iterator[RefusedRow]:
    """Yield the rows whose stock key an earlier row counts as well: one of the two is a mistake."""
    first: dict[bytes, int] = {}
    for row in rows:
        if row.key is not None and first.setdefault(row.key, row.row) != row.row:
            yield RefusedRow(row.row, "counted_twice", f"row {first[row.key]} counts the same stock key")
