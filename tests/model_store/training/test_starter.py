"""The starter version: what the package carries, what it may have learnt from, and how it is made again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import polars as pl
import pytest

from model_store import artifact
from model_store.spec import DEFAULT_CONTEXT_BUCKETS
from model_store.starter import starter_directory
from model_store.training.errors import TrainingFailed, UnusableHistory
from model_store.training.online_retail import read_online_retail
from tests.model_store.training.builders import DAY, SILENT, by_sku, history_from

UNSEEN_FROM = datetime(2011, 6, 1, tzinfo=UTC)
FIRST = datetime(2010, 12, 1, 9, tzinfo=UTC)


def invoice(code: str = "85123A", units: int = 6, **changed: Any) -> dict[str, Any]:
    return {
        "InvoiceNo": "536365",
        "StockCode": code,
        "Quantity": units,
        "InvoiceDate": FIRST,
        "UnitPrice": 2.5,
        "CustomerID": 17850,
    } | changed


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    pl.DataFrame(lines, infer_schema_length=None).write_parquet(path)
    return path


def shop(until: datetime = UNSEEN_FROM) -> list[dict[str, Any]]:
    """Twelve SKUs that sell by weekday, up to a day."""
    rng = np.random.default_rng(0)
    days = (until - FIRST).days + 1
    return [
        invoice(f"{10_000 + sku}", int(units), InvoiceDate=FIRST + timedelta(days=day))
        for day in range(days)
        for sku, units in enumerate(rng.poisson(8.0 if day % 7 < 3 else 1.0, 12))
        if units
    ]


def read(tmp_path: Path, lines: list[dict[str, Any]]) -> list[tuple[str, int]]:
    frame = read_online_retail(written(tmp_path / "retail.parquet", lines))
    return list(zip(frame["sku"].to_list(), frame["quantity"].to_list(), strict=True))


def test_packaged_starter_loads_verifies_and_serves_days_from_the_default_window() -> None:
    found = artifact.read(starter_directory(), packaged=True)
    found.require_fits(DAY, DEFAULT_CONTEXT_BUCKETS)
    assert found.forecaster().version == found.version
    assert found.manifest.data_until_at <= UNSEEN_FROM.timestamp() * 1000
    assert found.manifest.spec.features is not None
    assert found.manifest.spec.features.buckets_per_day == 0, "it knows nobody's calendar"
    for lead in (7, 14):
        assert found.manifest.metrics[f"spb_{lead}"] < found.manifest.metrics[f"moving_average_spb_{lead}"]


def test_postage_free_lines_and_returns_are_no_demand(tmp_path: Path) -> None:
    lines = [invoice(), invoice("POST"), invoice("C2"), invoice(UnitPrice=0.0), invoice(units=-2), invoice("85099b", 4)]
    assert read(tmp_path, lines) == [("85123A", 6), ("85099B", 4)]


def test_line_cancelled_the_same_day_by_its_customer_is_left_out_once(tmp_path: Path) -> None:
    later = FIRST + timedelta(hours=3)
    cancelled = invoice("22086", -80_995, InvoiceDate=later)
    lines = [invoice("22086", 80_995), invoice("22086", 80_995, InvoiceDate=later), cancelled, invoice("22086", 7)]
    assert read(tmp_path, lines) == [("22086", 80_995), ("22086", 7)]


@pytest.mark.parametrize(
    "change",
    [{"InvoiceDate": FIRST + timedelta(days=1)}, {"CustomerID": 1}, {"CustomerID": None}],
    ids=["another day", "another customer", "nobody known"],
)
def test_cancellation_of_another_day_or_customer_takes_nothing_back(tmp_path: Path, change: dict[str, Any]) -> None:
    assert read(tmp_path, [invoice(), invoice(units=-6, **change)]) == [("85123A", 6)]


def test_seconds_since_the_epoch_and_timestamps_are_the_same_times(tmp_path: Path) -> None:
    stamped = written(tmp_path / "a.parquet", [invoice()])
    counted = written(tmp_path / "b.parquet", [invoice(InvoiceDate=FIRST.timestamp())])
    assert read_online_retail(stamped).equals(read_online_retail(counted))


def test_starter_learns_nothing_from_orders_after_may_2011(tmp_path: Path) -> None:
    from model_store.training.starter import starter_history

    until_may = starter_history(written(tmp_path / "a.parquet", shop()), 3, 20)
    later = [invoice("99999", 500, InvoiceDate=UNSEEN_FROM + timedelta(days=day)) for day in range(90)]
    with_summer = starter_history(written(tmp_path / "b.parquet", shop() + later), 3, 20)
    assert until_may.end_at == with_summer.end_at == UNSEEN_FROM.timestamp() * 1000
    assert until_may.keys == with_summer.keys
    assert np.array_equal(until_may.demand_units, with_summer.demand_units)
    assert sum(key.startswith(b"generated|") for key in until_may.keys) == 20
    assert sum(key.startswith(b"main|") for key in until_may.keys) == 12


def test_orders_that_all_are_later_are_nothing_to_learn_from(tmp_path: Path) -> None:
    from model_store.training.starter import starter_history

    orders = written(tmp_path / "a.parquet", [invoice(InvoiceDate=UNSEEN_FROM)])
    with pytest.raises(UnusableHistory, match="has no rows"):
        starter_history(orders, 0, 20)


def test_joined_histories_keep_each_key_its_demand_at_its_time() -> None:
    from model_store.training.history import joined

    # bucket    0  1  2  3  4
    # first     1  1  1  1  1
    # second       5  6  .  .      begins one bucket later
    first = history_from([[1, 1, 1, 1, 1]])
    inner = history_from([[5, 6]])
    second = type(inner)(
        DAY,
        first.first_bucket + 1,
        (b"uk|b",),
        inner.demand_units,
        inner.order_lines,
        inner.available_ratio,
        inner.born,
    )
    both = joined(first, second)
    assert both.keys == (b"main|sku-0", b"uk|b")
    assert by_sku(both) == {"sku-0": [1, 1, 1, 1, 1], "b": [5, 6, 0, 0]}
    with pytest.raises(ValueError, match="share keys"):
        joined(first, first)
    with pytest.raises(ValueError, match="must lie within"):
        joined(second, first)


def test_starter_is_made_again_by_the_trainers_own_run_and_is_a_sound_version(tmp_path: Path) -> None:
    from model_store.training.starter import rebuild

    orders, into = written(tmp_path / "retail.parquet", shop()), tmp_path / "version"
    into.mkdir()
    (into / "manifest.json").write_text("an old one")
    made = rebuild(orders, into, 0, SILENT, clock=monotonic, generated_keys=100, epochs=12)
    found = artifact.read(into, packaged=True)
    assert found.forecaster().version == made.summary.version
    assert found.manifest.data_until_at < UNSEEN_FROM.timestamp() * 1000
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".starter")] == []


def test_starter_no_better_than_a_moving_average_is_not_put_in_place(tmp_path: Path) -> None:
    from model_store.training.starter import rebuild

    orders, into = written(tmp_path / "retail.parquet", shop()), tmp_path / "version"
    into.mkdir()
    (into / "manifest.json").write_text("an old one")
    with pytest.raises(TrainingFailed, match="no better than a moving average"):
        rebuild(orders, into, 0, SILENT, clock=monotonic, generated_keys=2, epochs=1)
    assert (into / "manifest.json").read_text() == "an old one"


@pytest.mark.parametrize("killed_after", ["the old one was set aside", "the new one was put in place"])
def test_exchange_of_the_starter_that_was_killed_is_mended(tmp_path: Path, killed_after: str) -> None:
    from model_store.training.starter import mended

    into, aside = tmp_path / "version", tmp_path / ".version.old"
    aside.mkdir()
    (aside / "manifest.json").write_text("an old one")
    if killed_after == "the new one was put in place":
        into.mkdir()
        (into / "manifest.json").write_text("a new one")
    mended(into)
    wanted = "a new one" if killed_after == "the new one was put in place" else "an old one"
    assert (into / "manifest.json").read_text() == wanted
    assert [path.name for path in tmp_path.iterdir()] == ["version"]
