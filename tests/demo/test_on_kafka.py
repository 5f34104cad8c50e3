"""Publisher, ledger and the warehouse as a process of its own, on the embedded Kafka."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from kafka import KafkaProducer

from server_access.kafka import KafkaAccess
from stream_app.demo.ledger import count_requests, read_topic
from stream_app.demo.order_book import records
from stream_app.demo.publisher import LINES_PER_BATCH, Publisher
from stream_app.kafka.topics import TopicNames, create

PARTITIONS = 3


@pytest.fixture
def prefix(kafka_bootstrap: str) -> str:
    made = f"demo-{uuid4().hex}."
    create(KafkaAccess(kafka_bootstrap), TopicNames(made), PARTITIONS, 1)
    return made


def events(lines: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "order_id": [f"{number}" for number in range(lines)],
            "line": [1] * lines,
            "sku": [f"{10_000 + number % 7}" for number in range(lines)],
            "quantity": [number + 1 for number in range(lines)],
            "event_time": [1_320_000_000_000 + number for number in range(lines)],
            "price": [1.5] * lines,
            "placed_at": pl.Series([None] * lines, dtype=pl.Int64),
        }
    )


def test_what_is_published_is_read_back_in_the_order_of_each_key(kafka_bootstrap: str, prefix: str) -> None:
    book = events(3 * LINES_PER_BATCH)

    async def publish() -> dict[int, int]:
        async with Publisher(kafka_bootstrap, f"{prefix}orders", PARTITIONS) as publisher:
            await publisher.publish(records(book[:100]))
            await publisher.publish(records(book[100:]))
            await publisher.time_passed(1_320_000_999_000)
            return dict(publisher.ends)

    ends = asyncio.run(publish())
    logged = list(read_topic(kafka_bootstrap, f"{prefix}orders"))
    assert sum(ends.values()) == len(logged) == book.height + PARTITIONS
    by_key: dict[bytes, list[bytes]] = {}
    for record in logged:
        by_key.setdefault(record.key or b"", []).append(record.value)
    assert by_key.pop(b"") == [b'{"type": "time_passed", "event_time": 1320000999000}'] * PARTITIONS
    expected: dict[bytes, list[bytes]] = {}
    for key, value in records(book):
        expected.setdefault(key, []).append(value)
    assert by_key == expected


def test_a_topic_is_read_from_where_it_is_asked_for(kafka_bootstrap: str, prefix: str) -> None:
    async def publish() -> dict[int, int]:
        async with Publisher(kafka_bootstrap, f"{prefix}orders", PARTITIONS) as publisher:
            await publisher.publish(records(events(10)))
            before = dict(publisher.ends)
            await publisher.time_passed(5)
            return before

    before = asyncio.run(publish())
    later = list(read_topic(kafka_bootstrap, f"{prefix}orders", before))
    assert [record.key for record in later] == [None] * PARTITIONS


@pytest.fixture
def warehouse(kafka_bootstrap: str, prefix: str) -> Iterator[subprocess.Popen[str]]:
    command = (sys.executable, "-m", "stream_app.demo.warehouse")
    process = subprocess.Popen(
        [*command, "--kafka", kafka_bootstrap, "--topic-prefix", prefix],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.kill()


def ask(bootstrap: str, prefix: str, restock_ids: Sequence[str]) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    for restock_id in restock_ids:
        request = {"restock_id": restock_id, "revision": 1, "location": "uk", "sku": "10001", "quantity": 4}
        request["decided_at"] = "2011-11-10T10:00:00.000Z"
        producer.send(f"{prefix}restock", key=b"uk|10001", value=json.dumps(request).encode())
    producer.flush()
    producer.close()


@pytest.mark.timeout(60)
def test_the_warehouse_answers_each_request_once_and_ends_with_its_input(
    kafka_bootstrap: str, prefix: str, warehouse: subprocess.Popen[str]
) -> None:
    def tell(now: str) -> dict[str, Any]:
        assert warehouse.stdin is not None and warehouse.stdout is not None
        warehouse.stdin.write(f"{now}\n")
        warehouse.stdin.flush()
        answer: dict[str, Any] = json.loads(warehouse.stdout.readline())
        return answer

    ask(kafka_bootstrap, prefix, ["r1", "r2", "r1"])
    assert tell("2011-11-11T00:00:00Z") | {"inventory": None} == {
        "sent": 2,
        "requests": 2,
        "repeated": 1,
        "inventory": None,
    }
    ask(kafka_bootstrap, prefix, ["r2"])
    last = tell("2011-11-18T00:00:00Z")
    assert (last["sent"], last["requests"], last["repeated"]) == (4, 2, 2)
    logged = list(read_topic(kafka_bootstrap, f"{prefix}inventory"))
    assert sum(last["inventory"].values()) == len(logged) == 6
    assert {record.key for record in logged} == {b"uk|10001"}
    assert [json.loads(record.value)["type"] for record in logged].count("stock_received") == 2
    assert count_requests(read_topic(kafka_bootstrap, f"{prefix}restock")).requests == 2
    assert warehouse.stdin is not None
    warehouse.stdin.close()
    assert warehouse.wait(20) == 0
