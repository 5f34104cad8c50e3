"""The columns of the list against the state that people read, and at a hundred thousand keys."""

import time

import msgspec
import numpy as np

from replenishment.buckets import BucketWidth
from replenishment.engine.plan import Plan
from replenishment.engine.progress import Progress
from replenishment.engine.rows import forecast_table, hot_table, window_table
from replenishment.engine.terms import terms_table
from stream_app.inspect import key_states
from stream_app.page.columns import read_columns
from stream_app.page.listing import Query, listed
from stream_app.settings import Settings
from stream_app.store.connection import command
from stream_app.store.keys import PartitionKeys
from stream_app.store.reader import StateReader
from tests.page.test_states import sold
from tests.page.visitor import visitor
from tests.store.clients import client_of

MANY = 100_000
FIRST_PAINT_SECONDS = 1.0
VERSION = "lstm-20260101-00000000"
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


async def test_columns_say_what_the_state_of_each_key_says(nowhere: Settings) -> None:
    await sold(nowhere.redis_url, nowhere.state_prefix)
    async with client_of(nowhere.redis_url) as client:
        reader = StateReader(client, nowhere.state_prefix)
        standing = await reader.standing(0)
        snapshot = await reader.snapshot(0)
        assert standing is not None and snapshot is not None
        columns, requests = await read_columns(reader, [standing])
    ((_, state),) = key_states(snapshot)
    (line,) = listed(columns, Query()).lines
    assert (line.position, line.coming) == (state.inventory_position, state.inventory.pending)
    assert (line.on_hand, line.reorder_point) == (state.inventory.on_hand, state.reorder_point)
    assert line.daily_units is not None and line.days_of_stock == line.on_hand / line.daily_units
    assert list(requests.names) == ["main|A"] * len(requests.ids)


async def test_a_hundred_thousand_keys_are_listed_within_a_second(nowhere: Settings) -> None:
    await stored(nowhere, MANY)
    async with visitor(nowhere) as planner:
        await planner.come_in()
        await planner.see("/")
        seconds = []
        for path in ("/", "/?q=S0499", "/?sort=position&dir=desc", "/?supplier=supplier-7&page=3"):
            begun = time.process_time()
            answer = await planner.see(path)
            seconds.append(time.process_time() - begun)
            assert answer.status == 200 and len(answer.rows) == 50
        assert max(seconds) < FIRST_PAINT_SECONDS, seconds


async def stored(settings: Settings, keys: int) -> None:
    """Write the state of a product with many keys, as a worker would have left it."""
    plan = Plan(width=BucketWidth(86_400), allowed_lateness_seconds=3_600, window_buckets=112)
    names = [f"uk|S{number:06d}".encode() for number in range(keys)]
    rng = np.random.default_rng(1)
    hot = np.zeros(keys, dtype=hot_table(plan).row)
    hot["net_units"], hot["ordinal"], hot["stock"] = rng.integers(-5, 400, keys), np.arange(keys), 2
    levels = np.zeros(keys, dtype=forecast_table(VERSION, 128, len(LEVELS)).row)
    levels["stepped_bucket"], levels["protection_buckets"] = 20_000, 8
    levels["reorder_point"], levels["order_up_to_level"] = 80, 200
    levels["curve"] = np.sort(rng.gamma(2.0, 20.0, (keys, len(LEVELS))), axis=1)
    terms = np.zeros(keys, dtype=terms_table().row)
    terms["supplier"] = [f"supplier-{number % 40}".encode() for number in range(keys)]
    terms["is_active"] = 1
    window = np.zeros(keys, dtype=window_table(plan).row)
    window["born_bucket"], window["closed_bucket"] = 19_800, 20_000
    window["units"] = rng.poisson(3.0, (keys, plan.window_buckets))
    tables = {"hot": hot, f"forecast:{VERSION}": levels, "terms": terms, "window": window}
    await _write(settings, plan, names, {name: (rows.tobytes(), rows.itemsize) for name, rows in tables.items()})


async def _write(settings: Settings, plan: Plan, names: list[bytes], tables: dict[str, tuple[bytes, int]]) -> None:
    own = PartitionKeys(settings.state_prefix, 0)
    progress = Progress(1, {"orders": 1}, 0, VERSION, LEVELS, clock=1_728_000_000_000, is_deciding=True)
    async with client_of(settings.redis_url) as client:
        for name, (packed, width) in tables.items():
            for first in range(0, len(names), 5_000):
                some = names[first : first + 5_000]
                rows = {key: packed[(first + at) * width : (first + at + 1) * width] for at, key in enumerate(some)}
                await command(client, "HSET", own.table(name), *(part for row in rows.items() for part in row))
        widths = [part for name, (_, width) in tables.items() for part in (f"row_bytes:{name}", width)]
        layout, stated = msgspec.json.encode(plan.layout), msgspec.json.encode(progress)
        await command(client, "HSET", own.meta, *widths, "epoch", 1, "layout", layout, "progress", stated)
