"""``restock simulate`` as a user runs it: files in any format, figures out, and what is wrong said in words."""

import csv
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from stream_app.cli.main import cli
from stream_app.errors import ConfigError
from stream_app.replay.sequence import sequenced
from stream_app.simulate import lines as reading
from stream_app.simulate.lines import read_lines
from stream_app.simulate.specs import parsed
from tests.engine.builders import DAY, HOUR, T0

Fields = dict[str, Any]
START, END = "2011-01-30", "2011-02-27"


def orders(days: int = 28) -> list[Fields]:
    """Two SKUs that sell every day from 40 days before the start on, and a cancellation."""
    found: list[Fields] = []
    for day in range(-40, days):
        for place, sku in enumerate(("A", "B")):
            at = T0 + day * DAY + (9 + place) * HOUR
            found.append(
                {"order_id": f"o{len(found)}", "sku": sku, "quantity": 1 + (day * 7 + place) % 9, "event_time": at}
            )
    back = {"order_id": "o3", "sku": "B", "quantity": 1, "event_time": T0 + 5 * DAY, "placed_at": T0 - 2 * DAY}
    return [*found, {**back, "type": "order_cancelled"}]


CATALOG = [
    {
        "sku": sku,
        "lead_time_days": 3,
        "holding_cost_per_unit_day": 0.01,
        "shortage_cost_per_unit": 1,
        "ordering_cost": 2,
    }
    for sku in ("A", "B")
]


def written(path: Path, rows: list[Fields]) -> Path:
    """Write rows as the name says."""
    if path.suffix == ".parquet":
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    elif path.suffix == ".csv":
        pl.DataFrame(rows, infer_schema_length=None).write_csv(path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def simulate(folder: Path, *options: str, rows: list[Fields] | None = None, name: str = "orders.ndjson") -> Result:
    files = (
        ("--orders", str(written(folder / name, rows or orders()))),
        (
            "--catalog",
            str(written(folder / "catalog.csv", CATALOG)),
        ),
    )
    times = () if "--from" in options else ("--from", START, "--to", END)
    chosen = ("--model", "moving_average") if "--model" not in options else ()
    return CliRunner().invoke(cli, ["simulate", *files[0], *files[1], *times, *chosen, *options])


def figures(folder: Path, *options: str, **more: Any) -> list[dict[str, Any]]:
    result = simulate(folder, *options, "--json", str(folder / "out.json"), **more)
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads((folder / "out.json").read_text())["runs"]
    return found


def test_policies_are_ranked_by_cost_with_all_their_figures(tmp_path: Path) -> None:
    specs = [
        "sS",
        "RS:service=0.9",
        "snQ:quantity=20",
        "newsvendor",
        "min_max:cover_days=0",
        "sS:kind=fill,service=0.9",
    ]
    found = figures(tmp_path, *(word for spec in specs for word in ("--policy", spec)))
    assert sorted(one["policy"] for one in found) == sorted(specs)
    costs = [one["cost"]["total"] for one in found]
    assert costs == sorted(costs)
    for one in found:
        assert {"policy", "model", "cost", "fill_rate", "cycle_service", "days_of_stock"} <= one.keys()
        assert {"orders", "stock_out_days", "bullwhip"} <= one.keys()
        cost = one["cost"]
        assert cost.keys() == {"holding", "shortage", "ordering", "waste", "total"}
        assert cost["total"] == pytest.approx(sum(cost[name] for name in ("holding", "shortage", "ordering", "waste")))
        assert cost["ordering"] == 2 * one["orders"] > 0
        assert one["fill_rate"] == one["served_units"] / one["asked_units"]
        assert one["asked_units"] == sum(row["quantity"] for row in orders()[80:-1])
        assert one["against_best"]["low"] <= one["against_best"]["cost"] <= one["against_best"]["high"]


def test_a_catalog_of_other_stock_keys_than_the_orders_is_told_of(tmp_path: Path) -> None:
    elsewhere = simulate(tmp_path, rows=[{**row, "location": "uk"} for row in orders()])
    assert elsewhere.exit_code == 0
    assert "the catalog names no stock key of the orders" in elsewhere.stderr
    assert "it says main|A, they say uk|" in elsewhere.stderr
    assert "names no stock key" not in simulate(tmp_path).stderr


def test_rows_of_a_catalog_that_hold_for_many_are_the_terms_of_each(tmp_path: Path) -> None:
    one_by_one = figures(tmp_path, "--policy", "catalog")
    many = "".join(
        f"{line}\n"
        for line in (
            "sku,category,lead_time_days,holding_cost_per_unit_day,shortage_cost_per_unit,ordering_cost",
            "*,,30,0.01,1,2",
            "A,toys,,,,",
            "*,toys,3,,,",
            "B,,3,,,",
        )
    )
    (tmp_path / "many.csv").write_text(many)
    named = ("--catalog", str(tmp_path / "many.csv"), "--json", str(tmp_path / "j"))
    together = simulate(tmp_path, "--policy", "catalog", *named)
    assert together.exit_code == 0, together.output
    assert json.loads((tmp_path / "j").read_text())["runs"] == one_by_one


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("*,,3\nA,,2\n*,,4\n", "rows 1 and 3 are for the same stock keys"),
        ("*,toy,3\nA,toys,2\n", "row 1 holds for no row of the file: none has category toy"),
        ("*,,x\nA,,2\n", "row 1: out_of_range: lead_time_days"),
        ("*,,3\n", "row 1 holds for no row of the file: there is no other"),
    ],
)
def test_a_row_for_many_that_is_wrong_is_refused_by_its_number(tmp_path: Path, rows: str, said: str) -> None:
    (tmp_path / "many.csv").write_text(f"sku,category,lead_time_days\n{rows}")
    refused = simulate(tmp_path, "--catalog", str(tmp_path / "many.csv"))
    assert refused.exit_code != 0
    assert said in str(refused.exception)


def test_every_decision_is_written_with_when_it_can_be_used(tmp_path: Path) -> None:
    (found,) = figures(tmp_path, "--policy", "RS:review_days=2", "--decisions-out", str(tmp_path / "decisions.csv"))
    with (tmp_path / "decisions.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == ["policy", "model", "decided_at", "usable_from", "location", "sku", "quantity"]
    assert len(rows) == found["orders"]
    assert {(row["policy"], row["model"], row["location"]) for row in rows} == {
        ("RS:review_days=2", "moving_average", "main")
    }
    for row in rows:
        decided, usable = (datetime.fromisoformat(row[name]) for name in ("decided_at", "usable_from"))
        since = decided - datetime.fromtimestamp(T0 / 1000, UTC)
        assert (since.days % 2, since.seconds) == (0, 0)
        assert (usable - decided).days == 3


def test_the_figures_of_the_keys_add_up_to_those_of_the_run(tmp_path: Path) -> None:
    (found,) = figures(tmp_path, "--policy", "RS", "--keys-out", str(tmp_path / "keys.csv"))
    with (tmp_path / "keys.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["location"], row["sku"]) for row in rows] == [("main", "A"), ("main", "B")]
    for name in ("asked_units", "served_units", "orders", "ordered_units", "stock_out_days"):
        assert sum(float(row[name]) for row in rows) == found[name]
    for name in ("holding", "shortage", "ordering"):
        assert sum(float(row[name]) for row in rows) == pytest.approx(found["cost"][name])


def test_all_formats_mean_the_same(tmp_path: Path) -> None:
    given = [{**row, "type": row.get("type", "order_placed"), "placed_at": row.get("placed_at")} for row in orders()]
    found = [figures(tmp_path, rows=given, name=f"orders.{kind}") for kind in ("ndjson", "csv", "parquet")]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("kind", ["ndjson", "csv"])
def test_the_quick_reading_gives_what_the_wire_gives(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ("2011-02-01T08:00:00Z", "2011-02-01T09:00:00.25+01:00", "2011-02-01 10:00:00Z")
    rows = [{**row, "event_time": text} for row, text in zip(orders(), texts, strict=False)]
    path = written(tmp_path / f"orders.{kind}", [*rows])
    quick = reading._read_at_once(path)
    slow, refused = reading._read_by_row(path)
    assert quick is not None
    assert refused == []
    for name in ("kinds", "occurred_at", "placed_at", "units"):
        assert getattr(quick, name).tolist() == getattr(slow, name).tolist()
    assert list(quick.keys) == list(slow.keys)


def test_a_row_that_is_refused_is_named_and_the_rest_is_played(tmp_path: Path) -> None:
    rows = [*orders(), {"order_id": "x", "sku": "A", "quantity": -3, "event_time": T0}]
    result = simulate(tmp_path, "--json", str(tmp_path / "out.json"), rows=rows)
    assert result.exit_code == 0
    assert f"orders row {len(rows)}: out_of_range: quantity is -3" in result.stderr
    assert json.loads((tmp_path / "out.json").read_text())["runs"] == figures(tmp_path)
    assert len(sequenced({"orders": tmp_path / "orders.ndjson"}).records) == len(orders())


def test_the_inventory_file_is_the_opening_stock(tmp_path: Path) -> None:
    counts = [
        {"type": "stock_counted", "event_id": f"c{sku}", "sku": sku, "event_time": T0, "on_hand": 0} for sku in "AB"
    ]
    under_way = {"type": "restock_shipped", "event_id": "s", "sku": "A", "event_time": T0, "restock_id": "po-1"}
    facts = {"sku": "A", "bucket_start": "2011-02-01T00:00:00Z", "available_fraction": 0.5}
    rows = [*counts, {**under_way, "quantity": 500, "expected_at": T0 + DAY}, facts]
    path = written(tmp_path / "inventory.ndjson", rows)
    assumed = figures(tmp_path)[0]
    counted = figures(tmp_path, "--inventory", str(path))[0]
    assert counted["fill_rate"] < assumed["fill_rate"]
    assert counted["days_of_stock"] > assumed["days_of_stock"]
    assert counted["orders"] < assumed["orders"]
    assert "1 bucket facts are used" in simulate(tmp_path, "--inventory", str(path)).stderr


def test_weeks_and_hours_are_buckets_too(tmp_path: Path) -> None:
    weekly = figures(tmp_path, "--bucket", "7d", "--policy", "RS")[0]
    assert weekly["asked_units"] == figures(tmp_path)[0]["asked_units"]
    hourly = figures(tmp_path, "--bucket", "1h", "--from", "2011-02-20", "--to", "2011-02-21T12:00:00Z")[0]
    assert hourly["asked_units"] == sum(row["quantity"] for row in orders()[80 + 42 : 80 + 46])
    cut = simulate(tmp_path, "--bucket", "7d", "--from", START, "--to", "2011-02-10")
    assert "the last whole one ends at 2011-02-06T00:00:00.000Z" in cut.stderr


def test_the_starter_forecasts_days_and_no_weeks(tmp_path: Path) -> None:
    assert figures(tmp_path, "--model", "starter")[0]["model"] == "starter"
    refused = simulate(tmp_path, "--model", "starter", "--bucket", "7d")
    assert refused.exit_code == 1
    assert isinstance(refused.exception, ConfigError)
    assert "serves buckets of 86400 s" in str(refused.exception)


def test_an_lstm_is_fitted_on_what_was_known_before_the_start(tmp_path: Path) -> None:
    earlier = [
        {"sku": sku, "quantity": 1 + (day * place) % 7, "event_time": T0 + day * DAY + HOUR, "order_id": f"{sku}{day}"}
        for day in range(-120, -40)
        for place, sku in enumerate(("A", "B", "C", "D"), 1)
    ]
    files = (
        *("--orders", str(written(tmp_path / "orders.ndjson", [*earlier, *orders()]))),
        *("--catalog", str(written(tmp_path / "catalog.csv", CATALOG))),
    )
    chosen = ("--from", START, "--to", END, "--model", "lstm", "--json", str(tmp_path / "out.json"))
    # a process of its own, as for a user: TensorFlow does not share one well
    done = subprocess.run(
        [sys.executable, "-m", "stream_app.cli.main", "simulate", *files, *chosen],
        capture_output=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    (found,) = json.loads((tmp_path / "out.json").read_text())["runs"]
    assert (found["model"], found["stock_keys"]) == ("lstm", 4)
    assert found["orders"] > 0


def test_shortage_is_lost_or_owed(tmp_path: Path) -> None:
    counts = [
        {"type": "stock_counted", "event_id": f"c{sku}", "sku": sku, "event_time": T0, "on_hand": 0} for sku in "AB"
    ]
    stock = ("--inventory", str(written(tmp_path / "inventory.ndjson", counts)))
    lost, owed = (figures(tmp_path, *stock, "--shortage", how)[0] for how in ("lost_sales", "backorders"))
    assert lost["asked_units"] == owed["asked_units"]
    # what is owed must be ordered too; what is lost need not
    assert lost["ordered_units"] < owed["ordered_units"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("best", "'best' is no policy; there are catalog, sS, RS, snQ, newsvendor, cost, min_max"),
        ("sS:review_days=3", "sS has no 'review_days'; it has service, kind, unmet, cover_days"),
        ("RS:service=95", "service is '95', must be a number from 0.5 to 0.9999"),
        ("RS:service=nan", "service is 'nan', must be a number"),
        ("RS:kind=alpha", "kind is 'alpha', must be cycle or fill"),
        ("snQ:quantity=2.5", "quantity is '2.5'"),
        ("catalog:review_days=3", "catalog has no 'review_days'; it has service, cover_days"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_in_words(spec: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parsed(spec)
    assert said in str(refused.value)


def test_a_newsvendor_without_costs_names_the_key_and_the_way_out(tmp_path: Path) -> None:
    rows = [*orders(), {"order_id": "x", "sku": "C", "quantity": 3, "event_time": T0}]
    refused = simulate(tmp_path, "--policy", "newsvendor", rows=rows)
    assert "main|C has no holding_cost_per_unit_day" in str(refused.exception)
    assert simulate(tmp_path, "--policy", "newsvendor:holding=0.01,shortage=1", rows=rows).exit_code == 0


def test_what_a_policy_is_told_of_costs_does_not_change_the_account(tmp_path: Path) -> None:
    found = figures(
        tmp_path, "--policy", "cost", "--policy", "cost:holding=1", "--decisions-out", str(tmp_path / "d.csv")
    )
    by_policy = {one["policy"]: one for one in found}
    own, dear = by_policy["cost"], by_policy["cost:holding=1"]
    assert dear["days_of_stock"] < own["days_of_stock"]
    assert dear["cost"]["holding"] < own["cost"]["holding"]
    assert dear["cost"]["total"] > own["cost"]["total"]


def test_an_empty_or_unreadable_file_says_so(tmp_path: Path) -> None:
    empty = tmp_path / "none.ndjson"
    empty.write_text("")
    with pytest.raises(ConfigError, match="has no order line"):
        read_lines(empty)
    strange = tmp_path / "orders.xlsx"
    strange.write_text("")
    with pytest.raises(ConfigError, match="the name must end in"):
        read_lines(strange)


def test_a_period_without_a_whole_bucket_is_refused(tmp_path: Path) -> None:
    refused = simulate(tmp_path, "--from", START, "--to", START)
    assert "less than one bucket" in str(refused.exception)
    assert simulate(tmp_path, "--from", "yesterday", "--to", END).exit_code == 2
