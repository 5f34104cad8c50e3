"""Servers that go away in the middle: the worker waits, is not ready, and goes on by itself; nothing is skipped."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from stream_app.embedded import Servers
from stream_app.embedded import servers as embedded
from tests.e2e.checker import PartitionFold, read_topic, shown
from tests.e2e.cluster import Cluster, cluster, eventually
from tests.e2e.shop import DAY, HISTORY_DAYS, LIVE, PARTITIONS, START, history, order_line

pytestmark = pytest.mark.timeout(240)
LINES = 120_000


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers that these tests may kill."""
    with embedded(tmp_path_factory.mktemp("outages")) as running:
        yield running


@pytest.fixture
def product(tmp_path: Path, own: Servers, unique_name: str) -> Iterator[Cluster]:
    with cluster(tmp_path, own.kafka, own.redis_url, unique_name, RESTOCK_DECIDE_FROM=shown(LIVE)) as made:
        made.run("topics", "create", "--partitions", str(PARTITIONS))
        yield made


def readiness(page: str) -> dict[str, str]:
    """Return what is missing, nothing if the worker is ready."""
    try:
        with urlopen(f"{page}/ready", timeout=10) as answer:
            told = json.load(answer)
    except HTTPError as missing:
        told = json.loads(missing.read())
    found: dict[str, str] = told["missing"]
    return found


def require_equal_to_the_log(product: Cluster) -> None:
    """Compare windows and open buckets with an independent fold of the topic."""
    folds = {
        one: PartitionFold(DAY, 3_600, 112, decide_from=LIVE, counted_from=float("inf")) for one in range(PARTITIONS)
    }
    for record in read_topic(product.bootstrap, product.topic("orders")):
        folds[record.partition].take(record)
    keys, _ = product.state()
    expected = {name: fold for fold in folds.values() for name in fold.keys}
    assert keys.keys() == expected.keys()
    for name, state in keys.items():
        assert state["window"] == expected[name].window_of(name), name
        assert state["open"] == expected[name].open_of(name), name


def test_redis_killed_in_a_back_fill_and_started_again(product: Cluster, own: Servers) -> None:
    sent = product.produce("orders", history(LINES))
    product.start_worker()
    page = product.wait_for_line("ready")["metrics"]
    eventually(lambda: product.applied("orders") > sent // 20, product.logs())
    own.valkey.kill()
    eventually(lambda: "redis" in readiness(page), "not ready without Redis")
    own.valkey.start()
    eventually(lambda: product.applied("orders") == sent, product.logs())
    eventually(lambda: readiness(page) == {}, "ready again")
    require_equal_to_the_log(product)


def test_kafka_killed_in_a_back_fill_and_started_again(product: Cluster, own: Servers) -> None:
    sent = product.produce("orders", history(LINES))
    product.start_worker()
    page = product.wait_for_line("ready")["metrics"]
    eventually(lambda: product.applied("orders") > sent // 20, product.logs())
    own.broker.kill()
    eventually(lambda: "kafka" in readiness(page), "not ready without Kafka")
    own.broker.start()
    eventually(lambda: product.applied("orders") == sent, product.logs())
    sent += product.produce("orders", (order_line(number, START + HISTORY_DAYS * DAY - 60) for number in range(500)))
    eventually(lambda: product.applied("orders") == sent, product.logs())
    eventually(lambda: readiness(page) == {}, "ready again")
    require_equal_to_the_log(product)


def test_servers_that_come_later_than_the_worker_are_waited_for(product: Cluster, own: Servers) -> None:
    sent = product.produce("orders", history(1_000))
    own.valkey.kill()
    product.start_worker()
    product.wait_for_line("redis_waits")
    own.valkey.start()
    own.broker.stop()
    own.broker.start()
    eventually(lambda: product.applied("orders") == sent, product.logs())
    require_equal_to_the_log(product)
