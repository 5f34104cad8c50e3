"""Cleaning: each rule finds what it should and nothing else, and a clean file changes by no unit."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.training.cleaning import clean
from model_store.training.online_retail import GOODS
from model_store.training.orders_file import checked_lines

ROOT = Path(__file__).parents[3]
NOON = 1_300_000_000_000 // 86_400_000 * 86_400_000 + 43_200_000
HOUR = 3_600_000


def lines(*rows: dict[str, Any]) -> pl.DataFrame:
    filled = [{"sku": "a", "quantity": 3, "event_time": NOON, **row} for row in rows]
    return checked_lines(pl.DataFrame(filled, infer_schema_length=None), "orders.csv", allows_returns=True)


def found(frame: pl.DataFrame) -> dict[str, int]:
    return {one.rule: one.lines for one in clean(frame).findings if one.lines}


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "85123A"]), st.integers(1, 1_000), st.integers(0, 40)),
        min_size=1,
        max_size=60,
    )
)
def test_clean_file_changes_by_no_unit(rows: list[tuple[str, int, int]]) -> None:
    frame = lines(*({"sku": sku, "quantity": units, "event_time": NOON + HOUR * at} for sku, units, at in rows))
    assert clean(frame).lines.equals(frame)


def test_return_of_the_same_day_and_customer_takes_its_line_to_zero_and_leaves_the_birth() -> None:
    frame = lines({"customer": "c"}, {"customer": "c", "quantity": -3, "event_time": NOON + HOUR})
    assert found(frame) == {"netted": 1}
    assert clean(frame).lines.select("quantity", "event_time").rows() == [(0, NOON)]


@pytest.mark.parametrize(
    "back",
    [
        {"customer": "c", "quantity": -2},
        {"customer": "other", "quantity": -3},
        {"customer": "c", "quantity": -3, "event_time": NOON + 24 * HOUR},
        {"customer": "c", "quantity": -3, "sku": "b"},
        {"customer": "c", "quantity": -3, "location": "north"},
        {"customer": None, "quantity": -3},
    ],
)
def test_other_returns_are_left_out_and_take_nothing_back(back: dict[str, Any]) -> None:
    frame = lines({"customer": "c", "location": "main"}, {"location": "main", **back})
    assert found(frame) == {"returned": 1}
    assert clean(frame).lines["quantity"].to_list() == [3]


def test_each_return_takes_back_one_line() -> None:
    frame = lines(*({"event_time": NOON + place} for place in range(3)), {"quantity": -3}, {"quantity": -3})
    assert found(frame) == {"netted": 2}
    assert clean(frame).lines["quantity"].to_list() == [0, 0, 3]


def test_repeated_line_is_known_by_its_order_and_equal_rows_without_one_are_two() -> None:
    assert found(lines({}, {})) == {}
    assert found(lines({"order_id": "1"}, {"order_id": "1"}, {"order_id": "2"})) == {"repeated": 1}
    assert found(lines({"order_id": "1"}, {"order_id": "1", "quantity": 4})) == {}
    numbered = lines({"order_id": "1", "line": 1}, {"order_id": "1", "line": 2}, {"order_id": "1", "line": 2})
    assert found(numbered) == {"repeated": 1}
    first = lines({"order_id": "1", "line": 1}, {"order_id": "1", "line": 1, "quantity": 9})
    assert clean(first).lines["quantity"].to_list() == [3]


@pytest.mark.parametrize("sku", ["POST", "test001", "BANK_CHARGES", "Gift-Card", "SAMPLES", "AMAZONFEE"])
def test_code_of_no_goods_is_left_out(sku: str) -> None:
    assert found(lines({"sku": sku}, {})) == {"no_stock": 1}


@pytest.mark.parametrize("sku", ["POSTER", "TESTER-4", "85123A", "M", "A", "FEED-12", "DELIVERY-VAN-TOY", "TEST1234"])
def test_code_that_only_looks_so_is_kept(sku: str) -> None:
    assert found(lines({"sku": sku})) == {}


def test_real_shop_is_netted_as_the_protocol_counted_it() -> None:
    # The published protocol: 777 lines, 188,912 units, among them two blunders of 80,995 and 74,215.
    invoices = pl.read_parquet(ROOT / "stream_app" / "demo" / "online_retail.parquet")
    frame = invoices.select(
        sku=pl.col("StockCode").str.to_uppercase(),
        quantity="Quantity",
        event_time="InvoiceDate",
        customer=pl.col("CustomerID").cast(pl.String),
        price="UnitPrice",
    ).filter(pl.col("sku").str.contains(GOODS) & (pl.col("quantity") != 0) & (pl.col("price") > 0))
    netted = next(
        one for one in clean(checked_lines(frame, "shop", allows_returns=True)).findings if one.rule == "netted"
    )
    assert (netted.lines, netted.units) == (777, 188_912)
    assert [text.split()[1] for text in netted.examples[:2]] == ["80995", "74215"]
