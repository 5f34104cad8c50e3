"""Order lines from a file, every row checked; `bucketing` counts them, `cleaning` says what to leave out.

CSV, NDJSON and Parquet mean the same. Every row is used or named in an error;
nothing is dropped silently. Duplicate rows are two lines, as on the stream.
"""

from pathlib import Path

import polars as pl

from model_store.training.bucketing import CANCELLED, PLACED, added, bucketed, counted, history_of_counts
from model_store.training.errors import UnusableHistory
from model_store.training.history import DemandHistory
from model_store.training.wrong_rows import refuse_wrong_rows
from replenishment.buckets import BucketWidth
from replenishment.keys import MAIN_LOCATION, PART

REQUIRED = ("sku", "quantity", "event_time")
ENDINGS = (".csv", ".ndjson", ".jsonl", ".json", ".parquet")
MOST_UNITS = 1_000_000
MOST_LINES = 100_000
EARLIEST_AT = 946_684_800_000  # 2000-01-01
LATEST_AT = 4_102_444_800_000  # 2100-01-01
_TIMES = ("event_time", "placed_at")
_OPTIONAL = {
    "location": MAIN_LOCATION,
    "type": PLACED,
    "placed_at": None,
    "order_id": None,
    "line": None,
    "customer": None,
}


def read_orders(path: Path, width: BucketWidth) -> DemandHistory:
    """Return the history of a file with the columns of ``orders``.

    Args:
        path: CSV with a header, NDJSON (``.ndjson``, ``.jsonl``, ``.json``) or Parquet, by the name's ending; or a
            directory of such files, of which one at a time is held.
            Columns ``sku``, ``quantity``, ``event_time`` are required, ``location``, ``type`` and ``placed_at``
            are read, others are not. Times are RFC 3339, epoch milliseconds or timestamps; without a zone, UTC.
        width: Width of the buckets to count in.

    Raises:
        UnusableHistory: Naming the rows, if a column is missing or a row is out of range.
    """
    counts = pl.DataFrame()  # nothing yet
    for shard in shards_of(path):
        counts = added(pl.concat([counts, counted(checked_lines(read_frame(shard), shard.name), width)]))
    return history_of_counts(counts, width)


def history_of(lines: pl.DataFrame, width: BucketWidth, source: str) -> DemandHistory:
    """Return the history of order lines; see `read_orders` for columns and errors."""
    return bucketed(checked_lines(lines, source), width)


def read_lines(path: Path) -> pl.DataFrame:
    """Return the order lines of a file as `checked_lines` does, returns included; see `read_orders` for formats.

    Raises:
        UnusableHistory: Naming the rows, if a column is missing or a row is out of range.
    """
    shards = [checked_lines(read_frame(one), one.name, allows_returns=True) for one in shards_of(path)]
    return pl.concat(shards)


def shards_of(path: Path) -> list[Path]:
    """Return the files of a directory in the order of their names, hidden ones left out; or the file that it is.

    Raises:
        UnusableHistory: If the directory has none.
    """
    if not path.is_dir():
        return [path]
    found = sorted(one for one in path.iterdir() if one.suffix.lower() in ENDINGS and not one.name.startswith("."))
    if not found:
        raise UnusableHistory(f"{path} holds no .csv, .ndjson or .parquet file. Name a directory that does, or a file")
    return found


def checked_lines(lines: pl.DataFrame, source: str, *, allows_returns: bool = False) -> pl.DataFrame:
    """Return order lines with every column typed, or refuse them by row.

    Args:
        lines: Columns of ``orders``; those not known are ignored.
        source: Name of the file, for messages.
        allows_returns: Whether units below 0 are lines too: what was taken back of that SKU at that time.

    Returns:
        Columns ``location``, ``sku``, ``type`` and ``order_id`` (text), ``quantity``, ``line``, ``event_time`` and
        ``placed_at`` (whole; times in epoch milliseconds), ``customer`` (text); in the order of the file.

    Raises:
        UnusableHistory: If a column is missing or a row is out of range.
    """
    missing = [name for name in REQUIRED if name not in lines.columns]
    if missing:
        raise UnusableHistory(
            f"{source} has no column {', '.join(missing)}; it has {', '.join(lines.columns) or 'none'}. "
            f"Name the columns {', '.join(REQUIRED)}"
        )
    if not lines.height:
        raise UnusableHistory(f"{source} has no rows, so there is no demand to learn from. Name another file")
    lines = lines.select(*REQUIRED, *(_optional(lines, name) for name in _OPTIONAL))
    _refuse_kinds(lines, source)
    times = [instant(lines, name).alias(name) for name in _TIMES]
    texts = [pl.col(name).cast(pl.String) for name in ("location", "sku", "order_id", "customer")]
    read = lines.with_columns(_whole(lines, "quantity"), _whole(lines, "line"), *times, *texts)
    _refuse_wrong(read, lines, source, allows_returns=allows_returns)
    return read


def read_frame(path: Path) -> pl.DataFrame:
    """Return the table in a CSV, NDJSON or Parquet file, whatever its columns.

    Raises:
        UnusableHistory: If it cannot be read or has another ending.
    """
    try:
        match path.suffix.lower():
            case ".csv":
                return pl.read_csv(path, infer_schema=False)
            case ".ndjson" | ".jsonl" | ".json":
                return pl.read_ndjson(path, infer_schema_length=None)
            case ".parquet":
                return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UnusableHistory(f"{path} cannot be read: {str(error).splitlines()[0][:200]}") from error
    raise UnusableHistory(f"{path} is no .csv, .ndjson or .parquet file; rename or convert it")


def _refuse_kinds(lines: pl.DataFrame, source: str) -> None:
    """Raise for columns of a type that has no meaning there: lists, records, bytes; times of day and spans of time."""
    for name, kind in lines.schema.items():
        is_wrong = kind.is_nested() or kind in (pl.Binary, pl.Boolean, pl.Object, pl.Time, pl.Duration)
        if is_wrong or (kind.is_temporal() and name not in _TIMES):
            wanted = "RFC 3339, epoch milliseconds or timestamps" if name in _TIMES else "text or numbers"
            raise UnusableHistory(f"{source}: column {name} has type {kind}, must be {wanted}. Convert the column")


def _optional(lines: pl.DataFrame, name: str) -> pl.Expr:
    if name in lines.columns:
        return pl.col(name) if _OPTIONAL[name] is None else pl.col(name).fill_null(_OPTIONAL[name])
    return pl.lit(_OPTIONAL[name], dtype=pl.String).alias(name)


def _whole(lines: pl.DataFrame, name: str) -> pl.Expr:
    """Whole numbers; null where a value is none."""
    kind = lines.schema[name]
    if kind.is_float():
        return pl.when(pl.col(name) == pl.col(name).floor()).then(pl.col(name)).cast(pl.Int64, strict=False)
    return pl.col(name).cast(pl.Int64, strict=False)


def instant(lines: pl.DataFrame, name: str) -> pl.Expr:
    """Return a column of times as epoch milliseconds; null where a value is no time."""
    kind = lines.schema[name]
    if isinstance(kind, pl.Datetime):
        zoned = pl.col(name) if kind.time_zone else pl.col(name).dt.replace_time_zone("UTC")
        return zoned.dt.epoch("ms")
    if kind == pl.Date:
        return pl.col(name).cast(pl.Datetime("ms", "UTC")).dt.epoch("ms")
    if kind == pl.String:
        text = pl.col(name).str.strip_chars().str.replace(" ", "T")
        zoned = text.str.to_datetime("%+", time_unit="ms", time_zone="UTC", strict=False)
        local = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="ms", time_zone="UTC", strict=False)
        day = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("ms", "UTC"))
        return pl.coalesce(text.cast(pl.Int64, strict=False), pl.coalesce(zoned, local, day).dt.epoch("ms"))
    return _whole(lines, name)


def _refuse_wrong(read: pl.DataFrame, lines: pl.DataFrame, source: str, *, allows_returns: bool) -> None:
    """Raise for the first rows that are out of range, each with its first fault."""
    time, placed = pl.col("event_time"), pl.col("placed_at")
    text, units = pl.col("sku"), pl.col("quantity").abs() if allows_returns else pl.col("quantity")
    part = rf"^{PART.pattern}$"
    is_cancelled = pl.col("type") == CANCELLED
    checks = (
        (text.str.contains(part), "sku", "1 to 64 of the characters A-Z a-z 0-9 . _ : / -"),
        (pl.col("location").str.contains(part), "location", "1 to 64 of the same characters as sku"),
        (units.is_between(1, MOST_UNITS), "quantity", f"a whole number from 1 to {MOST_UNITS}"),
        (time.is_between(EARLIEST_AT, LATEST_AT), "event_time", "RFC 3339 or epoch milliseconds, from 2000 on"),
        (pl.col("type").is_in([PLACED, CANCELLED]), "type", f"{PLACED} or {CANCELLED}"),
        (pl.lit(lines["line"].is_null()) | pl.col("line").is_between(1, MOST_LINES), "line", f"1 to {MOST_LINES}"),
        (~is_cancelled | placed.is_between(EARLIEST_AT, time), "placed_at", "a time not later than event_time"),
    )
    refuse_wrong_rows(read, lines, checks, source)
