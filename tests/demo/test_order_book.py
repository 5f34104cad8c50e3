"""Loader rules on small tables, and the packaged file as a whole."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from stream_app.demo.order_book import (
    AFTER_THE_END,
    NO_GOODS,
    NO_ORDER_TO_CANCEL,
    NO_PRICE,
    NO_UNITS,
    OrderBook,
    load,
    records,
)
from stream_app.demo.package_orders import ORDERS

START = datetime(2011, 11, 1, 9, tzinfo=UTC)
END = datetime(2011, 12, 9, tzinfo=UTC)
Row = tuple[str, str, int, int, float, int | None]
"""Invoice, stock code, units, minutes after START, price, customer."""


@pytest.fixture
def loaded(tmp_path: Path) -> "Loader":
    return Loader(tmp_path / "orders.parquet")


class Loader:
    """Loads rows as if they were the packaged file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, *rows: Row, until: datetime = END) -> OrderBook:
        columns = list(zip(*rows, strict=True))
        pl.DataFrame(
            {
                "InvoiceNo": columns[0],
                "StockCode": columns[1],
                "Quantity": pl.Series(columns[2], dtype=pl.Int32),
                "InvoiceDate": pl.Series(
                    [START + timedelta(minutes=minutes) for minutes in columns[3]],
                    dtype=pl.Datetime("ms", "UTC"),
                ),
                "UnitPrice": columns[4],
                "CustomerID": pl.Series(columns[5], dtype=pl.Int32),
            }
        ).write_parquet(self._path)
        return load(self._path, until)


def values(book: OrderBook) -> list[dict[str, object]]:
    return [json.loads(value) for _, value in records(book.events)]


def column(book: OrderBook, name: str) -> Sequence[object]:
    return book.events[name].to_list()


def test_a_line_becomes_the_record_a_shop_would_publish(loaded: Loader) -> None:
    book = loaded(("536365", "85123A", 6, 0, 2.55, 17850))
    assert list(records(book.events)) == [
        (
            b"uk|85123A",
            (
                b'{"order_id":"536365","line":1,"location":"uk","sku":"85123A","quantity":6,'
                b'"event_time":1320138000000,"price":2.55}'
            ),
        )
    ]


def test_a_line_is_numbered_by_its_row_within_the_invoice_even_when_rows_are_skipped(loaded: Loader) -> None:
    book = loaded(
        ("1", "11111", 1, 0, 1.0, 1),
        ("2", "11111", 1, 0, 1.0, 1),
        ("1", "POST", 1, 0, 1.0, 1),
        ("1", "22222", 1, 0, 1.0, 1),
    )
    assert list(zip(column(book, "order_id"), column(book, "line"), strict=True)) == [
        ("1", 1),
        ("2", 1),
        ("1", 3),
    ]


def test_codes_are_upper_cased(loaded: Loader) -> None:
    assert column(loaded(("1", "85123a", 1, 0, 1.0, 1)), "sku") == ["85123A"]


@pytest.mark.parametrize(
    "code",
    ["POST", "DOT", "M", "m", "BANK CHARGES", "C2", "AMAZONFEE", "gift_0001_20", "DCGS0003", "1234", "123456"],
)
def test_codes_of_no_goods_are_skipped_and_counted(loaded: Loader, code: str) -> None:
    book = loaded(("1", code, 1, 0, 1.0, 1))
    assert (book.events.height, book.skipped) == (0, {NO_GOODS: 1})


@pytest.mark.parametrize("price", [0.0, -11062.06])
def test_prices_of_zero_or_less_are_skipped_and_counted(loaded: Loader, price: float) -> None:
    assert loaded(("1", "11111", 1, 0, price, 1)).skipped == {NO_PRICE: 1}


@pytest.mark.parametrize(("invoice", "units"), [("1", -3), ("1", 0), ("C1", 3)])
def test_units_of_the_wrong_sign_are_skipped_and_counted(loaded: Loader, invoice: str, units: int) -> None:
    assert loaded((invoice, "11111", units, 0, 1.0, 1)).skipped == {NO_UNITS: 1}


def test_what_comes_after_the_last_day_is_skipped_and_counted(loaded: Loader) -> None:
    until = START + timedelta(minutes=1)
    book = loaded(("1", "11111", 1, 0, 1.0, 1), ("2", "11111", 1, 1, 1.0, 1), until=until)
    assert (book.events.height, book.skipped) == (1, {AFTER_THE_END: 1})


def test_a_row_is_counted_for_one_reason_only(loaded: Loader) -> None:
    assert loaded(("C1", "POST", 1, 0, 0.0, None)).skipped == {NO_GOODS: 1}


def test_a_cancellation_takes_back_the_latest_line_with_as_many_units(loaded: Loader) -> None:
    book = loaded(
        ("1", "11111", 5, 0, 1.0, 7),
        ("2", "11111", 9, 1, 1.0, 7),
        ("3", "11111", 2, 2, 1.0, 7),
        ("C4", "11111", -5, 3, 1.0, 7),
    )
    assert values(book)[-1] == {
        "order_id": "C4",
        "line": 1,
        "location": "uk",
        "sku": "11111",
        "quantity": 5,
        "event_time": 1320138180000,
        "price": 1.0,
        "type": "order_cancelled",
        "placed_at": 1320138060000,
    }


def test_units_can_be_taken_back_only_once(loaded: Loader) -> None:
    book = loaded(
        ("1", "11111", 6, 0, 1.0, 7),
        ("2", "11111", 6, 1, 1.0, 7),
        ("C3", "11111", -4, 2, 1.0, 7),
        ("C4", "11111", -2, 3, 1.0, 7),
        ("C5", "11111", -3, 4, 1.0, 7),
        ("C6", "11111", -4, 5, 1.0, 7),
    )
    minutes = [None if at is None else (at - 1320138000000) // 60_000 for at in book.events["placed_at"]]
    assert minutes == [None, None, 1, 1, 0]
    assert book.skipped == {NO_ORDER_TO_CANCEL: 1}


@pytest.mark.parametrize(
    "order",
    [
        ("1", "11111", 4, 0, 1.0, 8),
        ("1", "22222", 4, 0, 1.0, 7),
        ("1", "11111", 3, 0, 1.0, 7),
        ("1", "11111", 4, 2, 1.0, 7),
        ("1", "11111", 4, 0, 0.0, 7),
        ("1", "11111", 4, 0, 1.0, None),
    ],
    ids=["other customer", "other code", "too few units", "later", "skipped itself", "unknown customer"],
)
def test_a_cancellation_without_a_matching_line_is_skipped_and_counted(loaded: Loader, order: Row) -> None:
    book = loaded(order, ("C2", "11111", -4, 1, 1.0, 7))
    assert book.skipped[NO_ORDER_TO_CANCEL] == 1
    assert book.events["placed_at"].drop_nulls().is_empty()


def test_a_cancellation_of_nobody_is_skipped_though_an_order_of_nobody_matches(loaded: Loader) -> None:
    book = loaded(("1", "11111", 4, 0, 1.0, None), ("C2", "11111", -4, 1, 1.0, None))
    assert book.skipped == {NO_ORDER_TO_CANCEL: 1}


def test_events_are_sorted_by_event_time_and_ties_keep_the_order_of_the_file(loaded: Loader) -> None:
    book = loaded(
        ("3", "33333", 1, 2, 1.0, 1),
        ("1", "11111", 1, 1, 1.0, 1),
        ("2", "22222", 1, 1, 1.0, 1),
    )
    assert column(book, "order_id") == ["1", "2", "3"]


def test_a_cancellation_earlier_in_the_file_than_its_order_still_finds_it(loaded: Loader) -> None:
    book = loaded(("C2", "11111", -1, 5, 1.0, 7), ("1", "11111", 1, 1, 1.0, 7))
    assert book.skipped == {}


def test_an_event_neither_sent_nor_skipped_is_an_error(loaded: Loader) -> None:
    events = loaded(("1", "11111", 1, 0, 1.0, 1)).events
    with pytest.raises(ValueError, match="3 rows became 1 events"):
        OrderBook(events, 3, {NO_PRICE: 1})


def test_the_packaged_file_is_the_whole_data_set_and_loses_nothing() -> None:
    book = load(ORDERS, END)
    assert book.rows_read == 541_909
    assert book.rows_read == book.events.height + sum(book.skipped.values())
    assert book.events["event_time"].is_sorted()
    assert (book.events["quantity"] > 0).all() and (book.events["price"] > 0).all()
    cancelled = book.events.filter(pl.col("placed_at").is_not_null())
    assert cancelled.height > 7_000 and (cancelled["placed_at"] <= cancelled["event_time"]).all()
    assert set(book.skipped) == {AFTER_THE_END, NO_GOODS, NO_PRICE, NO_ORDER_TO_CANCEL}
