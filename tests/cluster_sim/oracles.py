"""What must hold once a cluster has healed, whatever happened to it."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Mapping

from replenishment.engine.rows import NEVER, hot_table, window_table
from stream_app.ports import OutgoingRecord, RecordBatch
from stream_app.processor import Parts, Processor
from stream_app.store.memory_store import MemoryStore
from stream_app.wire.json_wire import JsonWire
from tests.cluster_sim.broker import NAMES
from tests.cluster_sim.fold import Fold, folded
from tests.cluster_sim.redis import AppliedTurn, Violated
from tests.cluster_sim.scenario import Scenario
from tests.cluster_sim.world import World
from tests.stream.shop import Notes, Source

Said = dict[str, bytes]


def judge(world: World, scenario: Scenario) -> None:
    """Raise Violated at the first thing that is not as the log says."""
    for partition in range(scenario.partitions):
        ticks = _ticks(world.redis.turns.get(partition, []))
        _windows(world, scenario, partition, ticks)
        _requests(world, scenario, partition, ticks)
    _published(world)
    _dead_letters(world, scenario)


def require(is_so: bool, what: str) -> None:
    """Raise Violated unless something holds."""
    if not is_so:
        raise Violated(what)


def _ticks(turns: list[AppliedTurn]) -> dict[int, float]:
    """Return silent seconds by the position in ``orders`` before which they passed."""
    ticks: dict[int, float] = defaultdict(float)
    for turn in turns:
        seconds = turn.after.ticked_seconds - turn.before.ticked_seconds
        if seconds:
            ticks[turn.after.positions.get("orders", 0)] += seconds
    return dict(ticks)


def _windows(world: World, scenario: Scenario, partition: int, ticks: Mapping[int, float]) -> None:
    plan, kept = world.plan, world.redis.primary.partitions[partition]
    refused = _refused(scenario, partition)
    log = world.broker.logs["orders", partition].records
    fold = folded(
        Fold(plan.width.seconds * 1000, plan.allowed_lateness_seconds * 1000, plan.window_buckets),
        [(one.key, one.value, one.offset in refused) for one in log],
        dict(ticks),
    )
    progress = kept.progress
    for name in ("late_corrected", "late_dropped", "repeated"):
        require(getattr(progress, name) == getattr(fold, name), f"{name} of partition {partition}: {progress}, {fold}")
    require(progress.rejected == len(refused), f"{progress.rejected} of {len(refused)} refused in {partition}")
    rows = kept.tables.get("window", {})
    require(fold.born.keys() == {key for key in rows if _born(world, rows[key]) != NEVER}, f"keys of {partition}")
    for key in fold.born:
        window = window_table(plan).unpack(rows[key])[0]
        hot = hot_table(plan).unpack(kept.tables["hot"][key])[0]
        expected = fold.window_of(key)
        found = {one: int(window["units"][one % plan.window_buckets]) for one in expected}
        require(found == expected, f"window of {key!r} in partition {partition}: {found}, the log says {expected}")
        assert fold.first_open is not None
        opened = [
            int(hot["open_units"][(fold.first_open + ahead) % plan.open_buckets]) for ahead in range(plan.open_buckets)
        ]
        expected_open = fold.open_of(key, plan.open_buckets)
        require(opened == expected_open, f"open buckets of {key!r}: {opened}, the log says {expected_open}")


def _born(world: World, row: bytes) -> int:
    return int(window_table(world.plan).unpack(row)[0]["born_bucket"])


def _refused(scenario: Scenario, partition: int) -> set[int]:
    mine = [one for one in scenario.coming if (one.role, one.partition) == ("orders", partition)]
    return {offset for offset, one in enumerate(mine) if one.is_refused}


def _requests(world: World, scenario: Scenario, partition: int, ticks: Mapping[int, float]) -> None:
    """Nothing was requested twice; without stock events and new models the log decides alone what was requested."""
    said = [_restock(one) for one in world.redis.primary.outgoing(partition) if one.topic == "restock"]
    twice = [name for name, count in Counter(name for name, _ in said).items() if count > 1]
    require(not twice, f"requested twice in partition {partition}: {twice}")
    if scenario.has_inventory or len(world.pointer.forecasters) > 1:
        return
    with asyncio.Runner() as runner:
        expected = runner.run(_reference(world, scenario, partition, ticks))
    require(dict(said) == expected, f"requests of partition {partition}: {sorted(dict(said).keys() ^ expected.keys())}")


async def _reference(world: World, scenario: Scenario, partition: int, ticks: Mapping[int, float]) -> Said:
    """Return what one undisturbed worker requests that gets everything at once but for ticks."""
    store = MemoryStore()
    parts = Parts(world.plan, store, JsonWire(scenario.partitions, None), Notes(), Source([*world.pointer.forecasters]))
    worker = Processor(parts, scenario.decide_from)
    await worker.claim(partition, 1)
    log, start = world.broker.logs["orders", partition].records, 0
    for end in sorted({*ticks, len(log)}):
        if end > start:
            batch = RecordBatch("orders", NAMES.of("orders"), partition, start, end, log[start:end])
            require((await worker.accept(batch)).is_durable, "the reference is undisturbed")
            start = end
        if end in ticks:
            await worker.tick(ticks[end])
    return dict(_restock(one) for one in store.outgoing(partition) if one.topic == "restock")


def _restock(record: OutgoingRecord) -> tuple[str, bytes]:
    value = record.value or b""
    fields = json.loads(value)
    return f"{fields['restock_id']} {fields['revision']}", value


def _published(world: World) -> None:
    """All that left the state is published; anything else was forgotten by a failover, and said the same again."""
    published = {(one.topic, one.key, one.value, one.headers) for one in world.broker.published}
    kept = {
        (one.topic, one.key, one.value, tuple(one.headers))
        for number in world.redis.primary.partitions
        for one in world.redis.primary.outgoing(number)
    }
    require(kept <= published, f"{len(kept - published)} records left the state and were never published")
    forgotten = {(one.topic, one.key, one.value, tuple(one.headers)) for _, _, one in world.redis.forgotten}
    require(published - kept <= forgotten, "something was published that no state ever said")
    if world.redis.failovers:
        return
    payloads: dict[str, set[bytes]] = defaultdict(set)
    for one in world.broker.published:
        if one.topic == "restock":
            name, value = _restock(one)
            payloads[name].add(value)
    require(all(len(values) == 1 for values in payloads.values()), "one id was published with two payloads")


def _dead_letters(world: World, scenario: Scenario) -> None:
    """Every refused record has one identity among the dead letters and one content, and no other record has."""
    found: dict[tuple[int, int], set[OutgoingRecord]] = defaultdict(set)
    for one in world.broker.published:
        if one.topic == "dead-letter":
            headers = dict(one.headers)
            at = int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])
            found[at].add(one)
    expected = {(number, offset) for number in range(scenario.partitions) for offset in _refused(scenario, number)}
    require(found.keys() == expected, f"dead letters: {sorted(found.keys() ^ expected)}")
    for (partition, offset), letters in found.items():
        original = world.broker.logs["orders", partition].records[offset]
        same = len(letters) == 1 and next(iter(letters)).value == original.value
        require(same, f"dead letter of offset {offset} in partition {partition} is not what was refused")
