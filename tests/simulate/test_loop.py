"""The closed loop: hand-computed weeks, the rules of time, and laws that hold for any policy."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replenishment.arrays import Float32s
from replenishment.buckets import BucketWidth
from replenishment.closed_loop.loop import ClosedLoop
from replenishment.closed_loop.world import Lines, Period, World
from replenishment.engine.columns import CatalogBatch, Entry, InventoryBatch, LineKind, OrderColumns, SignalBatch, Tick
from replenishment.engine.plan import Plan
from replenishment.events import (
    CatalogEntry,
    InventoryEvent,
    RestockAccepted,
    RestockApproved,
    SignalEvent,
    SignalPlanned,
    SignalWithdrawn,
    StockAdjusted,
    StockCounted,
    StockReceived,
)
from replenishment.forecaster import ClosedBucket, Forecast, Serving
from replenishment.order_days import set_of_days
from replenishment.quantiles import QuantileGrid
from stream_app.ports import RecordBatch
from stream_app.processor import Parts, Processor
from stream_app.replay.catalog_file import TERMS, fields_of
from stream_app.store.memory_store import MemoryStore
from stream_app.swap import OneForecaster
from stream_app.wire.json_wire import JsonWire
from stream_app.wire.outgoing import restock_record
from tests.engine.builders import DAY, HOUR, T0, MeanForecaster, PlanReader
from tests.stream.shop import Kept, Notes

WEEK = 7 * DAY
KEY = b"main|A"


class TenABucket:
    """Ten units a bucket, for certain: 10 h over h buckets at every level."""

    version = "ten-1"
    grid = QuantileGrid((1, 2, 3), (0.1, 0.5, 0.95, 0.99))
    memory_floats = 1
    context_buckets = 1

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        units = np.outer([10, 20, 30], np.ones(4)).astype(np.float32)
        return Forecast(np.broadcast_to(units, (len(memory), 3, 4)).copy(), memory)


def lines(*placed: tuple[int, int], key: bytes = KEY) -> Lines:
    """Return order lines from (time, units)."""
    at = np.array([one for one, _ in placed], dtype=np.int64)
    units = np.array([one for _, one in placed], dtype=np.int64)
    return Lines(np.zeros(len(at), dtype=np.uint8), [key] * len(at), at, at, units)


def played(
    world: World, period: Period, *, lost_sales: bool = True, forecaster: Any = None, watch: Any = None
) -> ClosedLoop:
    plan = Plan(width=period.width, allowed_lateness_seconds=0, lost_sales=lost_sales, takes_unknown_shipments=True)
    loop = ClosedLoop(world, period, plan, Serving(forecaster or TenABucket()), watch=watch)
    assert list(loop.run()) == list(range(period.buckets))
    return loop


WEEKS = BucketWidth.anchored(7 * 86_400, T0)  # T0 is a Sunday: no week of the calendar begins there


def test_ordered_at_the_end_of_week_x_is_usable_from_the_start_of_week_x_plus_3() -> None:
    # week     -1         0         1         2         3         4
    #      |---------|---------|---------|---------|---------|---------|
    # asked     9        12        10        10        25         3
    # (R,S), lead time 14 d, review 7 d, ten a week for certain: S = 30, opening stock 30
    demand = [(-1, 9), (0, 12), (1, 10), (2, 10), (3, 25), (4, 3)]
    world = World(
        [CatalogEntry(KEY, lead_time_days=14, review_period_days=7)],
        lines(*((T0 + week * WEEK + 2 * DAY, units) for week, units in demand)),
        (),
    )
    loop = played(world, Period(T0, WEEKS, 5))
    decided = [
        ((one.request.decided_at - T0) // WEEK, (one.usable_from - T0) // WEEK, one.request.units)
        for one in loop.decisions
    ]
    # the end of week 0 is the start of week 1; served are 12, 10, 8 of 10, then 12 of 25, then 3
    assert decided == [(1, 3, 12), (2, 4, 10), (3, 5, 8), (4, 6, 12), (5, 7, 3)]
    sums = {name: int(values[0]) for name, values in loop.outcome().sums.items()}
    assert (sums["asked_units"], sums["served_units"]) == (60, 12 + 10 + 8 + 12 + 3)
    # at the ends of the weeks 18, 8, 0, 0, 7 lie on the shelf
    assert (sums["end_units"], sums["empty_buckets"], sums["orders"]) == (33, 2, 5)
    # receipts at the starts of weeks 3 and 4 end two cycles, the period the third; 0-2 and 3 ran short
    assert (sums["cycles"], sums["short_cycles"]) == (3, 2)


def test_with_backorders_a_receipt_serves_what_is_owed_first() -> None:
    world = World(
        [CatalogEntry(KEY, lead_time_days=1, review_period_days=1)],
        lines((T0 - DAY, 1), (T0, 26), (T0 + DAY, 1), (T0 + 2 * DAY, 1)),
        (),
    )
    loop = played(world, Period(T0, BucketWidth(86_400), 3), lost_sales=False)
    # S = 20: 6 are owed after the first day; 26 ordered then arrive a day later, two days after the order
    assert [one.request.units for one in loop.decisions] == [26, 1, 1]
    sums = {name: int(values[0]) for name, values in loop.outcome().sums.items()}
    assert (sums["asked_units"], sums["served_units"], sums["end_units"]) == (28, 20 + 0 + 1, 0 + 0 + 18)


def test_a_count_of_the_file_is_the_opening_stock_and_goods_under_way_count_in_the_position() -> None:
    events: list[InventoryEvent] = [
        StockCounted(KEY, "c", T0, 5),
        *_under_way("po-1", T0 - DAY, 14, expected_at=T0 + DAY + 9 * HOUR),
    ]
    world = World([CatalogEntry(KEY, lead_time_days=1, review_period_days=1)], lines((T0 - DAY, 1)), events)
    loop = played(world, Period(T0, BucketWidth(86_400), 2))
    # 5 on hand and 14 under way: 1 is missing up to 20
    assert [one.request.units for one in loop.decisions] == [1]
    assert loop.decisions[0].request.evidence.in_transit == 14
    assert not loop.decisions[0].request.evidence.stock_assumed
    assert int(loop.outcome().sums["end_units"][0]) == 5 + 19


def _under_way(restock_id: str, at: int, units: int, expected_at: int) -> list[InventoryEvent]:
    from replenishment.events import RestockShipped

    return [
        RestockShipped(KEY, f"{restock_id}/s", at, restock_id, units, expected_at),
        StockReceived(KEY, f"{restock_id}/r", expected_at, units, restock_id),
    ]


def test_goods_that_arrive_within_a_bucket_serve_the_next_one() -> None:
    period = Period(T0, BucketWidth(86_400), 1)
    assert period.usable_from(T0 + DAY) == T0 + DAY
    assert period.usable_from(T0 + DAY + 1) == T0 + 2 * DAY


def test_costs_are_those_of_the_catalog() -> None:
    terms = CatalogEntry(
        KEY,
        lead_time_days=14,
        review_period_days=7,
        holding_cost_per_unit_day=0.5,
        shortage_cost_per_unit=3.0,
        ordering_cost=10.0,
    )
    asked = [(week, units) for week, units in ((-1, 9), (0, 12), (1, 10), (2, 10))]
    world = World([terms], lines(*((T0 + week * WEEK, units) for week, units in asked)), ())
    found = played(world, Period(T0, WEEKS, 3)).outcome()
    # ends of weeks: 18, 8, 0 on hand, 7 days each; 2 lost; three orders
    assert found.holding[0] == pytest.approx(0.5 * 7 * 26)
    assert found.shortage[0] == 3.0 * 2
    assert found.ordering[0] == 10.0 * 3
    assert found.total[0] == pytest.approx(91 + 6 + 30)


def test_no_demand_of_the_future_changes_a_decision_before_it() -> None:
    def decided(last: int) -> list[tuple[int, int]]:
        placed = [(T0 + day * DAY + HOUR, 3 + day % 5) for day in range(-20, 10)] + [(T0 + 10 * DAY, last)]
        world = World([CatalogEntry(KEY, lead_time_days=3, review_period_days=1)], lines(*placed), ())
        loop = played(world, Period(T0, BucketWidth(86_400), 11), forecaster=MeanForecaster())
        return [(one.request.decided_at, one.request.units) for one in loop.decisions]

    before, changed = decided(1), decided(400)
    end = T0 + 11 * DAY
    assert [one for one in before if one[0] < end] == [one for one in changed if one[0] < end]
    assert before != changed


REVIEWS: list[dict[str, Any]] = [
    *({"review_period_days": days} for days in (0, 1.0, 5.0)),
    {"order_days": set_of_days(["mon", "thu"])},
]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Some keys with terms of every policy, orders and cancellations over 30 days, counts here and there."""
    keys = [b"main|A", b"main|B", b"de|A"]
    catalog = [
        CatalogEntry(
            key,
            lead_time_days=draw(st.sampled_from([0, 0.5, 3.0])),
            **draw(st.sampled_from(REVIEWS)),
            service_kind=draw(st.sampled_from(["cycle", "fill"])),
            order_quantity_units=draw(st.sampled_from([None, 6])),
            pack_units=draw(st.sampled_from([None, 4])),
            rounding=draw(st.sampled_from(["up", "nearest", "down_to_max"])),
            shelf_life_days=draw(st.sampled_from([None, 4.0])),
            unmet_demand=draw(st.sampled_from(["backorders", "lost_sales"])),
            expected_daily_units=draw(st.sampled_from([None, 3.0])),
        )
        for key in keys
    ]
    count = draw(st.integers(1, 60))
    at = np.sort(np.array(draw(st.lists(st.integers(-20 * 24, 10 * 24 - 1), min_size=count, max_size=count))))
    at = at * HOUR + T0
    cancelled = np.array(draw(st.lists(st.sampled_from([0, 0, 0, 1]), min_size=count, max_size=count)))
    columns = Lines(
        kinds=cancelled.astype(np.uint8),
        keys=[draw(st.sampled_from(keys)) for _ in range(count)],
        occurred_at=at,
        placed_at=np.where(cancelled == 1, at - 5 * HOUR, at),
        units=np.array(draw(st.lists(st.integers(1, 30), min_size=count, max_size=count)), dtype=np.int64),
    )
    counts = draw(st.lists(st.tuples(st.integers(-48, 100), st.integers(0, 40)), max_size=3))
    events = [
        StockCounted(draw(st.sampled_from(keys)), f"c{place}", T0 + hour * HOUR, units)
        for place, (hour, units) in enumerate(counts)
    ]
    plans = draw(st.lists(st.tuples(st.integers(-6, 9), st.integers(1, 3), st.integers(-150, 200)), max_size=4))
    signals = [
        SignalPlanned(
            key=draw(st.sampled_from(keys)),
            signal_id=draw(st.sampled_from(["a", "b"])),
            occurred_at=draw(st.sampled_from([None, T0 + said * HOUR, T0 + said // 24 * DAY])),
            starts_at=T0 + first * DAY + 6 * HOUR,
            ends_at=T0 + (first + days) * DAY,
            values=(("price", 2.5), ("promotion", draw(st.sampled_from([0.5, 1.0])))),
        )
        for first, days, said in plans
    ]
    taken_back = [SignalWithdrawn(signals[0].key, signals[0].signal_id, T0 + 3 * DAY)] if signals else []
    return World(catalog, columns, events, [*signals, *taken_back])


@settings(max_examples=25)
@given(world=worlds(), lost_sales=st.booleans())
def test_units_are_conserved_whatever_the_policy(world: World, lost_sales: bool) -> None:
    # the ledger itself compares its stock with the engine's after every bucket
    loop = played(world, Period(T0, BucketWidth(86_400), 10), lost_sales=lost_sales, forecaster=MeanForecaster())
    sums = loop.outcome().sums
    assert np.all(sums["served_units"] <= sums["asked_units"])
    assert np.all(sums["short_cycles"] <= sums["cycles"])
    inside = (world.lines.occurred_at >= T0) & (world.lines.kinds == LineKind.PLACED)
    asked = int(sums["asked_units"].sum() + sums["unstocked_units"].sum())
    if not any(isinstance(one, StockCounted) and one.occurred_at > T0 for one in world.events):
        assert asked == int(world.lines.units[inside].sum())
    assert int(sums["ordered_units"].sum()) == sum(one.request.units for one in loop.orders)


@settings(max_examples=15)
@given(world=worlds(), other=worlds())
def test_a_history_that_another_policy_played_makes_no_difference(world: World, other: World) -> None:
    period = Period(T0, BucketWidth(86_400), 10)
    plan = Plan(width=period.width, allowed_lateness_seconds=0, lost_sales=True, takes_unknown_shipments=True)
    elsewhere = World(other.catalog, world.lines, world.events, world.signals)
    history = ClosedLoop(elsewhere, period, plan, Serving(PlanReader())).history()
    shared = ClosedLoop(world, period, plan, Serving(PlanReader()), history=history)
    assert len(list(shared.run())) == period.buckets
    alone = played(world, period, forecaster=PlanReader())
    assert shared.decisions == alone.decisions
    assert shared.outcome().total.tolist() == alone.outcome().total.tolist()


def records(entry: Entry, encode: Any = json.dumps) -> list[Kept]:
    """Return an entry as the records that a producer would have written."""
    if isinstance(entry, OrderColumns):
        return [_order(entry, place) for place in range(len(entry.offsets))]
    if isinstance(entry, InventoryBatch):
        return [_event(offset, one) for offset, one in zip(entry.offsets, entry.events, strict=True)]
    if isinstance(entry, SignalBatch):
        return [_signal(offset, one) for offset, one in zip(entry.offsets, entry.events, strict=True)]
    assert isinstance(entry, CatalogBatch)
    return [_terms(offset, one) for offset, one in zip(entry.offsets, entry.entries, strict=True) if one is not None]


def _kept(offset: int, key: bytes, **fields: object) -> Kept:
    location, _, sku = key.decode().partition("|")
    return Kept(offset, key, json.dumps({"location": location, "sku": sku, **fields}).encode())


def _order(columns: OrderColumns, place: int) -> Kept:
    offset, at = int(columns.offsets[place]), int(columns.occurred_at[place])
    if columns.kinds[place] == LineKind.TIME_PASSED:
        return Kept(offset, None, json.dumps({"type": "time_passed", "event_time": at}).encode())
    more: dict[str, object] = {}
    if columns.kinds[place] == LineKind.CANCELLED:
        more = {"type": "order_cancelled", "placed_at": int(columns.placed_at[place])}
    fields = {"order_id": str(offset), "quantity": int(columns.units[place]), "event_time": at}
    return _kept(offset, columns.keys[place], **fields, **more)


def _event(offset: int, event: InventoryEvent) -> Kept:
    about: dict[str, object] = {"event_id": event.event_id, "event_time": event.occurred_at}
    if isinstance(event, StockCounted):
        return _kept(offset, event.key, type="stock_counted", on_hand=event.on_hand_units, **about)
    if isinstance(event, RestockAccepted):
        answer = {"restock_id": event.restock_id, "quantity": event.units}
        return _kept(offset, event.key, type="restock_accepted", **answer, **about)
    if isinstance(event, StockAdjusted):
        return _kept(offset, event.key, type="stock_adjusted", delta=event.delta_units, reason="expired", **about)
    if isinstance(event, RestockApproved):
        ruling = {"restock_id": event.restock_id, "by": event.by}
        return _kept(offset, event.key, type="restock_approved", **ruling, **about)
    assert isinstance(event, StockReceived)
    more = {"quantity": event.units, "restock_id": event.restock_id, "final": event.final}
    return _kept(offset, event.key, type="stock_received", **more, **about)


def _signal(offset: int, event: SignalEvent) -> Kept:
    about: dict[str, object] = {"signal_id": event.signal_id, "event_time": event.occurred_at}
    if isinstance(event, SignalWithdrawn):
        return _kept(offset, event.key, type="withdrawn", **about)
    span = {"starts_at": event.starts_at, "ends_at": event.ends_at}
    return _kept(offset, event.key, **about, **span, **dict(event.values))


def _terms(offset: int, entry: CatalogEntry) -> Kept:
    return _kept(offset, entry.key, **{name: value for name, value in fields_of(entry).items() if name in TERMS})


async def replayed(entries: Sequence[Entry], plan: Plan, decide_from: int) -> list[bytes]:
    """Run entries through what a worker and a replay run: wire, processor, store; return the requests."""
    store = MemoryStore()
    source = OneForecaster(PlanReader(), "champion")
    processor = Processor(Parts(plan, store, JsonWire(1, None), Notes(), source), decide_from)
    await processor.claim(0, -1)
    for entry in entries:
        if isinstance(entry, Tick):
            outcome = await processor.tick(entry.elapsed_seconds)
        else:
            span = entry.span
            batch = RecordBatch(span.topic, span.topic, 0, span.start, span.end, records(entry))
            outcome = await processor.accept(batch)
        assert outcome.is_durable
    assert not [one for one in store.outgoing(0) if one.topic == "dead-letter"]
    return [one.value or b"" for one in store.outgoing(0) if one.topic == "restock"]


@settings(max_examples=25)
@given(world=worlds(), lost_sales=st.booleans())
async def test_replay_of_the_applied_sequence_decides_the_same_byte_by_byte(world: World, lost_sales: bool) -> None:
    applied: list[Entry] = []
    period = Period(T0, BucketWidth(86_400), 10)
    loop = played(world, period, lost_sales=lost_sales, forecaster=PlanReader(), watch=applied.append)
    plan = Plan(width=period.width, allowed_lateness_seconds=0, lost_sales=lost_sales, takes_unknown_shipments=True)
    made = [restock_record(one.request, None, "urn:restock").value for one in loop.decisions]
    assert await replayed(applied, plan, T0) == made


def test_without_a_lead_time_an_order_at_the_edge_of_a_bucket_is_restocked_at_once() -> None:
    placed = lines((T0 - DAY, 1), (T0 + 2 * DAY, 500), (T0 + 4 * DAY, 1))
    counted = StockCounted(KEY, "c", T0 + 2 * DAY + HOUR, 5)
    world = World([CatalogEntry(KEY, lead_time_days=0)], placed, (counted,))
    applied: list[Entry] = []
    loop = played(world, Period(T0, BucketWidth(86_400), 5), watch=applied.append)
    assert all(one.span.start < one.span.end for one in applied if isinstance(one, OrderColumns))
    first = loop.decisions[0]
    assert (first.request.decided_at, first.usable_from) == (T0 + 2 * DAY, T0 + 2 * DAY)
    assert not loop.state.open_requests
