"""Tuning: the cheapest choice of all categories together at a fill rate, as a proposal that can be imported."""

import csv
import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from replenishment.buckets import BucketWidth
from replenishment.events import CatalogEntry
from stream_app.cli.catalog import checked
from stream_app.cli.main import cli
from stream_app.errors import ConfigError
from stream_app.replay.catalog_file import differences, entries_of, write_catalog_file
from stream_app.simulate.specs import parsed
from stream_app.simulate.tuning import Trial, tuned
from tests.engine.builders import DAY, HOUR, T0
from tests.simulate.test_command import CATALOG, START, written

GROUPS = st.lists(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10)), min_size=3, max_size=3), min_size=1, max_size=4
)


def trials_of(groups: list[list[tuple[int, int]]]) -> list[Trial]:
    """Return three trials of groups, each with its cost and units served of ten."""
    asked = np.full(len(groups), 10.0)
    return [
        Trial(
            parsed("catalog"),
            np.array([float(group[place][0]) for group in groups]),
            asked,
            np.array([float(group[place][1]) for group in groups]),
        )
        for place in range(3)
    ]


@given(GROUPS, st.sampled_from([0.0, 0.5, 0.8, 0.95, 1.0]))
def test_no_choice_that_serves_as_much_is_cheaper(groups: list[list[tuple[int, int]]], fill_rate: float) -> None:
    found = tuned(trials_of(groups), fill_rate)
    cost, served = (
        sum(group[trial][part] for group, trial in zip(groups, found.trial, strict=True)) for part in (0, 1)
    )
    combinations = [
        [sum(group[trial][part] for group, trial in zip(groups, choice, strict=True)) for part in (0, 1)]
        for choice in product(range(3), repeat=len(groups))
    ]
    assert cost <= min(price for price, units in combinations if units >= served)
    assert found.is_reached == (served >= fill_rate * 10 * len(groups))
    assert found.is_reached == (max(units for _, units in combinations) >= fill_rate * 10 * len(groups))


def lumpy() -> list[dict[str, Any]]:
    """Two SKUs that sell on half of the days, mostly a few units and now and then many."""
    rng = np.random.default_rng(5)
    return [
        {"sku": sku, "quantity": int(rng.geometric(0.1)), "event_time": T0 + day * DAY + (9 + place) * HOUR}
        for day in range(-60, 60)
        for place, sku in enumerate("AB")
        if rng.random() < 0.5
    ]


def tune(folder: Path, *options: str, catalog: list[dict[str, Any]] | None = None) -> Result:
    files = (
        ("--orders", str(written(folder / "orders.ndjson", lumpy()))),
        ("--catalog", str(written(folder / "catalog.csv", catalog or CATEGORIES))),
    )
    words = [word for pair in files for word in pair]
    return CliRunner().invoke(
        cli, ["tune", *words, "--from", START, "--to", "2011-03-31", "--model", "moving_average", *options]
    )


CATEGORIES = [
    {**CATALOG[0], "category": "cheap", "shortage_cost_per_unit": 0.001},
    {**CATALOG[1], "category": "dear", "shortage_cost_per_unit": 50},
]


def test_a_category_whose_shortage_is_dear_gets_the_higher_level_and_nothing_else_changes(tmp_path: Path) -> None:
    out = tmp_path / "proposal.csv"
    result = tune(tmp_path, "--fill-rate", "0", "--levels", "0.5,0.9,0.99", "--out", str(out), "--json", "-")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    levels = {one["category"]: one["proposed"]["service"] for one in found["categories"]}
    assert levels["cheap"] == 0.5 < levels["dear"]
    assert found["effect"]["proposal"]["cost"]["total"] < found["effect"]["catalog"]["cost"]["total"]
    assert "restock catalog import" in result.stderr
    rows = {row["sku"]: row for row in csv.DictReader(out.read_text().splitlines())}
    assert {sku: float(row["service_target"]) for sku, row in rows.items()} == {"A": 0.5, "B": levels["dear"]}
    assert {row["lead_time_days"] for row in rows.values()} == {"3"}
    assert len(checked(out, BucketWidth(86_400))) == 2


def test_a_fill_rate_costs_what_it_takes_where_it_is_cheapest(tmp_path: Path) -> None:
    options = ("--levels", "0.5,0.7,0.9,0.99", "--json", "-")
    free, bound = (
        json.loads(tune(tmp_path, *options, "--fill-rate", rate).stdout)["categories"] for rate in ("0", "0.97")
    )
    assert sum(one["cost"] for one in bound) >= sum(one["cost"] for one in free)
    assert sum(one["fill_rate"] for one in bound) > sum(one["fill_rate"] for one in free)


def test_order_sizes_are_tried_with_each_level(tmp_path: Path) -> None:
    found = json.loads(tune(tmp_path, "--levels", "0.9,0.95", "--cover-days", "3,21", "--json", "-").stdout)
    assert {one["proposed"]["cover_days"] for one in found["categories"]} <= {3.0, 21.0}


def test_a_fill_rate_that_nothing_reaches_is_said(tmp_path: Path) -> None:
    result = tune(tmp_path, "--fill-rate", "1", "--levels", "0.5")
    assert result.exit_code == 0
    assert "No choice reaches a fill rate of 100.00%" in result.stdout


@pytest.mark.parametrize(
    ("options", "catalog", "problem"),
    [
        (("--levels", "0.2"), None, "service is '0.2'"),
        ((), [{"sku": "A"}, {"sku": "B"}], "no holding_cost_per_unit_day"),
        (("--bucket", "4w", "--to", "2011-02-27"), None, "two or more are needed"),
    ],
)
def test_what_cannot_be_tuned_is_said_with_a_way_out(
    tmp_path: Path, options: tuple[str, ...], catalog: list[dict[str, Any]] | None, problem: str
) -> None:
    result = tune(tmp_path, *options, catalog=catalog)
    assert isinstance(result.exception, ConfigError)
    assert problem in str(result.exception)


ENTRY = CatalogEntry(
    b"uk|A",
    supplier="acme, inc",
    lead_time_days=2.5,
    service_kind="newsvendor",
    holding_cost_per_unit_day=0.01,
    shortage_cost_per_unit=2.0,
    active=False,
    pack_units=6,
)


def test_terms_that_are_written_are_read_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    others = [CatalogEntry(b"main|B", service_target=0.925, cover_days=14.0), CatalogEntry(b"main|007")]
    assert write_catalog_file(path, [ENTRY, *others]) == 3
    assert entries_of(checked(path, BucketWidth(86_400))) == [ENTRY, *others]


def test_differences_name_what_changes_and_from_what() -> None:
    assert differences(CatalogEntry(b"uk|A"), CatalogEntry(b"uk|A", pack_units=6)) == {"pack_units": (None, 6)}
