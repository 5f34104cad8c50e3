"""Invoices of the Online Retail data set as the order system of a shop would have published them.

Every row of the file becomes one event or is skipped for one counted reason.
What the data set calls an invoice is an order here; a row with units below
zero on an invoice whose number begins with C is a cancellation.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import polars as pl

from replenishment.keys import key_bytes

LOCATION = "uk"
STOCK_CODE = r"^\d{5}[A-Z]{0,2}$"
"""Codes of goods; postage, fees, samples, vouchers and manual corrections have others."""
AFTER_THE_END = "after the last day played"
NO_GOODS = "code of no goods"
NO_PRICE = "price not above 0"
NO_UNITS = "units of the wrong sign"
NO_ORDER_TO_CANCEL = "cancellation of no known order"


class OrderLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON value of one record on ``orders``; times in epoch milliseconds."""

    order_id: str
    line: int
    location: str
    sku: str
    quantity: int
    event_time: int
    price: float
    type: str = "order_placed"
    placed_at: int | None = None


@dataclass(frozen=True, slots=True)
class OrderBook:
    """All events by event time, and how many rows of the file became none.

    ``events`` has a row for each event: ``order_id``, ``line`` (1 = the first
    row of its invoice), ``sku``, ``quantity`` (above 0), ``event_time``
    (epoch milliseconds), ``price`` and ``placed_at`` (of a cancellation: when
    the line that it takes back was ordered; null = an order).

    Raises:
        ValueError: If an event is neither sent nor skipped.
    """

    events: pl.DataFrame
    rows_read: int
    skipped: Mapping[str, int]

    def __post_init__(self) -> None:
        if self.rows_read != self.events.height + sum(self.skipped.values()):
            raise ValueError(f"{self.rows_read} rows became {self.events.height} events and {self.skipped}")

    @property
    def skus(self) -> list[str]:
        """Every SKU that is ordered, sorted."""
        return self.events["sku"].unique().sort().to_list()


def load(path: Path, until: datetime) -> OrderBook:
    """Return the order book of a packaged file, without what was invoiced at ``until`` or later."""
    rows = _with_reasons(pl.read_parquet(path), until)
    kept = rows.filter(pl.col("reason").is_null()).sort("event_time", maintain_order=True)
    placed_at = _placed_at(kept)
    events = kept.with_columns(pl.Series("placed_at", placed_at, dtype=pl.Int64), quantity=pl.col("quantity").abs())
    matched = events.filter(~pl.col("is_cancellation") | pl.col("placed_at").is_not_null())
    skipped = {
        reason: count
        for reason, count in (
            *rows["reason"].drop_nulls().value_counts(sort=True).iter_rows(),
            (NO_ORDER_TO_CANCEL, events.height - matched.height),
        )
        if count
    }
    columns = ("order_id", "line", "sku", "quantity", "event_time", "price", "placed_at")
    return OrderBook(matched.select(columns), rows.height, skipped)


def _with_reasons(invoices: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """Rows in the words of the trade, each with the first reason to skip it, or null."""
    is_credit = pl.col("order_id").str.starts_with("C")
    rows = invoices.select(
        order_id="InvoiceNo",
        line=pl.int_range(pl.len()).over("InvoiceNo") + 1,
        sku=pl.col("StockCode").str.to_uppercase(),
        quantity="Quantity",
        event_time=pl.col("InvoiceDate").dt.epoch("ms"),
        price="UnitPrice",
        customer="CustomerID",
    )
    return rows.with_columns(
        is_cancellation=is_credit & (pl.col("quantity") < 0),
        reason=pl.when(pl.col("event_time") >= round(until.timestamp() * 1000))
        .then(pl.lit(AFTER_THE_END))
        .when(~pl.col("sku").str.contains(STOCK_CODE))
        .then(pl.lit(NO_GOODS))
        .when(pl.col("price") <= 0)
        .then(pl.lit(NO_PRICE))
        .when((pl.col("quantity") == 0) | (is_credit != (pl.col("quantity") < 0)))
        .then(pl.lit(NO_UNITS)),
    )


def _placed_at(rows: pl.DataFrame) -> list[int | None]:
    """When the line that each cancellation takes back was ordered; None for orders and for what matches none.

    A cancellation takes the latest earlier line of its customer and code that
    has at least as many units left, and those units with it.
    """
    placed_at: list[int | None] = [None] * rows.height
    lines: dict[tuple[int, str], list[list[int]]] = defaultdict(list)
    columns = rows.select("customer", "sku", "quantity", "event_time")
    for row, (customer, sku, quantity, event_time) in enumerate(columns.iter_rows()):
        if customer is None:
            continue
        if quantity > 0:
            lines[customer, sku].append([event_time, quantity])
            continue
        for line in reversed(lines[customer, sku]):
            if line[1] >= -quantity:
                placed_at[row] = line[0]
                line[1] += quantity
                break
    return placed_at


def records(events: pl.DataFrame) -> Iterator[tuple[bytes, bytes]]:
    """Yield the Kafka key and the JSON value of each event.

    Example:
        >>> columns = {"order_id": ["536365"], "line": [1], "sku": ["85123A"], "quantity": [6],
        ...            "event_time": [1291191960000], "price": [2.55], "placed_at": [None]}
        >>> next(records(pl.DataFrame(columns)))
        (b'uk|85123A', b'{"order_id":"536365","line":1,"location":"uk","sku":"85123A",\
"quantity":6,"event_time":1291191960000,"price":2.55}')
    """
    encode = msgspec.json.Encoder().encode
    keys = {sku: key_bytes(LOCATION, sku) for sku in events["sku"].unique()}
    for order_id, line, sku, quantity, event_time, price, placed_at in events.iter_rows():
        kind = "order_placed" if placed_at is None else "order_cancelled"
        yield (
            keys[sku],
            encode(OrderLine(order_id, line, LOCATION, sku, quantity, event_time, price, kind, placed_at)),
        )
