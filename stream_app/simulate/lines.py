"""Order lines of a file as columns: all at once where every row is usual, else row by row through the wire.

The quick way accepts only files without a fault, so it never decides on a
refusal; it needs polars.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from replenishment.arrays import Int64s
from replenishment.closed_loop.world import Lines
from replenishment.engine.columns import LineKind, OrderColumns
from replenishment.keys import MAIN_LOCATION, PART, key_bytes
from stream_app.errors import ConfigError
from stream_app.replay.run import Refusal
from stream_app.replay.sequence import Sequenced, sequenced
from stream_app.wire.admission import EARLIEST_AT, LATEST_AT
from stream_app.wire.fields import LONGEST_ID, MOST_UNITS
from stream_app.wire.json_wire import JsonWire
from stream_app.wire.order_record import HIGHEST_PRICE, LARGEST_LINE

PLACED, CANCELLED = "order_placed", "order_cancelled"
_KNOWN = ("sku", "location", "quantity", "event_time", "type", "placed_at", "order_id", "line", "price")
_CONTROL = r"[\x00-\x1f\x7f-\x9f]"


def read_lines(path: Path) -> tuple[Lines, Sequence[Refusal]]:
    """Return the lines of a file (CSV, NDJSON or Parquet) by event time, and what was refused.

    Raises:
        ConfigError: If the file cannot be read, has no column that it needs, or no line.
    """
    quick = _read_at_once(path)
    lines, refusals = (quick, []) if quick is not None else _read_by_row(path)
    if not len(lines):
        first = f"; row {refusals[0].row}: {refusals[0].reason}" if refusals else ""
        raise ConfigError([f"{path} has no order line that can be used{first}"])
    return lines, refusals


def _read_by_row(path: Path) -> tuple[Lines, Sequence[Refusal]]:
    files, wire = sequenced({"orders": path}), JsonWire(1, None)
    decoded = [wire.decode(batch) for batch in files.batches()]
    parts = [one for one in decoded if isinstance(one, OrderColumns)]
    rejections = [one for part in parts for one in part.rejections]
    return _joined(parts), refusals_of(files, [(one.offset, one.code, one.reason) for one in rejections], "orders")


def refusals_of(files: Sequenced, found: Sequence[tuple[int, str, str]], role: str) -> list[Refusal]:
    """Return refused records by their rows in the file."""
    rows = {one.offset: one for one in files.records if one.role == role}
    return [
        Refusal(role, rows[offset].row, code, reason, rows[offset].value.decode(errors="backslashreplace"))
        for offset, code, reason in found
    ]


def _joined(parts: Sequence[OrderColumns]) -> Lines:
    """Return columns as lines by event time; a row without a readable one went with the row before it."""
    nothing = np.empty(0, dtype=np.int64)
    at = np.concatenate([nothing, *(part.occurred_at for part in parts)])
    order = np.argsort(at, kind="stable")
    keys = [key for part in parts for key in part.keys]
    return Lines(
        kinds=np.concatenate([nothing.astype(np.uint8), *(part.kinds for part in parts)])[order],
        keys=[keys[place] for place in order.tolist()],
        occurred_at=at[order],
        placed_at=np.concatenate([nothing, *(part.placed_at for part in parts)])[order],
        units=np.concatenate([nothing, *(part.units for part in parts)])[order],
    )


def _read_at_once(path: Path) -> Lines | None:
    """Return the lines of a file in which every row is usual; None if one is not, or polars is not there."""
    try:
        pl: Any = import_module("polars")
    except ImportError:
        return None
    try:
        frame = _frame(pl, path)
        return None if frame is None else _columns(pl, frame)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError):  # the slow way says what is wrong
        return None


def _frame(pl: Any, path: Path) -> Any:
    match path.suffix.lower():
        case ".parquet":
            frame = pl.read_parquet(path)
        case ".csv":
            frame = pl.read_csv(path, infer_schema=False, raise_if_empty=True)
        case ".ndjson" | ".jsonl":
            frame = pl.read_ndjson(path, infer_schema_length=None)
        case _:
            return None
    if not {"sku", "quantity", "event_time"} <= set(frame.columns) or not frame.height:
        return None
    return frame.select(name for name in _KNOWN if name in frame.columns)


def _columns(pl: Any, frame: Any) -> Lines | None:
    """Return a frame as lines, None if any row is not usual."""
    given = set(frame.columns)
    kind = pl.col("type").fill_null(PLACED) if "type" in given else pl.lit(PLACED)
    placed = _time(pl, frame, "placed_at") if "placed_at" in given else pl.lit(None, dtype=pl.Int64)
    part = rf"^{PART.pattern}$"
    read = frame.select(
        sku=_text(pl, frame, "sku"),
        location=_text(pl, frame, "location").fill_null(MAIN_LOCATION)
        if "location" in given
        else pl.lit(MAIN_LOCATION),
        units=_whole(pl, frame, "quantity"),
        at=_time(pl, frame, "event_time"),
        is_cancelled=kind == CANCELLED,
        placed_at=pl.when(kind == CANCELLED).then(placed).otherwise(_time(pl, frame, "event_time")),
        is_known=kind.is_in([PLACED, CANCELLED]) & _is_usual(pl, frame),
    )
    is_right = (
        pl.col("is_known")
        & pl.col("sku").str.contains(part)
        & pl.col("location").str.contains(part)
        & pl.col("units").is_between(1, MOST_UNITS)
        & pl.col("at").is_between(EARLIEST_AT, LATEST_AT)
        & pl.col("placed_at").is_between(EARLIEST_AT, pl.col("at"))
    )
    if not read.select(is_right.fill_null(False).all()).item():
        return None
    by_time = read.sort("at", maintain_order=True)
    coded = by_time.select("is_cancelled", "at", "placed_at", "units", key=pl.struct("location", "sku").rank("dense"))
    return _lines(coded, _keys(by_time, coded["key"].to_numpy()))


def _keys(frame: Any, codes: Int64s) -> list[bytes]:
    """Return the stock key of each row; equal keys are one object."""
    _, first, place = np.unique(codes, return_index=True, return_inverse=True)
    known = [key_bytes(*frame.select("location", "sku").row(row)) for row in first.tolist()]
    return [known[one] for one in place.tolist()]


def _lines(coded: Any, keys: list[bytes]) -> Lines:
    is_cancelled = coded["is_cancelled"].to_numpy()
    return Lines(
        kinds=np.where(is_cancelled, LineKind.CANCELLED, LineKind.PLACED).astype(np.uint8),
        keys=keys,
        occurred_at=coded["at"].to_numpy().astype(np.int64),
        placed_at=coded["placed_at"].to_numpy().astype(np.int64),
        units=coded["units"].to_numpy().astype(np.int64),
    )


def _text(pl: Any, frame: Any, name: str) -> Any:
    kind = frame.schema[name]
    return pl.col(name).cast(pl.String) if kind.is_integer() or kind == pl.String else pl.lit(None, dtype=pl.String)


def _whole(pl: Any, frame: Any, name: str) -> Any:
    """Return an integer column; null where a value is none as a producer would write it."""
    if frame.schema[name].is_integer():
        return pl.col(name).cast(pl.Int64)
    if frame.schema[name] == pl.String:
        is_whole = pl.col(name).str.contains(r"^(0|[1-9][0-9]{0,17})$")
        return pl.when(is_whole).then(pl.col(name)).cast(pl.Int64, strict=False)
    return pl.lit(None, dtype=pl.Int64)


def _time(pl: Any, frame: Any, name: str) -> Any:
    """Return epoch milliseconds; null where a text is not like ``2026-01-31T08:00:00.123Z``, or ``+01:00`` for Z."""
    kind = frame.schema[name]
    if isinstance(kind, pl.Datetime):
        zoned = pl.col(name) if kind.time_zone else pl.col(name).dt.replace_time_zone("UTC")
        return zoned.dt.epoch("ms")
    if kind == pl.String:
        usual = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[0-5]\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$"
        text = pl.when(pl.col(name).str.contains(usual)).then(pl.col(name).str.replace(" ", "T"))
        zoned = text.str.to_datetime("%+", time_unit="ms", time_zone="UTC", strict=False)
        return pl.coalesce(_whole(pl, frame, name), zoned.dt.epoch("ms"))
    return _whole(pl, frame, name)


def _is_usual(pl: Any, frame: Any) -> Any:
    """Return whether the fields that a simulation does not use are as the wire wants them."""
    checks = [pl.lit(True)]
    if "order_id" in frame.columns:
        text = _text(pl, frame, "order_id")
        fits = text.str.len_chars().is_between(1, LONGEST_ID) & ~text.str.contains(_CONTROL)
        checks.append(pl.col("order_id").is_null() | fits)
    if "line" in frame.columns:
        checks.append(pl.col("line").is_null() | _whole(pl, frame, "line").is_between(1, LARGEST_LINE))
    if "price" in frame.columns:
        number = pl.col("price").cast(pl.Float64, strict=False) if frame.schema["price"] != pl.Boolean else pl.lit(None)
        checks.append(pl.col("price").is_null() | number.is_between(0, HIGHEST_PRICE))
    return pl.all_horizontal(checks)
