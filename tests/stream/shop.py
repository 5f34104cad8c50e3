"""A small shop: its records as a broker would hand them over, and a processor to run them through."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from replenishment.buckets import BucketWidth
from replenishment.engine.columns import Role
from replenishment.engine.effects import Effects, VersionAccuracy
from replenishment.engine.plan import Plan
from replenishment.forecaster import Forecaster
from stream_app.ports import Headers, Outcome, OutgoingRecord, RecordBatch, StateStore
from stream_app.processor import Parts, Processor
from stream_app.store.memory_store import MemoryStore
from stream_app.wire.json_wire import JsonWire
from tests.engine.builders import DAY, HOUR, T0, MeanForecaster

PLAN = Plan(width=BucketWidth(86_400), window_buckets=14, closing_chunk_keys=4)


@dataclass(frozen=True)
class Kept:
    """One record of a topic."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = -1
    headers: Headers = ()


def record(offset: int, sku: str, **fields: Any) -> Kept:
    """Return a record of a SKU in location main."""
    value = json.dumps({"location": "main", "sku": sku, **fields}).encode()
    return Kept(offset, f"main|{sku}".encode(), value)


def order(offset: int, sku: str, at: int, quantity: int = 1) -> Kept:
    """Return an order line."""
    return record(offset, sku, order_id=f"o{offset}", quantity=quantity, event_time=at)


def time_passed(offset: int, at: int) -> Kept:
    """Return a control record."""
    return Kept(offset, None, json.dumps({"type": "time_passed", "event_time": at}).encode())


def counted(offset: int, sku: str, at: int, on_hand: int) -> Kept:
    """Return a count of stock."""
    about = {"type": "stock_counted", "event_id": f"e{offset}", "event_time": at, "on_hand": on_hand}
    return record(offset, sku, **about)


def batch(topic: Role, records: Sequence[Kept], start: int | None = None, end: int | None = None) -> RecordBatch:
    """Return records as one fetch."""
    first = records[0].offset if start is None else start
    past = records[-1].offset + 1 if end is None else end
    return RecordBatch(topic, f"shop.{topic}", 0, first, past, records)


def orders(days: int = 10, skus: int = 9, start: int = 0) -> list[Kept]:
    """Return some lines a day of each SKU, here and there one that is refused or late."""
    lines: list[Kept] = []
    for day in range(days):
        for sku in range(skus):
            at = T0 + day * DAY + sku * HOUR
            offset = start + len(lines)
            quantity = 0 if (day + sku) % 11 == 10 else 1 + (day * sku) % 5
            late = 3 * DAY if (day, sku) == (5, 3) else 0
            lines.append(order(offset, f"S{sku}", at - late, quantity))
    return lines


def cuts(records: Sequence[Kept], places: Iterable[int], topic: Role = "orders") -> list[RecordBatch]:
    """Return records as fetches that end at places."""
    edges = [0, *sorted(set(places) - {0, len(records)}), len(records)]
    return [batch(topic, records[one:other]) for one, other in pairwise(edges)]


@dataclass
class Source:
    """Implements ``ForecasterSource`` with given forecasters, the last of which is champion."""

    forecasters: list[Forecaster] = field(default_factory=lambda: [MeanForecaster()])

    def champion(self) -> tuple[Forecaster, str]:
        return self.forecasters[-1], "champion"

    def of_version(self, version: str) -> tuple[Forecaster, str] | None:
        return next(((one, "champion") for one in self.forecasters if one.version == version), None)


@dataclass
class Notes:
    """Implements ``Meter`` and remembers."""

    applied_turns: list[int] = field(default_factory=list)
    refusals: list[Outcome] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    accuracy: Sequence[VersionAccuracy] = ()

    def applied(self, partition: int, effects: Effects, seconds: float) -> None:
        assert seconds >= 0
        self.applied_turns.append(effects.progress.turn)
        self.accuracy = effects.accuracy or self.accuracy

    def refused(self, partition: int, outcome: Outcome) -> None:
        self.refusals.append(outcome)

    def swapped(self, partition: int, version: str, rung: str) -> None:
        self.versions.append(version)

    def scored(self, partition: int, accuracy: Sequence[VersionAccuracy]) -> None:
        self.accuracy = accuracy


@dataclass
class Shop:
    """A store, its forecasters and its notes; each ``worker`` is a process that claims partition 0."""

    memory: MemoryStore = field(default_factory=MemoryStore)
    source: Source = field(default_factory=Source)
    notes: Notes = field(default_factory=Notes)
    decide_from: int = T0 + 4 * DAY
    plan: Plan = PLAN

    async def worker(self, store: StateStore | None = None, *, is_requesting: bool = True) -> Processor:
        """Return a processor that has claimed."""
        parts = Parts(self.plan, store or self.memory, JsonWire(1, None), self.notes, self.source)
        processor = Processor(parts, self.decide_from, is_requesting=is_requesting)
        await processor.claim(0, 1)
        return processor

    @property
    def rows(self) -> dict[str, dict[bytes, bytes]]:
        """All rows by table."""
        return self.memory.partitions[0].tables

    @property
    def said(self) -> Sequence[OutgoingRecord]:
        """All that left."""
        return self.memory.outgoing(0)

    def said_on(self, topic: str) -> list[dict[str, Any]]:
        """All values that left on a topic."""
        return [json.loads(one.value or b"null") for one in self.said if one.topic == topic]
