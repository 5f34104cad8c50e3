"""Order lines counted in buckets as the stream does: signed sums, a cancellation where its order was placed.

The grid may be anchored at any instant: evaluation puts a bucket's edge at its
first origin (`AnchoredGrid`), a stream counts from a Monday (`BucketWidth`).
"""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import polars as pl

from model_store.training.history import Cells, DemandHistory, assemble
from replenishment.arrays import Int64s
from replenishment.buckets import BucketWidth

PLACED, CANCELLED = "order_placed", "order_cancelled"


class Grid(Protocol):
    """Edges of buckets; `BucketWidth` is one."""

    def buckets_of(self, at: Int64s) -> Int64s:
        """Return the bucket index of each time (N,), epoch milliseconds in."""
        ...


@dataclass(frozen=True, slots=True)
class AnchoredGrid:
    """Buckets of a width, moved by less than one width so that some instant is an edge.

    Attributes:
        width: Width of the buckets and the grid that is moved.
        moved_ms: How far edges lie after those of the width, 0 or more.

    Example:
        >>> saturday = 1_318_032_000_000  # 2011-10-08
        >>> weeks = AnchoredGrid.at(BucketWidth(7 * 86_400), saturday)
        >>> weeks.start_of(weeks.bucket_at(saturday)) == saturday, weeks.moved_ms // 86_400_000
        (True, 5)
    """

    width: BucketWidth
    moved_ms: int = 0

    @classmethod
    def at(cls, width: BucketWidth, edge_at: int) -> Self:
        """Return the grid of which ``edge_at`` (epoch milliseconds) is an edge."""
        return cls(width, edge_at - width.start_of(width.bucket_at(edge_at)))

    def bucket_at(self, at: int) -> int:
        """Return the index of the bucket that holds the time ``at`` (epoch milliseconds)."""
        return self.width.bucket_at(at - self.moved_ms)

    def buckets_of(self, at: Int64s) -> Int64s:
        """Return the bucket index of each time (N,), epoch milliseconds in."""
        return self.width.buckets_of(at - self.moved_ms)

    def start_of(self, bucket: int) -> int:
        """Return the first instant of a bucket, epoch milliseconds."""
        return self.width.start_of(bucket) + self.moved_ms


def bucketed(
    lines: pl.DataFrame, width: BucketWidth, grid: Grid | None = None, last_bucket: int | None = None
) -> DemandHistory:
    """Return the history of checked lines (see `orders_file.checked_lines`).

    A key begins in the bucket of its first line, even if nothing is left of that line's units.

    Args:
        lines: Order lines.
        width: Width of the buckets, which the history is told.
        grid: Where their edges are; None: where the width has them.
        last_bucket: Last bucket of the history; None: that of the last line.

    Raises:
        UnusableHistory: If there are no lines, or keys and buckets are too many to be held.
    """
    return history_of_counts(counted(lines, grid or width), width, last_bucket)


def counted(lines: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    """Return units and lines of each ``key`` and ``bucket`` that checked lines name; see `bucketed`."""
    is_placed = pl.col("type") == PLACED
    named = lines.select(
        key=pl.format("{}|{}", "location", "sku"),
        at=pl.when(is_placed).then("event_time").otherwise("placed_at"),
        units=pl.when(is_placed).then("quantity").otherwise(-pl.col("quantity")),
        is_placed=is_placed & (pl.col("quantity") > 0),
    )
    buckets = grid.buckets_of(named["at"].to_numpy().astype(np.int64))
    return added(
        named.with_columns(bucket=pl.Series(buckets, dtype=pl.Int64), lines=pl.col("is_placed").cast(pl.Int64))
    )


def added(counts: pl.DataFrame) -> pl.DataFrame:
    """Return counts with each key and bucket once."""
    return counts.group_by("key", "bucket", maintain_order=True).agg(pl.col("units", "lines").sum())


def history_of_counts(sums: pl.DataFrame, width: BucketWidth, last_bucket: int | None = None) -> DemandHistory:
    """Return the history of counts that name each key and bucket once; see `bucketed`."""
    keys = sums["key"].unique().sort()
    cells = Cells(
        rows=keys.search_sorted(sums["key"]).to_numpy().astype(np.int64),
        buckets=sums["bucket"].to_numpy(),
        units=sums["units"].to_numpy().astype(np.float32),
        order_lines=sums["lines"].to_numpy().astype(np.float32),
        available_ratio=np.ones(sums.height, dtype=np.float32),
    )
    return assemble(width, [key.encode() for key in keys], cells, last_bucket=last_bucket)
