"""Writes order lines of Online Retail as a file for `model-store evaluate`: goods with a price, nothing else left out.

Usage: python tools/online_retail_orders.py ONLINE_RETAIL.parquet ORDERS.parquet
"""

import sys
from pathlib import Path

import polars as pl

from model_store.training.online_retail import read_online_retail


def main() -> None:
    """Write the file that the second argument names."""
    lines = read_online_retail(Path(sys.argv[1]))
    times = pl.from_epoch("event_time", time_unit="ms").dt.replace_time_zone("UTC")
    lines.with_columns(times, location=pl.lit("uk")).write_parquet(sys.argv[2])


if __name__ == "__main__":
    main()
