"""Orders, inventory and plans of a running product as a world: topics read once to their end, nothing committed.

Memory is bounded: of each line some forty bytes are kept, and no more lines than ``MOST_LINES``.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from replenishment.closed_loop.world import Lines
from replenishment.engine.columns import InventoryBatch, LineKind, OrderColumns, Role, SignalBatch
from replenishment.events import CatalogEntry, InventoryEvent, Rejection, RestockShipped, SignalEvent, StockReceived
from stream_app.errors import RestockError
from stream_app.kafka.topics import TopicNames, product_counts
from stream_app.ports import RecordBatch
from stream_app.replay.run import Refusal
from stream_app.settings import Settings
from stream_app.simulate.files import Given, with_arrivals
from stream_app.topic_reader import reading
from stream_app.wire.incoming import incoming_wire

MOST_LINES = 20_000_000
MOST_EVENTS = 2_000_000
MOST_REFUSALS = 1_000
BATCH_RECORDS = 20_000
UNLISTED = "refused records that are not listed"
IntegerArray = NDArray[np.integer]
Begun = Callable[[str, int], Callable[[int], None]]
"""Told which topic is read and how many records it has; returns what is told how many were read since."""


@dataclass(frozen=True, slots=True)
class Range:
    """What is read: events from ``since_at`` on, of lines those before ``end_at``; play begins at ``start_at``."""

    since_at: int
    start_at: int
    end_at: int


_WHOLE = Range(0, 0, 0)
"""Of a topic of which everything is read: a plan may have been made long before it begins."""


@dataclass(slots=True)
class _Refused:
    """What a wire refused: the first of them, and how many more there were."""

    listed: list[Refusal] = field(default_factory=list)
    unlisted: int = 0

    def take(self, batch: RecordBatch, rejections: Sequence[Rejection]) -> None:
        values = {one.offset: one.value or b"" for one in batch.records} if rejections else {}
        for one in rejections:
            if len(self.listed) >= MOST_REFUSALS:
                self.unlisted += 1
                continue
            text = values[one.offset].decode(errors="backslashreplace")[:200]
            self.listed.append(Refusal(f"{batch.source}[{batch.partition}]", one.offset, one.code, one.reason, text))


@dataclass(slots=True)
class _Columns:
    """Order lines as they come in, a number for each stock key."""

    codes: dict[bytes, int] = field(default_factory=dict)
    parts: list[tuple[IntegerArray, ...]] = field(default_factory=list)
    count: int = 0

    def take(self, lines: OrderColumns, wanted: Range) -> None:
        at = lines.occurred_at
        kept = np.flatnonzero((lines.kinds != LineKind.TIME_PASSED) & (at >= wanted.since_at) & (at < wanted.end_at))
        key = [self.codes.setdefault(lines.keys[place], len(self.codes)) for place in kept.tolist()]
        units, placed = lines.units[kept].astype(np.int32), lines.placed_at[kept]
        self.parts.append((at[kept], np.array(key, dtype=np.int32), units, placed, lines.kinds[kept]))
        self.count += len(kept)

    def lines(self) -> Lines:
        """Return the lines by event time; at equal times in the order of partition and offset."""
        at, key, units, placed, kinds = (np.concatenate(column) for column in zip(*self.parts, strict=True))
        order = np.argsort(at, kind="stable")
        names = list(self.codes)
        return Lines(
            kinds=kinds[order],
            keys=[names[code] for code in key[order].tolist()],
            occurred_at=at[order],
            placed_at=placed[order],
            units=units[order].astype(np.int64),
        )


def told_by_topics(
    settings: Settings,
    topic: str,
    wanted: Range,
    catalog: Sequence[CatalogEntry],
    *,
    takes_inventory: bool = True,
    begun: Begun,
) -> Given:
    """Return what the topics say, with some terms.

    Of ``inventory`` counts and movements up to the start are taken, and receipts of what was shipped by then: what
    the product ordered later, a simulation orders itself.

    Args:
        settings: Where Kafka is, and how records are read.
        topic: Real name of the topic of order lines.
        wanted: What is read of it.
        catalog: Terms of stock keys.
        takes_inventory: Whether the topic ``inventory`` is read.
        begun: Told of each topic that is read, and how far.

    Raises:
        RestockError: If a topic does not exist, holds no line or more than fit into memory; Unavailable if Kafka
            does not answer.
    """
    refused, lines = _Refused(), _Columns()
    for batch, decoded in _decoded(settings, topic, "orders", wanted, begun):
        if isinstance(decoded, OrderColumns):
            refused.take(batch, decoded.rejections)
            lines.take(decoded, wanted)
            _require_few(topic, lines.count, MOST_LINES)
    if not lines.count:
        raise RestockError(f"topic {topic} has no order line before --to: name a later one, or `restock feed` lines")
    events = _opening(settings, wanted, refused, begun) if takes_inventory else ()
    signals = _signals(settings, refused, begun)
    ignored = Counter({UNLISTED: refused.unlisted})
    told = Given(lines.lines(), catalog, events, refused.listed, +ignored)
    known = {*told.keys}
    return replace(told, signals=[one for one in signals if one.key in known])


def _opening(settings: Settings, wanted: Range, refused: _Refused, begun: Begun) -> Sequence[InventoryEvent]:
    topic = TopicNames(settings.topic_prefix).of("inventory")
    kept: list[InventoryEvent] = []
    for batch, decoded in _decoded(settings, topic, "inventory", wanted, begun):
        if isinstance(decoded, InventoryBatch):
            refused.take(batch, decoded.rejections)
            kept.extend(
                one for one in decoded.events if one.occurred_at <= wanted.start_at or isinstance(one, StockReceived)
            )
            _require_few(topic, len(kept), MOST_EVENTS)
    shipped = {one.restock_id for one in kept if isinstance(one, RestockShipped)}
    own = [one for one in kept if one.occurred_at <= wanted.start_at or _restock_id(one) in shipped]
    return with_arrivals(sorted(own, key=lambda one: one.occurred_at))


def _signals(settings: Settings, refused: _Refused, begun: Begun) -> Sequence[SignalEvent]:
    """Return all that ``signals`` holds, in the order of partition and offset; nothing if there is no such topic."""
    names = TopicNames(settings.topic_prefix)
    topic = names.of("signals")
    if topic not in product_counts(settings.kafka, names):
        return ()
    kept: list[SignalEvent] = []
    for batch, decoded in _decoded(settings, topic, "signals", _WHOLE, begun):
        if isinstance(decoded, SignalBatch):
            refused.take(batch, decoded.rejections)
            kept.extend(decoded.events)
            _require_few(topic, len(kept), MOST_EVENTS)
    return kept


def _restock_id(event: InventoryEvent) -> str | None:
    return event.restock_id if isinstance(event, StockReceived) else None


def _require_few(topic: str, count: int, most: int) -> None:
    if count > most:
        raise RestockError(f"topic {topic} has more than {most:,} records to play: leave out the oldest with --since")


def _decoded(
    settings: Settings, topic: str, role: Role, wanted: Range, begun: Begun
) -> Iterator[tuple[RecordBatch, object]]:
    """Yield the records of a topic, partition by partition, as what they say."""
    with reading(settings.kafka, topic) as source:
        wire = incoming_wire(len(source.partitions), settings.max_future_seconds, settings.mapping_file)
        # no event is later than its record's stamp and the bound on future times, so older records need not be read
        earliest = max(wanted.since_at - settings.max_future_seconds * 1000, 0)
        starts, ends = source.at_times(dict.fromkeys(source.partitions, earliest)), source.ends()
        read = begun(topic, sum(max(ends[one] - starts[one], 0) for one in source.partitions))
        for number in source.partitions:
            records = source.read({number: starts[number]}, ends)
            while some := list(islice(records, BATCH_RECORDS)):
                batch = RecordBatch(role, topic, number, some[0].offset, some[-1].offset + 1, some)
                yield batch, wire.decode(batch)
                read(len(some))
