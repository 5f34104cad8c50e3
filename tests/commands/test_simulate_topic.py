"""``restock simulate --topic``: what if, from what a running product's Kafka holds."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from stream_app.settings import load_settings
from stream_app.simulate import topics
from tests.commands.runs import refusal, run
from tests.e2e.cluster import Cluster
from tests.engine.builders import DAY, HOUR, T0

START, END = "2011-01-30", "2011-02-27"
CHOSEN = ("--from", START, "--to", END, "--policy", "catalog", "--policy", "RS", "--model", "moving_average")
SKUS = [f"S{number}" for number in range(7)]


def order_rows() -> list[dict[str, Any]]:
    rng = random.Random(5)
    return [
        {
            "order_id": f"o{day}-{sku}",
            "sku": sku,
            "quantity": rng.randint(1, 9),
            "event_time": T0 + day * DAY + rng.randrange(20 * HOUR),
        }
        for day in range(-40, 28)
        for sku in SKUS
    ]


def catalog_rows(lead_time_days: int = 3) -> list[dict[str, Any]]:
    costs = {"holding_cost_per_unit_day": 0.01, "shortage_cost_per_unit": 1, "ordering_cost": 2}
    return [{"location": "main", "sku": sku, "lead_time_days": lead_time_days, **costs} for sku in SKUS]


def inventory_rows() -> list[dict[str, Any]]:
    counts = [
        {"type": "stock_counted", "event_id": f"c{sku}", "sku": sku, "event_time": T0 - HOUR, "on_hand": 20}
        for sku in SKUS
    ]
    shipped = {"type": "restock_shipped", "event_id": "s", "sku": "S1", "event_time": T0 - HOUR, "restock_id": "po-1"}
    return [*counts, {**shipped, "quantity": 40, "expected_at": T0 + 3 * DAY}]


def later_rows() -> list[dict[str, Any]]:
    """What the real product was sent after the start, in answer to what it ordered itself."""
    received = {"type": "stock_received", "sku": "S2", "event_time": T0 + 5 * DAY, "quantity": 500}
    return [{**received, "event_id": "r", "restock_id": "po-of-the-product"}]


def written(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


@pytest.fixture
def fed(product: Cluster, tmp_path: Path) -> Cluster:
    """A product whose topics hold a shop's history, and what came after it."""
    run(product, "feed", written(tmp_path / "orders.ndjson", order_rows()), "--topic", "orders")
    every = [*inventory_rows(), *later_rows()]
    run(product, "feed", written(tmp_path / "all_inventory.ndjson", every), "--topic", "inventory")
    run(product, "catalog", "import", written(tmp_path / "catalog.ndjson", catalog_rows()))
    written(tmp_path / "inventory.ndjson", inventory_rows())
    return product


def played(product: Cluster, folder: Path, *options: str) -> tuple[dict[str, Any], str]:
    run(product, "simulate", *CHOSEN, *options, "--json", str(folder / "o.json"), "--decisions-out", f"{folder}/d.csv")
    return json.loads((folder / "o.json").read_text()), (folder / "d.csv").read_text()


def test_topics_give_the_decisions_that_files_of_the_same_lines_give(fed: Cluster, tmp_path: Path) -> None:
    files = [word for role in ("orders", "inventory", "catalog") for word in (f"--{role}", f"{tmp_path}/{role}.ndjson")]
    from_files = played(fed, tmp_path, *files)
    assert played(fed, tmp_path, "--topic", "orders") == from_files
    assert len(from_files[1].splitlines()) > 50


def test_a_changed_catalog_is_what_if(fed: Cluster, tmp_path: Path) -> None:
    slower = written(tmp_path / "slower.ndjson", catalog_rows(lead_time_days=14))
    inventory = ("--inventory", f"{tmp_path}/inventory.ndjson")
    changed = played(fed, tmp_path, "--topic", "orders", "--catalog", slower)
    assert changed != played(fed, tmp_path, "--topic", "orders")
    files = ("--orders", f"{tmp_path}/orders.ndjson", "--catalog", slower, *inventory)
    assert changed == played(fed, tmp_path, *files)


def test_a_range_begins_where_since_says(fed: Cluster, tmp_path: Path) -> None:
    recent = [row for row in order_rows() if row["event_time"] >= T0 - 20 * DAY]
    files = ("--orders", written(tmp_path / "recent.ndjson", recent), "--catalog", f"{tmp_path}/catalog.ndjson")
    inventory = ("--inventory", f"{tmp_path}/inventory.ndjson")
    since = ("--topic", "orders", "--since", "2011-01-10")
    assert played(fed, tmp_path, *since, *inventory) == played(fed, tmp_path, *files, *inventory)


def test_tune_proposes_the_same_from_topics_as_from_files(fed: Cluster, tmp_path: Path) -> None:
    chosen = ("--from", START, "--to", END, "--model", "moving_average", "--levels", "0.8,0.95", "--fill-rate", "0")
    files = [word for role in ("orders", "inventory", "catalog") for word in (f"--{role}", f"{tmp_path}/{role}.ndjson")]
    for name, source in (("files", files), ("topics", ["--topic", "orders"])):
        run(fed, "tune", *chosen, *source, "--out", f"{tmp_path}/{name}.csv")
    assert (tmp_path / "topics.csv").read_text() == (tmp_path / "files.csv").read_text()


def test_what_cannot_be_read_is_said_with_what_to_do(
    fed: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "name either --orders FILE or --topic orders" in refusal(fed, "simulate", *CHOSEN)
    assert "does not exist" in refusal(fed, "simulate", *CHOSEN, "--topic", "nowhere")
    monkeypatch.setattr(topics, "MOST_LINES", 100)
    assert "leave out the oldest with --since" in refusal(fed, "simulate", *CHOSEN, "--topic", "orders")


def test_plans_of_the_topic_are_played(fed: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = {"sku": "S1", "starts_at": T0 + DAY, "ends_at": T0 + 3 * DAY, "promotion": True, "signal_id": "sale"}
    rows = [{**plan, "event_time": T0 - DAY}, {**plan, "sku": "nobody"}]
    run(fed, "feed", written(tmp_path / "plans.ndjson", rows), "--topic", "signals")
    for name, value in fed.environment.items():
        monkeypatch.setenv(name, value)
    wanted = topics.Range(0, T0, T0 + 28 * DAY)
    told = topics.told_by_topics(
        load_settings(), fed.topic("orders"), wanted, [], begun=lambda _topic, _count: lambda _read: None
    )
    (found,) = told.signals
    assert (found.key, found.occurred_at) == (b"main|S1", T0 - DAY)


def test_refused_records_are_named_by_partition_and_offset(fed: Cluster, tmp_path: Path) -> None:
    bad = written(tmp_path / "bad.ndjson", [{"sku": "S0", "quantity": 0, "event_time": T0}])
    run(fed, "feed", bad, "--topic", "orders", "--send-refused")
    told = run(fed, "simulate", *CHOSEN, "--topic", "orders").stderr
    assert "orders[" in told and "out_of_range: quantity is 0" in told
