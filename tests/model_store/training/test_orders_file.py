"""History from a file of order lines: three formats that mean the same, and rows that are wrong by name."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from model_store.training.errors import UnusableHistory
from model_store.training.history import DemandHistory
from model_store.training.orders_file import history_of, read_orders
from replenishment.buckets import BucketWidth
from tests.model_store.training.builders import DAY, by_sku

NOON = "2011-03-01T12:00:00Z"
LINES: list[dict[str, Any]] = [
    {"sku": "a", "quantity": 3, "event_time": NOON},
    {"sku": "a", "quantity": 4, "event_time": "2011-03-01T23:59:59.999Z"},
    {"sku": "a", "quantity": 5, "event_time": "2011-03-02T01:00:00+01:00"},
    {"sku": "b", "quantity": 6, "event_time": "2011-03-04T00:00:00Z"},
]


def read(lines: list[dict[str, Any]], width: BucketWidth = DAY) -> DemandHistory:
    return history_of(pl.DataFrame(lines, infer_schema_length=None), width, "orders.csv")


def test_lines_fall_into_half_open_buckets_and_silent_ones_are_zeros() -> None:
    assert by_sku(read(LINES)) == {"a": [7, 5, 0, 0], "b": [6]}
    assert read(LINES).order_lines[0].tolist() == [2, 1, 0, 0]
    assert read(LINES).keys == (b"main|a", b"main|b")


def test_order_of_rows_does_not_matter_and_equal_rows_are_two_lines() -> None:
    assert by_sku(read(LINES[::-1])) == by_sku(read(LINES))
    assert by_sku(read([*LINES, LINES[0]]))["a"] == [10, 5, 0, 0]


def test_cancellation_takes_units_back_from_the_bucket_of_its_order() -> None:
    cancelled = {
        "sku": "a",
        "quantity": 5,
        "event_time": "2011-03-04T08:00:00Z",
        "type": "order_cancelled",
        "placed_at": NOON,
    }
    history = read([*({**line, "type": "order_placed", "placed_at": None} for line in LINES), cancelled])
    assert by_sku(history)["a"] == [2, 5, 0, 0]
    assert history.order_lines[0].tolist() == [2, 1, 0, 0]


def test_local_time_moves_the_edges_of_buckets() -> None:
    assert by_sku(read(LINES, BucketWidth(86_400, 3_600)))["a"] == [3, 9, 0, 0]


@pytest.mark.parametrize("ending", [".csv", ".ndjson", ".parquet"])
def test_csv_ndjson_and_parquet_mean_the_same(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"orders{ending}"
    frame = pl.DataFrame(LINES)
    match ending:
        case ".csv":
            frame.write_csv(path)
        case ".ndjson":
            frame.write_ndjson(path)
        case _:
            frame.write_parquet(path)
    assert by_sku(read_orders(path, DAY)) == by_sku(read(LINES))


@pytest.mark.parametrize(
    "times",
    [
        pl.Series(["2011-03-01T12:00:00Z", "2011-03-02T12:00:00.5+00:00"]),
        pl.Series(["2011-03-01 12:00:00", "2011-03-02"]),
        pl.Series(["1298980800000", "1299067200000"]),
        pl.Series([1298980800000, 1299067200000]),
        pl.Series([1298980800000, 1299067200000]).cast(pl.Datetime("ms")),
        pl.Series([1298980800000, 1299067200000]).cast(pl.Datetime("ms", "UTC")).cast(pl.Datetime("ns", "UTC")),
    ],
)
def test_time_may_be_written_in_several_ways(times: pl.Series) -> None:
    frame = pl.DataFrame({"sku": ["a", "a"], "quantity": ["1", "2"], "event_time": times})
    assert by_sku(history_of(frame, DAY, "x")) == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quantity": 0}, "row 2: quantity is 0, must be a whole number from 1"),
        ({"quantity": 2_000_000}, "row 2: quantity is 2000000"),
        ({"quantity": 1.5}, "row 2: quantity is 1.5"),
        ({"quantity": float("nan")}, "row 2: quantity is nan"),
        ({"quantity": None}, "row 2: quantity is None"),
        ({"sku": "a|b"}, "row 2: sku is 'a|b'"),
        ({"sku": None}, "row 2: sku is None"),
        ({"event_time": "yesterday"}, "row 2: event_time is 'yesterday', must be RFC 3339"),
        ({"event_time": "1970-01-02T00:00:00Z"}, "from 2000 on"),
        ({"type": "refund"}, "row 2: type is 'refund'"),
        ({"type": "order_cancelled"}, "row 2: placed_at is None"),
    ],
)
def test_wrong_row_is_named_with_its_value_and_what_to_do(change: dict[str, Any], message: str) -> None:
    lines = [{"type": "order_placed", "placed_at": None, **line} for line in LINES]
    lines[1] |= change
    if isinstance(change.get("quantity"), float):
        lines = [{**line, "quantity": float(line["quantity"])} for line in lines]
    with pytest.raises(UnusableHistory) as raised:
        read(lines)
    assert "orders.csv: 1 of 4 rows are wrong" in str(raised.value)
    assert message in str(raised.value)
    assert "Correct or remove" in str(raised.value)


def test_only_the_first_of_many_wrong_rows_are_shown() -> None:
    with pytest.raises(UnusableHistory, match=r"9 of 9 rows are wrong: row 1: .*row 5: .*; and 4 more"):
        read([{"sku": "a", "quantity": -1, "event_time": NOON}] * 9)


def test_missing_columns_are_named_beside_those_there_are() -> None:
    with pytest.raises(UnusableHistory, match="no column quantity, event_time; it has sku, when"):
        read([{"sku": "a", "when": NOON}])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("orders.xlsx", b"", "is no .csv, .ndjson or .parquet"),
        ("orders.parquet", b"PAR1", "cannot be read"),
        ("orders.csv", b"", "cannot be read"),
        ("orders.csv", b"sku,quantity,event_time\n", "no demand"),
    ],
)
def test_file_that_is_no_table_is_refused_by_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnusableHistory, match=message):
        read_orders(tmp_path / name, DAY)


def test_directory_of_shards_means_what_one_file_means(tmp_path: Path) -> None:
    lines = pl.DataFrame(LINES)
    lines[:1].write_parquet(tmp_path / "2011-03-a.parquet")
    lines[1:3].write_csv(tmp_path / "2011-03-b.csv")
    lines[3:].write_ndjson(tmp_path / "2011-03-c.ndjson")
    (tmp_path / "README.txt").write_text("one file for each export")
    shards, whole = read_orders(tmp_path, DAY), read(LINES)
    assert by_sku(shards) == by_sku(whole)
    assert shards.order_lines.tolist() == whole.order_lines.tolist()


def test_a_wrong_row_is_named_with_its_shard_and_a_directory_without_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableHistory, match=r"holds no .csv, .ndjson or .parquet file"):
        read_orders(tmp_path, DAY)
    pl.DataFrame(LINES).write_csv(tmp_path / "a.csv")
    pl.DataFrame([{**LINES[0], "quantity": -2}]).write_csv(tmp_path / "b.csv")
    with pytest.raises(UnusableHistory, match=r"b\.csv: 1 of 1 rows are wrong: row 1: quantity"):
        read_orders(tmp_path, DAY)
