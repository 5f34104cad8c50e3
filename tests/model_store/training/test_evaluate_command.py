"""The command `model-store evaluate` on files: what it says is right, by demand of which the right answer is known."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from model_store.cli.main import main
from model_store.training.scoring import LEVELS, TABLE_LEVELS

FIRST_DAY = datetime(2011, 1, 3, tzinfo=UTC)
FIRST_ORIGIN = "2011-04-13"  # day 100
Row = dict[str, Any]


def days(sku: str, units: Iterable[float], begin: int = 0, hour: int = 9) -> list[Row]:
    """A line a day, none where there are no units."""
    return [
        {"sku": sku, "quantity": int(unit), "event_time": FIRST_DAY + timedelta(days=begin + day, hours=hour)}
        for day, unit in enumerate(units)
        if unit
    ]


@pytest.fixture
def evaluated(tmp_path: Path) -> Callable[..., tuple[Result, dict[str, Any], pl.DataFrame]]:
    """Write rows as a Parquet file, evaluate it, and return result, figures and forecasts."""

    def run(rows: list[Row] | Path, *options: str) -> tuple[Result, dict[str, Any], pl.DataFrame]:
        path = rows if isinstance(rows, Path) else tmp_path / "orders.parquet"
        if not isinstance(rows, Path):
            pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
        result = ran(path, *options, "--out", f"{tmp_path / 'out.parquet'}", "--json", f"{tmp_path / 'figures.json'}")
        assert result.exit_code == 0, result.stderr
        figures = json.loads((tmp_path / "figures.json").read_text())
        return result, figures, pl.read_parquet(tmp_path / "out.parquet")

    return run


def ran(path: Path, *options: str) -> Result:
    named = dict(zip(options[::2], options[1::2], strict=False))
    given = {"--bucket": "1d", "--first-origin": FIRST_ORIGIN, "--leads": "3,7", "--models": "moving_average"}
    arguments = [part for pair in given.items() if pair[0] not in named for part in pair]
    return CliRunner().invoke(main, ["evaluate", "--orders", str(path), *arguments, *options])


def values(forecasts: pl.DataFrame, sku: str, lead: int, level: float = 0.5) -> list[float]:
    rows = forecasts.filter((pl.col("sku") == sku) & (pl.col("lead") == lead) & (pl.col("level") == level))
    return rows.sort("origin")["value"].to_list()


def test_model_that_knows_the_answer_scores_zero(evaluated: Callable[..., Any]) -> None:
    # Demand that never changes: its own mean is the truth, at every level.
    _, figures, _ = evaluated([*days("a", [4] * 130), *days("b", [9] * 130)])
    for score in figures["models"]["moving_average"].values():
        assert [score[name] for name in ("spb", "wpb", "wape")] == [0, 0, 0]
        assert score["bias"] == pytest.approx(0, abs=1e-6)
        assert score["coverage"] == {f"{level:g}": 1.0 for level in LEVELS}
        assert (score["n"], score["missing"]) == (2 * len(figures["origins"]), 0)


def test_forecast_is_of_the_buckets_from_the_origin_on_and_sees_those_before(evaluated: Callable[..., Any]) -> None:
    # Demand is t + 1, so one bucket too early or late would show as h units.
    _, figures, forecasts = evaluated(days("a", range(1, 131)))
    origins = list(range(100, 130 - 7 + 1, 3))
    assert figures["origins"] == [f"{FIRST_DAY + timedelta(days=day):%Y-%m-%d}" for day in origins]
    mean = [np.mean([day + 1 for day in range(origin - 28, origin)]) for origin in origins]
    for lead in (3, 7):
        assert values(forecasts, "a", lead) == pytest.approx([lead * one for one in mean])
        came = [sum(day + 1 for day in range(origin, origin + lead)) for origin in origins]
        short = [here - lead * one for here, one in zip(came, mean, strict=True)]
        assert figures["models"]["moving_average"][str(lead)]["wape"] == pytest.approx(sum(short) / sum(came), abs=1e-6)


@pytest.mark.parametrize("models", ["moving_average", "lstm"])
def test_future_of_an_origin_changes_no_forecast_made_there(evaluated: Callable[..., Any], models: str) -> None:
    rng = np.random.default_rng(3)
    options = ("--models", models, "--epochs", "1", "--origins-every", "9")
    before = {sku: rng.poisson(3, 100) for sku in "abcdef"}
    futures = [{sku: rng.poisson(rate, 30) for sku in before} for rate in (3, 60)]
    found = [
        evaluated([row for sku in before for row in days(sku, [*before[sku], *future[sku], 1])], *options)[2]
        for future in futures
    ]
    first = [one.filter(pl.col("origin") == datetime(2011, 4, 13, tzinfo=UTC)) for one in found]
    later = [one.filter(pl.col("origin") > datetime(2011, 4, 13, tzinfo=UTC)) for one in found]
    assert first[0].height == 6 * 2 * len(TABLE_LEVELS)
    assert first[0].equals(first[1])
    assert not later[0].equals(later[1])


def test_csv_ndjson_and_parquet_mean_the_same_and_order_does_not_matter(
    evaluated: Callable[..., Any], tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    rows = [*days("a", rng.poisson(3, 130)), *days("b", rng.poisson(1, 120), begin=10)]
    frame = pl.DataFrame(rows)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=1)
    text = pl.col("event_time").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    frame.with_columns(text).write_csv(tmp_path / "orders.csv")
    frame.with_columns(text).write_ndjson(tmp_path / "orders.ndjson")
    shuffled.with_columns(pl.col("event_time").cast(pl.Datetime("ns", "UTC"))).write_parquet(tmp_path / "other.parquet")
    found = [
        (evaluated(tmp_path / name)[2], (tmp_path / "out.parquet").read_bytes())
        for name in ("orders.csv", "orders.ndjson", "other.parquet")
    ]
    assert found[0][1] == found[1][1] == found[2][1]


def test_table_of_forecasts_has_the_documented_columns_and_never_crosses(evaluated: Callable[..., Any]) -> None:
    rng = np.random.default_rng(6)
    _, _, forecasts = evaluated([*days("a", rng.poisson(3, 130)), *days("b", rng.poisson(1, 60), begin=70)])
    assert dict(forecasts.schema) == {
        "location": pl.String,
        "sku": pl.String,
        "origin": pl.Datetime("ms", "UTC"),
        "lead": pl.Int64,
        "level": pl.Float64,
        "value": pl.Float64,
        "model": pl.String,
    }
    assert set(LEVELS) <= set(forecasts["level"].unique())
    surfaces = forecasts.sort("level").group_by("sku", "origin", "lead").agg("value")["value"].to_list()
    assert all(all(a <= b for a, b in pairwise(one)) and one[0] >= 0 for one in surfaces)


def test_weeks_begin_at_the_first_origin(evaluated: Callable[..., Any]) -> None:
    # Ten units on each Wednesday at 00:00 and on the Tuesday after at 23:59: one week, if it begins on Wednesday.
    wednesday = datetime(2010, 10, 6, tzinfo=UTC)
    rows: list[Row] = []
    for week in range(40):
        for at in (wednesday + timedelta(weeks=week), wednesday + timedelta(weeks=week + 1, minutes=-1)):
            rows.append({"sku": "a", "quantity": 10, "event_time": at})
    _, figures, forecasts = evaluated(rows, "--bucket", "7d", "--first-origin", "2011-06-01", "--leads", "1,2")
    assert values(forecasts, "a", 1) == [20.0] * len(figures["origins"])
    assert figures["origins"][0] == "2011-06-01"
    assert figures["models"]["moving_average"]["2"]["wape"] == 0


def test_last_origin_has_the_longest_lead_complete_and_data_end_with_the_last_line_of_any_key(
    evaluated: Callable[..., Any],
) -> None:
    rows = [*days("a", [4] * 105), *days("b", [4] * 121)]
    _, figures, _ = evaluated(rows, "--origins-every", "1")
    assert figures["origins"][-1] == f"{FIRST_DAY + timedelta(days=114):%Y-%m-%d}"
    assert {one["n"] for one in figures["models"]["moving_average"].values()} == {2 * 15}
    assert figures["models"]["moving_average"]["7"]["bias"] > 0, "the key that stopped selling sold zero, not nothing"


def test_key_is_forecast_from_the_bucket_after_its_first_line_and_is_new_until_it_is_old(
    evaluated: Callable[..., Any],
) -> None:
    rows = [*days("old", [4] * 130), *days("born", [4] * 25, begin=105)]
    _, figures, forecasts = evaluated(rows, "--origins-every", "1")
    born = forecasts.filter(pl.col("sku") == "born")["origin"].min()
    assert born == FIRST_DAY + timedelta(days=106)
    assert figures["models"]["moving_average"]["7"]["n"] == 24
    assert figures["segments"]["established"]["moving_average"]["7"]["n"] == 24
    assert figures["segments"]["new"]["moving_average"]["7"]["n"] == 18


def test_without_established_keys_all_with_a_lead_sum_count(evaluated: Callable[..., Any]) -> None:
    rows = [*days("a", [4] * 40, begin=90), *days("b", [4] * 36, begin=94), *days("c", [4] * 28, begin=102)]
    _, figures, _ = evaluated(rows, "--origins-every", "30")
    # b has six buckets before the first origin: a sum over 3 but none over 7; c begins later.
    assert {lead: one["n"] for lead, one in figures["models"]["moving_average"].items()} == {"3": 2, "7": 1}


def test_bucket_without_stock_is_missing_and_neither_scored_nor_learnt_from(
    evaluated: Callable[..., Any], tmp_path: Path
) -> None:
    units = [4] * 130
    units[90:96] = [0] * 6
    units[112] = 0
    facts = [*range(90, 96), 112]
    pl.DataFrame(
        {
            "sku": ["a"] * len(facts),
            "bucket_start": [FIRST_DAY + timedelta(days=day) for day in facts],
            "available_fraction": [0.0] * 6 + [None],
        }
    ).write_parquet(tmp_path / "inventory.parquet")
    options = ("--origins-every", "1", "--inventory", str(tmp_path / "inventory.parquet"))
    _, figures, forecasts = evaluated(days("a", units), *options)
    score = figures["models"]["moving_average"]["7"]
    assert (score["spb"], score["n"]) == (0, 24 - 7), "seven origins reach the day of which nothing is known"
    assert set(values(forecasts, "a", 7)) == {28.0}
    assert evaluated(days("a", units), "--origins-every", "1")[1]["models"]["moving_average"]["7"]["spb"] > 0


def test_returns_are_cleaned_from_what_models_see_and_not_from_what_came(evaluated: Callable[..., Any]) -> None:
    # Each day 4 units and 1000 that are taken back within the hour.
    rows = days("a", [4] * 130)
    blunders = [row | {"quantity": sign * 1000} for row in rows[:100] for sign in (1, -1)]
    _, figures, forecasts = evaluated([*rows, *blunders])
    assert values(forecasts, "a", 7)[0] == 28.0
    assert figures["cleaning"]["netted"] == {"lines": 100, "units": 100_000, "keys": 1}
    late = [row | {"quantity": sign * 1000} for row in rows[100:] for sign in (1, -1)]
    raw = evaluated([*rows, *late])[1]["models"]["moving_average"]["7"]
    clean = evaluated([*rows, *late], "--clean-actuals", "--origins-every", "3")[1]["models"]["moving_average"]["7"]
    assert (raw["wape"] > 0.9, clean["wape"]) == (True, 0)


def test_key_that_cleaning_leaves_out_counts_as_missing(evaluated: Callable[..., Any]) -> None:
    _, figures, _ = evaluated([*days("a", [4] * 130), *days("POST", [1] * 130)], "--origins-every", "30")
    score = figures["models"]["moving_average"]["7"]
    assert (score["n"], score["missing"]) == (1, 1)


def test_scores_of_two_models_are_compared_pair_by_pair(evaluated: Callable[..., Any]) -> None:
    rng = np.random.default_rng(7)
    rows = [row for sku in "abcdefgh" for row in days(sku, rng.poisson(4, 130))]
    result, figures, _ = evaluated(rows, "--models", "moving_average,starter")
    (pair,) = [one for one in figures["comparisons"] if one["lead"] == 7]
    means = {name: one["7"]["spb"] for name, one in figures["models"].items()}
    assert pair["change"] == pytest.approx(means["moving_average"] / means["starter"] - 1, abs=1e-4)
    assert pair["low"] < pair["change"] < pair["high"]
    assert "moving_average against starter, lead 7" in result.stdout


def test_stock_is_simulated_beside_the_scores_which_stay_the_same(evaluated: Callable[..., Any]) -> None:
    rng = np.random.default_rng(9)
    rows = [row for sku in "abcdef" for row in days(sku, rng.poisson(4, 130))]
    alone = evaluated(rows)[1]
    result, figures, _ = evaluated(rows, "--stock-lead", "5")
    assert figures["models"] == alone["models"]
    held = figures["stock"]["moving_average"]["at_fill_rate"]
    assert 0 < held["0.9"] < held["0.98"]
    assert f"{held['0.9']:.3f} at 90 %" in result.stdout


def test_refit_learns_from_what_came_since_the_first_origin(evaluated: Callable[..., Any]) -> None:
    rng = np.random.default_rng(8)
    rows = [row for sku in "abcdef" for row in days(sku, rng.poisson(4, 130))]
    options = ("--models", "lstm", "--epochs", "1", "--origins-every", "20")
    once = evaluated(rows, *options)[2]
    again = evaluated(rows, *options, "--refit")[2]
    first, last = datetime(2011, 4, 13, tzinfo=UTC), datetime(2011, 5, 3, tzinfo=UTC)
    assert once.filter(pl.col("origin") == first).equals(again.filter(pl.col("origin") == first))
    assert not once.filter(pl.col("origin") == last).equals(again.filter(pl.col("origin") == last))


LINES = days("a", [4] * 130)


@pytest.mark.parametrize(
    ("rows", "options", "code", "message"),
    [
        (LINES, ["--models", "prophet"], 2, "'prophet' is no model and no version. Models are .*moving_average"),
        (LINES, ["--models", "lstm_99x8"], 2, "lstm_99x8: a net has 1 to 16 layers"),
        (LINES, ["--leads", "7,x"], 2, "no list of leads"),
        (LINES, ["--first-origin", "2011-01-03"], 1, "nothing is known before the first origin.*2011-01-04"),
        (LINES, ["--first-origin", "2011-05-12"], 1, "no origin has a whole lead of 7 .*2011-05-06 or earlier"),
        (LINES[:5], ["--first-origin", "2011-01-05"], 1, "too little history: .*5 buckets"),
        (LINES, ["--models", "lstm"], 1, "lstm: there is one stock key before 2011-04-13.*Read more SKUs"),
        ([row | {"quantity": 0} for row in LINES], [], 1, "130 of 130 rows are wrong: row 1: quantity is 0"),
        (
            [{**LINES[0], "quantity": float("nan")}, *LINES[1:]],
            [],
            1,
            "1 of 130 rows are wrong: row 1: quantity is nan",
        ),
        ([{"sku": "a", "units": 3}], [], 1, "has no column quantity, event_time; it has sku, units"),
        ([row | {"quantity": -4} for row in LINES], [], 1, "no line that orders anything"),
    ],
)
def test_input_that_cannot_be_evaluated_is_a_sentence(
    tmp_path: Path, rows: list[Row], options: list[str], code: int, message: str
) -> None:
    path = tmp_path / "orders.parquet"
    pl.DataFrame(rows, infer_schema_length=None, strict=False).write_parquet(path)
    result = ran(path, *options)
    assert result.exit_code == code
    assert isinstance(result.exception, SystemExit)
    assert re.search(message, result.stderr, re.DOTALL), result.stderr


def test_model_that_cannot_be_fitted_is_left_out_and_said(evaluated: Callable[..., Any]) -> None:
    result, figures, _ = evaluated(LINES, "--models", "lstm,moving_average")
    assert list(figures["models"]) == ["moving_average"]
    assert "one stock key" in figures["not_evaluated"]["lstm"]
    assert "lstm is not evaluated" in result.stderr


def test_plans_categories_and_holidays_are_read_and_told(tmp_path: Path) -> None:
    orders, signals, catalog = tmp_path / "orders.parquet", tmp_path / "signals.csv", tmp_path / "catalog.csv"
    pl.DataFrame([row for sku in "ab" for row in days(sku, [3] * 130)]).write_parquet(orders)
    plan = {"starts_at": "2011-04-14", "ends_at": "2011-04-16", "promotion": "true", "visits": 5, "pages": 2}
    pl.DataFrame([{"sku": "a", **plan}, {"sku": "other", **plan}]).write_csv(signals)
    pl.DataFrame([{"sku": "a", "category": "toys"}]).write_csv(catalog)
    told = ("--signals", f"{signals}", "--covariate-columns", "visits", "--catalog", f"{catalog}", "--holidays", "GB")
    result = ran(orders, *told)
    assert result.exit_code == 0, result.stderr
    assert "known ahead: promotion; known afterwards: visits; 1 columns ignored: pages; 1 stock keys" in result.stderr
    assert "1 categories of 2 stock keys" in result.stderr
    assert "holidays of GB are off: none came twice" in result.stderr


def test_a_wrong_plan_is_named_and_nothing_is_evaluated(tmp_path: Path) -> None:
    orders, signals = tmp_path / "orders.parquet", tmp_path / "signals.csv"
    pl.DataFrame(days("a", [3] * 130)).write_parquet(orders)
    pl.DataFrame([{"sku": "a", "starts_at": "soon", "ends_at": "2011-04-16", "promotion": 1}]).write_csv(signals)
    result = ran(orders, "--signals", f"{signals}")
    assert result.exit_code == 1
    assert "row 1: starts_at is 'soon', must be RFC 3339" in result.stderr
