"""Demand history from records of the topic ``demand``: closed buckets and their corrections.

The topic is written at least once: a repeated closed chunk is recognised by
(partition, bucket, chunk), and a correction carries the new value rather than
a difference, so reading everything twice gives the same history.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Literal

import msgspec
import numpy as np

from model_store.training.errors import UnusableHistory
from model_store.training.history import Cells, DemandHistory, assemble
from replenishment.arrays import Int64s
from replenishment.buckets import MONDAY_MS, BucketWidth
from replenishment.keys import key_bytes

SCHEMA = 1
DAY_SECONDS = 86_400


class DemandRecord(msgspec.Struct, frozen=True, gc=False):
    """What is read of a record: demand of one bucket for a chunk of keys, as columns of one length."""

    schema: int
    partition: int
    bucket_start: str
    bucket_seconds: int
    kind: Literal["closed", "correction"]
    chunk: int
    location: list[str]
    sku: list[str]
    units: list[int]
    order_lines: list[int]
    available_fraction: list[float | None]

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ValueError(f"schema is {self.schema}, this program reads {SCHEMA}")
        lengths = {len(column) for column in (self.location, self.sku, self.units, self.order_lines)}
        if lengths != {len(self.available_fraction)}:
            raise ValueError(f"columns have lengths {sorted(lengths)}")

    @property
    def start_at(self) -> int:
        """First instant of the bucket, epoch milliseconds."""
        return int(np.datetime64(self.bucket_start.removesuffix("Z"), "ms").astype(np.int64))

    @property
    def width(self) -> BucketWidth:
        """Width and offset of the buckets.

        Raises:
            ValueError: If the start is no time, or the width out of range.
        """
        return _width_of(self.start_at, self.bucket_seconds)


def history_of(values: Iterable[bytes], source: str) -> DemandHistory:
    """Return the history that demand records tell, in the order in which they were written.

    Raises:
        UnusableHistory: If a record is no demand, or there is none.
    """
    return history_told((decoded(value, f"record {place} of {source}") for place, value in enumerate(values)), source)


def decoded(value: bytes, where: str) -> DemandRecord:
    """Return a record of the topic.

    Raises:
        UnusableHistory: If it is no demand; ``where`` names it.
    """
    try:
        record = msgspec.json.decode(value, type=DemandRecord)
        _ = record.width
    except (ValueError, RecursionError) as error:
        raise UnusableHistory(f"{where} is no closed demand ({str(error)[:200]}). Is it the right topic?") from error
    return record


def history_told(records: Iterable[DemandRecord], source: str) -> DemandHistory:
    """Return the history that decoded records tell, in the order in which they were written.

    Records of a bucket width other than the last record's belong to an earlier setting and are left out. A bucket
    that was closed before and after, but whose record is nowhere, is missing rather than zero.

    Raises:
        UnusableHistory: If there is none.
    """
    ledgers: dict[BucketWidth, _Ledger] = {}
    last = None
    for record in records:
        last = record.width
        ledgers.setdefault(last, _Ledger()).enter(record, last.bucket_at(record.start_at))
    if last is None:
        raise UnusableHistory(f"{source} holds no closed demand yet. Let buckets close, then train again")
    return ledgers[last].history(last)


class _Ledger:
    """Closed chunks and corrections of one bucket width, as they come in."""

    def __init__(self) -> None:
        self._rows: dict[bytes, int] = {}
        self._rows_of_chunk: dict[tuple[int, int], tuple[list[str], list[str], Int64s]] = {}
        self._seen: set[tuple[int, int, int]] = set()
        self._closed: list[Cells] = []
        self._corrected: list[Cells] = []

    def enter(self, record: DemandRecord, bucket: int) -> None:
        is_closed = record.kind == "closed"
        name = (record.partition, bucket, record.chunk)
        if is_closed and name in self._seen:
            return
        known = np.array([np.nan if one is None else one for one in record.available_fraction], dtype=np.float32)
        cells = Cells(
            rows=self._rows_of(record),
            buckets=np.full(len(record.sku), bucket),
            units=np.array(record.units, dtype=np.float32),
            order_lines=np.array(record.order_lines, dtype=np.float32),
            available_ratio=np.nan_to_num(known, nan=0.0),
        )
        if is_closed:
            self._seen.add(name)
        (self._closed if is_closed else self._corrected).append(cells)

    def _rows_of(self, record: DemandRecord) -> Int64s:
        # A chunk is a fixed range of keys: nearly always the same list as in the bucket before.
        location, sku, rows = self._rows_of_chunk.get((record.partition, record.chunk), ([], [], np.empty(0, np.int64)))
        if record.location == location and record.sku == sku:
            return rows
        keys = map(key_bytes, record.location, record.sku)
        rows = np.array([self._rows.setdefault(key, len(self._rows)) for key in keys], dtype=np.int64)
        if record.kind == "closed":
            self._rows_of_chunk[record.partition, record.chunk] = (record.location, record.sku, rows)
        return rows

    def history(self, width: BucketWidth) -> DemandHistory:
        # Of equal cells the last holds: corrections follow the closing they correct, and anything is more than nothing.
        parts = list(chain(self._unread(), self._closed, self._corrected))
        last_known = np.full(len(self._rows), -1)
        for part in parts:
            np.maximum.at(last_known, part.rows, part.buckets)
        return assemble(width, list(self._rows), Cells.joined(parts), last_known=last_known)

    def _unread(self) -> Iterator[Cells]:
        """Yield cells without knowledge for buckets between those that a chunk's records tell of."""
        told: dict[tuple[int, int], set[int]] = {}
        for partition, bucket, chunk in self._seen:
            told.setdefault((partition, chunk), set()).add(bucket)
        for chunk_name, buckets in told.items():
            unread = sorted(set(range(min(buckets), max(buckets))) - buckets)
            if unread:
                rows = self._rows_of_chunk[chunk_name][2]
                yield from self._nothing_known(rows, np.array(unread))

    def _nothing_known(self, rows: Int64s, unread: Int64s) -> Iterator[Cells]:
        first = np.full(len(self._rows), np.iinfo(np.int64).max)
        for part in self._closed:
            np.minimum.at(first, part.rows, part.buckets)
        for bucket in unread:
            born = rows[first[rows] < bucket]
            nothing = np.zeros(len(born), dtype=np.float32)
            yield Cells(born, np.full(len(born), bucket), nothing, nothing, nothing)


def _width_of(start_at: int, seconds: int) -> BucketWidth:
    """Return width and offset of the buckets of which one starts at a time.

    Example:
        >>> day = BucketWidth(86_400, 3_600)
        >>> _width_of(day.start_of(15_284), 86_400) == day
        True
    """
    offset = (MONDAY_MS - start_at) // 1000 % seconds
    return BucketWidth(seconds, offset if offset < DAY_SECONDS else offset - seconds)
