"""What the list needs of every stock key, as columns: bounded memory at any number of keys.

Rows are read chunk by chunk and let go of; of each key some 300 bytes stay.
Tables of one partition are read one after the other while workers go on, so
a line of the list may be some seconds younger in its stock than in its levels.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from replenishment.arrays import Bools, Float64s, Int64s, Records, UInt8s
from replenishment.engine.plan import Plan
from replenishment.engine.rows import NEVER, Table, hot_table, restocks_table, terms_table
from replenishment.quantiles import ProtectionDemand
from replenishment.stock import ENDED, StockKnowledge
from stream_app.store.reader import Standing, StateReader
from stream_app.tables import decisive_table, pipeline, plan_of

DAY_SECONDS = 86_400


class Condition(IntEnum):
    """How a key stands, the most pressing first: what the list filters and colours by."""

    OWED = 0
    OUT = 1
    DUE = 2
    COMING = 3
    ENOUGH = 4
    UNKNOWN = 5
    INACTIVE = 6


@dataclass(frozen=True, slots=True)
class StockColumns:
    """All stock keys, sorted by key; every column is (N,).

    ``days_to_reorder`` and ``days_of_stock`` are days of expected demand until
    the position is at the reorder point, and until what is on hand is gone:
    infinite where no demand is expected, NaN where there is no forecast.
    ``supplier``, ``category`` and ``location`` are places in their ``…_names``.
    """

    names: Sequence[str]
    partition: Int64s
    ordinal: Int64s
    net_units: Int64s
    coming_units: Int64s
    knowledge: UInt8s
    has_levels: Bools
    reorder_point: Int64s
    order_up_to_level: Int64s
    daily_units: Float64s
    days_to_reorder: Float64s
    days_of_stock: Float64s
    condition: UInt8s
    location: Int64s
    supplier: Int64s
    category: Int64s
    location_names: Sequence[str]
    supplier_names: Sequence[str]
    category_names: Sequence[str]

    @property
    def position(self) -> Int64s:
        """Inventory position of each key (N,)."""
        return self.net_units + self.coming_units


@dataclass(frozen=True, slots=True)
class OpenRequests:
    """Requests that still take answers; ``records`` are rows of ``restocks``, (R,) as the others."""

    ids: Sequence[str]
    names: Sequence[str]
    records: Records


@dataclass(frozen=True, slots=True)
class _Part:
    """What was read of one partition, in the order of its table ``hot``; ``daily_units`` NaN without a forecast."""

    standing: Standing
    names: Sequence[bytes]
    hot: Records
    coming_units: Int64s
    levels: Records
    terms: Records
    open_ids: Sequence[str]
    open_records: Records


_LEVELS = np.dtype([("reorder_point", "<i8"), ("order_up_to_level", "<i8"), ("daily_units", "<f8")])
_HOT = np.dtype([("net_units", "<i8"), ("ordinal", "<u4"), ("stock", "u1")])
_TERMS = np.dtype([("supplier", "S64"), ("category", "S64"), ("is_active", "u1")])


async def read_columns(reader: StateReader, standings: Sequence[Standing]) -> tuple[StockColumns, OpenRequests]:
    """Return all keys of some partitions and their open requests.

    Raises:
        Unavailable: If Redis does not answer in time.
        StateCorrupt: If rows do not have the width of their table.
    """
    parts = [await _read(reader, standing) for standing in standings]
    names = [name.decode(errors="backslashreplace") for part in parts for name in part.names]
    order = sorted(range(len(names)), key=names.__getitem__)
    return _columns(parts, names, np.array(order, dtype=np.int64)), _requests(parts)


async def _read(reader: StateReader, standing: Standing) -> _Part:
    plan = plan_of(standing.layout)
    names, hot = await _gathered(reader, standing, hot_table(plan), _HOT)
    place = {name: number for number, name in enumerate(names)}
    ids, requests = await _gathered(reader, standing, restocks_table(), restocks_table().row)
    is_open = ~np.isin(requests["status"], [int(one) for one in ENDED])
    sums = pipeline(requests)
    coming = [sum(sums.get(ordinal, (0,))) for ordinal in hot["ordinal"].tolist()]
    return _Part(
        standing=standing,
        names=names,
        hot=hot,
        coming_units=np.array(coming, dtype=np.int64),
        levels=await _levels(reader, standing, plan, place),
        terms=await _terms(reader, standing, place),
        open_ids=[ids[one].decode(errors="backslashreplace") for one in np.flatnonzero(is_open).tolist()],
        open_records=requests[is_open],
    )


async def _gathered(
    reader: StateReader, standing: Standing, table: Table, kept: np.dtype[np.void]
) -> tuple[list[bytes], Records]:
    """Return the names of all rows of a table and the fields that are kept of them."""
    names: list[bytes] = []
    chunks = [np.zeros(0, dtype=kept)]
    async for some, records in _chunks(reader, standing, table):
        names += some
        chunks.append(_fields(records, kept))
    return names, np.concatenate(chunks)


async def _chunks(reader: StateReader, standing: Standing, table: Table) -> AsyncIterator[tuple[list[bytes], Records]]:
    async for names, packed in reader.rows(standing, table.name):
        yield names, table.unpack(packed)


def _fields(records: Records, kept: np.dtype[np.void]) -> Records:
    fields = np.zeros(len(records), dtype=kept)
    for name in kept.names or ():
        fields[name] = records[name]
    return fields


async def _levels(reader: StateReader, standing: Standing, plan: Plan, place: Mapping[bytes, int]) -> Records:
    levels = np.zeros(len(place), dtype=_LEVELS)
    levels["daily_units"] = np.nan
    async for names, records in _chunks(reader, standing, decisive_table(standing)):
        rows = np.array([place.get(name, -1) for name in names], dtype=np.int64)
        is_known = (rows >= 0) & (records["stepped_bucket"] != NEVER)
        rows, known = rows[is_known], records[is_known]
        for name in ("reorder_point", "order_up_to_level"):
            levels[name][rows] = known[name]
        levels["daily_units"][rows] = _daily(standing, plan, known)
    return levels


def _daily(standing: Standing, plan: Plan, records: Records) -> Float64s:
    """Return the expected units a day (N,)."""
    quantile_levels = standing.progress.quantile_levels
    if len(records) == 0 or len(quantile_levels) < 2:
        return np.full(len(records), np.nan)
    expected = ProtectionDemand(quantile_levels, records["curve"].astype(np.float64)).mean()
    days = np.maximum(records["protection_buckets"], 1) * plan.width.seconds / DAY_SECONDS
    return np.asarray(expected / days)


async def _terms(reader: StateReader, standing: Standing, place: Mapping[bytes, int]) -> Records:
    terms = np.zeros(len(place), dtype=_TERMS)
    terms["is_active"] = 1
    async for names, records in _chunks(reader, standing, terms_table()):
        rows = np.array([place.get(name, -1) for name in names], dtype=np.int64)
        terms[rows[rows >= 0]] = _fields(records, _TERMS)[rows >= 0]
    return terms


def _columns(parts: Sequence[_Part], names: Sequence[str], order: Int64s) -> StockColumns:
    hot = _joined([part.hot for part in parts], _HOT)[order]
    levels = _joined([part.levels for part in parts], _LEVELS)[order]
    terms = _joined([part.terms for part in parts], _TERMS)[order]
    coming = np.concatenate([np.zeros(0, dtype=np.int64), *(part.coming_units for part in parts)])[order]
    partition = [part.standing.partition for part in parts for _ in part.names]
    sorted_names = [names[one] for one in order.tolist()]
    has_levels = ~np.isnan(levels["daily_units"])
    net, daily = hot["net_units"], np.where(has_levels, levels["daily_units"], 0.0)
    location_names, location = _coded([name.partition("|")[0] for name in sorted_names])
    supplier_names, supplier = _coded([_text(one) for one in terms["supplier"].tolist()])
    category_names, category = _coded([_text(one) for one in terms["category"].tolist()])
    return StockColumns(
        names=sorted_names,
        partition=np.array(partition, dtype=np.int64)[order],
        ordinal=hot["ordinal"].astype(np.int64),
        net_units=net,
        coming_units=coming,
        knowledge=hot["stock"],
        has_levels=has_levels,
        reorder_point=levels["reorder_point"],
        order_up_to_level=levels["order_up_to_level"],
        daily_units=levels["daily_units"],
        days_to_reorder=_days(np.maximum(net + coming - levels["reorder_point"], 0), daily, has_levels),
        days_of_stock=_days(np.maximum(net, 0), daily, has_levels),
        condition=_conditions(hot, coming, levels, has_levels, terms),
        location=location,
        supplier=supplier,
        category=category,
        location_names=location_names,
        supplier_names=supplier_names,
        category_names=category_names,
    )


def _joined(pieces: Sequence[Records], row: np.dtype[np.void]) -> Records:
    return np.concatenate([np.zeros(0, dtype=row), *pieces])


def _days(units: Int64s, daily: Float64s, has_levels: Bools) -> Float64s:
    """Return how long units last (N,): infinite without demand, NaN without a forecast."""
    lasting = np.full(len(units), np.inf)
    np.divide(units, daily, out=lasting, where=daily > 0)
    return np.where(has_levels, lasting, np.nan)


def _conditions(hot: Records, coming: Int64s, levels: Records, has_levels: Bools, terms: Records) -> UInt8s:
    net, position = hot["net_units"], hot["net_units"] + coming
    chosen = [
        (terms["is_active"] == 0, Condition.INACTIVE),
        ((hot["stock"] == StockKnowledge.UNKNOWN) | ~has_levels, Condition.UNKNOWN),
        (net < 0, Condition.OWED),
        ((net == 0) & (np.nan_to_num(levels["daily_units"]) > 0), Condition.OUT),
        (position <= levels["reorder_point"], Condition.DUE),
        (net <= levels["reorder_point"], Condition.COMING),
    ]
    found = np.select([one for one, _ in chosen], [int(one) for _, one in chosen], default=int(Condition.ENOUGH))
    return found.astype(np.uint8)


def _coded(texts: Sequence[str]) -> tuple[Sequence[str], Int64s]:
    """Return the different texts, sorted, and the place of each among them (N,)."""
    names = sorted(set(texts))
    place = {name: number for number, name in enumerate(names)}
    return names, np.array([place[text] for text in texts], dtype=np.int64)


def _text(stored: bytes) -> str:
    return stored.decode(errors="backslashreplace")


def _requests(parts: Sequence[_Part]) -> OpenRequests:
    ids: list[str] = []
    names: list[str] = []
    for part in parts:
        by_ordinal = dict(zip(part.hot["ordinal"].tolist(), part.names, strict=True))
        ids += part.open_ids
        names += [_text(by_ordinal.get(one, b"")) for one in part.open_records["ordinal"].tolist()]
    return OpenRequests(ids, names, _joined([part.open_records for part in parts], restocks_table().row))
