"""The store in Redis keeps the contract, and keeps it when the server or the way to it fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from stream_app.errors import StateCorrupt, Unavailable
from stream_app.ports import Opening, Outcome
from stream_app.store.connection import command
from stream_app.store.keys import PartitionKeys
from stream_app.store.patience import Patience
from stream_app.store.redis_store import RedisStore
from stream_app.store.scripts import APPLY, CLAIM
from tests.contracts.store_contract import LAWS, OPENING, Store, claimed, effects, outgoing, row, rows, written
from tests.store.clients import client_of, fresh_prefix, fresh_store
from tests.store.link import Link

WAIT_SECONDS = 20


async def keep(law: Callable[[Store], Awaitable[None]], redis_url: str) -> None:
    async with fresh_store(redis_url) as (store, _, _):
        await law(store)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_store_in_redis_keeps_the_contract(law: Callable[[Store], Awaitable[None]], redis_url: str) -> None:
    asyncio.run(keep(law, redis_url))


def test_all_keys_of_a_partition_are_in_one_slot(redis_url: str) -> None:
    async def scene() -> None:
        async with fresh_store(redis_url) as (store, client, prefix):
            fence = (await claimed(store, 4)).fence
            await store.apply(fence, effects(1, written("hot", {b"a": row(1)})), [outgoing(1)])
            names = {name.decode() for name in await command(client, "KEYS", f"*{prefix}*")}
            assert names == {f"restock:{{{prefix}:4}}:{name}" for name in ("meta", "hot", "outbox")}

    asyncio.run(scene())


def test_a_turn_whose_answer_was_lost_is_asked_again_and_applied_once(redis_url: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with Link(redis_url, tmp_path / "s").up() as link, fresh_store(link.address) as (store, _, _):
            fence = (await claimed(store)).fence
            assert await store.apply(fence, effects(1), ()) is Outcome.APPLIED
            link.answers_lost = 1
            turn = effects(2, written("hot", {b"a": row(1)}))
            assert await store.apply(fence, turn, [outgoing(1)]) is Outcome.REPEATED
            assert len(await store.unsent(0, 10)) == 1
            assert await store.apply(fence, effects(3), ()) is Outcome.APPLIED

    asyncio.run(scene())


def test_a_turn_waits_while_redis_is_away_and_goes_on_by_itself(redis_url: str, tmp_path: Path) -> None:
    async def scene() -> None:
        told: list[str] = []
        away = asyncio.Event()

        def on_unavailable(why: str) -> None:
            told.append(why)
            away.set()

        patience = Patience(on_unavailable=on_unavailable, on_available=lambda: told.append("back"))
        async with Link(redis_url, tmp_path / "s").up() as link, fresh_store(link.address, patience) as (store, _, _):
            fence = (await claimed(store)).fence
            link.cut()
            told.clear()
            applying = asyncio.create_task(store.apply(fence, effects(1), ()))
            await asyncio.wait_for(away.wait(), WAIT_SECONDS)
            assert not applying.done()
            link.mend()
            assert await asyncio.wait_for(applying, WAIT_SECONDS) is Outcome.APPLIED
            assert "ConnectionError" in told[0]
            assert told[-1] == "back"

    asyncio.run(scene())


def test_whoever_has_no_patience_is_told_that_redis_is_away_and_what_to_do(tmp_path: Path) -> None:
    async def scene() -> None:
        async with client_of(f"unix://{tmp_path}/nobody?db=0") as client:
            store = RedisStore(client, fresh_prefix(), Patience(seconds=0.1))
            with pytest.raises(Unavailable, match="RESTOCK_REDIS_URL"):
                await store.unsent(0, 1)

    asyncio.run(scene())


@asynccontextmanager
async def full_memory(client: Redis) -> AsyncIterator[None]:
    """Let the server refuse all that needs memory."""
    await client.config_set("maxmemory", "1mb")
    try:
        yield
    finally:
        await client.config_set("maxmemory", "0")


def test_a_server_without_memory_refuses_a_script_before_its_first_write(redis_url: str) -> None:
    async def scene() -> None:
        async with fresh_store(redis_url) as (store, client, prefix):
            keys = PartitionKeys(prefix, 0)
            async with full_memory(client):
                for script in (CLAIM, APPLY):
                    with pytest.raises(OutOfMemoryError) as refusal:
                        await script.run(client, [keys.meta, keys.outbox], [1, b"{}", b"{}"])
                    # an error from inside of a script would name the script and the line
                    assert "script" not in str(refusal.value)
                assert not await client.exists(keys.meta)
            await claimed(store)

    asyncio.run(scene())


def test_a_turn_waits_until_the_server_has_memory_again(redis_url: str) -> None:
    async def scene() -> None:
        refused = asyncio.Event()
        patience = Patience(on_unavailable=lambda _: refused.set())
        async with fresh_store(redis_url, patience) as (store, client, _):
            fence = (await claimed(store)).fence
            async with full_memory(client):
                applying = asyncio.create_task(store.apply(fence, effects(1, written("hot", {b"a": row(1)})), ()))
                await asyncio.wait_for(refused.wait(), WAIT_SECONDS)
                assert await rows(store, fence, "hot") == {}
            assert await asyncio.wait_for(applying, WAIT_SECONDS) is Outcome.APPLIED

    asyncio.run(scene())


def test_a_server_that_forgot_the_scripts_is_sent_them_again(redis_url: str) -> None:
    async def scene() -> None:
        async with fresh_store(redis_url) as (store, client, _):
            fence = (await claimed(store)).fence
            await client.script_flush()
            assert await store.apply(fence, effects(1), ()) is Outcome.APPLIED

    asyncio.run(scene())


def test_a_server_that_lost_its_last_turns_is_found_out(redis_url: str) -> None:
    async def scene() -> None:
        async with fresh_store(redis_url) as (store, client, prefix):
            keys = PartitionKeys(prefix, 0)
            fence = (await claimed(store)).fence
            await store.apply(fence, effects(1), ())
            before = await command(client, "DUMP", keys.meta)
            await store.apply(fence, effects(2), ())
            await client.restore(keys.meta, 0, before, replace=True)
            assert await store.apply(fence, effects(3), ()) is Outcome.REGRESSED
            await client.delete(keys.meta)
            assert await store.apply(fence, effects(3), ()) is Outcome.FENCED

    asyncio.run(scene())


def test_rows_without_their_meta_are_not_taken_for_a_fresh_start(redis_url: str) -> None:
    async def scene() -> None:
        async with fresh_store(redis_url) as (store, client, prefix):
            fence = (await claimed(store)).fence
            await store.apply(fence, effects(1, written("hot", {b"a": row(1)})), ())
            await client.delete(PartitionKeys(prefix, 0).meta)
            fence = (await claimed(store)).fence
            with pytest.raises(StateCorrupt, match="one of the two was deleted"):
                await rows(store, fence, "hot")

    asyncio.run(scene())


@pytest.mark.parametrize("name", ["outbox", "hot"])
def test_a_key_of_another_type_stops_the_turn_before_its_first_write(name: str, redis_url: str) -> None:
    async def scene() -> None:
        async with fresh_store(redis_url) as (store, client, prefix):
            keys = PartitionKeys(prefix, 0)
            fence = (await claimed(store)).fence
            await client.set(keys.table(name), "something else")
            turn = effects(1, written("hot", {b"a": row(1)}), written("terms", {b"a": row(1)}))
            with pytest.raises(StateCorrupt, match="is no"):
                await store.apply(fence, turn, [outgoing(1)])
            assert await client.exists(keys.table("hot"), keys.outbox, keys.table("terms")) == 1

    asyncio.run(scene())


def test_progress_that_does_not_decode_stops_the_partition(redis_url: str) -> None:
    async def scene() -> None:
        async with fresh_store(redis_url) as (store, client, prefix):
            await claimed(store)
            await client.hset(PartitionKeys(prefix, 0).meta, "progress", b'{"turn":')
            with pytest.raises(StateCorrupt, match="progress"):
                await claimed(store)

    asyncio.run(scene())


def test_an_outbox_entry_that_does_not_decode_names_itself(redis_url: str) -> None:
    async def scene() -> None:
        async with fresh_store(redis_url) as (store, client, prefix):
            await client.xadd(PartitionKeys(prefix, 0).outbox, {"topic": "restock"}, id="1-1")
            with pytest.raises(StateCorrupt, match="1-1"):
                await store.unsent(0, 1)

    asyncio.run(scene())


def test_of_two_workers_racing_for_a_partition_the_later_claim_wins(redis_url: str) -> None:
    async def scene() -> None:
        async with fresh_store(redis_url) as (one, _, prefix), client_of(redis_url) as client:
            other = RedisStore(client, prefix)
            claims = await asyncio.gather(*(store.claim(0, 1, OPENING) for store in (one, other) * 4))
            epochs = [claim.fence.epoch for claim in claims]
            assert sorted(epochs) == list(range(1, 9))
            answers = [await one.apply(claim.fence, effects(1), ()) for claim in claims]
            assert [answer is Outcome.APPLIED for answer in answers] == [epoch == 8 for epoch in epochs]

    asyncio.run(scene())


def test_a_claim_that_is_given_up_leaves_the_client_usable(redis_url: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with Link(redis_url, tmp_path / "s").up() as link, fresh_store(link.address) as (store, _, _):
            link.cut()
            claiming = asyncio.create_task(store.claim(0, 1, Opening(0, {})))
            await asyncio.sleep(0)
            claiming.cancel()
            with suppress(asyncio.CancelledError):
                await claiming
            link.mend()
            await store.claim(0, 1, Opening(0, {}))

    asyncio.run(scene())
