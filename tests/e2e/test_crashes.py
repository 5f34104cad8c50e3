"""Workers killed in the middle of back-fill and of live play: nothing is lost, nothing is doubled."""

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka.partitioner import murmur2

from tests.e2e.checker import Logged, PartitionFold, read_topic, seconds, unique_requests
from tests.e2e.cluster import Cluster, cluster, eventually

PARTITIONS = 3
HISTORY_DAYS, LIVE_DAYS = 60, 6
DAY = 86_400
START = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
LIVE = START + HISTORY_DAYS * DAY
SKUS = [f"SKU-{number:03d}" for number in range(90)]
SESSION_SECONDS = 45
"""A killed worker's partitions are taken over when its session ends."""

Record = tuple[int, bytes | None, bytes | None]


def key_of(sku: str) -> bytes:
    return f"main|{sku}".encode()


def partition_of(key: bytes) -> int:
    return int(murmur2(key) & 0x7FFFFFFF) % PARTITIONS


def keyed(key: bytes, value: dict[str, Any]) -> Record:
    return partition_of(key), key, json.dumps(value).encode()


def order(rng: random.Random, number: int, at: float) -> Record:
    """A line, now and then a cancellation, a late line or one that is refused."""
    sku = rng.choices(SKUS, weights=range(1, len(SKUS) + 1))[0]
    line: dict[str, Any] = {"order_id": f"o{number}", "location": "main", "sku": sku}
    line |= {"quantity": rng.randint(1, 9), "event_time": round(at * 1000)}
    chance = rng.random()
    if chance < 0.02:
        line |= {"type": "order_cancelled", "placed_at": round((at - rng.choice([60, DAY, 3 * DAY])) * 1000)}
    elif chance < 0.04:
        line["event_time"] = round((at - rng.choice([2, 200]) * DAY) * 1000)
    elif chance < 0.05:
        line["quantity"] = 0
    return keyed(key_of(sku), line)


def history(rng: random.Random, lines: int) -> Iterator[Record]:
    for number in range(lines):
        yield order(rng, number, START + HISTORY_DAYS * DAY * number / lines)


def time_passed(at: float) -> Iterator[Record]:
    value = json.dumps({"type": "time_passed", "event_time": round(at * 1000)}).encode()
    return ((partition, None, value) for partition in range(PARTITIONS))


def counts(at: float) -> Iterator[Record]:
    for sku in SKUS:
        event = {"type": "stock_counted", "event_id": f"count-{sku}", "location": "main", "sku": sku}
        yield keyed(key_of(sku), event | {"event_time": round(at * 1000), "on_hand": 40})


def answers(requests: dict[str, dict[str, Any]], done: set[str]) -> Iterator[Record]:
    """Accept and receive every request that was not answered yet."""
    for restock_id in sorted(requests.keys() - done):
        request = requests[restock_id]
        about = {name: request[name] for name in ("restock_id", "location", "sku", "quantity")}
        key = f"{request['location']}|{request['sku']}".encode()
        for kind in ("restock_accepted", "stock_received"):
            event = about | {
                "type": kind,
                "event_id": f"{kind}-{restock_id}",
                "event_time": request["decided_at"],
            }
            yield keyed(key, event)
        done.add(restock_id)


@pytest.mark.timeout(300)
def test_two_workers_killed_in_back_fill_and_live_play_lose_and_double_nothing(
    tmp_path: Path, kafka_bootstrap: str, redis_url: str
) -> None:
    decide_from = datetime.fromtimestamp(LIVE, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with cluster(tmp_path, kafka_bootstrap, redis_url, "crashes", RESTOCK_DECIDE_FROM=decide_from) as product:
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
        counted = product.produce("inventory", counts(LIVE))
        eventually(lambda: product.applied("inventory") >= counted, "opening stock is counted")
        _play_live(product, rng, sent, counted)
        _check(product)


def _play_live(product: Cluster, rng: random.Random, sent: int, events: int) -> None:
    done: set[str] = set()
    number = 10**6
    for day in range(LIVE_DAYS):
        begin = LIVE + day * DAY + 1
        lines = [order(rng, number + n, begin + n * 80) for n in range(900)]
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


def _check(product: Cluster) -> None:
    """Compare the state and the restocks with an independent fold of the log."""
    folds = _fold(product)
    _, summary = product.state()
    for name in ("late_corrected", "late_dropped"):
        assert summary[name] == sum(getattr(fold, name) for fold in folds.values())
    eventually(lambda: _open_requests_agree(product), "every request of the state is published")
    keys, _ = product.state()
    requests = unique_requests(read_topic(product.bootstrap, product.topic("restock")))
    requested: dict[str, int] = defaultdict(int)
    for request in requests.values():
        requested[f"{request['location']}|{request['sku']}"] += request["quantity"]
    expected = {name: fold for fold in folds.values() for name in fold.keys}
    assert keys.keys() == expected.keys()
    assert requests
    for name, state in keys.items():
        fold = expected[name]
        assert state["window"] == fold.window_of(name), name
        assert state["open"] == fold.open_of(name), name
        assert state["inventory_position"] == 40 - fold.keys[name].moved_units + requested[name], name


def _open_requests_agree(product: Cluster) -> bool:
    keys, _ = product.state()
    published = unique_requests(read_topic(product.bootstrap, product.topic("restock"))).values()
    received = {
        record.fields["restock_id"]: record.fields["quantity"]
        for record in read_topic(product.bootstrap, product.topic("inventory"))
        if record.fields["type"] == "stock_received"
    }
    unanswered = sum(one["quantity"] for one in published if one["restock_id"] not in received)
    return bool(unanswered == sum(state["inventory"]["pending"] for state in keys.values()))


def _fold(product: Cluster) -> dict[int, PartitionFold]:
    refused = {
        (int(letter.headers["__connect.errors.partition"]), int(letter.headers["__connect.errors.offset"]))
        for letter in read_topic(product.bootstrap, product.topic("dead-letter"))
    }
    folds = {
        partition: PartitionFold(DAY, 3_600, 112, decide_from=LIVE, counted_from=LIVE)
        for partition in range(PARTITIONS)
    }
    for record in read_topic(product.bootstrap, product.topic("orders")):
        assert _is_refused(record) == ((record.partition, record.offset) in refused)
        if not _is_refused(record):
            folds[record.partition].take(record)
    return folds


def _is_refused(record: Logged) -> bool:
    line = record.fields
    return line.get("type") != "time_passed" and not (
        1 <= line["quantity"] <= 1_000_000 and seconds(line.get("placed_at", line["event_time"])) > 0
    )
