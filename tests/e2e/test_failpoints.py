"""Workers killed at every point of a record's way: after a restart the topics and the state say the same.

Each chain is a product of its own whose workers die one after the other, each
at the next point; at its end everything is compared with an independent fold.
"""

import random
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from model_store.versions import Versions
from server_access.kafka import KafkaAccess
from stream_app.kafka.topics import TopicNames, create
from tests.e2e.audit import Audit, audited
from tests.e2e.checker import shown
from tests.e2e.cluster import Cluster, cluster, eventually
from tests.e2e.failpoints import POINTS
from tests.e2e.shop import DAY, LIVE, PARTITIONS, counted, mixed_order, order_line, time_passed
from tests.model_store.builders import moving_average_draft

CHAINS = 4
ON_HAND = 40
LINES = 120
HISTORY = 400
CLAIMED = ("in claim", "while loading")
SWAPPED = ("in a rebuild chunk", "before the flip", "after the flip")


@pytest.mark.timeout(900)
def test_a_worker_killed_at_any_point_loses_and_doubles_nothing(
    tmp_path: Path, kafka_bootstrap: str, redis_url: str
) -> None:
    names = list(POINTS)
    chains = [names[first::CHAINS] for first in range(CHAINS)]

    def lived(number: int) -> Audit:
        folder = tmp_path / str(number)
        folder.mkdir()
        name = f"failpoints-{number}"
        with cluster(folder, kafka_bootstrap, redis_url, name, RESTOCK_DECIDE_FROM=shown(LIVE)) as product:
            return _killed_at_each(product, chains[number], random.Random(number))

    with ThreadPoolExecutor(CHAINS) as side_by_side:
        audits = list(side_by_side.map(lived, range(CHAINS)))
    assert all(one.requests and one.refused for one in audits)


def _killed_at_each(product: Cluster, points: list[str], rng: random.Random) -> Audit:
    create(KafkaAccess(product.bootstrap), TopicNames(product.environment["RESTOCK_TOPIC_PREFIX"]), PARTITIONS, 1)
    for place, point in enumerate([*points, "none"]):
        flag = product.folder / f"flag-{place}"
        worker = product.start_worker(program=(sys.executable, "-m", "tests.e2e.failpoints", point, str(flag)))
        if place == 0:
            _open(product)
        eventually(lambda: _is_caught_up(product), f"caught up before {point}: {product.logs()}")
        if point == "none":
            continue
        flag.touch()
        _provoke(product, point, place)
        begin = LIVE + 60 + place * DAY
        step = DAY / LINES
        product.produce("orders", [mixed_order(rng, 10**6 + place * LINES + n, begin + n * step) for n in range(LINES)])
        product.produce("orders", time_passed(begin + DAY))
        assert worker.wait(120) == -signal.SIGKILL, f"{point}: {product.logs()}"
    return audited(product, ON_HAND)


def _open(product: Cluster) -> None:
    """Back-fill, begin deciding and count the stock before live orders come."""
    for role, records in (
        ("orders", (order_line(number, LIVE - 2 * DAY + number * 2 * DAY / HISTORY) for number in range(HISTORY))),
        ("orders", time_passed(LIVE)),
        ("inventory", counted(LIVE, ON_HAND)),
    ):
        product.produce(role, records)
        eventually(lambda: _is_caught_up(product), f"opening: {product.logs()}")


def _provoke(product: Cluster, point: str, place: int) -> None:
    """Bring about what the point needs: another version, or a claim."""
    if point in SWAPPED:
        versions = Versions(product.folder / "models")
        version = versions.publish(moving_average_draft(20 + place))
        versions.promote(version, who="test", why="swap", at=place)
    if point in CLAIMED:
        with product.redis() as client:
            for partition in range(PARTITIONS):
                client.hincrby(_meta(product, partition), "epoch", 1)


def _meta(product: Cluster, partition: int) -> str:
    return f"restock:{{{product.environment['RESTOCK_STATE_PREFIX']}:{partition}}}:meta"


def _is_caught_up(product: Cluster) -> bool:
    """Whether all is applied and published; asks the servers, which is quicker than a command."""
    consumer = KafkaConsumer(bootstrap_servers=product.bootstrap, enable_auto_commit=False)
    try:
        for role in ("orders", "inventory"):
            ends = consumer.end_offsets([TopicPartition(product.topic(role), one) for one in range(PARTITIONS)])
            with product.redis() as client:
                applied = {at: client.hget(_meta(product, at.partition), f"position:{role}") for at in ends}
            if any(int(applied[at] or 0) < end for at, end in ends.items()):
                return False
    finally:
        consumer.close()
    return product.is_outbox_empty()
