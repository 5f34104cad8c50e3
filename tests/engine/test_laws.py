"""Laws of the engine: the borders of fetches, crashes and the order of rows in a store never matter."""

from collections.abc import Sequence

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from replenishment.engine.advance import advance
from replenishment.engine.columns import CatalogBatch, Entry, InventoryBatch, LineKind, OrderColumns, Span
from replenishment.engine.plan import Plan
from replenishment.engine.state import PartitionState
from replenishment.events import (
    CatalogEntry,
    InventoryEvent,
    Rejection,
    RestockAccepted,
    RestockRejected,
    RestockRequested,
    StockAdjusted,
    StockCounted,
    StockReceived,
)
from tests.engine.builders import DAY, HOUR, SERVING, T0, Ledger, Line, fresh, order_columns, play

KEYS = [b"uk|A", b"uk|B", b"uk|C", b"de|A"]
PLAN = Plan(window_buckets=10, closing_chunk_keys=2, turn_keys=3)


@st.composite
def order_logs(draw: st.DrawFn) -> list[Line | Rejection]:
    """Order records in log order, with holes, rejected records, late lines, cancellations and time passing."""
    log: list[Line | Rejection] = []
    offset, clock = 0, T0
    for _ in range(draw(st.integers(1, 40))):
        offset += draw(st.sampled_from([1, 1, 1, 3]))
        clock += draw(st.sampled_from([0, HOUR, HOUR, 6 * HOUR, DAY, 4 * DAY]))
        at = clock - draw(st.sampled_from([0, 0, 0, HOUR, DAY, 3 * DAY, 30 * DAY]))
        kind = draw(st.sampled_from([*LineKind, LineKind.PLACED, LineKind.PLACED, None]))
        units = draw(st.integers(1, 30))
        key = draw(st.sampled_from(KEYS))
        identity = draw(st.integers(0, 12))
        if kind is None:
            log.append(Rejection("orders", offset, "undecodable", "test"))
        elif kind is LineKind.TIME_PASSED:
            log.append(Line(offset, b"", at, 0, kind))
        elif kind is LineKind.CANCELLED:
            placed_at = at - draw(st.sampled_from([0, HOUR, 2 * DAY]))
            log.append(Line(offset, key, at, units, kind, placed_at=placed_at, identity=identity))
        else:
            log.append(Line(offset, key, at, units, price=draw(st.sampled_from([-1, 25_000])), identity=identity))
    return log


def batches(log: Sequence[Line | Rejection], cuts: set[int]) -> list[OrderColumns]:
    """Cut a log into fetches; each begins where the one before ended."""
    made, start, part = [], 0, []
    for place, record in enumerate(log):
        part.append(record)
        if place in cuts or place == len(log) - 1:
            end = record.offset + 1
            lines = [one for one in part if isinstance(one, Line)]
            refused = [one for one in part if isinstance(one, Rejection)]
            made.append(order_columns(lines, start, end, refused))
            start, part = end, []
    return made


def comparable(ledger: Ledger) -> tuple[object, ...]:
    """Return all of a ledger that must not depend on cuts: everything but the number of turns."""
    progress = ledger.progress
    assert progress is not None
    fields = [getattr(progress, name) for name in progress.__struct_fields__ if name != "turn"]
    # by topic, each of which keeps its order; by text, since the mean of no price is NaN
    said = {kind: [repr(one) for one in ledger.said if type(one) is kind] for kind in map(type, ledger.said)}
    return ledger.rows, said, fields


@given(log=order_logs(), cuts=st.sets(st.integers(0, 40)), decide_after=st.sampled_from([0, 3, 1_000]))
def test_any_cut_of_the_same_sequence_gives_the_same_bytes(
    log: list[Line | Rejection], cuts: set[int], decide_after: int
) -> None:
    decide_from = T0 + decide_after * DAY
    whole = play(fresh(PLAN, decide_from), batches(log, set()))
    cut = play(fresh(PLAN, decide_from), batches(log, cuts))
    assert comparable(cut) == comparable(whole)


@given(log=order_logs(), cuts=st.sets(st.integers(0, 40)), crash_after=st.integers(1, 60))
def test_a_crash_after_any_turn_changes_nothing(log: list[Line | Rejection], cuts: set[int], crash_after: int) -> None:
    whole = play(fresh(PLAN, T0 + 3 * DAY), batches(log, set()))
    ledger = Ledger()
    _play_until(fresh(PLAN, T0 + 3 * DAY), batches(log, cuts), ledger, crash_after)
    state = ledger.reload(PLAN, SERVING)
    position = state.progress.positions.get("orders", 0)
    rest = [record for record in log if record.offset >= position]
    if rest:
        refetched = batches(rest, cuts)
        first = refetched[0]
        moved = OrderColumns(
            Span("orders", position, first.span.end),
            *(getattr(first, name) for name in OrderColumns.__slots__ if name != "span"),
        )
        play(state, [moved, *refetched[1:]], ledger)
    else:
        play(state, [], ledger)
    assert comparable(ledger) == comparable(whole)


def _play_until(state: PartitionState, entries: Sequence[Entry], ledger: Ledger, turns: int) -> None:
    for entry in entries:
        for effects in advance(state, entry, SERVING):
            ledger.keep(effects)
            turns -= 1
            if turns == 0:
                return


def repeated_offsets(log: Sequence[Line | Rejection], plan: Plan) -> set[int]:
    """Return which lines a plain reading takes for repeats: the same line of a bucket that is open was there before."""
    clock, seen, repeats = 0, dict[tuple[bytes, int], int](), set[int]()
    for line in (one for one in log if isinstance(one, Line)):
        clock = max(clock, line.at)
        first_open = plan.width.bucket_at(clock - plan.allowed_lateness_seconds * 1000)
        name = (line.key, line.identity)
        if line.kind is LineKind.TIME_PASSED or not line.identity:
            continue
        bucket = plan.width.bucket_at(line.at if line.placed_at is None else line.placed_at)
        if seen.get(name, -1) >= first_open:
            repeats.add(line.offset)
        elif bucket >= first_open:
            seen[name] = bucket
    return repeats


@given(log=order_logs())
def test_every_unit_is_in_a_window_or_open_or_counted_as_dropped(log: list[Line | Rejection]) -> None:
    plan = Plan(window_buckets=112)
    state = fresh(plan, T0 + 10_000 * DAY)
    play(state, batches(log, set()))
    lines = [one for one in log if isinstance(one, Line) and one.kind != LineKind.TIME_PASSED]
    lines = [one for one in lines if one.offset not in repeated_offsets(log, plan)]
    signed = sum(one.units if one.kind == LineKind.PLACED else -one.units for one in lines)
    kept = int(state.hot["open_units"].sum() + state.window["units"].sum())
    assert state.progress.late_dropped == 0
    assert kept == signed
    assert state.progress.repeated == len(repeated_offsets(log, plan))


def test_closing_an_empty_bucket_is_an_explicit_zero() -> None:
    # bucket      0       1       2
    #        |---3---|-------|-------|->
    # line 2 passes the end of bucket 2
    ledger = play(
        fresh(),
        batches([Line(0, b"uk|A", T0 + HOUR, 3), Line(1, b"uk|A", T0 + 3 * DAY + 2 * HOUR, 1)], set()),
    )
    closed = [one for one in ledger.said if isinstance(one, tuple) and one[0] == "closed"]
    assert [(one[1], one[7]) for one in closed] == [(T0, [3]), (T0 + DAY, [0]), (T0 + 2 * DAY, [0])]


def _event(kind: str, key: bytes, at: int, units: int, restock: int, number: int) -> InventoryEvent:
    occurred_at, event_id, restock_id = T0 + 20 * DAY + at * HOUR, f"e{number}", f"known-{restock}"
    if kind == "count":
        return StockCounted(key, event_id, occurred_at, units)
    if kind == "adjust":
        return StockAdjusted(key, event_id, occurred_at, units - 25)
    if kind == "accept":
        return RestockAccepted(key, event_id, occurred_at, restock_id, units)
    if kind == "reject":
        return RestockRejected(key, event_id, occurred_at, restock_id, units)
    return StockReceived(key, event_id, occurred_at, units, restock_id, final=kind == "final")


events = st.builds(
    _event,
    st.sampled_from(["count", "adjust", "receive", "final", "accept", "reject"]),
    st.sampled_from(KEYS[:2]),
    st.integers(0, 5),
    st.integers(1, 50),
    st.integers(0, 3),
    st.integers(0, 12),
)


@given(sequence=st.lists(events, max_size=25), cuts=st.sets(st.integers(0, 25)))
def test_any_cut_of_inventory_events_gives_the_same_bytes(sequence: list[InventoryEvent], cuts: set[int]) -> None:
    def run(cuts: set[int]) -> Ledger:
        state = fresh(PLAN, T0 + 15 * DAY)
        log = [Line(day, key, T0 + day * DAY, 5) for day, key in enumerate(KEYS[:2] * 10)]
        ledger = play(state, batches(log, set()))
        requests = [one for one in ledger.said if isinstance(one, RestockRequested)]
        names: dict[str, str] = {f"known-{n}": one.restock_id for n, one in enumerate(requests[:4])}
        start, part = 0, []
        for place, event in enumerate(sequence):
            restock_id = getattr(event, "restock_id", None)
            part.append(_renamed(event, names.get(restock_id)) if restock_id else event)
            if place in cuts or place == len(sequence) - 1:
                span = Span("inventory", start, start + len(part))
                play(state, [InventoryBatch(span, (), range(start, start + len(part)), part)], ledger)
                start, part = start + len(part), []
        _check_sums(state)
        return ledger

    assert comparable(run(cuts)) == comparable(run(set()))


def _renamed(event: InventoryEvent, restock_id: str | None) -> InventoryEvent:
    """Return the event about a request that was really made, if there is one."""
    return event if restock_id is None else msgspec.structs.replace(event, restock_id=restock_id)


def _check_sums(state: PartitionState) -> None:
    for name in ("pending", "on_order", "in_transit"):
        sums = np.zeros(state.keys.count, dtype=np.int64)
        for request in state.requests.values():
            sums[request.row] += getattr(request.parts, name)
        assert sums.tolist() == getattr(state, name)[: len(sums)].tolist()


def test_catalog_is_kept_across_a_reload() -> None:
    entry = CatalogEntry(b"uk|A", supplier="acme", lead_time_days=3.5, pack_units=12)
    state = fresh()
    ledger = play(state, [CatalogBatch(Span("catalog", 0, 1), (), [0], [entry.key], [entry])])
    again = ledger.reload(Plan(), SERVING)
    assert again.terms[0] == state.terms[0]
    gone = CatalogBatch(Span("catalog", 1, 2), (), [1], [entry.key], [None])
    play(again, [gone], ledger)
    assert ledger.rows["terms"] == {}
