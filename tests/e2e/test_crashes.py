"""Workers killed in the middle of back-fill and of live play: nothing is lost, nothing is doubled."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.audit import audited
from tests.e2e.checker import read_topic, shown, unique_requests
from tests.e2e.cluster import Cluster, cluster, eventually
from tests.e2e.shop import (
    DAY,
    HISTORY_DAYS,
    LIVE,
    PARTITIONS,
    START,
    Record,
    answers,
    counted,
    mixed_order,
    time_passed,
)

LIVE_DAYS = 6
ON_HAND = 40


def history(rng: random.Random, lines: int) -> Iterator[Record]:
    for number in range(lines):
        yield mixed_order(rng, number, START + HISTORY_DAYS * DAY * number / lines)


@pytest.mark.timeout(300)
def test_two_workers_killed_in_back_fill_and_live_play_lose_and_double_nothing(
    tmp_path: Path, kafka_bootstrap: str, redis_url: str
) -> None:
    with cluster(tmp_path, kafka_bootstrap, redis_url, "crashes", RESTOCK_DECIDE_FROM=shown(LIVE)) as product:
        product.run("topics", "create", "--partitions", str(PARTITIONS))
        rng = random.Random(7)
        sent = product.produce("orders", history(rng, 60_000))
        first, _ = product.start_worker(), product.start_worker()
        eventually(lambda: product.applied("orders") > sent // 20, f"back-fill under way: {product.logs()}")
        first.kill()
        first.wait(10)
        product.start_worker()
        eventually(lambda: product.applied("orders") >= sent, f"back-fill applied: {product.logs()}")

        sent += product.produce("orders", time_passed(LIVE))
        events = product.produce("inventory", counted(LIVE, ON_HAND))
        eventually(lambda: product.applied("inventory") >= events, "opening stock is counted")
        _play_live(product, rng, sent, events)
        done = audited(product, ON_HAND)
        assert done.requests and done.refused


def _play_live(product: Cluster, rng: random.Random, sent: int, events: int) -> None:
    done: set[str] = set()
    number = 10**6
    for day in range(LIVE_DAYS):
        begin = LIVE + day * DAY + 1
        lines = [mixed_order(rng, number + n, begin + n * 80) for n in range(900)]
        number += 1_000
        sent += product.produce("orders", lines)
        if day == LIVE_DAYS // 2:
            victim = next(one for one in product.workers if one.poll() is None)
            victim.kill()
            victim.wait(10)
            product.start_worker()
        sent += product.produce("orders", time_passed(begin + DAY - 1))
        wanted = sent
        eventually(lambda wanted=wanted: product.applied("orders") >= wanted, f"day {day}: {product.logs()}")  # type: ignore[misc]
        requests = unique_requests(read_topic(product.bootstrap, product.topic("restock")))
        events += product.produce("inventory", answers(requests, done))
        answered = events
        eventually(lambda answered=answered: product.applied("inventory") >= answered, f"answers of day {day}")  # type: ignore[misc]
