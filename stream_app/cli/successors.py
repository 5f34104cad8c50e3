"""Successors in a catalog file: what a predecessor sold becomes what is expected of the SKU that replaces it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from replenishment.keys import key_bytes
from stream_app.inspect import KeyState, Selection, key_states
from stream_app.replay.sequence import FileRecord
from stream_app.settings import Settings
from stream_app.store.connection import connected
from stream_app.store.patience import Patience
from stream_app.store.reader import StateReader

PATIENCE_SECONDS = 10.0
RECENT_DAYS = 28


@dataclass(frozen=True, slots=True)
class Inherited:
    """What is expected of a new key because of the one that it replaces."""

    key: str
    predecessor: str
    expected_daily_units: float

    def __str__(self) -> str:
        return (
            f"{self.key}  expected_daily_units {self.expected_daily_units:g}: what its predecessor {self.predecessor} "
            f"sold a day in the {RECENT_DAYS} days up to its last sale, or was expected to"
        )


@dataclass(slots=True)
class _Row:
    record: FileRecord
    fields: dict[str, Any]

    @property
    def predecessor(self) -> bytes | None:
        sku = self.fields.get("successor_of")
        return key_bytes(self.fields["location"], sku) if sku else None


def inherited(records: Sequence[FileRecord], settings: Settings) -> tuple[list[Inherited], Mapping[int, str]]:
    """Write what is expected of them into rows with ``successor_of`` that do not say; return that, and the wrong rows.

    Redis is read for predecessors only.

    Args:
        records: Rows that were checked, one for each stock key.
        settings: Where the state is.

    Returns:
        What was written, and by offset why a row is refused.

    Raises:
        Unavailable: If Redis does not answer in time.
    """
    rows = {record.key or b"": _Row(record, json.loads(record.value)) for record in records}
    new = {key: row for key, row in rows.items() if row.predecessor is not None}
    if not new:
        return [], {}
    names = sorted({row.predecessor for row in new.values() if row.predecessor is not None})
    sold = asyncio.run(_sold(settings, names))
    found, problems = [], {}
    for key, row in new.items():
        daily = _circle(key, rows) or _unknown(row, rows, sold) or _daily_units(key, rows, sold)
        if isinstance(daily, str):
            problems[row.record.offset] = f"successor_of: {daily}"
        elif not row.fields.get("expected_daily_units"):
            found.append(Inherited(key.decode(), (row.predecessor or b"").decode(), daily))
    for one in found:
        row = rows[one.key.encode()]
        row.record.value = json.dumps({**row.fields, "expected_daily_units": one.expected_daily_units}).encode()
    return found, problems


def _unknown(row: _Row, rows: Mapping[bytes, _Row], sold: Mapping[bytes, float]) -> str | None:
    """Return that nobody knows a predecessor, None if somebody does."""
    before = row.predecessor
    if before is None or before in rows or before in sold:
        return None
    return f"{before.decode()} is neither in the state nor in this file: correct it, or leave it out"


def _circle(key: bytes, rows: Mapping[bytes, _Row]) -> str | None:
    """Return how a key comes to succeed itself, None if it does not."""
    seen = [key]
    while (row := rows.get(seen[-1])) is not None and row.predecessor is not None:
        seen.append(row.predecessor)
        if seen[-1] in seen[:-1]:
            return f"{' replaces '.join(one.decode() for one in seen)}: a circle"
    return None


def _daily_units(key: bytes, rows: Mapping[bytes, _Row], sold: Mapping[bytes, float]) -> float | str:
    """Return what its row expects of a key, or its predecessor sold, or is expected to; else why nobody knows.

    Args:
        key: Of a row; no circle goes through it.
        rows: The file.
        sold: Units a day of the keys that Redis knows.
    """
    row = rows[key]
    if row.fields.get("expected_daily_units"):
        return float(row.fields["expected_daily_units"])
    before = row.predecessor
    if before is None:
        return f"{key.decode()} has neither sold anything nor an expected_daily_units"
    if sold.get(before, 0.0) > 0:
        return sold[before]
    if before in rows:
        return _daily_units(before, rows, sold)
    return f"{before.decode()} has sold nothing in its window: give an expected_daily_units"


async def _sold(settings: Settings, keys: Sequence[bytes]) -> dict[bytes, float]:
    """Return units a day of each stock key that any partition knows."""
    client = connected(settings.redis_address())
    found = {}
    try:
        reader = StateReader(client, settings.state_prefix, Patience(PATIENCE_SECONDS))
        for partition in await reader.partitions():
            for key in keys:
                snapshot = await reader.snapshot(partition, key)
                location, _, sku = key.decode().partition("|")
                for _, state in key_states(snapshot, Selection(location, sku)) if snapshot else ():
                    found[key] = daily_units(state)
    finally:
        await client.aclose()
    return found


def daily_units(state: KeyState) -> float:
    """Return what a key sold a day in the 28 days up to its last bucket with demand, 0 if it has none."""
    units = [max(one, 0) for _, one in state.window]
    while units and not units[-1]:
        units.pop()
    if not units:
        return 0.0
    recent = units[-max(round(RECENT_DAYS * 86_400 / state.bucket_seconds), 1) :]
    return round(sum(recent) / len(recent) * 86_400 / state.bucket_seconds, 4)
