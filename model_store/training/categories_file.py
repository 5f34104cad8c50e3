"""Categories of stock keys, from a catalog or from a column of the order lines."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from model_store.training.errors import UnusableHistory
from model_store.training.history import DemandHistory
from model_store.training.orders_file import read_frame, shards_of
from replenishment.keys import MAIN_LOCATION

CATEGORY = "category"
LONGEST_BYTES = 64
_SHOWN_ROWS = 5


def read_categories(catalog: Path | None, orders: Path | None) -> Mapping[str, str] | None:
    """Return the category of each stock key ``location|sku`` that has one; None if no file has the column.

    Args:
        catalog: CSV, NDJSON or Parquet with ``sku``, ``category`` and perhaps ``location`` (absent: ``main``); of two
            rows about a key the later one holds.
        orders: Read if there is no catalog: order lines with a column ``category``.

    Raises:
        UnusableHistory: If the catalog has no such columns, or a category is longer than 64 bytes.
    """
    path = catalog or orders
    if path is None:
        return None
    known: dict[str, str] = {}
    for shard in shards_of(path):
        found = _categories_in(shard, is_catalog=catalog is not None)
        if found is None:
            return None
        known |= found
    return known


def _categories_in(path: Path, *, is_catalog: bool) -> Mapping[str, str] | None:
    frame = read_frame(path)
    missing = [name for name in ("sku", CATEGORY) if name not in frame.columns]
    if missing and not is_catalog:
        return None
    if missing:
        raise UnusableHistory(
            f"{path.name} has no column {', '.join(missing)}; it has {', '.join(frame.columns) or 'none'}. "
            f"A catalog names the {CATEGORY} of each sku"
        )
    place = pl.col("location").cast(pl.String).fill_null(MAIN_LOCATION) if "location" in frame.columns else None
    read = frame.select(
        key=pl.format("{}|{}", pl.lit(MAIN_LOCATION) if place is None else place, pl.col("sku").cast(pl.String)),
        category=pl.col(CATEGORY).cast(pl.String).str.strip_chars(),
    ).with_row_index("row", 1)
    long = read.filter(pl.col("category").str.len_bytes() > LONGEST_BYTES)
    if long.height:
        rows = ", ".join(map(str, long["row"].head(_SHOWN_ROWS).to_list()))
        raise UnusableHistory(
            f"{path.name}: {long.height} rows have a {CATEGORY} of more than {LONGEST_BYTES} bytes (rows {rows}). "
            "Shorten them (rows are counted from 1, without the header)"
        )
    named = read.filter(pl.col("category").str.len_bytes() > 0)
    return dict(zip(named["key"].to_list(), named["category"].to_list(), strict=True))


def with_categories(history: DemandHistory, categories: Mapping[str, str]) -> DemandHistory:
    """Return a history that knows the categories of its keys."""
    names = [categories.get(key.decode(), "").encode() for key in history.keys]
    return replace(history, categories=np.array(names, dtype=f"S{LONGEST_BYTES}"))
