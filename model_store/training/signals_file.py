"""Plans and measurements from a file, every row checked and cut into buckets; see `plans` for what is made of them.

CSV, NDJSON and Parquet mean the same. Every row is used or named in an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from model_store.signal_spec import MOST_CHANNELS
from model_store.training.bucketing import AnchoredGrid
from model_store.training.errors import UnusableHistory
from model_store.training.history import DemandHistory
from model_store.training.orders_file import EARLIEST_AT, LATEST_AT, instant, read_frame
from model_store.training.plans import Plans
from model_store.training.wrong_rows import Check, refuse_wrong_rows
from replenishment.keys import MAIN_LOCATION, PART
from replenishment.signals import (
    ALWAYS,
    FOREVER,
    HOLIDAY,
    PRICE,
    PROMOTION,
    Spans,
    cells_of,
    first_closings,
    touched_buckets,
)

REQUIRED = ("sku", "starts_at", "ends_at")
PLANNED, WITHDRAWN = "planned", "withdrawn"
HIGHEST_PRICE = 1e9
MOST_CELLS = 2**26
TEXTS = (*REQUIRED, "location", "signal_id", "type", "event_time")
"""Columns that are no channels."""
_KNOWN = (*TEXTS, PROMOTION, PRICE)


@dataclass(frozen=True, slots=True)
class SignalsFile:
    """Checked rows of a file.

    Attributes:
        rows: Columns ``key``, ``identity`` (the same for all that is said of one signal), ``starts_at``, ``ends_at``,
            ``known_at`` and ``until_at`` (epoch milliseconds: the row holds from the one to the other),
            ``is_planned`` and one of each channel.
        known_ahead: Channels that are planned.
        known_after: Channels that are measured.
        ignored: Columns of numbers that nobody named.
        left_out: How many records of a topic are wrong: they are dead letters of the workers.
    """

    rows: pl.DataFrame
    known_ahead: tuple[str, ...]
    known_after: tuple[str, ...]
    ignored: tuple[str, ...]
    left_out: int = 0

    @property
    def said(self) -> str:
        """What was read, in a sentence."""
        ahead = ", ".join(self.known_ahead) or "nothing"
        after = f"; known afterwards: {', '.join(self.known_after)}" if self.known_after else ""
        left = f"; {len(self.ignored)} columns ignored: {', '.join(self.ignored)}" if self.ignored else ""
        wrong = f"; {self.left_out} wrong records left out" if self.left_out else ""
        return f"{self.rows.height} signals, known ahead: {ahead}{after}{left}{wrong}"

    def said_of(self, keys: Sequence[bytes]) -> str:
        """What was read, and how many stock keys of it are none of those that have orders."""
        ordered = [key.decode() for key in keys]
        others = self.rows["key"].unique()
        count = int((~others.is_in(ordered)).sum())
        return self.said + (f"; {count} stock keys without orders" if count else "")


def read_signals(path: Path, ahead: Sequence[str] = (), after: Sequence[str] = ()) -> SignalsFile:
    """Return the plans and measurements of a file.

    Args:
        path: CSV, NDJSON or Parquet with ``sku``, ``starts_at``, ``ends_at`` (exclusive) and perhaps ``location``
            (absent: ``main``), ``signal_id``, ``type`` (``planned``, or ``withdrawn`` by its signal_id),
            ``event_time`` (when it becomes known; absent: always), ``promotion`` (false/true or 0 to 1), ``price``.
        ahead: Further columns of numbers that are known ahead.
        after: Columns of numbers that are known when their bucket has closed.

    Raises:
        UnusableHistory: Naming the rows, if a column is missing or a row is out of range.
    """
    return signals_of(read_frame(path), path.name, ahead, after)


def signals_of(
    frame: pl.DataFrame, source: str, ahead: Sequence[str], after: Sequence[str], *, leaves_out_wrong: bool = False
) -> SignalsFile:
    """Return the plans and measurements of rows; see `read_signals` for columns and errors.

    Args:
        frame: The rows.
        source: What to call them.
        ahead: Further columns of numbers that are known ahead.
        after: Columns of numbers that are known when their bucket has closed.
        leaves_out_wrong: Whether rows that are out of range are left out and counted, not refused.
    """
    missing = [name for name in (*REQUIRED, *ahead, *after) if name not in frame.columns]
    if missing:
        raise UnusableHistory(
            f"{source} has no column {', '.join(missing)}; it has {', '.join(frame.columns) or 'none'}. Signals "
            f"need {', '.join(REQUIRED)}, and columns named with --signal-columns and --covariate-columns"
        )
    if HOLIDAY in (*ahead, *after):
        raise UnusableHistory(f"{source}: the channel {HOLIDAY} is that of --holidays; give the column another name")
    own = tuple(name for name in (PROMOTION, PRICE) if name in frame.columns and name not in after)
    known_ahead = tuple(dict.fromkeys((*own, *ahead)))
    known_after = tuple(name for name in dict.fromkeys(after) if name not in known_ahead)
    _refuse_channels(source, known_ahead + known_after)
    read = _typed(frame, known_ahead + known_after)
    checks = _checks(known_ahead + known_after)
    count = read.height
    if leaves_out_wrong:
        read = read.filter(pl.all_horizontal(is_right.fill_null(value=False) for is_right, _, _ in checks))
    else:
        refuse_wrong_rows(read, frame, checks, source)
    ignored = tuple(name for name in frame.columns if name not in {*_KNOWN, *known_ahead, *known_after})
    return SignalsFile(_superseded(read), known_ahead, known_after, ignored, count - read.height)


def with_plans(history: DemandHistory, file: SignalsFile, reach_buckets: int, grid: AnchoredGrid) -> DemandHistory:
    """Return a history that knows the plans of its keys; those of other keys change nothing.

    Raises:
        UnusableHistory: If plans and buckets are too many to be held.
    """
    buckets = range(history.first_bucket, history.first_bucket + history.buckets)
    return replace(history, plans=plans_of(file, history.keys, buckets, reach_buckets, grid))


def plans_of(
    file: SignalsFile, stock_keys: Sequence[bytes], buckets: range, reach_buckets: int, grid: AnchoredGrid
) -> Plans:
    """Return the plans of stock keys, as they are known at the ends of buckets and reach ahead of the last.

    Raises:
        UnusableHistory: If plans and buckets are too many to be held.
    """
    place = {key.decode(): row for row, key in enumerate(stock_keys)}
    rows = file.rows.filter(pl.col("is_planned") & pl.col("key").is_in([*place]))
    names = file.known_ahead + file.known_after
    starts, ends, known, until = (
        rows[name].to_numpy().astype(np.int64) for name in ("starts_at", "ends_at", "known_at", "until_at")
    )
    spans = Spans(
        names=names,
        rows=np.array([place[key] for key in rows["key"].to_list()], dtype=np.int64),
        starts_at=starts,
        ends_at=ends,
        known_from=first_closings(known, grid),
        known_until=first_closings(until, grid),
        values=rows.select(names).to_numpy().astype(np.float64) if names else np.empty((rows.height, 0)),
    )
    reached = range(buckets.start, buckets.stop + reach_buckets)
    touched = int(touched_buckets(spans, reached, grid)[1].sum())
    if touched > MOST_CELLS:
        raise UnusableHistory(
            f"{rows.height} signals cover {touched} buckets together, at most {MOST_CELLS} are held. "
            "Shorten their spans, or choose wider buckets"
        )
    return Plans(cells_of(spans, reached, grid), file.known_after, reach_buckets)


def _refuse_channels(source: str, names: tuple[str, ...]) -> None:
    most = MOST_CHANNELS - 1  # one is left for holidays
    if not 1 <= len(names) <= most:
        raise UnusableHistory(
            f"{source} has {len(names)} channels ({', '.join(names) or 'none'}), must be 1 to {most}. Give it "
            f"a column {PROMOTION} or {PRICE}, or name columns with --signal-columns or --covariate-columns"
        )


def _typed(frame: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    place = pl.col("location").cast(pl.String).fill_null(MAIN_LOCATION) if "location" in frame.columns else None
    told = pl.col("event_time") if "event_time" in frame.columns else None
    kind = pl.col("type").cast(pl.String).fill_null(PLANNED) if "type" in frame.columns else pl.lit(PLANNED)
    one = pl.col("signal_id").cast(pl.String) if "signal_id" in frame.columns else pl.lit(None, dtype=pl.String)
    return frame.select(
        location=pl.lit(MAIN_LOCATION) if place is None else place,
        sku=pl.col("sku").cast(pl.String),
        signal_id=one,
        type=kind,
        starts_at=instant(frame, "starts_at"),
        ends_at=instant(frame, "ends_at"),
        event_time=pl.lit(None, dtype=pl.Int64) if told is None else instant(frame, "event_time"),
        is_told=pl.lit(value=False) if told is None else _is_given(frame, "event_time"),
        **{name: _number(frame, name) for name in names},
        **{f"is_given_{name}": _is_given(frame, name) for name in names},
    )


def _is_given(frame: pl.DataFrame, name: str) -> pl.Expr:
    given = pl.col(name).is_not_null()
    return given & (pl.col(name).str.strip_chars() != "") if frame.schema[name] == pl.String else given


def _number(frame: pl.DataFrame, name: str) -> pl.Expr:
    """A column of numbers; null where a value is none. False and true are 0 and 1."""
    if frame.schema[name] != pl.String:
        return pl.col(name).cast(pl.Float64, strict=False)
    text = pl.col(name).str.strip_chars().str.to_lowercase()
    words = pl.when(text == "true").then(1.0).when(text == "false").then(0.0)
    return pl.coalesce(words, text.cast(pl.Float64, strict=False))


def _checks(names: tuple[str, ...]) -> list[Check]:
    """Return what must hold of every row, in the order in which faults are told."""
    part = rf"^{PART.pattern}$"
    is_withdrawn = pl.col("type") == WITHDRAWN
    starts, ends = (pl.col(name).is_between(EARLIEST_AT, LATEST_AT) for name in ("starts_at", "ends_at"))
    told = pl.col("event_time").is_between(EARLIEST_AT, LATEST_AT)
    checks: list[Check] = [
        (pl.col("sku").str.contains(part), "sku", "1 to 64 of the characters A-Z a-z 0-9 . _ : / -"),
        (pl.col("location").str.contains(part), "location", "1 to 64 of the same characters as sku"),
        (pl.col("type").is_in([PLANNED, WITHDRAWN]), "type", f"{PLANNED} or {WITHDRAWN}"),
        (~is_withdrawn | pl.col("signal_id").is_not_null(), "signal_id", f"the id of the plan that is {WITHDRAWN}"),
        (is_withdrawn | starts, "starts_at", "RFC 3339 or epoch milliseconds, from 2000 on"),
        (is_withdrawn | ends & (pl.col("ends_at") > pl.col("starts_at")), "ends_at", "a time later than starts_at"),
        (~pl.col("is_told") | told, "event_time", "RFC 3339 or epoch milliseconds from 2000 on, or empty"),
    ]
    for name in names:
        within, wanted = _range(name)
        checks.append((~pl.col(f"is_given_{name}") | within.fill_null(False), name, wanted))
    return checks


def _range(name: str) -> tuple[pl.Expr, str]:
    """Condition of a channel's values, and how a message says it."""
    if name == PROMOTION:
        return pl.col(name).is_between(0, 1), "false, true or a strength from 0 to 1"
    if name == PRICE:
        return (pl.col(name) > 0) & (pl.col(name) <= HIGHEST_PRICE), f"above 0, at most {HIGHEST_PRICE:.0f}"
    return pl.col(name).is_finite() & (pl.col(name).abs() <= HIGHEST_PRICE), f"a number within ±{HIGHEST_PRICE:.0f}"


def _superseded(read: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the time from which each is known and the time at which the next of its id takes its place."""
    told = pl.col("event_time").fill_null(ALWAYS)
    identity = pl.coalesce(pl.col("signal_id"), pl.format("\n{}", pl.col("row")))
    channels = [name for name in read.columns if f"is_given_{name}" in read.columns]
    return (
        read.with_row_index("row")
        .with_columns(known_at=told, key=pl.format("{}|{}", "location", "sku"), identity=identity)
        .sort("known_at", "row")
        .with_columns(until_at=pl.col("known_at").shift(-1).over("key", "identity").fill_null(FOREVER))
        .sort("row")
        .select("key", "identity", "starts_at", "ends_at", "known_at", "until_at", pl.col("type") == PLANNED, *channels)
        .rename({"type": "is_planned"})
    )
