"""Joint orders on real servers: a buyer that is killed loses and doubles nothing, and says what the log says."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from replenishment.engine.progress import Progress
from replenishment.joint.advance import advance
from replenishment.joint.book import Book
from stream_app.ports import OutgoingRecord, RecordBatch
from stream_app.topic_reader import Message
from stream_app.wire.joint_orders import BuyerWire
from tests.e2e.checker import shown
from tests.e2e.cluster import Cluster, cluster, eventually
from tests.e2e.shop import (
    DAY,
    LIVE,
    PARTITIONS,
    SKUS,
    Record,
    counted,
    history,
    keyed,
    order_line,
    partition_of,
    time_passed,
)

SUPPLIERS = ["acme", "zenith", ""]
TERMS = [
    {"supplier": "acme", "minimum_order_value": 300, "budget": 900, "budget_days": 1, "longest_wait_hours": 30},
    {"supplier": "zenith", "minimum_order_units": 10_000, "longest_wait_hours": 6, "below_minimum": "refuse"},
]
JOINT = {"RESTOCK_JOINT_ORDERS": "1"}


def catalog() -> Iterator[Record]:
    for number, sku in enumerate(SKUS):
        terms = {"location": "main", "sku": sku, "supplier": SUPPLIERS[number % 3], "unit_cost": 1 + number % 4}
        yield keyed(f"main|{sku}".encode(), terms)


def agreed() -> Iterator[Record]:
    return (keyed(str(one["supplier"]).encode(), one) for one in TERMS)


def limited(sku: str, at: float) -> Record:
    event = {"type": "supply_limited", "supplier": "acme", "sku": sku, "units": 5}
    return keyed(b"acme", event | {"event_time": round(at * 1000), "until": round((at + 9 * DAY) * 1000)})


def messages(product: Cluster, role: str) -> Mapping[int, list[Message]]:
    """Return the records of a topic by partition."""
    topic = product.topic(role)
    consumer = KafkaConsumer(bootstrap_servers=product.bootstrap, enable_auto_commit=False)
    found: dict[int, list[Message]] = {}
    try:
        for number in range(PARTITIONS):
            at = TopicPartition(topic, number)
            end = consumer.end_offsets([at])[at]
            consumer.assign([at])
            consumer.seek_to_beginning(at)
            found[number] = []
            while consumer.position(at) < end:
                for one in consumer.poll(500).get(at, []):
                    found[number].append(
                        Message(number, one.offset, one.timestamp, one.key, one.value, tuple(one.headers))
                    )
    finally:
        consumer.close()
    return found


def recomputed(product: Cluster) -> list[OutgoingRecord]:
    """Return what a buyer says of the log, by the pure room alone: terms first, then proposals."""
    wire = BuyerWire(PARTITIONS, None)
    said: list[OutgoingRecord] = []
    terms, proposals = messages(product, "suppliers"), messages(product, "proposals")
    for number in range(PARTITIONS):
        book = Book(number, Progress(0, {}, 0))
        for role, log in (("suppliers", terms), ("proposals", proposals)):
            end = log[number][-1].offset + 1 if log[number] else 0
            batch = RecordBatch(role, product.topic(role), number, 0, end, log[number])  # type: ignore[arg-type]
            for effects in advance(book, wire.decode(batch)):
                said += wire.encode(effects, batch)
    return said


def unique(product: Cluster, role: str) -> dict[str, bytes]:
    """Return the records of a topic by their CloudEvents id; what is there twice must be there alike."""
    found: dict[str, bytes] = {}
    for some in messages(product, role).values():
        for one in some:
            name = (one.header("ce_id") or b"").decode() or json.loads(one.value or b"{}")["event_id"]
            assert found.setdefault(name, one.value or b"") == one.value, name
    return found


def wanted(said: list[OutgoingRecord], role: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for one in said:
        if one.topic == role:
            name = dict(one.headers).get("ce_id", b"").decode() or json.loads(one.value or b"{}")["event_id"]
            found[name] = one.value or b""
    return found


def is_bought(product: Cluster) -> bool:
    """Whether the buyer has applied all that its topics hold and published what it says."""
    with product.redis() as client:
        prefix = f"{product.environment['RESTOCK_STATE_PREFIX']}-buyer"
        for number, log in messages(product, "proposals").items():
            meta = client.hgetall(f"restock:{{{prefix}:{number}}}:meta")
            if int(meta.get(b"position:proposals", 0)) < len(log):
                return False
            if client.xlen(f"restock:{{{prefix}:{number}}}:outbox"):
                return False
    return True


def play_day(product: Cluster, day: int, sent: int) -> int:
    begin = LIVE + day * DAY + 1
    lines = [order_line(10_000 + day * 1_000 + n, begin + n * 80) for n in range(900)]
    sent += product.produce("orders", [*lines, *time_passed(begin + DAY - 1)])
    eventually(lambda: product.applied("orders") >= sent, f"day {day}: {product.logs()}")
    return sent


@pytest.mark.timeout(300)
def test_a_buyer_killed_at_work_loses_and_doubles_nothing(tmp_path: Path, kafka_bootstrap: str, redis_url: str) -> None:
    settings = {**JOINT, "RESTOCK_DECIDE_FROM": shown(LIVE)}
    with cluster(tmp_path, kafka_bootstrap, redis_url, "joint", **settings) as product:
        product.run("topics", "create", "--partitions", str(PARTITIONS))
        product.produce("suppliers", agreed())
        product.produce("catalog", catalog())
        product.produce("proposals", [limited(SKUS[0], LIVE)])
        sent = product.produce("orders", [*history(5_000), *time_passed(LIVE)])
        product.start_worker()
        buyer = product.start_worker(command="buyer")
        eventually(lambda: product.applied("orders") >= sent, f"back-fill applied: {product.logs()}")
        product.produce("inventory", counted(LIVE, 30))
        sent = play_day(product, 0, sent)
        eventually(lambda: any(messages(product, "restock").values()), f"first joint orders: {product.logs()}")
        buyer.kill()
        buyer.wait(10)
        sent = play_day(product, 1, sent)
        product.start_worker(command="buyer")
        sent = play_day(product, 2, sent)
        product.produce("proposals", [(number, None, value) for number, _, value in time_passed(LIVE + 5 * DAY)])
        eventually(lambda: is_bought(product), f"all is bought: {product.logs()}")
        eventually(
            lambda: product.is_outbox_empty() and product.is_caught_up(), f"answers are applied: {product.logs()}"
        )
        judge(product)


def judge(product: Cluster) -> None:
    said = recomputed(product)
    requests, events = unique(product, "restock"), unique(product, "joint-orders")
    assert requests == wanted(said, "restock")
    assert events == wanted(said, "joint-orders")
    answers = wanted(said, "inventory")
    assert answers.items() <= unique(product, "inventory").items()
    told = [json.loads(one) for one in events.values()]
    assert {one["reason"] for one in told} >= {"minimum_met", "no_minimum", "over_budget", "below_minimum"}
    assert all(one["value"] <= 900 for one in told if one["type"] == "order_placed" and one["supplier"] == "acme")
    refused = {one["restock_id"] for one in told if one["type"] == "proposal_refused"}
    assert refused and not refused & requests.keys()
    check_positions(product, {name: json.loads(one) for name, one in requests.items()}, refused)


def check_positions(product: Cluster, requests: Mapping[str, Mapping[str, Any]], refused: set[str]) -> None:
    """Each key's position counts its proposals, less what the buyer refused or reduced."""
    expected: dict[str, int] = {}
    for some in messages(product, "proposals").values():
        for one in some:
            event = json.loads(one.value or b"{}")
            name = event.get("restock_id")
            if name is not None and name not in refused:
                units = requests[name]["quantity"] if name in requests else event["quantity"]
                key = f"{event['location']}|{event['sku']}"
                expected[key] = expected.get(key, 0) + units
    keys, _ = product.state()
    counts = {name: one["inventory"]["pending"] + one["inventory"]["on_order"] for name, one in keys.items()}
    assert {name: units for name, units in counts.items() if units} == expected
    assert partition_of(b"acme") != partition_of(b"zenith") or len(SUPPLIERS) == 3
