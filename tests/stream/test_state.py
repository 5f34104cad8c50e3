"""``restock state``: what it says of a key is what the records say, read while others write."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil
from typing import Any

import pytest
from click.testing import CliRunner

from replenishment.engine.advance import advance
from replenishment.engine.plan import Plan
from replenishment.engine.rows import LAYOUT
from replenishment.engine.state import opened
from stream_app.cli.main import cli
from stream_app.errors import StateCorrupt
from stream_app.inspect import Selection, key_lines, key_states, summarised
from stream_app.ports import Opening
from stream_app.processor import Processor
from stream_app.store.connection import command
from stream_app.store.keys import PartitionKeys
from stream_app.store.patience import Patience
from stream_app.store.reader import StateReader
from stream_app.store.redis_store import RedisStore
from tests.engine.builders import DAY, HOUR, SERVING, T0, Line, MeanForecaster, order_columns
from tests.store.clients import client_of
from tests.stream.shop import Kept, Shop, batch, counted, order, record, time_passed

WIDE = Plan(window_buckets=5)
DAYS = [f"2011-01-{day}T00:00:00.000Z" for day in (30, 31)] + [f"2011-02-0{day}T00:00:00.000Z" for day in range(1, 8)]


@asynccontextmanager
async def shop_in_redis(redis_url: str, prefix: str) -> AsyncIterator[tuple[Processor, StateReader, RedisStore]]:
    async with client_of(redis_url) as client:
        store = RedisStore(client, prefix)
        shop = Shop(plan=WIDE, decide_from=T0 + 3 * DAY)
        yield await shop.worker(store), StateReader(client, prefix, Patience(5.0)), store


def few_lines() -> list[Kept]:
    """Lines of two SKUs over four days, then the clock 2 h into the seventh."""
    return [
        order(0, "A", T0 + HOUR, 3),
        order(1, "B", T0 + DAY, 2),
        order(2, "A", T0 + 2 * DAY + HOUR, 4),
        order(3, "A", T0 + DAY + HOUR, 5),
        order(4, "A", T0 + 3 * DAY + HOUR, 7),
        time_passed(5, T0 + 6 * DAY),
        order(6, "B", T0 + 6 * DAY + 30 * 60_000, 1),
        order(7, "A", T0 + 5 * DAY + 23 * HOUR + 59 * 60_000, 6),
        order(8, "C", T0 - 9 * DAY, 1),
    ]


async def shown(reader: StateReader, selection: Selection | None = None) -> list[dict[str, Any]]:
    return [json.loads(line) async for line in key_lines(reader, selection or Selection())]


def test_windows_open_buckets_and_counts_are_those_of_the_records(redis_url: str, unique_name: str) -> None:
    async def scene() -> None:
        async with shop_in_redis(redis_url, unique_name) as (processor, reader, _):
            await processor.accept(batch("orders", few_lines()))
            a, b, c = await shown(reader)
            summary = await summarised(reader, "shop1.")
        assert a["window"] == [[DAYS[0], 3], [DAYS[1], 5], [DAYS[2], 4], [DAYS[3], 7], [DAYS[4], 0]]
        assert a["open"] == [[DAYS[5], 6]]
        assert b["window"] == [[DAYS[1], 2], [DAYS[2], 0], [DAYS[3], 0], [DAYS[4], 0]]
        assert b["open"] == [[DAYS[6], 1]]
        assert (c["window"], c["open"], c["forecast"], c["reorder_point"]) == ([], [], None, None)
        assert (summary.late_corrected, summary.late_dropped) == (1, 1)
        others = {f"shop1.{role}": {"0": 0} for role in ("catalog", "inventory", "signals")}
        assert summary.applied == {**others, "shop1.orders": {"0": 9}}
        assert summary.partitions["0"].closed_through == DAYS[5]
        assert summary.partitions["0"].watermark == "2011-02-04T23:30:00.000Z"
        assert summary.partitions["0"].decide_from == DAYS[3]

    asyncio.run(scene())


def test_the_window_keeps_its_last_buckets_only(redis_url: str, unique_name: str) -> None:
    async def scene() -> None:
        async with shop_in_redis(redis_url, unique_name) as (processor, reader, _):
            lines = [order(day, "A", T0 + day * DAY, 10 + day) for day in range(8)]
            await processor.accept(batch("orders", [*lines, time_passed(8, T0 + 8 * DAY + HOUR)]))
            (a,) = await shown(reader)
        assert a["window"] == [[DAYS[day], 10 + day] for day in range(3, 8)]

    asyncio.run(scene())


def test_stock_levels_and_forecast_are_shown_as_decided(redis_url: str, unique_name: str) -> None:
    async def scene() -> dict[str, Any]:
        async with shop_in_redis(redis_url, unique_name) as (processor, reader, store):
            await processor.accept(batch("orders", few_lines()))
            (before,) = await shown(reader, Selection("main", "A"))
            assert before["inventory"]["assumed"]
            await processor.accept(batch("inventory", [counted(0, "A", T0 + 6 * DAY, 1)]))
            requests = [json.loads(one.value or b"") for _, one in await store.unsent(0, 100) if one.topic == "restock"]
            answers = [
                record(
                    offset,
                    "A",
                    type="restock_accepted",
                    event_id=f"x{offset}",
                    event_time=T0 + 6 * DAY,
                    restock_id=one["restock_id"],
                    quantity=one["quantity"] + 1,
                )
                for offset, one in enumerate((one for one in requests if one["sku"] == "A"), 1)
            ]
            await processor.accept(batch("inventory", answers))
            (after,) = await shown(reader, Selection("main", "A"))
            after["asked"] = sum(one["quantity"] + 1 for one in requests if one["sku"] == "A")
            return after

    after = asyncio.run(scene())
    coming = after["asked"]
    assert coming > 1
    expected = {"on_hand": 1, "backorders": 0, "on_order": coming, "in_transit": 0, "pending": 0, "assumed": False}
    assert after["inventory"] == expected
    assert after["inventory_position"] == 1 + coming
    assert after["forecast"]["levels"] == list(MeanForecaster.grid.levels)
    assert after["forecast"]["origin"] == DAYS[5]
    assert after["reorder_point"] == ceil(after["forecast"]["units"][3])
    assert after["order_up_to_level"] > after["reorder_point"]
    assert after["model_version"] == "mean-1"


def test_keys_are_sorted_over_all_partitions_and_chosen_by_location_or_sku(redis_url: str, unique_name: str) -> None:
    async def scene() -> None:
        async with client_of(redis_url) as client:
            store, reader = RedisStore(client, unique_name), StateReader(client, unique_name)
            await _partition(store, 0, ["b|2", "a|2", "a-b|1"])
            await _partition(store, 11, ["a|1", "c|1"])
            assert await reader.partitions() == [0, 11]
            names = [f"{one['location']}|{one['sku']}" for one in await shown(reader)]
            assert names == sorted(["b|2", "a|2", "a-b|1", "a|1", "c|1"])
            assert [one["sku"] for one in await shown(reader, Selection(location="a"))] == ["1", "2"]
            assert [one["location"] for one in await shown(reader, Selection(sku="2"))] == ["a", "b"]
            assert [one["partition"] for one in await shown(reader, Selection("c", "1"))] == [11]
            assert not await shown(reader, Selection("c", "9"))

    asyncio.run(scene())


async def _partition(store: RedisStore, number: int, keys: list[str]) -> None:
    """Give a partition some keys, one order each."""
    claim = await store.claim(number, 1, Opening(0, {"row_layout": LAYOUT, **WIDE.layout}))
    state = opened(number, WIDE, claim.progress, SERVING.champion)
    lines = [Line(offset, key.encode(), T0) for offset, key in enumerate(keys)]
    for effects in advance(state, order_columns(lines, 0, len(lines)), SERVING):
        assert (await store.apply(claim.fence, effects, ())).is_durable


@pytest.mark.parametrize("scans", [0, 3])
def test_rows_and_progress_are_of_one_moment_however_busy_the_worker_is(
    scans: int, redis_url: str, unique_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_app.store.reader.SCANS", scans)

    async def scene() -> None:
        async with shop_in_redis(redis_url, unique_name) as (processor, reader, _):
            await processor.accept(batch("orders", [order(0, "A", T0), order(1, "B", T0)]))
            done = asyncio.Event()

            async def work() -> None:
                # every batch gives both keys one unit more
                for turn in range(1, 120):
                    lines = [order(2 * turn, "A", T0 + turn), order(2 * turn + 1, "B", T0 + turn)]
                    await processor.accept(batch("orders", lines))
                done.set()

            working = asyncio.create_task(work())
            looks = 0
            while not done.is_set():
                snapshot = await reader.snapshot(0)
                assert snapshot is not None
                position = snapshot.standing.progress.positions["orders"]
                a, b = (state.open[0][1] for _, state in key_states(snapshot))
                assert a == b == position // 2
                looks += 1
            await working
            assert looks > 1

    asyncio.run(scene())


def test_rows_of_a_wrong_width_are_named(redis_url: str, unique_name: str) -> None:
    async def scene() -> None:
        async with shop_in_redis(redis_url, unique_name) as (processor, reader, _), client_of(redis_url) as client:
            await processor.accept(batch("orders", few_lines()))
            await command(client, "HSET", PartitionKeys(unique_name, 0).table("hot"), "main|A", "short")
            with pytest.raises(StateCorrupt, match="hot"):
                await shown(reader)
            with pytest.raises(StateCorrupt, match="hot"):
                await shown(reader, Selection("main", "A"))

    asyncio.run(scene())


@pytest.fixture
def environment(redis_url: str, unique_name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("RESTOCK_REDIS_URL", redis_url)
    monkeypatch.setenv("RESTOCK_STATE_PREFIX", unique_name)
    monkeypatch.setenv("RESTOCK_TOPIC_PREFIX", "shop1.")
    return unique_name


def invoked(*arguments: str) -> Any:
    done = CliRunner().invoke(cli, ["state", *arguments])
    assert done.exit_code == 0, done.output
    return done


def test_the_command_prints_one_object_a_line_and_the_summary_last(environment: str, redis_url: str) -> None:
    async def scene() -> None:
        async with shop_in_redis(redis_url, environment) as (processor, _, _):
            await processor.accept(batch("orders", few_lines()))

    asyncio.run(scene())
    lines = [json.loads(line) for line in invoked("--json").stdout.splitlines()]
    assert [line["sku"] for line in lines[:-1]] == ["A", "B", "C"]
    assert lines[-1]["summary"]["applied"]["shop1.orders"] == {"0": 9}
    one = [json.loads(line) for line in invoked("--json", "--location", "main", "--sku", "B").stdout.splitlines()]
    assert one == [lines[1], lines[-1]]
    told = invoked().stdout
    assert "main|A" in told
    assert "shop1.orders: applied up to 0:9" in told


def test_the_command_says_where_it_looked_if_there_is_nothing(environment: str) -> None:
    done = invoked("--json")
    assert json.loads(done.stdout)["summary"]["applied"]["shop1.orders"] == {}
    assert f"RESTOCK_STATE_PREFIX={environment}" in done.stderr
