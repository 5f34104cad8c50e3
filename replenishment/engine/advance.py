"""The one way in: an entry and time in event order, effects out.

Lines are cut into stretches wherever the running watermark passes a bucket's
end, so that the borders of fetches never matter; no line is taken between the
chunks of a closing.
"""

from collections.abc import Generator, Iterator, Sequence

import numpy as np

from replenishment.arrays import Int64s
from replenishment.engine.catalog import take_entry
from replenishment.engine.closing import (
    assume_stock,
    chunks_of,
    close_chunk,
    settle_requests,
    unclosed,
)
from replenishment.engine.columns import (
    CatalogBatch,
    Entry,
    InventoryBatch,
    OrderColumns,
    Role,
    SignalBatch,
    Tick,
    part,
)
from replenishment.engine.effects import Effects, ShadowDecisions
from replenishment.engine.expected import begin_expected
from replenishment.engine.hold import Doubt, first_doubt, hold, released
from replenishment.engine.inventory import take_event
from replenishment.engine.orders import take_orders
from replenishment.engine.progress import UNKNOWN
from replenishment.engine.review import review_closing, review_key, review_lines
from replenishment.engine.rows import seen_table
from replenishment.engine.scoring import end_bucket
from replenishment.engine.shadow import added_up, compared
from replenishment.engine.signals import forget_signals, take_signal
from replenishment.engine.state import PartitionState
from replenishment.engine.turn import PendingRejections, Turn, settle
from replenishment.forecaster import Serving


class SpanGap(Exception):
    """An entry does not start where the partition stands; drop the state, claim again, read from there."""

    def __init__(self, topic: str, expected: int, got: int) -> None:
        self.topic, self.expected, self.got = topic, expected, got
        super().__init__(f"{topic} stands at position {expected}, the batch starts at {got}")


def advance(state: PartitionState, entry: Entry, serving: Serving) -> Iterator[Effects]:
    """Yield one turn after another; each must be durable before the one after the next is asked for.

    Args:
        state: The partition; changed in place, ahead of the turns.
        entry: One batch of one topic, or silence.
        serving: Who steps at closings; its champion is the version that ``state`` serves.

    Raises:
        SpanGap: If a batch does not start at the stored position of its topic.
        ValueError: If ``serving`` is of another version than the state.
    """
    if not isinstance(entry, Tick):
        expected = state.progress.positions.get(entry.span.topic, 0)
        if entry.span.start != expected:
            raise SpanGap(entry.span.topic, expected, entry.span.start)
    yield from finish(state, serving)
    if isinstance(entry, OrderColumns):
        yield from _advance_orders(state, entry, serving)
    elif isinstance(entry, InventoryBatch):
        yield _advance_inventory(state, entry, serving)
    elif isinstance(entry, CatalogBatch | SignalBatch):
        yield _advance_told(state, entry)
    else:
        yield from _advance_silence(state, entry, serving)


def finish(state: PartitionState, serving: Serving) -> Iterator[Effects]:
    """Yield what the clock already made due: deciding that begins, buckets that close. Mostly nothing.

    After a crash in the middle this goes on with the rows that lag.
    """
    if serving.champion.version != state.champion.version:
        raise ValueError(f"state is of {state.champion.version}, serving {serving.champion.version}")
    _skip_nobodys_buckets(state)
    if _is_deciding_due(state):
        yield from _begin_deciding(state)
    while _is_bucket_due(state):
        yield from _close_bucket(state, state.first_open_bucket, serving)


def _is_deciding_due(state: PartitionState) -> bool:
    return not state.progress.is_deciding and state.progress.clock >= state.progress.decide_from


def _is_bucket_due(state: PartitionState) -> bool:
    if state.progress.watermark == UNKNOWN:
        return False
    return state.first_open_bucket < state.plan.width.bucket_at(state.progress.watermark)


def _skip_nobodys_buckets(state: PartitionState) -> None:
    """Count buckets before the first watermark, and those of a partition without keys, as closed."""
    is_nobodys = state.progress.closed_through == UNKNOWN or not state.keys.count
    if is_nobodys and _is_bucket_due(state):
        due = state.plan.width.bucket_at(state.progress.watermark)
        state.move(closed_through=state.plan.width.start_of(due))


def _begin_deciding(state: PartitionState) -> Iterator[Effects]:
    """Give every key with levels and no count its assumed stock, chunk by chunk."""
    step = state.plan.closing_chunk_keys
    for first in range(0, state.keys.count - step, step):
        assumed = assume_stock(state, np.arange(first, first + step))
        if len(assumed):
            yield settle(state, Turn(hot=[assumed]))
    last = max(0, (chunks_of(state) - 1) * step)
    assumed = assume_stock(state, np.arange(last, state.keys.count))
    state.move(is_deciding=True)
    yield settle(state, Turn(hot=[assumed]))


def _close_bucket(state: PartitionState, bucket: int, serving: Serving) -> Iterator[Effects]:
    chunks = chunks_of(state)
    shadow: list[ShadowDecisions] = []
    for chunk in range(chunks):
        begin_expected(state, bucket, chunk)
        rows = unclosed(state, bucket, chunk)
        turn = Turn()
        if len(rows):
            close_chunk(state, bucket, rows, chunk, serving, turn)
            shadow += [one for one in [compared(state, rows, bucket)] if one is not None]
            review_closing(state, rows, bucket, serving, turn)
        if chunk == chunks - 1:
            settle_requests(state, turn)
            forget_signals(state, bucket, turn)
            turn.buckets_closed = 1
            turn.drifted = end_bucket(state, bucket)
            turn.is_scored = True
            turn.shadow = added_up(shadow)
            if state.seen.pop(bucket, None) is not None:
                state.abandoned.append(seen_table(bucket).name)
            state.move(closed_through=state.plan.width.start_of(bucket + 1))
        if len(rows) or turn.buckets_closed:
            yield settle(state, turn)


def _advance_orders(state: PartitionState, lines: OrderColumns, serving: Serving) -> Iterator[Effects]:
    rejections = PendingRejections(lines.rejections)
    start, count = 0, len(lines.offsets)
    while start < count:
        doubt = first_doubt(state, lines, start)
        stop = count if doubt is None else doubt.place
        if start < stop:
            yield from _count(state, part(lines, start, stop), rejections, serving)
        start = stop
        if doubt is not None:
            start = yield from _resolve(state, lines, doubt, rejections, serving)
    if not count:
        yield _only_rejected(state, "orders", lines.span.end, rejections)


def _resolve(
    state: PartitionState, lines: OrderColumns, doubt: Doubt, rejections: PendingRejections, serving: Serving
) -> Generator[Effects, None, int]:
    """Release what is due, or hold or count the record in doubt; return the place from which to go on."""
    place = doubt.place
    if doubt.due:
        # the record comes again: it may be in doubt no longer
        due = released(state, doubt.due, int(lines.offsets[place]))
        yield from _count(state, due, rejections, serving, doubt.due)
        return place
    if not doubt.is_held:
        yield from _count(state, part(lines, place, place + 1), rejections, serving)
        return place + 1
    turn = Turn()
    after = hold(state, lines, place, turn)
    _stand_at(state, "orders", lines.position_of(after))
    turn.rejections += rejections.before(state.progress.positions["orders"])
    yield settle(state, turn)
    return after


def _count(
    state: PartitionState,
    lines: OrderColumns,
    rejections: PendingRejections,
    serving: Serving,
    held: Sequence[int] = (),
) -> Iterator[Effects]:
    """Count lines whose times are not in doubt; ``held`` are the offsets at which they were held so far."""
    clock = np.maximum.accumulate(np.concatenate([[state.progress.clock], lines.occurred_at]))[1:]
    start, count = 0, len(lines.offsets)
    while start < count:
        # the record moves the clock, what that makes due happens, then the record counts
        _stand_at(state, "orders", int(lines.offsets[start]))
        _move_clock(state, int(clock[start]))
        passed = rejections.before(int(lines.offsets[start]))
        if passed and (_is_deciding_due(state) or _is_bucket_due(state)):
            # the turns of a closing move the position past them
            yield settle(state, Turn(rejections=passed))
            passed = []
        yield from finish(state, serving)
        end = _stretch_end(state, lines, clock, start)
        turn = Turn(rejections=passed, held=set(held[start:end]))
        for offset in held[start:end]:
            del state.held[offset]
        changes = take_orders(state, lines, slice(start, end), clock[start:end], turn)
        _move_clock(state, int(clock[end - 1]))
        if changes is not None:
            review_lines(state, changes, serving, turn)
        _stand_at(state, "orders", lines.position_of(end))
        turn.rejections += rejections.before(state.progress.positions["orders"])
        yield settle(state, turn)
        start = end


def _stretch_end(state: PartitionState, lines: OrderColumns, clock: Int64s, start: int) -> int:
    """Return where the stretch from ``start`` ends: before the first record that makes something due."""
    plan, progress = state.plan, state.progress
    watermark = np.maximum(clock[start:] - plan.allowed_lateness_seconds * 1000, progress.watermark)
    is_due = plan.width.buckets_of(watermark) > state.first_open_bucket
    if not progress.is_deciding:
        is_due |= clock[start:] >= progress.decide_from
    due = np.flatnonzero(is_due)
    end = start + (int(due[0]) if len(due) else len(is_due))
    if end - start <= plan.turn_keys:
        return end
    if len(set(lines.keys[start:end])) <= plan.turn_keys:
        return end
    seen: set[bytes] = set()
    for place, key in enumerate(lines.keys[start:end]):
        seen.add(key)
        if len(seen) > plan.turn_keys:
            return start + place
    return end


def _advance_inventory(state: PartitionState, batch: InventoryBatch, serving: Serving) -> Effects:
    rejections = PendingRejections(batch.rejections)
    turn = Turn()
    for offset, event in zip(batch.offsets, batch.events, strict=True):
        _stand_at(state, "inventory", offset + 1)
        row = take_event(state, offset, event, turn)
        if row is not None:
            review_key(state, row, serving, turn)
    _stand_at(state, "inventory", batch.span.end)
    turn.rejections += rejections.before(batch.span.end)
    return settle(state, turn)


def _advance_told(state: PartitionState, batch: CatalogBatch | SignalBatch) -> Effects:
    rejections = PendingRejections(batch.rejections)
    turn = Turn()
    if isinstance(batch, CatalogBatch):
        for key, entry in zip(batch.keys, batch.entries, strict=True):
            take_entry(state, key, entry, turn)
    else:
        for offset, event in zip(batch.offsets, batch.events, strict=True):
            take_signal(state, offset, event, turn)
    _stand_at(state, batch.span.topic, batch.span.end)
    turn.rejections += rejections.before(batch.span.end)
    return settle(state, turn)


def _advance_silence(state: PartitionState, tick: Tick, serving: Serving) -> Iterator[Effects]:
    progress = state.progress
    if progress.watermark == UNKNOWN:
        return
    state.move(
        watermark=progress.watermark + round(tick.elapsed_seconds * 1000),
        ticked_seconds=progress.ticked_seconds + tick.elapsed_seconds,
    )
    yield from finish(state, serving)
    yield settle(state, Turn())


def _only_rejected(state: PartitionState, topic: Role, end: int, rejections: PendingRejections) -> Effects:
    _stand_at(state, topic, end)
    return settle(state, Turn(rejections=rejections.before(end)))


def _stand_at(state: PartitionState, topic: Role, position: int) -> None:
    state.move(positions={**state.progress.positions, topic: position})


def _move_clock(state: PartitionState, clock: int) -> None:
    """Move the clock, and the watermark behind it; neither ever goes back."""
    watermark = clock - state.plan.allowed_lateness_seconds * 1000
    state.move(clock=clock, watermark=max(watermark, state.progress.watermark))
