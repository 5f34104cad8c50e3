"""Catalog and inventory of files as a world: terms, events, and receipts of what was under way before."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from replenishment.closed_loop.world import DAY_MS, Lines, World
from replenishment.engine.columns import InventoryBatch, LineKind
from replenishment.events import CatalogEntry, InventoryEvent, RestockShipped, SignalEvent, StockReceived
from stream_app.replay.catalog_file import entries_of
from stream_app.replay.run import Refusal
from stream_app.replay.sequence import BUCKET_FACTS, FileRecord, Sequenced, sequenced
from stream_app.simulate.lines import read_lines, refusals_of
from stream_app.simulate.specs import Facts, PolicySpec
from stream_app.wire.json_wire import JsonWire

RECENT_DAYS = 28


@dataclass(frozen=True, slots=True)
class Given:
    """All that the files say, whatever the policy.

    ``bucket_facts`` counts rows about the availability of buckets, which a grid must be known for; ``ignored``
    counts rows that are no event of a simulation.
    """

    lines: Lines
    catalog: Sequence[CatalogEntry]
    events: Sequence[InventoryEvent]
    refusals: Sequence[Refusal] = ()
    ignored: Counter[str] = field(default_factory=Counter)
    bucket_facts: int = 0
    signals: Sequence[SignalEvent] = ()

    @property
    def keys(self) -> Sequence[bytes]:
        """Every stock key, sorted: where rows of a catalog stand decides nothing."""
        known = {*self.lines.keys, *(event.key for event in self.events), *(entry.key for entry in self.catalog)}
        return sorted(known - {b""})

    def world(self, spec: PolicySpec, facts: Facts) -> World:
        """Return the world in which a policy decides: every stock key has its terms."""
        terms = {entry.key: entry for entry in self.catalog}
        entries = [spec.applied(terms.get(key) or CatalogEntry(key=key), facts) for key in self.keys]
        return World(entries, self.lines, self.events, self.signals, priced=self.catalog)

    def daily_units(self, before: int) -> dict[bytes, float]:
        """Return mean units a day of each stock key over the 28 days before a time, cancellations not counted."""
        first, last = np.searchsorted(self.lines.occurred_at, [before - RECENT_DAYS * DAY_MS, before]).tolist()
        units: Counter[bytes] = Counter()
        for key, kind, one in zip(
            self.lines.keys[first:last], self.lines.kinds[first:last], self.lines.units[first:last], strict=True
        ):
            if kind == LineKind.PLACED:
                units[key] += int(one)
        return {key: total / RECENT_DAYS for key, total in units.items()}


def given(orders: Path, catalog: Sequence[FileRecord], inventory: Path | None = None) -> Given:
    """Return what files say; rows of the catalog are those that were checked before.

    Raises:
        ConfigError: If a file cannot be read.
    """
    lines, refusals = read_lines(orders)
    return with_inventory(Given(lines, entries_of(catalog), (), refusals=refusals), inventory)


def with_inventory(told: Given, inventory: Path | None) -> Given:
    """Return what is given with the events of an inventory file in place of others; as it is without a file.

    Raises:
        ConfigError: If the file cannot be read.
    """
    if inventory is None:
        return told
    files = sequenced({"inventory": inventory})
    events, refused = _events(files)
    ignored = Counter(files.ignored)
    facts = ignored.pop(BUCKET_FACTS, 0)
    return replace(
        told,
        events=events,
        refusals=[*told.refusals, *refused],
        ignored=told.ignored + ignored,
        bucket_facts=facts,
    )


def _events(files: Sequenced) -> tuple[Sequence[InventoryEvent], Sequence[Refusal]]:
    wire = JsonWire(1, None)
    parts = [one for batch in files.batches() if isinstance(one := wire.decode(batch), InventoryBatch)]
    refused = [(one.offset, one.code, one.reason) for part in parts for one in part.rejections]
    events = [event for part in parts for event in part.events]
    return with_arrivals(events), refusals_of(files, refused, "inventory")


def with_arrivals(events: Sequence[InventoryEvent]) -> Sequence[InventoryEvent]:
    """Return events, and a receipt of each shipment that has none, at the time it is expected."""
    return [*events, *_arrivals(events)]


def _arrivals(events: Sequence[InventoryEvent]) -> list[StockReceived]:
    """Return the receipts of goods under way, at the time they are expected, where the file has none of its own."""
    received = {event.restock_id for event in events if isinstance(event, StockReceived)}
    return [
        StockReceived(one.key, f"{one.event_id}/received", one.expected_at, one.units, one.restock_id)
        for one in events
        if isinstance(one, RestockShipped) and one.expected_at is not None and one.restock_id not in received
    ]
