"""Rows of CSV, NDJSON and Parquet files, meaning the same: names and values as a producer would have written them."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from replenishment.engine.columns import Role
from stream_app.errors import ConfigError
from stream_app.replay.catalog_defaults import with_defaults

Fields: TypeAlias = dict[str, Any]
"""Values of one row by name, absent ones left out."""
Row: TypeAlias = Fields | bytes
"""One row, or its bytes where they make no row; the wire then says what is wrong with them."""

NUMBERS = frozenset(
    {
        "quantity",
        "line",
        "price",
        "on_hand",
        "delta",
        "lead_time_days",
        "review_period_days",
        "cover_days",
        "service_target",
        "minimum_order_units",
        "pack_units",
        "maximum_units",
        "order_quantity_units",
        "holding_cost_per_unit_day",
        "shortage_cost_per_unit",
        "ordering_cost",
        "unit_cost",
        "approval_above_units",
        "approval_above_value",
        "budget_value",
        "budget_days",
        "cool_down_buckets",
        "shelf_life_days",
        "expected_daily_units",
        "available_fraction",
    }
)
TIMES = frozenset({"event_time", "placed_at", "expected_at", "bucket_start", "starts_at", "ends_at"})
FLAGS = {"true": True, "false": False}
TEXTS = frozenset(
    {"location", "sku", "order_id", "event_id", "signal_id", "restock_id", "supplier", "category", "successor_of"}
)
"""A file may hold these as numbers where all of them look like one."""
REQUIRED: Mapping[Role, frozenset[str]] = {
    "orders": frozenset({"sku", "quantity", "event_time"}),
    "inventory": frozenset({"sku"}),
    "catalog": frozenset({"sku"}),
    "signals": frozenset({"sku", "starts_at", "ends_at"}),
}
CATALOG_COLUMNS = frozenset(
    {"location", "sku", "supplier", "category", "service_kind", "levels_from", "active"}
    | {"order_days", "rounding", "unmet_demand", "successor_of"}
    | (NUMBERS - {"quantity", "line", "price", "on_hand", "delta", "available_fraction"})
)
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rows_of_file(path: Path, role: Role) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a file with their numbers, from 1, in order; blank lines are no rows.

    The format follows the name: ``.csv``, ``.ndjson``, ``.jsonl`` or ``.parquet``.

    Raises:
        ConfigError: As `raw_rows`, or if rows of a catalog that hold for many hold for the same, or for nobody.
    """
    rows = raw_rows(path, role)
    yield from with_defaults(path, rows) if role == "catalog" else rows


def raw_rows(path: Path, role: Role) -> Iterator[tuple[int, Row]]:
    """Yield the rows as they stand in the file.

    Raises:
        ConfigError: If the format is not known, the file not readable, or columns are missing or not known.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise ConfigError([f"{path}: the name must end in {', '.join(sorted(_READERS))}"])
    try:
        yield from enumerate(read(path, role), 1)
    except (OSError, UnicodeDecodeError) as wrong:
        raise ConfigError([f"{path} cannot be read: {wrong}"]) from wrong


def _csv_rows(path: Path, role: Role) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.reader(lines)
        names = next(reader, [])
        _require_columns(path, role, names)
        for cells in reader:
            if len(cells) == len(names):
                yield {name: _cell(role, name, cell) for name, cell in zip(names, cells, strict=True) if cell}
            elif cells:
                yield ",".join(cells).encode()


def _cell(role: Role, name: str, cell: str) -> Any:
    if name in TIMES:
        return int(cell) if _INTEGER.fullmatch(cell) else cell
    # of a signal every column that is not its own may be a number or a flag
    is_open = role == "signals" and name not in TEXTS
    if (is_open or name in NUMBERS) and _NUMBER.fullmatch(cell):
        return json.loads(cell)
    return FLAGS.get(cell.lower() if is_open else cell, cell) if is_open or name in ("final", "active") else cell


def _json_rows(path: Path, role: Role) -> Iterator[Row]:
    with path.open("rb") as lines:
        for line in lines:
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                yield line.rstrip(b"\r\n")
                continue
            if not isinstance(row, dict):
                yield line.rstrip(b"\r\n")
                continue
            if role == "catalog":
                _require_known(path, row)
            yield _present(row)


def _parquet_rows(path: Path, role: Role) -> Iterator[Row]:
    try:
        polars = import_module("polars")
    except ImportError as missing:
        raise ConfigError([f"{path}: reading Parquet needs polars; run `pip install restock[demo]`"]) from missing
    try:
        frame = polars.read_parquet(path)
    except polars.exceptions.PolarsError as wrong:
        raise ConfigError([f"{path} cannot be read: {wrong}"]) from wrong
    _require_columns(path, role, frame.columns)
    for row in frame.iter_rows(named=True):
        yield _present(row)


def _present(row: Mapping[str, Any]) -> Fields:
    return {name: _plain(name, value) for name, value in row.items() if value is not None}


def _plain(name: str, value: Any) -> Any:
    """Return a value as JSON has it; times of Parquet are UTC."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (aware - _EPOCH) // (_EPOCH.resolution * 1000)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if name in TEXTS and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _require_columns(path: Path, role: Role, names: Iterable[str]) -> None:
    known = set(names)
    problems = [f"{path} has no column {name}" for name in sorted(REQUIRED[role] - known)]
    if problems:
        raise ConfigError(problems)
    if role == "catalog":
        _require_known(path, known)


def _require_known(path: Path, names: Iterable[str]) -> None:
    """Refuse columns of a catalog that mean nothing: a mistyped one would silently leave a default."""
    unknown = sorted(set(names) - CATALOG_COLUMNS)
    if unknown:
        known = ", ".join(sorted(CATALOG_COLUMNS))
        raise ConfigError(
            [f"{path} has a column {name!r} that no catalog has; it may have {known}" for name in unknown]
        )


_READERS: Mapping[str, Callable[[Path, Role], Iterator[Row]]] = {
    ".csv": _csv_rows,
    ".jsonl": _json_rows,
    ".ndjson": _json_rows,
    ".parquet": _parquet_rows,
}
