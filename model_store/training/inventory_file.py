"""Bucket facts of an inventory file: when a key could not be sold, or nothing is known of it.

The file has two kinds of row; events (with a ``type``) are not read here. A
bucket without a fact was open for sale all the time.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from model_store.training.bucketing import AnchoredGrid
from model_store.training.errors import UnusableHistory
from model_store.training.history import DemandHistory
from model_store.training.orders_file import instant, read_frame
from replenishment.keys import MAIN_LOCATION

REQUIRED = ("sku", "bucket_start", "available_fraction")
_SHOWN_ROWS = 5


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """Facts: ``key``, ``bucket``, ``fraction`` (0 = missing), one row each; and how many rows were events."""

    rows: pl.DataFrame
    events: int


def read_facts(path: Path, grid: AnchoredGrid) -> BucketFacts:
    """Return the bucket facts of a file.

    Args:
        path: CSV, NDJSON or Parquet with ``location`` (absent: ``main``), ``sku``, ``bucket_start``,
            ``available_fraction`` (0 to 1, or empty) and perhaps ``type``, which marks events.
        grid: Whose buckets they are.

    Raises:
        UnusableHistory: If a column is missing, a fraction is out of range or a time no bucket's edge; by row.
    """
    frame = read_frame(path).with_row_index("row", 1)
    is_event = pl.col("type").is_not_null() if "type" in frame.columns else pl.lit(value=False)
    facts = frame.filter(~is_event)
    missing = [name for name in REQUIRED if name not in frame.columns]
    if missing:
        raise UnusableHistory(
            f"{path.name} has no column {', '.join(missing)}; it has {', '.join(frame.columns[1:])}. Facts of buckets "
            f"need {', '.join(REQUIRED)}"
        )
    place = pl.col("location").fill_null(MAIN_LOCATION) if "location" in facts.columns else pl.lit(MAIN_LOCATION)
    read = facts.select(
        "row",
        key=pl.format("{}|{}", place, "sku"),
        at=instant(facts, "bucket_start"),
        given=pl.col("available_fraction").cast(pl.String).str.strip_chars().replace("", None),
    ).with_columns(fraction=pl.col("given").cast(pl.Float64, strict=False))
    _refuse_wrong(read, grid, path.name)
    buckets = grid.buckets_of(read["at"].to_numpy().astype(np.int64))
    rows = read.select("key", bucket=pl.Series(buckets, dtype=pl.Int64), fraction=pl.col("fraction").fill_null(0.0))
    return BucketFacts(rows, frame.height - facts.height)


def _refuse_wrong(read: pl.DataFrame, grid: AnchoredGrid, source: str) -> None:
    at = read["at"].fill_null(0).to_numpy().astype(np.int64)
    edge = np.array([grid.start_of(bucket) for bucket in grid.buckets_of(at).tolist()], dtype=np.int64)
    is_number = pl.col("given").is_null() | pl.col("fraction").is_between(0, 1).fill_null(False)
    faults = read.with_columns(is_edge=pl.Series(edge == at) & read["at"].is_not_null(), is_number=is_number)
    wrong = faults.filter(~(pl.col("is_edge") & pl.col("is_number")))
    if not wrong.height:
        return
    shown = [
        f"row {row}: available_fraction is {given!r}, must be 0 to 1 or empty"
        if not right
        else f"row {row}: bucket_start is no edge of a bucket of {grid.width.seconds} s"
        for row, given, right in wrong.select("row", "given", "is_number").head(_SHOWN_ROWS).iter_rows()
    ]
    more = f"; and {wrong.height - _SHOWN_ROWS} more" if wrong.height > _SHOWN_ROWS else ""
    raise UnusableHistory(f"{source}: {wrong.height} of {read.height} facts are wrong: {'; '.join(shown)}{more}")


def with_facts(history: DemandHistory, facts: BucketFacts) -> DemandHistory:
    """Return a history that knows the facts; those of other keys or of buckets outside of it change nothing.

    Of two facts about a bucket the later row holds. A fact before a key's first line does not bring it in.
    """
    place = {key.decode(): row for row, key in enumerate(history.keys)}
    available = np.array(history.available_ratio)
    for key, bucket, fraction in facts.rows.iter_rows():
        row, column = place.get(key), bucket - history.first_bucket
        if row is not None and history.born[row] <= column < history.buckets:
            available[row, column] = fraction
    return replace(history, available_ratio=available)
