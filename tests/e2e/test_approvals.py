"""Approve, reject and withdraw through the command line, with a worker, Kafka and Redis."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.checker import read_topic, shown, unique_requests
from tests.e2e.cluster import RESTOCK, Cluster, cluster, eventually
from tests.e2e.shop import LIVE, PARTITIONS, SKUS, counted, history, keyed, time_passed

LARGE, LARGE_TOO, SMALL = "SKU-089", "SKU-088", "SKU-087"


@pytest.fixture
def product(tmp_path: Path, kafka_bootstrap: str, redis_url: str, unique_name: str) -> Iterator[Cluster]:
    """A product with one worker that has requested something of every SKU; two of them wait for approval."""
    with cluster(tmp_path, kafka_bootstrap, redis_url, unique_name, RESTOCK_DECIDE_FROM=shown(LIVE)) as made:
        made.run("topics", "create", "--partitions", str(PARTITIONS))
        terms = tmp_path / "terms.csv"
        rows = (f"{sku},main,2.5,0\n" for sku in (LARGE, LARGE_TOO))
        terms.write_text("sku,location,unit_cost,approval_above_units\n" + "".join(rows))
        made.run("catalog", "import", str(terms))
        made.start_worker()
        made.wait_for_line("ready")
        sent = made.produce("orders", history(2_000))
        sent += made.produce("orders", time_passed(LIVE))
        wait_for(made, "orders", sent)
        # deciding has begun: each count is reviewed
        wait_for(made, "inventory", made.produce("inventory", counted(LIVE, on_hand=5)))
        yield made


def requested(product: Cluster) -> dict[str, dict[str, Any]]:
    """Return the last revision of the request of each SKU."""
    found = unique_requests(read_topic(product.bootstrap, product.topic("restock")))
    return {one["sku"]: one for one in found.values()}


def wait_for(product: Cluster, role: str, records: int) -> None:
    """Return once so many records of a topic are applied and what they led to is published."""
    eventually(lambda: product.applied(role) >= records, f"{records} of {role} applied: {product.logs()}")
    eventually(product.is_outbox_empty, "all is published")


def said_next(product: Cluster, sku: str) -> dict[str, Any]:
    """Return the second revision of the request of a SKU."""
    request = requested(product)[sku]
    assert request["revision"] == 2
    return request


def refused(product: Cluster, *arguments: str) -> str:
    """Run a command that must fail with 1; return what it says."""
    done = subprocess.run([*RESTOCK, *arguments], env=product.environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    return done.stderr.decode()


@pytest.mark.timeout(300)
def test_what_waits_is_listed_released_and_declined_once(product: Cluster) -> None:
    waiting = [json.loads(line) for line in product.run("queue", "--json").splitlines()]
    by_sku = {one["sku"]: one for one in waiting}
    assert by_sku.keys() == {LARGE, LARGE_TOO}
    large, large_too = by_sku[LARGE]["restock_id"], by_sku[LARGE_TOO]["restock_id"]
    assert by_sku[LARGE]["value"] == by_sku[LARGE]["quantity"] * 2.5
    assert by_sku[LARGE]["reasons"] == [f"{by_sku[LARGE]['quantity']} units are more than 0"]
    assert requested(product)[LARGE]["requires_approval"] is True
    assert "It waits for approval" in product.run("explain", large)
    assert "wait for approval" in product.run("explain", "--location", "main", "--sku", LARGE)

    assert "nothing was written (--dry-run)" in product.run("approve", large, "--dry-run")
    told = json.loads(product.run("approve", large, "--by", "Ann", "--note", "trade fair", "--json"))
    assert (told["written"], told["requests"][0]["restock_id"]) == (True, large)
    wait_for(product, "inventory", len(SKUS) + 1)
    released = said_next(product, LARGE)
    assert (released["requires_approval"], released["ruled_by"]) == (False, "Ann")
    assert released["quantity"] == by_sku[LARGE]["quantity"]
    assert "was released by Ann" in product.run("explain", large)

    product.run("reject", large_too, "--by", "Bob")
    wait_for(product, "inventory", len(SKUS) + 2)
    declined = said_next(product, LARGE_TOO)
    assert (declined["quantity"], declined["withdrawn"], declined["ruled_by"]) == (0, "declined", "Bob")
    assert product.run("queue", "--json") == ""

    small = requested(product)[SMALL]["restock_id"]
    answer = refused(product, "approve", large, large_too, small, "nobody's")
    assert f"request {large} was released already" in answer
    assert f"request {large_too} is declined and waits for no approval any more" in answer
    assert f"request {small} needs no approval" in answer
    assert "there is no request nobody's" in answer


@pytest.mark.timeout(300)
def test_a_cancellation_takes_back_what_nobody_answered(product: Cluster) -> None:
    asked = requested(product)[SMALL]
    placed_at = round(LIVE * 1000) + 1
    back = {"order_id": "big", "line": 1, "location": "main", "sku": SMALL, "quantity": asked["quantity"] + 500}
    times = {"placed_at": placed_at, "event_time": placed_at + 60_000}
    sent = product.applied("orders")
    sent += product.produce("orders", [keyed(f"main|{SMALL}".encode(), {**back, "type": "order_cancelled", **times})])
    wait_for(product, "orders", sent)
    taken_back = said_next(product, SMALL)
    assert (taken_back["quantity"], taken_back["withdrawn"]) == (0, "needless")
    assert taken_back["evidence"]["inventory_position"] > taken_back["evidence"]["reorder_point"]
    assert "It was taken back on" in product.run("explain", asked["restock_id"])
    keys, _ = product.state()
    assert keys[f"main|{SMALL}"]["inventory"]["pending"] == 0
