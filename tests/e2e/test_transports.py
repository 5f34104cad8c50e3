"""Batches or single records, Faust's own transport or ours: the same core decides the same, byte for byte."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e.checker import read_topic, shown
from tests.e2e.cluster import Cluster, cluster, eventually
from tests.e2e.shop import DAY, LIVE, PARTITIONS, SKUS, Record, counted, history, keyed, order_line, time_passed

LINES = 1_500


def terms() -> list[Record]:
    return [
        keyed(f"main|{sku}".encode(), {"location": "main", "sku": sku, "supplier": "acme", "pack_units": 6})
        for sku in SKUS[::2]
    ]


def play(product: Cluster) -> None:
    """Send one topic after the other, so that both products apply the same sequence."""
    sent: dict[str, int] = {}

    def send(role: str, records: list[Record]) -> None:
        sent[role] = sent.get(role, 0) + product.produce(role, records)
        wanted = sent[role]
        eventually(lambda: product.applied(role) >= wanted, f"{wanted} of {role}: {product.logs()}")

    send("catalog", terms())
    send("orders", [*history(LINES), *time_passed(LIVE)])
    send("inventory", list(counted(LIVE, on_hand=30)))
    lines = [order_line(10**6 + number, LIVE + 60 + number * 100) for number in range(LINES)]
    refused = (lines[7][0], lines[7][1], b"no json")
    send("orders", [*lines, refused, *time_passed(LIVE + 3 * DAY)])


def comparable(product: Cluster) -> dict[str, object]:
    """Return state, restocks and dead letters without the names in which the two products differ."""
    keys, summary = product.state()
    eventually(product.is_outbox_empty, "all is published")
    restocks = [record.value for record in read_topic(product.bootstrap, product.topic("restock"))]
    demand = [record.value for record in read_topic(product.bootstrap, product.topic("demand"))]
    letters = [(one.partition, one.value) for one in read_topic(product.bootstrap, product.topic("dead-letter"))]
    applied = {name.removeprefix(product.topic("")): offsets for name, offsets in summary["applied"].items()}
    return {
        "keys": keys,
        "summary": {**summary, "applied": applied},
        "restocks": sorted(value or b"" for value in restocks),
        "demand": sorted(value or b"" for value in demand),
        "letters": letters,
    }


@pytest.mark.timeout(240)
def test_the_stock_transport_gives_the_same_state_restocks_and_dead_letters(
    tmp_path: Path, kafka_bootstrap: str, redis_url: str, unique_name: str
) -> None:
    found: list[dict[str, object]] = []
    with ExitStack() as open_products:
        products = [
            open_products.enter_context(started(tmp_path / transport, kafka_bootstrap, redis_url, unique_name))
            for transport in ("kafkabatch", "kafka")
        ]
        for product in products:
            play(product)
            found.append(comparable(product))
    batched, stock = found
    assert json.loads(batched["restocks"][0])["restock_id"]  # type: ignore[index]
    assert batched["letters"]
    for name, value in batched.items():
        assert value == stock[name], name


@contextmanager
def started(folder: Path, bootstrap: str, redis_url: str, unique_name: str) -> Iterator[Cluster]:
    """A product whose one worker is ready; its transport is the name of the folder."""
    folder.mkdir()
    settings = {"RESTOCK_TRANSPORT": folder.name, "RESTOCK_DECIDE_FROM": shown(LIVE)}
    with cluster(folder, bootstrap, redis_url, f"{unique_name}-{folder.name}", **settings) as product:
        product.run("topics", "create", "--partitions", str(PARTITIONS))
        product.start_worker()
        product.wait_for_line("ready")
        yield product
