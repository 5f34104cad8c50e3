"""``restock replay``: files through the engine give what the live product gives, whatever their format."""

import asyncio
import csv
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.cli.main import cli
from stream_app.ports import Outcome, RecordBatch
from stream_app.replay.run import Replayed, replayed
from stream_app.replay.sequence import sequenced
from tests.engine.builders import DAY, HOUR, T0
from tests.stream.shop import Kept, Shop, Source, batch

Fields = dict[str, Any]
PLAN = Shop().plan


def lines(days: int = 20) -> list[Fields]:
    """Orders of three SKUs, two lines a day each; price and line only here and there."""
    found = []
    for day in range(days):
        for place, sku in enumerate(("10002", "A", "B") * 2):
            at = T0 + day * DAY + place * HOUR
            line: Fields = {"order_id": str(10 * day + place), "sku": sku, "quantity": 1 + (day + place) % 4}
            line |= {"event_time": at, "location": "uk", "price": 1.5 if place else None, "line": place or None}
            found.append(line)
    return found


def rfc_3339(at: int) -> str:
    return f"{pl.Series([at]).cast(pl.Datetime('ms')).dt.strftime('%Y-%m-%dT%H:%M:%S%.3fZ')[0]}"


def write_csv(path: Path, rows: Sequence[Fields], times_as_text: bool = True) -> Path:
    names = list(rows[0])
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, names)
        writer.writeheader()
        for row in rows:
            shown = {"event_time": rfc_3339(row["event_time"])} if times_as_text and "event_time" in row else {}
            writer.writerow({name: "" if value is None else value for name, value in (row | shown).items()})
    return path


def write_ndjson(path: Path, rows: Iterable[Fields]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def write_parquet(path: Path, rows: Sequence[Fields], unit: Any, *, text_keys: bool = True) -> Path:
    frame = pl.DataFrame(rows).with_columns(pl.from_epoch("event_time", "ms").dt.replace_time_zone("UTC"))
    frame = frame.with_columns(pl.col("event_time").dt.cast_time_unit(unit))
    if not text_keys:
        frame = frame.with_columns(pl.col("order_id").cast(pl.Int32))
    frame.write_parquet(path)
    return path


def run(decide_from: int = T0 + 3 * DAY, **files: Path) -> Replayed:
    return asyncio.run(replayed(sequenced(files), PLAN, Source(), decide_from))  # type: ignore[arg-type]


def test_formats_mean_the_same(tmp_path: Path) -> None:
    rows = lines()
    expected = run(orders=write_ndjson(tmp_path / "a.ndjson", rows))
    assert expected.summary["restocks"]
    assert expected.summary["stock_keys"] == 3
    others = [
        write_csv(tmp_path / "a.csv", rows),
        write_csv(tmp_path / "b.csv", rows, times_as_text=False),
        write_parquet(tmp_path / "a.parquet", rows, "ms"),
        write_parquet(tmp_path / "b.parquet", rows, "us"),
        write_parquet(tmp_path / "c.parquet", rows, "ns", text_keys=False),
        write_ndjson(tmp_path / "b.jsonl", [row | {"event_time": rfc_3339(row["event_time"])} for row in rows]),
    ]
    for path in others:
        assert run(orders=path).outgoing == expected.outgoing, path
        assert run(orders=path).summary == expected.summary, path


def test_the_order_of_rows_counts_only_where_times_are_equal(tmp_path: Path) -> None:
    rows = lines()
    shuffled = random.Random(1).sample(rows, len(rows))
    one, other = write_ndjson(tmp_path / "a.ndjson", rows), write_ndjson(tmp_path / "b.ndjson", shuffled)
    assert run(orders=one).outgoing == run(orders=other).outgoing


def test_a_replay_equals_the_live_product_on_records_in_that_order(tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if value is not None} for row in lines()]
    path = write_ndjson(tmp_path / "a.ndjson", rows)

    async def live() -> Shop:
        shop = Shop(decide_from=T0 + 3 * DAY)
        processor = await shop.worker()
        key = "{location}|{sku}".format
        records = [Kept(n, key(**row).encode(), json.dumps(row).encode()) for n, row in enumerate(rows)]
        fetches: list[RecordBatch] = [batch("orders", records[:7]), batch("orders", records[7:])]
        for one in fetches:
            assert await processor.accept(one) is Outcome.APPLIED
        return shop

    assert run(orders=path).outgoing == asyncio.run(live()).said


def test_the_catalog_comes_first_and_at_equal_times_inventory_before_orders(tmp_path: Path) -> None:
    orders = [{"sku": "A", "quantity": 5, "event_time": T0 + day * DAY} for day in range(6)]
    inventory = [{"type": "stock_counted", "sku": "A", "event_time": T0 + 5 * DAY, "on_hand": 0}]
    catalog = [{"sku": "A", "supplier": "acme", "active": True, "lead_time_days": 3}]
    files = sequenced(
        {
            "orders": write_csv(tmp_path / "orders.csv", orders),
            "inventory": write_ndjson(tmp_path / "inventory.ndjson", inventory),
            "catalog": write_csv(tmp_path / "catalog.csv", [row | {"active": "true"} for row in catalog]),
        }
    )
    assert [one.role for one in files.records] == ["catalog", *["orders"] * 5, "inventory", "orders"]
    assert [(one.topic, one.start, one.end) for one in files.batches()] == [
        ("catalog", 0, 1),
        ("orders", 0, 5),
        ("inventory", 0, 1),
        ("orders", 5, 6),
    ]
    done = asyncio.run(replayed(files, PLAN, Source(), T0))
    assert not done.refusals
    assert {json.loads(one)["supplier"] for one in done.values("restock")} == {"acme"}


def test_what_a_row_leaves_out_is_main_and_its_own_line(tmp_path: Path) -> None:
    equal = {"sku": "A", "quantity": 2, "event_time": T0}
    later = {"sku": "A", "quantity": 1, "event_time": T0 + 2 * DAY}
    done = run(orders=write_csv(tmp_path / "a.csv", [equal, equal, later]))
    demand = [json.loads(one) for one in done.values("demand")]
    assert [(one["location"], one["units"], one["order_lines"]) for one in demand] == [(["main"], [4], [2])]


def test_refused_rows_are_named_by_number_and_the_others_count(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "sku,quantity,event_time\n"
        "A,1,2011-01-30T00:00:00Z\n"
        "A,0,2011-01-30T01:00:00Z\n"
        "A,3.0,2011-01-30T02:00:00Z\n"
        "A b,1,2011-01-30T03:00:00Z\n"
        "A,1,soon\n"
        "A,,2011-01-30T04:00:00Z\n"
        "A,1\n"
        "\n"
        "A,1,2011-02-02T00:00:00Z\n"
    )
    done = run(orders=path)
    assert sorted((one.row, one.code) for one in done.refusals) == [
        (2, "out_of_range"),
        (3, "out_of_range"),
        (4, "bad_characters"),
        (5, "out_of_range"),
        (6, "missing_field"),
        (7, "undecodable"),
    ]
    assert done.summary["rejected"] == {"out_of_range": 3, "bad_characters": 1, "missing_field": 1, "undecodable": 1}
    assert [json.loads(one)["units"] for one in done.values("demand")] == [[1], [0]]


def test_bucket_facts_of_an_inventory_file_are_counted_as_ignored(tmp_path: Path) -> None:
    fact = {"sku": "A", "bucket_start": "2011-01-30T00:00:00Z", "available_fraction": 0.5}
    event = {"type": "stock_counted", "sku": "A", "event_time": T0, "on_hand": 3}
    done = run(
        orders=write_csv(tmp_path / "a.csv", lines()), inventory=write_ndjson(tmp_path / "b.ndjson", [fact, event])
    )
    assert done.summary["ignored"] == {"bucket facts": 1}
    assert done.summary["records"] == {"orders": 120, "inventory": 1}


@settings(max_examples=150)
@given(st.lists(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)), max_size=8))
def test_no_content_of_a_json_file_raises(tmp_path_factory: pytest.TempPathFactory, content: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "a.ndjson"
    path.write_bytes(b"\n".join(content))
    done = run(orders=path)
    rows = [line for line in path.read_bytes().split(b"\n") if line.strip()]
    assert len(done.refusals) == len(rows)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150)
@given(
    st.lists(st.dictionaries(st.sampled_from(["sku", "quantity", "event_time", "location", "type"]), JSON), max_size=6)
)
def test_no_value_of_a_json_file_raises(tmp_path_factory: pytest.TempPathFactory, rows: list[Fields]) -> None:
    done = run(orders=write_ndjson(tmp_path_factory.mktemp("fuzz") / "a.ndjson", rows))
    assert sum(done.summary["records"].values()) == len(rows)  # type: ignore[attr-defined]


def invoked(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["replay", *map(str, arguments)], catch_exceptions=True)


def test_the_command_writes_what_it_is_asked_for(tmp_path: Path) -> None:
    orders = write_csv(tmp_path / "a.csv", [*lines(), {"order_id": "x", "sku": "A", "quantity": 0, "event_time": T0}])
    outs = {name: tmp_path / name for name in ("restocks", "demand", "dead-letters")}
    options = [part for name, path in outs.items() for part in (f"--{name}-out", path)]
    done = invoked("--orders", orders, "--model", "moving_average", "--json", *options)
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["model_rung"] == "moving_average"
    assert summary["decide_from"] == "2011-01-30T00:00:00.000Z"
    assert len(outs["restocks"].read_text().splitlines()) == summary["restocks"] > 0
    assert {json.loads(line)["kind"] for line in outs["demand"].read_text().splitlines()} == {"closed"}
    (refused,) = [json.loads(line) for line in outs["dead-letters"].read_text().splitlines()]
    assert (refused["file"], refused["row"], refused["code"]) == ("orders", 121, "out_of_range")
    assert "row 121" in done.stderr


def test_records_on_stdout_stand_alone(tmp_path: Path) -> None:
    orders = write_csv(tmp_path / "a.csv", lines())
    done = invoked("--orders", orders, "--restocks-out", "-", "--model", "moving_average")
    assert [json.loads(line)["revision"] for line in done.stdout.splitlines()]
    assert "stock keys" in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("orders.csv", "sku,event_time\n", "has no column quantity"),
        ("orders.txt", "", "must end in"),
        ("orders.parquet", "no parquet", "cannot be read"),
        ("orders.csv", "sku,quantity,event_time\n\udcff,1,1\n", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_orders_is_refused_by_name(tmp_path: Path, name: str, content: str, problem: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode(errors="surrogateescape"))
    done = invoked("--orders", path)
    assert problem in str(done.exception)
    assert str(path) in str(done.exception)


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
def test_a_mistyped_column_of_a_catalog_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    path, rows = tmp_path / f"catalog.{suffix}", [{"sku": "A", "lead_time": 3}]
    catalog = write_csv(path, rows) if suffix == "csv" else write_ndjson(path, rows)
    done = invoked("--orders", write_csv(tmp_path / "a.csv", lines()), "--catalog", catalog)
    assert "'lead_time'" in str(done.exception)


def test_a_version_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    orders = write_csv(tmp_path / "a.csv", lines())
    done = invoked("--orders", orders, "--model", "lstm-20110427-00000000")
    assert "--model lstm-20110427-00000000: there is no version" in str(done.exception)


def test_a_time_that_is_none_is_a_wrong_usage(tmp_path: Path) -> None:
    orders = write_csv(tmp_path / "a.csv", lines())
    assert invoked("--orders", orders, "--decide-from", "yesterday").exit_code == 2
