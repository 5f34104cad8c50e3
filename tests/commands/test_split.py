"""``restock split``: what it refuses to begin with, and an end in order after which nothing is split again."""

import json
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from urllib.request import urlopen

import pytest
from kafka.admin import KafkaAdminClient

from tests.e2e.checker import read_topic
from tests.e2e.cluster import RESTOCK, Cluster, eventually
from tests.e2e.shop import LIVE, Record

SOURCE = "whole"


def whole_orders(numbers: range) -> Iterator[Record]:
    for number in numbers:
        lines = [{"sku": f"SKU-{number % 7}", "quantity": 1}, {"sku": "SKU-9", "quantity": 2}]
        order = {"order_id": f"o-{number}", "location": "main", "event_time": round(LIVE * 1000), "lines": lines}
        yield 0, b"c-1", json.dumps(order).encode()


@pytest.mark.parametrize(
    ("topic", "says"),
    [
        ("nowhere", "nowhere does not exist: name the topic with whole orders"),
        ("orders", "topic of the product itself"),
    ],
)
def test_a_topic_that_cannot_be_split_is_named(product: Cluster, topic: str, says: str) -> None:
    command = [*RESTOCK, "split", product.topic(topic)]
    done = subprocess.run(command, env=product.environment, capture_output=True, timeout=60, check=False, text=True)
    assert done.returncode == 2 and says in done.stderr


def test_after_an_end_in_order_nothing_is_split_again(product: Cluster) -> None:
    admin = KafkaAdminClient(bootstrap_servers=product.bootstrap)
    admin.create_topics({product.topic(SOURCE): {"num_partitions": 1, "replication_factor": 1}})
    admin.close()
    for number, numbers in enumerate((range(40), range(40, 60))):
        splitter = product.start_worker(product.topic(SOURCE), command="split")
        page = product.wait_for_line("ready", worker=number)["metrics"]
        product.produce(SOURCE, whole_orders(numbers))
        eventually(partial(has_split, page, len(numbers)), f"is split: {product.logs()}")
        with urlopen(f"{page}/ready", timeout=10) as answer:
            assert answer.status == 200
        splitter.send_signal(signal.SIGTERM)
        assert splitter.wait(30) == 0
    names = [
        (one.fields["order_id"], one.fields["line"]) for one in read_topic(product.bootstrap, product.topic("orders"))
    ]
    assert sorted(names) == sorted((f"o-{number}", line) for number in range(60) for line in (1, 2))


def has_split(page: str, orders: int) -> bool:
    """Whether a splitter says that it has split so many orders."""
    with urlopen(f"{page}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return f"restock_split_orders_total {float(orders)}" in lines
