"""The batch transport under a real Faust app on the embedded Kafka."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import mode
import pytest
from kafka import KafkaConsumer, TopicPartition

from replenishment.engine.columns import Role
from stream_app.kafka.batching import BatchApp, BatchSchema, Fetched
from stream_app.kafka.sender import write_all
from stream_app.kafka.topics import TopicNames, create

pytestmark = pytest.mark.timeout(90)


class Taker:
    """Takes every batch; implements ``Batching`` with positions that are set beforehand."""

    def __init__(self, names: TopicNames, positions: Mapping[Role, int]) -> None:
        self.roles = names.inputs
        self.positions = positions
        self.batches: list[Fetched] = []
        self.restored: list[AbstractSet[int]] = []
        self.released: list[AbstractSet[int]] = []

    async def restore(
        self, partitions: AbstractSet[int], generation: int, era: int
    ) -> Mapping[int, Mapping[Role, int]]:
        self.restored.append(partitions)
        return {number: dict(self.positions) for number in partitions}

    async def release(self, partitions: AbstractSet[int]) -> None:
        self.released.append(partitions)

    def offsets(self, role: Role) -> list[int]:
        return [record.offset for one in self.batches if one.batch.topic == role for record in one.batch.records]


@pytest.fixture
def names(kafka_bootstrap: str, unique_name: str) -> TopicNames:
    made = TopicNames(f"{unique_name}.")
    create(kafka_bootstrap, made, 1, 1)
    return made


@asynccontextmanager
async def running(bootstrap: str, names: TopicNames, taker: Taker, single: list[Any]) -> AsyncIterator[BatchApp]:
    """An app that batches the inputs, and has a stock agent on ``restock``, which it does not batch."""
    app = BatchApp(
        f"{names.prefix}group",
        broker=f"kafkabatch://{bootstrap}",
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=0.2,
        stream_wait_empty=False,
    )
    app.batching = taker
    batched = app.topic(*taker.roles, schema=BatchSchema(), maxsize=2)
    plain = app.topic(names.of("restock"), value_type=bytes, value_serializer="raw")

    @app.agent(batched, name="take", concurrency=1, supervisor_strategy=mode.CrashingSupervisor)
    async def take(stream: Any) -> None:
        async for event in stream.noack().events():
            taker.batches.append(event.value)
            await stream.ack(event)

    @app.agent(plain, name="single")
    async def count(stream: Any) -> None:
        async for value in stream:
            single.append(value)

    await app.start()
    try:
        yield app
    finally:
        await asyncio.wait_for(app.stop(), 20)


async def until(condition: Any) -> None:
    async with asyncio.timeout(40):
        while not condition():
            await asyncio.sleep(0.02)


def committed(bootstrap: str, group: str, topic: str) -> int | None:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    try:
        found: int | None = consumer.committed(TopicPartition(topic, 0))
        return found
    finally:
        consumer.close()


async def test_a_fetch_is_one_event_and_reading_begins_at_the_restored_position(
    kafka_bootstrap: str, names: TopicNames
) -> None:
    write_all(kafka_bootstrap, names.of("orders"), ((b"k", b"%d" % number) for number in range(1_000)))
    taker = Taker(names, {"orders": 400, "inventory": 0, "catalog": 0, "signals": 0})
    async with running(kafka_bootstrap, names, taker, []) as app:
        await until(lambda: len(taker.offsets("orders")) >= 600)
        await until(lambda: committed(kafka_bootstrap, app.conf.id, names.of("orders")) == 1_000)
    assert taker.offsets("orders") == list(range(400, 1_000))
    assert len(taker.batches) < 20
    assert taker.batches[0].batch.start == 400
    spans = [(one.batch.start, one.batch.end) for one in taker.batches]
    assert all(end == start for (_, end), (start, _) in pairwise(spans))


async def test_an_agent_on_a_topic_that_is_not_batched_gets_single_events(
    kafka_bootstrap: str, names: TopicNames
) -> None:
    write_all(kafka_bootstrap, names.of("restock"), ((b"k", b"%d" % number) for number in range(50)))
    write_all(kafka_bootstrap, names.of("orders"), [(b"k", b"1")])
    taker, single = Taker(names, {"orders": 0, "inventory": 0, "catalog": 0, "signals": 0}), list[Any]()
    async with running(kafka_bootstrap, names, taker, single) as app:
        await until(lambda: len(single) == 50 and taker.batches)
        await until(lambda: committed(kafka_bootstrap, app.conf.id, names.of("restock")) == 50)
    assert single == [b"%d" % number for number in range(50)]
    assert taker.offsets("orders") == [0]


async def test_an_input_topic_of_which_no_partition_is_ours_ends_the_app(
    kafka_bootstrap: str, names: TopicNames, unique_name: str
) -> None:
    taker = Taker(names, {"orders": 0, "inventory": 0, "catalog": 0, "signals": 0})
    taker.roles = {**names.inputs, f"{unique_name}.missing": "orders"}
    async with running(kafka_bootstrap, names, taker, []) as app:
        await until(lambda: app.crashed)
        assert "is not assigned to this worker" in str(app.crash_reason)
