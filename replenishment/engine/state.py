"""State of one partition in memory; changed in place by the engine only, loaded anew when the store disagrees."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import TypeVar, cast

import msgspec
import numpy as np

from replenishment.arrays import Bools, Int64s, Records
from replenishment.engine.held import HeldLine
from replenishment.engine.known import KnownSignals
from replenishment.engine.plan import Plan
from replenishment.engine.progress import UNKNOWN, Progress
from replenishment.engine.repeats import SeenLines
from replenishment.engine.rows import (
    NEVER,
    Table,
    accuracy_table,
    deliveries_table,
    forecast_table,
    hot_table,
    window_table,
)
from replenishment.engine.terms import terms_row, terms_table
from replenishment.events import CatalogEntry, RestockRequested
from replenishment.forecaster import Forecaster
from replenishment.quantiles import QuantileGrid
from replenishment.stock import Approval, RequestParts

FIRST_CAPACITY = 256
_UNKNOWN_TERMS = terms_row(CatalogEntry(key=b""))
_Rows = TypeVar("_Rows", Records, Int64s)


@dataclass(slots=True)
class KeyIndex:
    """Stock key to row number, in order of first appearance."""

    rows: dict[bytes, int] = field(default_factory=dict)
    keys: list[bytes] = field(default_factory=list)

    @property
    def count(self) -> int:
        """K: how many keys there are."""
        return len(self.keys)

    def of(self, rows: Int64s) -> list[bytes]:
        """Return the keys of rows (B,)."""
        return [self.keys[row] for row in rows.tolist()]


@dataclass(slots=True)
class ForecastColumns:
    """What one model version derived for every key; ``grid`` is None where only the version's name is left.

    ``account`` (1,) is how good its forecasts turned out to be.
    """

    version: str
    grid: QuantileGrid | None
    table: Table
    rows: Records
    account: Records

    @classmethod
    def of(cls, forecaster: Forecaster, capacity: int) -> "ForecastColumns":
        """Return fresh columns of a version, nothing stepped."""
        grid = forecaster.grid
        table = forecast_table(forecaster.version, forecaster.memory_floats, len(grid.levels))
        return cls(forecaster.version, grid, table, _forecast_rows(table, capacity), _account())

    @classmethod
    def lost(cls, version: str, capacity: int) -> "ForecastColumns":
        """Return columns of a version that can no longer be loaded: no levels until another one took over."""
        table = forecast_table(version, 0, 0)
        return cls(version, None, table, _forecast_rows(table, capacity), _account())

    @property
    def levels(self) -> tuple[float, ...]:
        """Quantile levels of the curve; empty for a lost version."""
        return () if self.grid is None else self.grid.levels

    def has_levels(self, rows: Int64s) -> Bools:
        """Return whether rows (B,) were ever stepped."""
        return np.asarray(self.rows["stepped_bucket"][rows] != NEVER)


@dataclass(slots=True)
class OpenRequest:
    """One request of the key at ``row``: its parts, when it expires, when it was settled (NEVER = open).

    ``needed_by`` and ``lead_time_buckets`` are what the catalog promised when
    it was made (NEVER: somebody else made it); ``late_unit_buckets`` adds up
    units times buckets after that over its receipts; ``is_overdue`` once it
    was said to be late. ``asked_bucket`` was the oldest open bucket when it
    was made, ``slot`` its number among those of the key in it; ``revision``
    is the last one that was said, ``supplier`` who was asked. It was made at
    clock ``asked_at`` for ``asked_units``, which cost ``asked_value`` (0 = not known).
    """

    row: int
    parts: RequestParts
    expires_at: int
    settled_at: int = NEVER
    needed_by: int = NEVER
    late_unit_buckets: int = 0
    lead_time_buckets: int = 0
    is_overdue: bool = False
    asked_bucket: int = NEVER
    slot: int = 0
    revision: int = 1
    supplier: bytes = b""
    asked_at: int = NEVER
    asked_units: int = 0
    asked_value: float = 0.0
    approval: Approval = Approval.NOT_NEEDED

    @property
    def is_ours(self) -> bool:
        """Whether it was made here; others may come with goods that were under way before."""
        return self.needed_by != NEVER


@dataclass(slots=True)
class PartitionState:
    """All of one partition.

    Structured arrays have capacity for more rows than there are keys; those
    from ``begun`` on hold nothing yet, not even what a new key begins with.
    ``held`` are lines far ahead of the clock, by offset.
    ``on_order``, ``in_transit`` and ``pending`` (K,) are sums over the
    requests of a key, kept for speed and never stored; so is ``asked``, the
    ids of a row's requests that were made here, oldest first. ``waiting`` are
    the requests that wait for approval, as they were said. ``accounts`` are
    stored ones of versions other than the champion, as a claim found them.
    """

    partition: int
    plan: Plan
    progress: Progress
    champion: ForecastColumns
    hot: Records
    window: Records
    terms: Records
    deliveries: Records
    on_order: Int64s
    in_transit: Int64s
    pending: Int64s
    incoming: ForecastColumns | None = None
    keys: KeyIndex = field(default_factory=KeyIndex)
    begun: int = 0
    requests: dict[str, OpenRequest] = field(default_factory=dict)
    asked: dict[int, list[str]] = field(default_factory=dict)
    waiting: dict[str, RestockRequested] = field(default_factory=dict)
    events: dict[int, deque[int]] = field(default_factory=dict)
    seen: dict[int, SeenLines] = field(default_factory=dict)
    held: dict[int, HeldLine] = field(default_factory=dict)
    signals: KnownSignals = field(default_factory=KnownSignals)
    abandoned: list[str] = field(default_factory=list)
    accounts: dict[str, Records] = field(default_factory=dict)
    open_requests: int = 0
    expired_requests: int = 0
    overdue_requests: int = 0

    @property
    def first_open_bucket(self) -> int:
        """Index of the oldest open bucket; NEVER before the first record."""
        if self.progress.closed_through == UNKNOWN:
            return NEVER
        return self.plan.width.bucket_at(self.progress.closed_through)

    def move(self, **changes: object) -> None:
        """Replace fields of the progress."""
        self.progress = msgspec.structs.replace(self.progress, **changes)

    def rows_of(self, keys: Sequence[bytes]) -> Int64s:
        """Return the row of each key (N,); a new key gets the next one."""
        get = self.keys.rows.get
        rows = np.fromiter(map(get, keys, repeat(-1)), dtype=np.int64, count=len(keys))
        new = np.flatnonzero(rows < 0).tolist()
        if new:
            self._add(dict.fromkeys(keys[place] for place in new))
            rows[new] = [self.keys.rows[keys[place]] for place in new]
        return rows

    def row_of(self, key: bytes) -> int:
        """Return the row of one key; a new key gets the next one."""
        row = self.keys.rows.get(key)
        if row is None:
            row = self.keys.count
            self._add({key: None})
        return row

    def _add(self, keys: dict[bytes, None]) -> None:
        """Give new keys the next rows, in their order."""
        first = self.keys.count
        end = first + len(keys)
        self.keys.rows.update(zip(keys, range(first, end), strict=True))
        self.keys.keys.extend(keys)
        self.reserve(end)
        self.hot["ordinal"][first:end] = np.arange(first, end)

    def position_of(self, row: int) -> int:
        """Return the inventory position of one key: net stock + on order + in transit + pending."""
        pipeline = self.on_order[row] + self.in_transit[row] + self.pending[row]
        return int(self.hot["net_units"][row] + pipeline)

    def positions_of(self, rows: Int64s) -> Int64s:
        """Return the inventory position of rows (B,)."""
        pipeline = self.on_order[rows] + self.in_transit[rows] + self.pending[rows]
        return np.asarray(self.hot["net_units"][rows] + pipeline)

    def reserve(self, count: int) -> None:
        """Have rows for ``count`` keys, new ones as of a key of which nothing is known."""
        if count > len(self.hot):
            self._grow(max(2 * len(self.hot), count))
        new = slice(self.begun, count)
        if new.start >= count:
            return
        for name in ("counted_at", "short_since", "short_until"):
            self.hot[name][new] = NEVER
        for name in ("born_bucket", "closed_bucket"):
            self.window[name][new] = NEVER
        self.terms[new] = _UNKNOWN_TERMS
        for columns in (self.champion, self.incoming):
            if columns is not None:
                columns.rows["stepped_bucket"][new] = NEVER
        self.begun = count

    def _grow(self, capacity: int) -> None:
        self.hot = _grown(self.hot, capacity)
        self.window = _grown(self.window, capacity)
        self.terms = _grown(self.terms, capacity)
        self.deliveries = _grown(self.deliveries, capacity)
        for columns in (self.champion, self.incoming):
            if columns is not None:
                columns.rows = _grown(columns.rows, capacity)
        self.on_order = _grown(self.on_order, capacity)
        self.in_transit = _grown(self.in_transit, capacity)
        self.pending = _grown(self.pending, capacity)


def opened(partition: int, plan: Plan, progress: Progress, champion: Forecaster) -> PartitionState:
    """Return the state of a partition with no rows yet.

    If ``progress`` names another version than ``champion``, that version is
    taken for lost: there are no levels until ``champion`` was rebuilt from the
    windows and flipped in.
    """
    is_lost = progress.model_version not in ("", champion.version)
    columns = (
        ForecastColumns.lost(progress.model_version, FIRST_CAPACITY)
        if is_lost
        else ForecastColumns.of(champion, FIRST_CAPACITY)
    )
    nothing = np.zeros(FIRST_CAPACITY, dtype=np.int64)
    return PartitionState(
        partition=partition,
        plan=plan,
        progress=msgspec.structs.replace(
            progress,
            model_version=columns.version,
            quantile_levels=progress.quantile_levels if is_lost else columns.levels,
        ),
        champion=columns,
        hot=np.zeros(FIRST_CAPACITY, dtype=hot_table(plan).row),
        window=np.zeros(FIRST_CAPACITY, dtype=window_table(plan).row),
        terms=np.zeros(FIRST_CAPACITY, dtype=terms_table().row),
        deliveries=np.zeros(FIRST_CAPACITY, dtype=deliveries_table().row),
        on_order=nothing.copy(),
        in_transit=nothing.copy(),
        pending=nothing,
    )


def _grown(rows: _Rows, capacity: int) -> _Rows:
    """Return rows with zeros after them: the system gives those memory only once they are written."""
    grown = np.zeros(capacity, dtype=rows.dtype)
    grown[: len(rows)] = rows
    return cast(_Rows, grown)


def _forecast_rows(table: Table, count: int) -> Records:
    rows = np.zeros(count, dtype=table.row)
    rows["stepped_bucket"] = NEVER
    return rows


def _account() -> Records:
    account = np.zeros(1, dtype=accuracy_table().row)
    account["fast_units"] = np.inf
    return account
