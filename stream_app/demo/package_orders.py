"""Makes the packaged data of the demonstration from the original: only the columns it needs, in file order.

Run ``python -m stream_app.demo.package_orders SOURCE`` with the Online Retail
data set of UCI as CSV or Parquet; same input, same bytes.
"""

from pathlib import Path

import click
import polars as pl

PACKAGE = Path(__file__).parent
ORDERS = PACKAGE / "online_retail.parquet"
PRODUCTS = PACKAGE / "products.parquet"
CSV_TIME = "%m/%d/%Y %H:%M"


def read_source(source: Path) -> pl.DataFrame:
    """Return the original's columns; ``InvoiceDate`` as UTC in milliseconds.

    Args:
        source: CSV with times as ``12/1/2010 8:26``, or Parquet with times as
            timestamps or as seconds since the epoch.
    """
    if source.suffix == ".csv":
        texts = {"InvoiceNo": pl.String, "StockCode": pl.String, "Description": pl.String}
        lines = pl.read_csv(source, schema_overrides=texts)
    else:
        lines = pl.read_parquet(source)
    time = pl.col("InvoiceDate")
    match lines.schema["InvoiceDate"]:
        case pl.String():
            at = time.str.to_datetime(CSV_TIME)
        case pl.Datetime():
            at = time.dt.replace_time_zone(None)
        case _:
            at = pl.from_epoch(time.cast(pl.Int64), time_unit="s")
    return lines.with_columns(at.dt.replace_time_zone("UTC").cast(pl.Datetime("ms", "UTC")))


def orders_of(lines: pl.DataFrame) -> pl.DataFrame:
    """Return what the loader reads, one row for each row of the original."""
    return lines.select(
        pl.col("InvoiceNo").cast(pl.String),
        pl.col("StockCode").cast(pl.String),
        pl.col("Quantity").cast(pl.Int32),
        "InvoiceDate",
        pl.col("UnitPrice").cast(pl.Float64),
        pl.col("CustomerID").cast(pl.Int32),
    )


def products_of(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the most frequent description of each stock code; of equally frequent ones the first by letters."""
    named = lines.select(sku=pl.col("StockCode").str.to_uppercase(), name=pl.col("Description").str.strip_chars())
    return (
        named.drop_nulls()
        .group_by("sku", "name")
        .len()
        .sort(["sku", "len", "name"], descending=[False, True, False])
        .unique("sku", keep="first", maintain_order=True)
        .select("sku", "name")
    )


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=PACKAGE, help="Folder to write to.")
def main(source: Path, into: Path) -> None:
    """Write the packaged data from SOURCE."""
    lines = read_source(source)
    for name, content in ((ORDERS.name, orders_of(lines)), (PRODUCTS.name, products_of(lines))):
        content.write_parquet(
            into / name, compression="zstd", compression_level=22, statistics=False, row_group_size=1_000_000
        )
        click.echo(f"{into / name}: {content.height:,} rows, {(into / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
