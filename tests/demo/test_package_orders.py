"""Packaging the original, in the forms in which people have it."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from stream_app.demo.package_orders import main, orders_of, products_of, read_source

CSV = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom
C536379,85123a, CREAM HANGING HEART,-1,12/1/2010 9:41,27.5,,United Kingdom
536366,85123A,WHITE HANGING HEART,6,12/1/2010 10:01,2.55,17850,United Kingdom
"""


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_text(CSV)
    return path


def test_every_row_of_a_csv_is_kept_in_order_with_its_time_in_utc(original: Path) -> None:
    orders = orders_of(read_source(original))
    assert orders.columns == ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"]
    assert orders.row(0) == ("536365", "85123A", 6, datetime(2010, 12, 1, 8, 26, tzinfo=UTC), 2.55, 17850)
    assert orders["InvoiceNo"].to_list() == ["536365", "C536379", "536366"]
    assert orders["CustomerID"].to_list() == [17850, None, 17850]


@pytest.mark.parametrize("form", ["seconds", "timestamps"])
def test_parquet_and_csv_mean_the_same(original: Path, tmp_path: Path, form: str) -> None:
    lines = read_source(original)
    time = pl.col("InvoiceDate")
    as_seconds = time.dt.epoch("s").cast(pl.Float64) if form == "seconds" else time
    lines.with_columns(as_seconds).write_parquet(tmp_path / "data.parquet")
    assert orders_of(read_source(tmp_path / "data.parquet")).equals(orders_of(lines))


def test_a_product_has_its_most_frequent_description(original: Path) -> None:
    assert products_of(read_source(original)).rows() == [("85123A", "WHITE HANGING HEART")]


def test_the_same_source_makes_the_same_bytes(original: Path, tmp_path: Path) -> None:
    made = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        done = CliRunner().invoke(main, [str(original), "--into", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        made.append([path.read_bytes() for path in sorted((tmp_path / name).iterdir())])
    assert made[0] == made[1]
    assert len(made[0]) == 2
