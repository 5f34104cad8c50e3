"""What every store keeps to: parametrise a test over ``LAWS`` and await each with a fresh store."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import pytest

from replenishment.engine.effects import Effects, LineCounts, RowWrites
from replenishment.engine.progress import Progress
from stream_app.errors import FencedClaim, LayoutMismatch, StateCorrupt
from stream_app.ports import Claim, Fence, Opening, Outbox, Outcome, OutgoingRecord, StateStore, Switch

LAYOUT = {"bucket_seconds": 86_400, "bucket_offset_seconds": 0, "window_buckets": 112, "open_buckets": 2}
OPENING = Opening(decide_from=1_000, layout=LAYOUT)
WIDTH = 8


class Store(StateStore, Outbox, Switch, Protocol):
    """All roles of a store."""


def row(number: int) -> bytes:
    """Return a packed row with every byte value in reach."""
    return number.to_bytes(WIDTH, "little", signed=True)


def written(table: str, rows: dict[bytes, bytes], gone: Sequence[bytes] = ()) -> RowWrites:
    """Return rows to write."""
    return RowWrites(table, WIDTH, list(rows), b"".join(rows.values()), gone)


def effects(
    turn: int,
    *writes: RowWrites,
    positions: dict[str, int] | None = None,
    dropped: Sequence[str] = (),
    decide_from: int = 1_000,
) -> Effects:
    """Return a turn that moves ``orders`` on by ten, unless told otherwise."""
    progress = Progress(turn, {"orders": 10 * turn} if positions is None else positions, decide_from)
    return Effects(progress, writes, (), (), (), (), (), LineCounts(), dropped_tables=dropped)


def outgoing(number: int) -> OutgoingRecord:
    """Return a record of arbitrary bytes."""
    return OutgoingRecord(
        "restock", b"uk|\xff%d" % number, b"\x00\r\n\xfe", (("ce_id", b"%d" % number), ("x", b"\xff"))
    )


async def rows(store: StateStore, fence: Fence, table: str) -> dict[bytes, bytes]:
    """Return every row of a table; no key may come twice."""
    found: dict[bytes, bytes] = {}
    async for chunk in store.load(fence, table, WIDTH):
        assert chunk.table == table
        assert len(chunk.packed) == WIDTH * len(chunk.keys)
        for place, key in enumerate(chunk.keys):
            assert key not in found
            found[key] = chunk.packed[place * WIDTH : (place + 1) * WIDTH]
    return found


async def claimed(store: StateStore, partition: int = 0, generation: int = 1) -> Claim:
    """Return a claim of the usual layout."""
    return await store.claim(partition, generation, OPENING)


async def a_first_claim_opens_the_partition_at_turn_0(store: Store) -> None:
    claim = await claimed(store, partition=3)
    assert claim.fence.partition == 3
    assert claim.progress == Progress(0, {}, 1_000)
    assert not claim.tables


async def a_later_claim_keeps_the_progress_and_does_not_move_decide_from(store: Store) -> None:
    first = await claimed(store)
    turn = effects(1)
    await store.apply(first.fence, turn, ())
    second = await store.claim(0, 1, Opening(decide_from=9_999, layout=LAYOUT))
    assert second.progress == turn.progress
    assert second.fence.epoch == first.fence.epoch + 1


async def turns_apply_one_after_the_other(store: Store) -> None:
    fence = (await claimed(store)).fence
    assert [await store.apply(fence, effects(turn), ()) for turn in (1, 2, 3)] == [Outcome.APPLIED] * 3


async def the_identical_turn_again_is_repeated_and_changes_nothing(store: Store) -> None:
    fence = (await claimed(store)).fence
    turn = effects(1, written("hot", {b"a": row(1)}))
    assert await store.apply(fence, turn, [outgoing(1)]) is Outcome.APPLIED
    assert await store.apply(fence, turn, [outgoing(1)]) is Outcome.REPEATED
    assert len(await store.unsent(0, 10)) == 1


async def another_turn_of_the_same_number_is_not_taken_for_a_repeat(store: Store) -> None:
    fence = (await claimed(store)).fence
    await store.apply(fence, effects(1), ())
    assert await store.apply(fence, effects(1, positions={"orders": 11}), ()) is Outcome.AHEAD


async def an_older_turn_finds_the_store_ahead(store: Store) -> None:
    fence = (await claimed(store)).fence
    for turn in (1, 2, 3):
        await store.apply(fence, effects(turn), ())
    assert await store.apply(fence, effects(2, written("hot", {b"a": row(9)})), ()) is Outcome.AHEAD
    # a turn that moves no position, as one of silence, says by its number alone that it is older
    silent = effects(2, written("hot", {b"a": row(9)}), positions={})
    assert await store.apply(fence, silent, ()) is Outcome.AHEAD
    assert not await rows(store, fence, "hot")


async def a_turn_past_the_next_one_finds_the_store_regressed(store: Store) -> None:
    fence = (await claimed(store)).fence
    assert await store.apply(fence, effects(2, written("hot", {b"a": row(9)})), [outgoing(1)]) is Outcome.REGRESSED
    assert not await rows(store, fence, "hot")
    assert not await store.unsent(0, 10)


async def a_position_that_goes_back_is_refused(store: Store) -> None:
    fence = (await claimed(store)).fence
    await store.apply(fence, effects(1, positions={"orders": 10, "catalog": 2**53 - 1}), ())
    back = effects(2, positions={"orders": 10, "catalog": 2**53 - 2})
    assert await store.apply(fence, back, ()) is Outcome.AHEAD
    stays = effects(2, positions={"orders": 10, "catalog": 2**53 - 1})
    assert await store.apply(fence, stays, ()) is Outcome.APPLIED


async def a_zombie_is_fenced_whatever_it_asks(store: Store) -> None:
    zombie = (await claimed(store)).fence
    await store.apply(zombie, effects(1), [outgoing(1)])
    rightful = (await claimed(store)).fence
    for turn in (1, 2, 3):
        assert await store.apply(zombie, effects(turn, written("hot", {b"a": row(1)})), ()) is Outcome.FENCED
    assert not await store.mark_sent(zombie, "1-1")
    assert len(await store.unsent(0, 10)) == 1
    assert await store.apply(rightful, effects(2), ()) is Outcome.APPLIED


async def an_older_generation_cannot_claim_and_disturbs_nobody(store: Store) -> None:
    rightful = (await claimed(store, generation=7)).fence
    with pytest.raises(FencedClaim, match="generation 7"):
        await claimed(store, generation=6)
    assert await store.apply(rightful, effects(1), ()) is Outcome.APPLIED


async def a_claim_without_a_group_is_not_compared_and_keeps_the_generation(store: Store) -> None:
    await claimed(store, generation=7)
    await claimed(store, generation=-1)
    with pytest.raises(FencedClaim):
        await claimed(store, generation=6)
    await claimed(store, generation=7)


async def a_claim_for_another_owner_is_refused_with_both_names(store: Store) -> None:
    await store.claim(0, 1, Opening(1_000, LAYOUT, "group a"))
    with pytest.raises(LayoutMismatch, match="belongs to group a, this worker is of group b"):
        await store.claim(0, 99, Opening(1_000, LAYOUT, "group b"))
    await store.claim(0, 1, Opening(1_000, LAYOUT, "group a"))


async def a_claim_of_another_layout_is_refused_with_every_difference(store: Store) -> None:
    rightful = (await claimed(store)).fence
    other = Opening(1_000, {**LAYOUT, "bucket_seconds": 3_600, "window_buckets": 56})
    with pytest.raises(LayoutMismatch) as refusal:
        await store.claim(0, 1, other)
    bucket, window = refusal.value.problems
    assert bucket.startswith("RESTOCK_BUCKET_SECONDS=3600: ")
    assert "86400" in bucket
    assert window.startswith("RESTOCK_WINDOW_BUCKETS=56: ")
    assert "112" in window
    assert await store.apply(rightful, effects(1), ()) is Outcome.APPLIED


async def what_was_written_is_loaded_again_whole(store: Store) -> None:
    fence = (await claimed(store)).fence
    many = {b"uk|%05d" % number: row(number - 2_500) for number in range(5_000)}
    await store.apply(fence, effects(1, written("hot", many), written("forecast:lstm-1", {b"uk|1": row(-1)})), ())
    again = await claimed(store)
    assert set(again.tables) == {"hot", "forecast:lstm-1"}
    assert await rows(store, again.fence, "hot") == many
    assert await rows(store, again.fence, "forecast:lstm-1") == {b"uk|1": row(-1)}
    assert await rows(store, again.fence, "terms") == {}


async def a_later_turn_overwrites_and_removes_rows(store: Store) -> None:
    fence = (await claimed(store)).fence
    await store.apply(fence, effects(1, written("restocks", {b"a": row(1), b"b": row(2), b"c": row(3)})), ())
    await store.apply(fence, effects(2, written("restocks", {b"a": row(9)}, gone=[b"b", b"never there"])), ())
    assert await rows(store, fence, "restocks") == {b"a": row(9), b"c": row(3)}


async def more_rows_can_go_in_one_turn_than_one_call_takes(store: Store) -> None:
    fence = (await claimed(store)).fence
    many = {b"%d" % number: row(number) for number in range(9_000)}
    await store.apply(fence, effects(1, written("restocks", many)), ())
    await store.apply(fence, effects(2, written("restocks", {}, gone=list(many))), ())
    assert await rows(store, fence, "restocks") == {}


async def a_dropped_table_is_gone_and_may_be_begun_anew_in_the_same_turn(store: Store) -> None:
    fence = (await claimed(store)).fence
    await store.apply(
        fence, effects(1, written("forecast:a", {b"x": row(1)}), written("forecast:b", {b"x": row(2)})), ()
    )
    wide = RowWrites("forecast:a", 2 * WIDTH, [b"y"], row(1) + row(2))
    await store.apply(fence, effects(2, wide, dropped=["forecast:a", "forecast:b", "forecast:never"]), ())
    again = await claimed(store)
    assert set(again.tables) == {"forecast:a"}
    assert [chunk.keys async for chunk in store.load(again.fence, "forecast:a", 2 * WIDTH)] == [[b"y"]]
    assert await rows(store, again.fence, "forecast:b") == {}


async def rows_of_another_width_are_refused_before_anything_is_written(store: Store) -> None:
    fence = (await claimed(store)).fence
    await store.apply(fence, effects(1, written("hot", {b"a": row(1)})), ())
    wide = RowWrites("hot", WIDTH + 1, [b"b"], bytes(WIDTH + 1))
    short = RowWrites("hot", WIDTH, [b"b", b"c"], bytes(WIDTH))
    for wrong in (wide, short):
        with pytest.raises(StateCorrupt):
            await store.apply(fence, effects(2, written("terms", {b"t": row(1)}), wrong), [outgoing(1)])
    assert not await rows(store, fence, "terms")
    assert not await store.unsent(0, 10)
    assert await store.apply(fence, effects(2), ()) is Outcome.APPLIED


async def rows_are_not_loaded_at_another_width(store: Store) -> None:
    fence = (await claimed(store)).fence
    await store.apply(fence, effects(1, RowWrites("hot", WIDTH + 1, [b"a"], bytes(WIDTH + 1))), ())
    with pytest.raises(StateCorrupt, match=f"{WIDTH + 1} bytes"):
        await rows(store, fence, "hot")


async def the_outbox_keeps_order_and_bytes(store: Store) -> None:
    fence = (await claimed(store)).fence
    bare = OutgoingRecord("dead-letter", None, None)
    await store.apply(fence, effects(1), [outgoing(1), bare, outgoing(2)])
    await store.apply(fence, effects(2), [OutgoingRecord("demand", b"", b"")])
    entries = await store.unsent(0, 10)
    assert [record for _, record in entries] == [outgoing(1), bare, outgoing(2), OutgoingRecord("demand", b"", b"")]
    assert [entry_id for entry_id, _ in entries] == ["1-1", "1-2", "1-3", "2-1"]
    assert await store.unsent(0, 2) == entries[:2]


async def what_is_marked_sent_leaves_the_outbox_and_nothing_else_does(store: Store) -> None:
    fence = (await claimed(store)).fence
    await store.apply(fence, effects(1), [outgoing(one) for one in range(3)])
    await store.apply(fence, effects(2), [outgoing(3)])
    assert await store.mark_sent(fence, "1-2")
    assert [entry_id for entry_id, _ in await store.unsent(0, 10)] == ["1-3", "2-1"]
    assert await store.mark_sent(fence, "1-2")
    assert await store.mark_sent(fence, "2-1")
    assert not await store.unsent(0, 10)
    await store.apply(fence, effects(3), [outgoing(4)])
    assert [entry_id for entry_id, _ in await store.unsent(0, 10)] == ["3-1"]


async def unsent_entries_outlive_a_claim(store: Store) -> None:
    fence = (await claimed(store)).fence
    await store.apply(fence, effects(1), [outgoing(1)])
    again = (await claimed(store)).fence
    assert await store.mark_sent(again, "1-1")
    assert not await store.unsent(0, 10)


async def partitions_do_not_touch_each_other(store: Store) -> None:
    one, other = (await claimed(store, 1)).fence, (await claimed(store, 2)).fence
    await store.apply(one, effects(1, written("hot", {b"a": row(1)})), [outgoing(1)])
    assert await rows(store, other, "hot") == {}
    assert not await store.unsent(2, 10)
    assert not await store.unsent(9, 10)
    assert await store.apply(other, effects(1), ()) is Outcome.APPLIED


async def the_stop_button_stays_as_it_was_set(store: Store) -> None:
    assert not await store.is_paused()
    for paused in (True, True, False, False):
        await store.set_paused(paused)
        assert await store.is_paused() is paused


LAWS: tuple[Callable[[Store], Awaitable[None]], ...] = (
    a_first_claim_opens_the_partition_at_turn_0,
    a_later_claim_keeps_the_progress_and_does_not_move_decide_from,
    turns_apply_one_after_the_other,
    the_identical_turn_again_is_repeated_and_changes_nothing,
    another_turn_of_the_same_number_is_not_taken_for_a_repeat,
    an_older_turn_finds_the_store_ahead,
    a_turn_past_the_next_one_finds_the_store_regressed,
    a_position_that_goes_back_is_refused,
    a_zombie_is_fenced_whatever_it_asks,
    an_older_generation_cannot_claim_and_disturbs_nobody,
    a_claim_without_a_group_is_not_compared_and_keeps_the_generation,
    a_claim_for_another_owner_is_refused_with_both_names,
    a_claim_of_another_layout_is_refused_with_every_difference,
    what_was_written_is_loaded_again_whole,
    a_later_turn_overwrites_and_removes_rows,
    more_rows_can_go_in_one_turn_than_one_call_takes,
    a_dropped_table_is_gone_and_may_be_begun_anew_in_the_same_turn,
    rows_of_another_width_are_refused_before_anything_is_written,
    rows_are_not_loaded_at_another_width,
    the_outbox_keeps_order_and_bytes,
    what_is_marked_sent_leaves_the_outbox_and_nothing_else_does,
    unsent_entries_outlive_a_claim,
    partitions_do_not_touch_each_other,
    the_stop_button_stays_as_it_was_set,
)
