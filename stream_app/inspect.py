"""State as people and tools read it: one object per stock key, and a summary, straight from the stored rows.

Nobody else knows this form. It needs no worker, no model and no setting but
where the rows are: layout and quantile levels are stored beside them.
"""

import heapq
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple

import msgspec
import numpy as np

from replenishment.arrays import Records
from replenishment.engine.columns import ROLES
from replenishment.engine.progress import UNKNOWN, Progress
from replenishment.engine.rows import NEVER, Table, accuracy_table, hot_table, restocks_table, window_table
from replenishment.engine.terms import terms_row, terms_table
from replenishment.events import CatalogEntry
from replenishment.keys import stock_key
from replenishment.stock import StockKnowledge
from stream_app.accuracy import AccuracyFigures, figures_of
from stream_app.errors import StateCorrupt
from stream_app.store.reader import Snapshot, StateReader
from stream_app.tables import decisive_table, pipeline, plan_of
from stream_app.wire.times import shown

CHUNK_KEYS = 1_000
BUCKET_FIELDS = ("born_bucket", "closed_bucket", "stepped_bucket")
"""Fields that are NEVER in a row that does not exist."""
Bucket = tuple[str, int]
"""Start of a bucket and its signed units."""


class Inventory(msgspec.Struct, frozen=True):
    """Parts of the inventory position; ``assumed`` until the first count."""

    on_hand: int
    backorders: int
    on_order: int
    in_transit: int
    pending: int
    assumed: bool


class ForecastState(msgspec.Struct, frozen=True):
    """Quantiles of demand over the protection interval from ``origin`` on."""

    origin: str
    levels: Sequence[float]
    units: Sequence[float]


class KeyState(msgspec.Struct, frozen=True):
    """All that is shown of a stock key; the last buckets of ``window`` and ``open`` are the latest."""

    location: str
    sku: str
    partition: int
    bucket_seconds: int
    window: Sequence[Bucket]
    open: Sequence[Bucket]
    inventory_position: int
    inventory: Inventory
    reorder_point: int | None
    order_up_to_level: int | None
    forecast: ForecastState | None
    model_version: str


class PartitionProgress(msgspec.Struct, frozen=True):
    """Event times of one partition, None before its first record; ``held`` lines are far ahead of its clock."""

    watermark: str | None
    closed_through: str | None
    decide_from: str
    ticked_seconds: float
    held: int = 0


class Summary(msgspec.Struct, frozen=True):
    """Totals over all partitions; ``applied`` is the next offset by topic and partition, ``accuracy`` by version."""

    applied: Mapping[str, Mapping[str, int]]
    late_corrected: int
    late_dropped: int
    repeated: int
    not_stock: int
    rejected: int
    held: int
    partitions: Mapping[str, PartitionProgress]
    accuracy: Mapping[str, Sequence[AccuracyFigures]] = {}


class Selection(msgspec.Struct, frozen=True):
    """Which keys are shown; None = all."""

    location: str | None = None
    sku: str | None = None

    @property
    def key(self) -> bytes | None:
        """The one stock key that is meant, if it is one."""
        return None if self.location is None or self.sku is None else f"{self.location}|{self.sku}".encode()

    def has(self, key: bytes) -> bool:
        """Return whether a stock key is meant."""
        location, _, sku = key.decode().partition("|")
        return self.location in (None, location) and self.sku in (None, sku)


async def summarised(reader: StateReader, topic_prefix: str) -> Summary:
    """Return how far the product is, over all partitions."""
    found = [await reader.standing(partition) for partition in await reader.partitions()]
    progress = {str(one.partition): one.progress for one in found if one is not None}
    return Summary(
        applied={
            topic_prefix + role: {name: one.positions.get(role, 0) for name, one in progress.items()}
            for role in sorted(ROLES)
        },
        late_corrected=sum(one.late_corrected for one in progress.values()),
        late_dropped=sum(one.late_dropped for one in progress.values()),
        repeated=sum(one.repeated for one in progress.values()),
        not_stock=sum(one.not_stock for one in progress.values()),
        rejected=sum(one.rejected for one in progress.values()),
        held=sum(one.held for one in progress.values()),
        partitions={name: _partition_progress(one) for name, one in progress.items()},
        accuracy=await _accuracy(reader, [one.partition for one in found if one is not None]),
    )


async def _accuracy(reader: StateReader, partitions: Sequence[int]) -> Mapping[str, Sequence[AccuracyFigures]]:
    """Return how good the forecasts of each version turned out to be, over all partitions."""
    by_version: dict[str, list[bytes]] = {}
    for partition in partitions:
        for version, account in (await reader.small_table(partition, accuracy_table().name)).items():
            by_version.setdefault(version.decode(), []).append(account)
    return {version: figures_of(accounts) for version, accounts in sorted(by_version.items())}


async def key_lines(reader: StateReader, selection: Selection) -> AsyncIterator[bytes]:
    """Yield the JSON of each key selected, sorted by key over all partitions.

    One partition is in memory at a time; sorted runs of lines wait on disk.
    """
    with ExitStack() as open_runs:
        runs = []
        for partition in await reader.partitions():
            snapshot = await reader.snapshot(partition, selection.key)
            if snapshot is not None:
                runs.append(open_runs.enter_context(TemporaryFile()))
                _write_run(runs[-1], snapshot, selection)
        for line in heapq.merge(*runs):
            yield line.partition(b"\t")[2].rstrip(b"\n")


def key_states(snapshot: Snapshot, selection: Selection | None = None) -> Iterator[tuple[bytes, KeyState]]:
    """Yield each key selected of a partition, sorted, and what is shown of it.

    Raises:
        StateCorrupt: If rows do not have the width of their table.
    """
    chosen = selection or Selection()
    names = sorted(key for key in snapshot.tables.get("hot", {}) if chosen.has(key))
    view = _View(snapshot)
    for first in range(0, len(names), CHUNK_KEYS):
        yield from view.states(names[first : first + CHUNK_KEYS])


class KeyRows(NamedTuple):
    """The rows of one stock key: stock, what the model derived, terms (the defaults if it has none)."""

    hot: Any
    derived: Any
    terms: Any


def key_rows(snapshot: Snapshot, key: bytes) -> KeyRows:
    """Return the rows of a stock key; the snapshot must have the table ``terms``."""
    return _View(snapshot).key_rows(key)


class _View:
    """The tables of one partition, and how their rows are laid out."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._progress = snapshot.standing.progress
        self._plan = plan_of(snapshot.standing.layout)
        self._pipeline = pipeline(self._rows(restocks_table(), [*snapshot.tables.get("restocks", {})]))
        self._shown = lru_cache(maxsize=None)(lambda bucket: shown(self._plan.width.start_of(bucket)))

    def key_rows(self, key: bytes) -> KeyRows:
        """Return the rows of one key."""
        stored = self._snapshot.tables.get("terms", {})
        terms = self._rows(terms_table(), [key])[0] if key in stored else terms_row(CatalogEntry(key=key))
        return KeyRows(
            self._rows(hot_table(self._plan), [key])[0],
            self._rows(decisive_table(self._snapshot.standing), [key])[0],
            terms,
        )

    def states(self, names: Sequence[bytes]) -> Iterator[tuple[bytes, KeyState]]:
        """Yield what is shown of each of some keys."""
        hot = self._rows(hot_table(self._plan), names)
        window = self._rows(window_table(self._plan), names)
        derived = self._rows(decisive_table(self._snapshot.standing), names)
        for place, name in enumerate(names):
            yield name, self._state(name, hot[place], window[place], derived[place])

    def _state(self, name: bytes, hot: Any, window: Any, derived: Any) -> KeyState:
        key = stock_key(name)
        if key is None:
            raise StateCorrupt(f"{name!r} in table hot is no stock key. Keep the Redis files, restore a back-up")
        net, (on_order, in_transit, pending) = int(hot["net_units"]), self._pipeline.get(int(hot["ordinal"]), (0, 0, 0))
        has_levels = derived["stepped_bucket"] != NEVER
        return KeyState(
            location=key.location,
            sku=key.sku,
            partition=self._snapshot.standing.partition,
            bucket_seconds=self._plan.width.seconds,
            window=self._window(window),
            open=self._open(hot, window),
            inventory_position=net + on_order + in_transit + pending,
            inventory=Inventory(
                on_hand=max(net, 0),
                backorders=max(-net, 0),
                on_order=on_order,
                in_transit=in_transit,
                pending=pending,
                assumed=bool(hot["stock"] == StockKnowledge.ASSUMED),
            ),
            reorder_point=int(derived["reorder_point"]) if has_levels else None,
            order_up_to_level=int(derived["order_up_to_level"]) if has_levels else None,
            forecast=self._forecast(derived) if has_levels else None,
            model_version=self._progress.model_version,
        )

    def _window(self, window: Any) -> Sequence[Bucket]:
        born, closed = int(window["born_bucket"]), int(window["closed_bucket"])
        if NEVER in (born, closed):
            return []
        length, units = self._plan.window_buckets, window["units"].tolist()
        first = max(born, closed - length + 1)
        return [(self._shown(bucket), units[bucket % length]) for bucket in range(first, closed + 1)]

    def _open(self, hot: Any, window: Any) -> Sequence[Bucket]:
        if self._progress.closed_through == UNKNOWN:
            return []
        # while a closing is under way some keys are a bucket ahead of their partition
        first = max(self._plan.width.bucket_at(self._progress.closed_through), int(window["closed_bucket"]) + 1)
        length, units, lines = self._plan.open_buckets, hot["open_units"].tolist(), hot["open_lines"].tolist()
        columns = ((bucket, bucket % length) for bucket in range(first, first + length))
        return [(self._shown(bucket), units[column]) for bucket, column in columns if lines[column] or units[column]]

    def _forecast(self, derived: Any) -> ForecastState | None:
        levels = self._progress.quantile_levels
        if not levels:
            return None
        origin = self._shown(int(derived["stepped_bucket"]) + 1)
        return ForecastState(origin, levels, [round(units, 3) for units in derived["curve"].tolist()])

    def _rows(self, table: Table, names: Sequence[bytes]) -> Records:
        """Return the rows of keys (B,), blank ones where a table does not have a key."""
        kept = self._snapshot.tables.get(table.name, {})
        blank = np.zeros(1, dtype=table.row)
        for name in set(BUCKET_FIELDS) & set(table.row.names or ()):
            blank[name] = NEVER
        rows = [kept.get(name, blank.tobytes()) for name in names]
        if any(len(row) != table.row_bytes for row in rows):
            raise StateCorrupt(
                f"a row of table {table.name} in partition {self._snapshot.standing.partition} has not "
                f"{table.row_bytes} bytes. Keep the Redis files, restore a back-up"
            )
        return table.unpack(b"".join(rows))


def _write_run(run: IO[bytes], snapshot: Snapshot, selection: Selection) -> None:
    for key, state in key_states(snapshot, selection):
        run.write(b"%b\t%b\n" % (key, msgspec.json.encode(state)))
    run.seek(0)


def _partition_progress(progress: Progress) -> PartitionProgress:
    return PartitionProgress(
        watermark=_instant(progress.watermark),
        closed_through=_instant(progress.closed_through),
        decide_from=shown(progress.decide_from),
        ticked_seconds=progress.ticked_seconds,
        held=progress.held,
    )


def _instant(at: int) -> str | None:
    return None if at == UNKNOWN else shown(at)
