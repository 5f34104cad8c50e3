"""Plans and measurements beside demand, cut into buckets: what was known of which bucket, from when until when.

Training reads them from a file, a partition keeps them as they come; what a
closing is told is made here for both. A signal that becomes known, is revised
or withdrawn later is not seen earlier: each has the first bucket at whose end
it is known and the first at whose end it no longer holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from replenishment.arrays import Float32s, Float64s, Int64s

PROMOTION, PRICE, HOLIDAY = "promotion", "price", "holiday"
FLAGS = frozenset({PROMOTION, HOLIDAY})
"""Strengths from 0 to 1, where nothing planned is 0; all others are measured against their own running mean."""
ALWAYS, FOREVER = int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max)
"""A time, or a bucket, before and after any other."""


class Grid(Protocol):
    """Edges of buckets; ``BucketWidth`` is one."""

    def buckets_of(self, at: Int64s) -> Int64s:
        """Return the bucket index of each time (N,), epoch milliseconds in."""
        ...

    def start_of(self, bucket: int) -> int:
        """Return the first instant of a bucket, epoch milliseconds."""
        ...


def first_closings(at: Int64s, grid: Grid) -> Int64s:
    """Return the first bucket whose end is not before each time (N,): the first closing that knows what was said then.

    Example:
        >>> from replenishment.buckets import BucketWidth
        >>> day = BucketWidth(86_400)
        >>> first_closings(np.array([day.start_of(10), day.start_of(10) + 1]), day).tolist()
        [9, 10]
    """
    is_time = (at != ALWAYS) & (at != FOREVER)
    return np.where(is_time, grid.buckets_of(np.where(is_time, at, 1) - 1), at)


@dataclass(frozen=True, slots=True)
class Spans:
    """N signals of stock keys.

    Attributes:
        names: Channels, (C,).
        rows: Row of the key, (N,).
        starts_at: Epoch milliseconds, (N,).
        ends_at: Exclusive, later than the start, (N,).
        known_from: First bucket at whose end it is known, (N,).
        known_until: First bucket at whose end it no longer holds, (N,).
        values: Of each channel as it was sent, NaN where the signal says nothing, (N, C).
    """

    names: tuple[str, ...]
    rows: Int64s
    starts_at: Int64s
    ends_at: Int64s
    known_from: Int64s
    known_until: Int64s
    values: Float64s

    def part(self, places: Int64s | slice) -> Self:
        """Return some of the signals, in the order of their places."""
        return type(self)(
            names=self.names,
            rows=self.rows[places],
            starts_at=self.starts_at[places],
            ends_at=self.ends_at[places],
            known_from=self.known_from[places],
            known_until=self.known_until[places],
            values=self.values[places],
        )


@dataclass(frozen=True, slots=True)
class Cells:
    """N cells, one for each signal and bucket it touches, sorted by bucket.

    Attributes:
        names: Channels, (C,).
        rows: Row of the key, (N,).
        buckets: Absolute index, rising, (N,).
        known_from: First bucket at whose end it is known, (N,).
        known_until: First bucket at whose end it no longer holds, (N,).
        shares: Share of the bucket that the signal covers, above 0 to 1, (N,).
        values: Of each channel, a price as its natural logarithm, NaN where the signal says nothing, (N, C).
    """

    names: tuple[str, ...]
    rows: Int64s
    buckets: Int64s
    known_from: Int64s
    known_until: Int64s
    shares: Float32s
    values: Float32s

    def at(self, bucket: int, keys: int, reach_buckets: int) -> Float32s:
        """Return what is known of the first so many keys when a bucket has closed, (keys, 1 + reach, C).

        That is of the bucket and of those ahead. Of a strength the parts of a
        bucket add up, to 1 at most; of any other channel it is the mean over
        the covered part; NaN where nothing is known.
        """
        inside = slice(*np.searchsorted(self.buckets, [bucket, bucket + reach_buckets + 1]).tolist())
        holds = (self.known_from[inside] <= bucket) & (bucket < self.known_until[inside]) & (self.rows[inside] < keys)
        rows, ahead = self.rows[inside][holds], self.buckets[inside][holds] - bucket
        shares, values = self.shares[inside][holds], self.values[inside][holds]
        shape = (keys, 1 + reach_buckets)
        shown = np.full((*shape, len(self.names)), np.nan, dtype=np.float32)
        place = rows * shape[1] + ahead
        for channel, name in enumerate(self.names):
            told = np.isfinite(values[:, channel])
            at, share = place[told], shares[told]
            size = shape[0] * shape[1]
            total = np.bincount(at, share * values[told, channel], size).reshape(shape)
            if name in FLAGS:
                shown[:, :, channel] = np.minimum(total, 1)
                continue
            covered = np.bincount(at, share, size).reshape(shape)
            np.divide(total, covered, out=shown[:, :, channel], where=covered > 0, casting="unsafe")
        return shown

    def of_rows(self, rows: Int64s, keys: int) -> Self:
        """Return the cells of some of so many keys, in the order of ``rows``."""
        place = np.full(keys, -1)
        place[rows] = np.arange(len(rows))
        kept = place[self.rows] >= 0
        return type(self)(
            names=self.names,
            rows=place[self.rows[kept]],
            buckets=self.buckets[kept],
            known_from=self.known_from[kept],
            known_until=self.known_until[kept],
            shares=self.shares[kept],
            values=self.values[kept],
        )


def touched_buckets(spans: Spans, buckets: range, grid: Grid) -> tuple[Int64s, Int64s]:
    """Return the first bucket of a range that each signal touches and how many it touches, (N,) each."""
    first = np.clip(grid.buckets_of(spans.starts_at), buckets.start, buckets.stop)
    last = np.clip(grid.buckets_of(spans.ends_at - 1) + 1, buckets.start, buckets.stop)
    return first, np.maximum(last - first, 0)


def cells_of(spans: Spans, buckets: range, grid: Grid) -> Cells:
    """Cut signals into the buckets of a range that they touch."""
    first, counts = touched_buckets(spans, buckets, grid)
    signal = np.repeat(np.arange(len(counts)), counts)
    bucket = first[signal] + np.arange(len(signal)) - np.repeat(np.cumsum(counts) - counts, counts)
    order = np.argsort(bucket, kind="stable")
    signal, bucket = signal[order], bucket[order]
    width_ms = grid.start_of(1) - grid.start_of(0)
    opens = bucket * width_ms + grid.start_of(0)
    covered = np.minimum(spans.ends_at[signal], opens + width_ms) - np.maximum(spans.starts_at[signal], opens)
    return Cells(
        names=spans.names,
        rows=spans.rows[signal],
        buckets=bucket,
        known_from=spans.known_from[signal],
        known_until=spans.known_until[signal],
        shares=(covered / width_ms).astype(np.float32),
        values=_scaled(spans.names, spans.values).astype(np.float32)[signal],
    )


def _scaled(names: Sequence[str], values: Float64s) -> Float64s:
    """Return values (N, C) with the logarithm of prices, so that neither level nor currency matters."""
    if PRICE not in names:
        return values
    scaled = values.copy()
    column = names.index(PRICE)
    scaled[:, column] = np.log(values[:, column])
    return scaled
