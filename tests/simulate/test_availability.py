"""Bucket facts of an inventory file: a bucket in which nothing could be sold is not a bucket without demand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_store.training.orders_file import read_orders
from replenishment.closed_loop.world import Period
from replenishment.engine.plan import Plan
from stream_app.cli.candidates import available_of, candidate_of
from stream_app.cli.simulate import on_grid
from stream_app.errors import ConfigError
from stream_app.settings import Settings
from stream_app.simulate.files import given
from tests.engine.builders import DAY, T0
from tests.simulate.test_command import figures, orders, simulate, written

CLOSED = range(-7, 0)
"""Days before the start on which SKU A could not be sold: nobody ordered it."""


def without_sales() -> list[dict[str, Any]]:
    return [row for row in orders() if row["sku"] != "A" or (row["event_time"] - T0) // DAY not in CLOSED]


def facts(folder: Path, fraction: object = 0, sku: str = "A") -> Path:
    rows = [{"sku": sku, "bucket_start": T0 + day * DAY, "available_fraction": fraction} for day in CLOSED]
    return written(folder / "inventory.ndjson", rows)


@pytest.mark.parametrize("fraction", [0, None])
def test_a_bucket_without_sales_does_not_lower_the_forecast_if_nothing_could_be_sold(
    tmp_path: Path, fraction: object
) -> None:
    chosen = ("--policy", "RS:review_days=7", "--decisions-out", str(tmp_path / "decisions.csv"))
    all_sold = figures(tmp_path, *chosen)[0]
    plain = figures(tmp_path, *chosen, rows=without_sales())[0]
    told = figures(tmp_path, *chosen, "--inventory", str(facts(tmp_path, fraction)), rows=without_sales())[0]
    assert plain["days_of_stock"] < told["days_of_stock"]
    assert abs(told["days_of_stock"] - all_sold["days_of_stock"]) < all_sold["days_of_stock"] - plain["days_of_stock"]


def test_facts_of_keys_nobody_knows_change_nothing(tmp_path: Path) -> None:
    plain = figures(tmp_path)
    assert figures(tmp_path, "--inventory", str(facts(tmp_path, sku="OTHER"))) == plain
    assert figures(tmp_path, "--inventory", str(facts(tmp_path, fraction=1))) == plain


def test_a_model_that_is_fitted_learns_the_facts_and_closings_are_told_them(tmp_path: Path) -> None:
    files = given(written(tmp_path / "orders.ndjson", without_sales()), [], facts(tmp_path))
    period = Period(T0, Plan().width, 7)
    available = available_of(tmp_path / "inventory.ndjson", files, period)
    assert available is not None
    history = available.learnt_with(read_orders(tmp_path / "orders.ndjson", period.width))
    assert history.keys == (b"main|A", b"main|B")
    closed = period.width.bucket_at(T0) - history.first_bucket + np.array(CLOSED)
    assert history.available_ratio[:, closed].tolist() == [[0.0] * 7, [1.0] * 7]
    candidate = candidate_of(None, Settings(), on_grid(Plan(), period), files, period, available=available)
    assert candidate.serving.availability is available
    bucket = period.width.bucket_at(T0 - DAY)
    ratio = available.ratio(bucket, [b"main|A", b"main|B"])
    assert ratio is not None and ratio.tolist() == [0.0, 1.0]
    assert available.ratio(bucket + 1, [b"main|A"]) is None


def test_a_fit_that_is_told_of_closed_days_forecasts_more(tmp_path: Path) -> None:
    chosen = ("--policy", "RS:review_days=7", "--model", "tsb")
    plain = figures(tmp_path, *chosen, rows=without_sales())[0]
    told = figures(tmp_path, *chosen, "--inventory", str(facts(tmp_path)), rows=without_sales())[0]
    assert plain["days_of_stock"] < told["days_of_stock"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"bucket_start": T0, "available_fraction": 1.5}, "row 1: available_fraction is '1.5', must be 0 to 1"),
        ({"bucket_start": T0 + 60_000, "available_fraction": 0.5}, "row 1: bucket_start is no edge of a bucket"),
    ],
)
def test_a_wrong_fact_is_named_by_its_row(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    path = written(tmp_path / "inventory.ndjson", [{"sku": "A", **row}])
    refused = simulate(tmp_path, "--inventory", str(path))
    assert isinstance(refused.exception, ConfigError)
    assert said in str(refused.exception)


def test_events_and_facts_share_a_file_in_any_format(tmp_path: Path) -> None:
    count = {"type": "stock_counted", "event_id": "c", "sku": "A", "event_time": T0, "on_hand": 3}
    fact = {"sku": "A", "bucket_start": T0 - DAY, "available_fraction": 0.0}
    names = {**dict.fromkeys(count), **dict.fromkeys(fact)}
    rows = [{**names, **count}, {**names, **fact}]
    found = []
    for kind in ("ndjson", "csv", "parquet"):
        path = written(tmp_path / f"inventory.{kind}", rows)
        found.append(figures(tmp_path, "--inventory", str(path)))
    assert found[0] == found[1] == found[2]
