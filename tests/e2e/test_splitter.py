"""Whole orders on real servers: splitters that are killed lose and double nothing in the worker's state."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from tests.e2e.checker import Logged, read_topic, shown
from tests.e2e.cluster import Cluster, cluster, eventually
from tests.e2e.shop import DAY, LIVE, PARTITIONS, SKUS, Record, time_passed

SOURCE = "web-orders"
SOURCE_PARTITIONS = 2
MAPPING = {
    "whole_orders": {
        "lines": "$.items",
        "order": {"order_id": "$.id", "location": {"constant": "main"}, "event_time": "$.placed"},
        "line": {"sku": "$.sku", "quantity": "$.qty"},
    }
}


def whole_order(number: int) -> dict[str, Any]:
    rng = random.Random(number)
    items = [{"sku": rng.choice(SKUS), "qty": rng.randint(1, 9)} for _ in range(rng.randint(1, 6))]
    return {"id": number, "placed": round((LIVE + rng.random() * DAY / 2) * 1000), "items": items}


def published(numbers: range) -> Iterator[Record]:
    """Yield orders keyed by customer, and now and then what is no order or has a wrong line."""
    for number in numbers:
        order = whole_order(number)
        if number % 50 == 7:
            order = {"id": number}
        if number % 50 == 9:
            order["items"].append({"sku": "gift wrap", "qty": 1})
        yield number % SOURCE_PARTITIONS, f"customer-{number % 13}".encode(), json.dumps(order).encode()


def units_of(numbers: range) -> Counter[str]:
    counted: Counter[str] = Counter()
    for number in numbers:
        if number % 50 != 7:
            for item in whole_order(number)["items"]:
                counted[f"main|{item['sku']}"] += item["qty"]
    return counted


def start_splitter(product: Cluster) -> Any:
    return product.start_worker(product.topic(SOURCE), command="split")


def lines(product: Cluster) -> Mapping[tuple[str, int], Logged]:
    """Return each line once; one that was written again must be the same bytes, at the same key and partition."""
    found: dict[tuple[str, int], Logged] = {}
    for one in read_topic(product.bootstrap, product.topic("orders")):
        name = (str(one.fields["order_id"]), int(str(one.fields["line"])))
        before = found.setdefault(name, one)
        same = [(it.key, it.value, it.partition, it.headers) for it in (before, one)]
        assert same[0] == same[1]
    return found


@pytest.mark.timeout(300)
def test_splitters_killed_at_work_lose_and_double_nothing(
    tmp_path: Path, kafka_bootstrap: str, redis_url: str, unique_name: str
) -> None:
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps(MAPPING))
    settings = {"RESTOCK_DECIDE_FROM": shown(LIVE), "RESTOCK_MAPPING_FILE": str(mapping)}
    with ExitStack() as stack:
        product = stack.enter_context(cluster(tmp_path, kafka_bootstrap, redis_url, unique_name, **settings))
        product.run("topics", "create", "--partitions", str(PARTITIONS))
        admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
        admin.create_topics({product.topic(SOURCE): {"num_partitions": SOURCE_PARTITIONS, "replication_factor": 1}})
        admin.close()
        product.start_worker()
        written = stack.enter_context(ends(product))
        everything, sent = range(6_000), 0
        for share in (2_000, 4_000):
            splitter = start_splitter(product)
            product.produce(SOURCE, published(range(sent, share)))
            sent = share
            before = written()
            eventually(lambda least=before: written() > least + 200, f"splits: {product.logs()}")  # type: ignore[misc]
            splitter.kill()
            splitter.wait(10)
        product.produce(SOURCE, published(range(sent, len(everything))))
        start_splitter(product)
        start_splitter(product)
        wanted = sum(len(whole_order(n)["items"]) + (n % 50 == 9) for n in everything if n % 50 != 7)
        eventually(lambda: written() >= wanted and len(lines(product)) == wanted, f"all is split: {product.logs()}")
        product.produce("orders", time_passed(LIVE + 2 * DAY))
        eventually(product.is_caught_up, f"all is applied: {product.logs()}")
        judge(product, everything)


@contextmanager
def ends(product: Cluster) -> Iterator[Callable[[], int]]:
    """Yield what counts the records of ``orders``."""
    consumer = KafkaConsumer(bootstrap_servers=product.bootstrap, enable_auto_commit=False)
    partitions = [TopicPartition(product.topic("orders"), one) for one in range(PARTITIONS)]
    try:
        yield lambda: sum(consumer.end_offsets(partitions).values())
    finally:
        consumer.close()


def judge(product: Cluster, everything: range) -> None:
    keys, summary = product.state()
    counted = {name: sum(units for _, units in one["window"]) for name, one in keys.items()}
    assert counted == dict(units_of(everything))
    assert summary["repeated"] > 0, "a kill made some lines come twice"
    letters = read_topic(product.bootstrap, product.topic("dead-letter"))
    wrong = len(everything) // 50
    assert len(places(letters, b"missing_field", product.topic(SOURCE))) == wrong
    assert len(places(letters, b"bad_characters", product.topic("orders"))) >= wrong


def places(letters: list[Logged], code: bytes, topic: str) -> set[tuple[bytes, bytes]]:
    """Return partition and offset of each record of a topic that was refused with a code."""
    place = ("__connect.errors.partition", "__connect.errors.offset")
    return {
        (one.headers[place[0]], one.headers[place[1]])
        for one in letters
        if (one.headers["restock.error.code"], one.headers["__connect.errors.topic"].decode()) == (code, topic)
    }
