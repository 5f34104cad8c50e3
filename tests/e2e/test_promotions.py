"""A promotion from the topic ``signals`` to a decision: a version that learnt them, a worker, real servers."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.e2e.checker import read_topic
from tests.e2e.cluster import Cluster, cluster, eventually
from tests.model_store.training.promoted import DAY_MS, START_AT, promoted_shop

pytestmark = pytest.mark.timeout(420)
LEARNT, DAYS = 200, 218
SALE = range(206, 209)
"""Days on which sku-0 sells five times as much; planned four days before they begin."""
TOLD = 202
SKU = "main|sku-0"


@dataclass(frozen=True)
class Shop:
    """Files of a shop of forty SKUs that sells on after the days from which a version is learnt."""

    orders: Path
    plans: Path
    learnt_from: Path


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Two hundred days of demand with known promotions, then steady days with one of them."""
    made = promoted_shop(keys=40, buckets=LEARNT, days=1)
    usual = made.orders.group_by("sku").agg(quantity=pl.col("quantity").median().cast(pl.Int64)).sort("sku")
    days = pl.DataFrame({"day": range(LEARNT, DAYS)}, schema={"day": pl.Int64})
    lift = pl.when((pl.col("sku") == "sku-0") & pl.col("day").is_in([*SALE])).then(5).otherwise(1)
    steady = usual.join(days, how="cross").select(
        "sku", quantity=(pl.col("quantity") * lift).clip(1), event_time=START_AT + pl.col("day") * DAY_MS + 1
    )
    sale = {
        "signal_id": "sale",
        "type": "planned",
        "sku": "sku-0",
        "starts_at": START_AT + SALE.start * DAY_MS,
        "ends_at": START_AT + SALE.stop * DAY_MS,
        "promotion": "true",
        "price": 8.0,
        "event_time": START_AT + TOLD * DAY_MS,
    }
    plans = pl.concat([made.signals, pl.DataFrame([sale])], how="diagonal_relaxed")
    _, learnt_signals = made.written(tmp_path / "learnt")
    pl.concat([made.orders, steady]).sort("event_time", maintain_order=True).write_csv(tmp_path / "orders.csv")
    plans.write_csv(tmp_path / "plans.csv")
    return Shop(tmp_path / "orders.csv", tmp_path / "plans.csv", learnt_signals)


@pytest.fixture
def product(tmp_path: Path, kafka_bootstrap: str, redis_url: str, unique_name: str) -> Iterator[Cluster]:
    """A product of one partition that decides once the plain days have begun."""
    settings = {"RESTOCK_DECIDE_FROM": at(LEARNT), "RESTOCK_ALLOWED_LATENESS_SECONDS": "0"}
    with cluster(tmp_path, kafka_bootstrap, redis_url, unique_name, **settings) as made:
        made.run("topics", "create", "--partitions", "1")
        yield made


def at(day: int) -> str:
    """The start of a day of the shop, as a setting has it."""
    return str(pl.Series([START_AT + day * DAY_MS]).cast(pl.Datetime("ms")).dt.strftime("%Y-%m-%dT%H:%M:%SZ").item())


def train(product: Cluster, shop: Shop) -> None:
    """Learn a version with plans and let it serve."""
    done = json.loads(
        product.run_model_store(
            *("train", "--orders", str(shop.learnt_from.with_name("orders.parquet"))),
            *("--signals", str(shop.learnt_from), "--epochs", "50", "--no-promote", "--json"),
            timeout_seconds=240,
        )
    )
    product.run_model_store("promote", done["version"], "--why", "a test")


def level(product: Cluster, orders: pl.DataFrame, first: int, last: int, folder: Path) -> int:
    """Sell from one day to another; return the order-up-to level of the promoted SKU then."""
    part = folder / f"part-{first}-{last}.csv"
    inside = pl.col("event_time").is_between(START_AT + first * DAY_MS, START_AT + last * DAY_MS, closed="left")
    orders.filter(inside).write_csv(part)
    product.run("feed", str(part), "--topic", "orders")
    eventually(product.is_caught_up, f"orders before day {last} are applied: {product.logs()}")
    keys, _ = product.state()
    found: int = keys[SKU]["order_up_to_level"]
    return found


def test_a_planned_promotion_raises_the_level_before_it_begins_and_not_after_it_ends(
    product: Cluster, shop: Shop, tmp_path: Path
) -> None:
    train(product, shop)
    catalog = tmp_path / "catalog.csv"
    catalog.write_text("sku,lead_time_days,cover_days\n" + "".join(f"sku-{key},1,1\n" for key in range(40)))
    orders, plans = pl.read_csv(shop.orders), pl.read_csv(shop.plans)
    always, told = tmp_path / "always.csv", tmp_path / "told.csv"
    plans.filter(pl.col("event_time").is_null()).write_csv(always)
    plans.filter(pl.col("event_time").is_not_null()).write_csv(told)
    product.run("catalog", "import", str(catalog))
    product.run("feed", str(always), "--topic", "signals")
    product.start_worker()
    product.wait_for_line("ready")
    level(product, orders, 0, LEARNT, tmp_path)
    before = level(product, orders, LEARNT, TOLD, tmp_path)
    product.run("feed", str(told), "--topic", "signals")
    eventually(product.is_caught_up, "the plan is applied")
    # lead time, and the bucket of the request or the cover, are two buckets
    in_sight = level(product, orders, TOLD, SALE.start + 1, tmp_path)
    after = level(product, orders, SALE.start + 1, DAYS, tmp_path)
    assert in_sight > 1.5 * before
    assert after <= 1.1 * before
    eventually(product.is_outbox_empty, "all is published")
    live = [record.value for record in read_topic(product.bootstrap, product.topic("restock"))]
    assert live == replayed(product, shop, catalog, tmp_path)
    promoted = [one for one in map(requested, live) if one["sku"] == "sku-0"]
    planned = {
        one["restock_id"]: one["evidence"]["planned_units"] for one in promoted if "planned_units" in one["evidence"]
    }
    assert max(planned.values()) > 0
    told_by = max(planned, key=lambda one: planned[one])
    assert "Planned promotions, prices and the like make that" in product.run("explain", told_by)


def requested(value: bytes | None) -> dict[str, Any]:
    return dict(json.loads(value or b"{}"))


def replayed(product: Cluster, shop: Shop, catalog: Path, folder: Path) -> list[bytes]:
    """What the same files make without servers."""
    out = folder / "restocks.ndjson"
    product.run(
        *("replay", "--orders", str(shop.orders), "--signals", str(shop.plans), "--catalog", str(catalog)),
        *("--decide-from", at(LEARNT), "--restocks-out", str(out)),
    )
    return out.read_bytes().splitlines()
