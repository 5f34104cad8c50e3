"""The relay between a store and the embedded Kafka: everything once, in order, trimmed only when acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from server_access.kafka import KafkaAccess
from stream_app.errors import Unavailable
from stream_app.kafka import outbox
from stream_app.kafka.outbox import Relay
from stream_app.kafka.topics import TopicNames, create
from stream_app.ports import Fence, OutgoingRecord
from tests.e2e.checker import read_topic

PARTITIONS = 3
FENCE = Fence(1, 7)


class Shelf:
    """An outbox in memory that can be away; only the holder of ``epoch`` may trim it."""

    def __init__(self, records: Sequence[OutgoingRecord]) -> None:
        self.entries = [(f"1-{place}", record) for place, record in enumerate(records)]
        self.epoch = FENCE.epoch
        self.away_for = 0

    async def unsent(self, partition: int, at_most: int) -> Sequence[tuple[str, OutgoingRecord]]:
        if self.away_for:
            self.away_for -= 1
            raise Unavailable("the store is away")
        return self.entries[:at_most]

    async def mark_sent(self, fence: Fence, entry_id: str) -> bool:
        if fence.epoch != self.epoch:
            return False
        place = [name for name, _ in self.entries].index(entry_id)
        del self.entries[: place + 1]
        return True


@pytest.fixture
def names(kafka_bootstrap: str, unique_name: str) -> TopicNames:
    made = TopicNames(f"{unique_name}.")
    create(KafkaAccess(kafka_bootstrap), made, PARTITIONS, 1)
    return made


@asynccontextmanager
async def relay(bootstrap: str, shelf: Shelf, names: TopicNames) -> AsyncIterator[Relay]:
    counts = {names.of(role): PARTITIONS for role in ("orders", "demand")}
    made = Relay(KafkaAccess(bootstrap), shelf, names, counts)
    try:
        yield made
    finally:
        await made.close()


async def until_empty(shelf: Shelf) -> None:
    async with asyncio.timeout(20):
        while shelf.entries:
            await asyncio.sleep(0.01)


def restocks(count: int) -> list[OutgoingRecord]:
    return [OutgoingRecord("restock", b"uk|A", b"%d" % number, (("ce_id", b"x"),)) for number in range(count)]


async def test_all_entries_are_published_in_order_and_then_trimmed(kafka_bootstrap: str, names: TopicNames) -> None:
    shelf = Shelf(restocks(300))
    async with relay(kafka_bootstrap, shelf, names) as made:
        made.own(FENCE)
        await until_empty(shelf)
    found = read_topic(kafka_bootstrap, names.of("restock"))
    assert [one.value for one in found] == [b"%d" % number for number in range(300)]
    assert found[0].headers == {"ce_id": b"x"}


async def test_demand_goes_to_the_partition_it_is_of(kafka_bootstrap: str, names: TopicNames) -> None:
    shelf = Shelf([OutgoingRecord("demand", b"p1", b"{}"), OutgoingRecord("demand", b"p1", b"[]")])
    async with relay(kafka_bootstrap, shelf, names) as made:
        made.own(FENCE)
        await until_empty(shelf)
    assert [one.partition for one in read_topic(kafka_bootstrap, names.of("demand"))] == [1, 1]


async def test_what_arrives_later_is_published_when_woken(kafka_bootstrap: str, names: TopicNames) -> None:
    shelf = Shelf([])
    async with relay(kafka_bootstrap, shelf, names) as made:
        made.own(FENCE)
        await asyncio.sleep(0)
        shelf.entries.append(("2-0", restocks(1)[0]))
        made.wake(FENCE.partition)
        await until_empty(shelf)
    assert len(read_topic(kafka_bootstrap, names.of("restock"))) == 1


async def test_a_relay_of_an_older_claim_trims_nothing(kafka_bootstrap: str, names: TopicNames) -> None:
    shelf = Shelf(restocks(2))
    shelf.epoch = FENCE.epoch + 1
    async with relay(kafka_bootstrap, shelf, names) as made:
        made.own(FENCE)
        async with asyncio.timeout(20):
            await asyncio.gather(*made._tasks.values())
    assert len(shelf.entries) == 2


async def test_while_the_store_is_away_it_waits_and_then_goes_on(
    kafka_bootstrap: str, names: TopicNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_RETRY_SECONDS", 0.01)
    shelf = Shelf(restocks(3))
    shelf.away_for = 3
    async with relay(kafka_bootstrap, shelf, names) as made:
        made.own(FENCE)
        await until_empty(shelf)
    assert len(read_topic(kafka_bootstrap, names.of("restock"))) == 3
