"""Demand history: what was sold of each key in each bucket, dense, and how it is put together from cells.

Where cells come from is in `demand_topic` and `orders_file`; what a net sees
of them is in `dataset`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from model_store.training.errors import UnusableHistory
from model_store.training.plans import Plans
from replenishment.arrays import Bools, Float32s, Int64s, Names
from replenishment.buckets import BucketWidth
from replenishment.forecaster import ClosedBucket

MOST_CELLS = 2**28
"""Keys times buckets that are held: 3 GiB."""


@dataclass(frozen=True, slots=True)
class DemandHistory:
    """Demand of K keys over T consecutive buckets, keys in order of their birth.

    Attributes:
        width: Width of the buckets.
        first_bucket: Index of the first of them.
        keys: Stock keys ``location|sku``, (K,).
        demand_units: Units per bucket, at least 0, (K, T).
        order_lines: Lines placed per bucket, (K, T).
        available_ratio: Share of the bucket in which the key could be sold, 0 where nothing is known, (K, T).
        born: Column of each key's first bucket, rising, (K,).
        plans: What is planned or measured beside demand, None if nothing is.
        categories: The catalog's category of each key, empty where it names none, (K,); None without a catalog.

    Raises:
        ValueError: If shapes differ, births do not rise, or demand is negative or no number.
    """

    width: BucketWidth
    first_bucket: int
    keys: tuple[bytes, ...]
    demand_units: Float32s
    order_lines: Float32s
    available_ratio: Float32s
    born: Int64s
    plans: Plans | None = None
    categories: Names | None = None

    def __post_init__(self) -> None:
        shape = (len(self.keys), self.demand_units.shape[1])
        if not self.demand_units.shape == self.order_lines.shape == self.available_ratio.shape == shape:
            raise ValueError(f"demand, lines and availability must have shape {shape}")
        if self.born.shape != shape[:1] or (np.diff(self.born) < 0).any():
            raise ValueError("births must rise, one for each key")
        if not np.isfinite(self.demand_units).all() or (self.demand_units < 0).any():
            raise ValueError("demand must be finite and at least 0")

    @property
    def buckets(self) -> int:
        """T: how many buckets there are."""
        return int(self.demand_units.shape[1])

    @property
    def start_at(self) -> int:
        """First instant, epoch milliseconds."""
        return self.width.start_of(self.first_bucket)

    @property
    def end_at(self) -> int:
        """First instant after the last bucket, epoch milliseconds."""
        return self.width.start_of(self.first_bucket + self.buckets)

    def born_by(self, column: int) -> int:
        """Return how many keys are born in this column or before: they are the first rows."""
        return int(np.searchsorted(self.born, column, side="right"))

    def closed(self, column: int) -> ClosedBucket:
        """Return one bucket of all keys born by then, as a forecaster is shown it."""
        rows, bucket = slice(self.born_by(column)), self.first_bucket + column
        return ClosedBucket(
            bucket=bucket,
            demand_units=self.demand_units[rows, column],
            order_lines=self.order_lines[rows, column],
            available_ratio=self.available_ratio[rows, column],
            age_buckets=(column - self.born[rows]).astype(np.int32),
            known_ahead=self.plans.at(bucket, self.born_by(column)) if self.plans else None,
            categories=None if self.categories is None else self.categories[rows],
        )

    def until(self, column: int) -> Self:
        """Return the history before a column, as it would have been read then."""
        return self._part(np.arange(self.born_by(column - 1)), column)

    def of_rows(self, rows: Int64s) -> Self:
        """Return the history of some keys; rows rise."""
        return self._part(rows, self.buckets)

    def _part(self, rows: Int64s, columns: int) -> Self:
        # A slice where all leading rows are meant: no copy.
        taken = slice(len(rows)) if len(rows) and rows[-1] == len(rows) - 1 else rows
        return type(self)(
            width=self.width,
            first_bucket=self.first_bucket,
            keys=tuple(self.keys[row] for row in rows.tolist()),
            demand_units=self.demand_units[taken, :columns],
            order_lines=self.order_lines[taken, :columns],
            available_ratio=self.available_ratio[taken, :columns],
            born=self.born[taken],
            plans=self.plans.of_rows(rows, len(self.keys)) if self.plans else None,
            categories=None if self.categories is None else self.categories[taken],
        )


def joined(first: DemandHistory, second: DemandHistory) -> DemandHistory:
    """Return two histories of different keys as one, over the buckets of the first, without plans and categories.

    Raises:
        ValueError: If the second is not within the first, or has another width or one of its keys.
    """
    offset = second.first_bucket - first.first_bucket
    if first.width != second.width or offset < 0 or offset + second.buckets > first.buckets:
        raise ValueError("the second history must lie within the first")
    if set(first.keys) & set(second.keys):
        raise ValueError("the histories share keys")
    after = first.buckets - offset - second.buckets
    born = np.concatenate([first.born, second.born + offset])
    order = np.argsort(born, kind="stable")
    keys = (*first.keys, *second.keys)

    def both(mine: Float32s, other: Float32s, outside: float) -> Float32s:
        padded = np.pad(other, ((0, 0), (offset, after)), constant_values=outside)
        return np.concatenate([mine, padded])[order]

    return DemandHistory(
        width=first.width,
        first_bucket=first.first_bucket,
        keys=tuple(keys[row] for row in order.tolist()),
        demand_units=both(first.demand_units, second.demand_units, 0),
        order_lines=both(first.order_lines, second.order_lines, 0),
        available_ratio=both(first.available_ratio, second.available_ratio, 1),
        born=born[order],
    )


def led_by_nothing(history: DemandHistory, buckets: int) -> DemandHistory:
    """Return a history with so many buckets before it, in which no key was born."""
    if not buckets:
        return history

    def padded(values: Float32s, outside: float) -> Float32s:
        return np.pad(values, ((0, 0), (buckets, 0)), constant_values=outside)

    return replace(
        history,
        first_bucket=history.first_bucket - buckets,
        demand_units=padded(history.demand_units, 0),
        order_lines=padded(history.order_lines, 0),
        available_ratio=padded(history.available_ratio, 1),
        born=history.born + buckets,
    )


@dataclass(frozen=True, slots=True)
class Cells:
    """Demand of N (key, bucket) pairs; of equal pairs the last one holds.

    ``rows`` are places in a list of keys, ``buckets`` absolute indices,
    ``units`` signed sums, all (N,).
    """

    rows: Int64s
    buckets: Int64s
    units: Float32s
    order_lines: Float32s
    available_ratio: Float32s

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return all cells of several, in their order."""
        return cls(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.buckets for part in parts]),
            np.concatenate([part.units for part in parts]),
            np.concatenate([part.order_lines for part in parts]),
            np.concatenate([part.available_ratio for part in parts]),
        )


def assemble(
    width: BucketWidth,
    keys: Sequence[bytes],
    cells: Cells,
    *,
    last_known: Int64s | None = None,
    last_bucket: int | None = None,
) -> DemandHistory:
    """Return the dense history of cells; a bucket without one is a zero from the key's first cell on.

    Args:
        width: Width of the buckets.
        keys: Stock keys; those without a cell are left out.
        cells: What is known.
        last_known: Last bucket of which each key's demand is known, later ones are missing, (K,); None: all
            are known to the last bucket of any key.
        last_bucket: Last bucket of the history, not before the last cell; None: that of the last cell.

    Raises:
        UnusableHistory: If there are no cells, or keys and buckets are too many to be held.
    """
    if not len(cells.rows):
        raise UnusableHistory("there is no demand in the history. Let orders arrive, or name another source")
    first, last = int(cells.buckets.min()), int(cells.buckets.max())
    last = last if last_bucket is None else max(last, last_bucket)
    if len(keys) * (last - first + 1) > MOST_CELLS:
        raise _too_many(width, len(keys), first, last)
    born = np.full(len(keys), np.iinfo(np.int64).max)
    np.minimum.at(born, cells.rows, cells.buckets)
    order = sorted(np.unique(cells.rows).tolist(), key=lambda row: (born[row], keys[row]))
    place = np.full(len(keys), -1)
    place[order] = np.arange(len(order))
    shape = (len(order), last - first + 1)
    at = (place[cells.rows], cells.buckets - first)
    units, lines = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    available = np.ones(shape, dtype=np.float32)
    units[at], lines[at], available[at] = np.maximum(cells.units, 0), cells.order_lines, cells.available_ratio
    if last_known is not None:
        _withhold(np.arange(first, last + 1) > last_known[order][:, None], units, lines, available)
    return DemandHistory(width, first, tuple(keys[row] for row in order), units, lines, available, born[order] - first)


def _withhold(unknown: Bools, units: Float32s, lines: Float32s, available: Float32s) -> None:
    for values in (units, lines, available):
        values[unknown] = 0


def _too_many(width: BucketWidth, keys: int, first: int, last: int) -> UnusableHistory:
    start, end = (np.datetime64(width.start_of(bucket), "ms") for bucket in (first, last))
    return UnusableHistory(
        f"{keys} stock keys from {start} to {end} are {last - first + 1} buckets of {width.seconds} s each, more than "
        f"fit into memory. Correct times that are wrong, or choose wider buckets"
    )
