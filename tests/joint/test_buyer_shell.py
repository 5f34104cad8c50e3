"""The shell of a buyer's partition: what is durable counts, however often the buyer dies in between."""

from hypothesis import given, settings
from hypothesis import strategies as some

from replenishment.joint.advance import BuyerEffects
from stream_app.buyer.shell import BuyerParts, BuyerShell
from stream_app.ports import Outcome, RecordBatch
from stream_app.store.memory_store import MemoryStore
from stream_app.topic_reader import Message
from stream_app.wire.joint_orders import BuyerWire
from tests.joint.builders import START

HOUR = 3_600_000
TERMS = b'{"supplier": "acme", "minimum_order_units": 25, "gather_minutes": 15, "longest_wait_hours": 5}'


class Notes:
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        self.bought_turns = 0
        self.refusals: list[Outcome] = []

    def bought(self, partition: int, effects: BuyerEffects) -> None:
        self.bought_turns += 1

    def refused(self, partition: int, outcome: Outcome) -> None:
        self.refusals.append(outcome)


def parts(store: MemoryStore, notes: Notes | None = None) -> BuyerParts:
    return BuyerParts(store, BuyerWire(1, None), notes or Notes(), "buyer of tests", 1)


def value(number: int) -> bytes:
    at = START + number * HOUR // 4
    identity = f"00000000-0000-0000-0000-{number:012d}"
    evidence = b'{"inventory_position": 3, "reorder_point": 9, "expected_units": 4.0, "pack_units": 1}'
    return (
        b'{"restock_id": "%s", "revision": 1, "location": "main", "sku": "S%d", "supplier": "acme", "quantity": 10,'
        b' "decided_at": %d, "evidence": %s}' % (identity.encode(), number, at, evidence)
    )


def batch(topic: str, start: int, values: list[bytes]) -> RecordBatch:
    records = [Message(0, start + place, START, b"acme", one) for place, one in enumerate(values)]
    return RecordBatch(topic, topic, 0, start, start + len(values), records)  # type: ignore[arg-type]


async def played(cuts: list[int]) -> MemoryStore:
    """Play eleven proposals, with a new shell after each of the cuts."""
    store = MemoryStore()
    shell = BuyerShell(parts(store))
    await shell.claim(0, 1)
    assert await shell.accept(batch("suppliers", 0, [TERMS])) is Outcome.APPLIED
    edges = sorted({0, 11, *cuts})
    for place, start in enumerate(edges[:-1]):
        if place:
            shell = BuyerShell(parts(store))
            claim = await shell.claim(0, 1)
            assert claim.progress.positions["proposals"] == start
        values = [value(number) for number in range(start, edges[place + 1])]
        assert await shell.accept(batch("proposals", start, values)) is Outcome.APPLIED
    return store


@settings(max_examples=20)
@given(some.lists(some.integers(1, 10)))
async def test_a_buyer_that_begins_anew_between_any_two_batches_says_the_same(cuts: list[int]) -> None:
    whole, cut = await played([]), await played(cuts)
    assert whole.outgoing(0) == cut.outgoing(0) and len(whole.outgoing(0)) > 9
    assert whole.partitions[0].tables == cut.partitions[0].tables


async def test_a_buyer_whose_partition_was_taken_over_says_nothing_more() -> None:
    store, notes = MemoryStore(), Notes()
    first, second = BuyerShell(parts(store, notes)), BuyerShell(parts(store))
    await first.claim(0, 1)
    await second.claim(0, 2)
    assert await first.accept(batch("proposals", 0, [value(0)])) is Outcome.FENCED
    assert await first.accept(batch("proposals", 0, [value(0)])) is Outcome.REGRESSED
    assert notes.refusals == [Outcome.FENCED] and not store.outgoing(0)
    assert await second.accept(batch("proposals", 0, [value(0)])) is Outcome.APPLIED


async def test_a_batch_that_does_not_join_is_not_applied() -> None:
    shell = BuyerShell(parts(MemoryStore()))
    await shell.claim(0, 1)
    assert await shell.accept(batch("proposals", 3, [value(0)])) is Outcome.REGRESSED


async def test_silence_lets_what_waits_fall_due() -> None:
    store = MemoryStore()
    shell = BuyerShell(parts(store))
    await shell.claim(0, 1)
    await shell.accept(batch("suppliers", 0, [TERMS]))
    await shell.accept(batch("proposals", 0, [value(0)]))
    assert not store.outgoing(0)
    await shell.tick(5 * 3_600)
    assert [one.topic for one in store.outgoing(0)] == ["joint-orders", "restock"]


async def test_wrong_records_become_dead_letters_in_the_turn_beside_them() -> None:
    store = MemoryStore()
    shell = BuyerShell(parts(store))
    await shell.claim(0, 1)
    await shell.accept(batch("proposals", 0, [b"{", value(0), b"[]"]))
    assert [one.topic for one in store.outgoing(0)] == ["joint-orders", "restock", "dead-letter", "dead-letter"]
    assert store.partitions[0].progress.rejected == 2
