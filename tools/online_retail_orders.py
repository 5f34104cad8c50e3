"""Writes Online Retail (UCI, doi 10.24432/C5BW33) as order lines for `model-store evaluate --clean-actuals`.

Left out are codes that are no goods and lines without a price; what was taken
back stays, as units below zero, for the evaluation to clean.

Usage: python tools/online_retail_orders.py ONLINE_RETAIL.parquet ORDERS.parquet
"""

import sys
from pathlib import Path

import polars as pl

from model_store.training.online_retail import GOODS


def order_lines(path: Path) -> pl.DataFrame:
    """Return ``location``, ``sku``, ``quantity``, ``event_time`` (UTC) and ``customer`` of a file as it is packaged."""
    units, code = pl.col("Quantity").cast(pl.Int64), pl.col("StockCode").str.to_uppercase()
    is_sold_or_back = ((units > 0) & (pl.col("UnitPrice") > 0)) | (units < 0)
    return (
        pl.read_parquet(path)
        .filter(code.str.contains(GOODS) & is_sold_or_back)
        .select(
            location=pl.lit("uk"),
            sku=code,
            quantity=units,
            event_time=pl.col("InvoiceDate").cast(pl.Datetime("ms")).dt.replace_time_zone("UTC"),
            customer=pl.col("CustomerID").cast(pl.Int64).cast(pl.String),
        )
    )


if __name__ == "__main__":
    order_lines(Path(sys.argv[1])).write_parquet(sys.argv[2])
