"""What an evaluation is about: demand that came, demand that models see, and the origins between them.

Both histories have the same buckets. They differ by what `cleaning` did; a
key that it left out has demand and no forecast, and is counted as missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from model_store.training.bucketing import AnchoredGrid, bucketed
from model_store.training.cleaning import Finding, clean, positive
from model_store.training.errors import UnusableHistory
from model_store.training.evaluate import Origins
from model_store.training.history import DemandHistory, led_by_nothing
from model_store.training.history_outliers import outliers_found
from model_store.training.inventory_file import read_facts, with_facts
from model_store.training.orders_file import read_lines
from model_store.training.times import shown
from replenishment.arrays import Int64s
from replenishment.buckets import BucketWidth
from replenishment.cleaning import USUAL


@dataclass(frozen=True, slots=True)
class Protocol:
    """Where an evaluation forecasts and how far.

    Attributes:
        first_origin_at: First instant that the first origin does not see, epoch milliseconds; an edge of a bucket.
        every_buckets: From one origin to the next.
        leads: Buckets that demand is summed over.
        cleans_actuals: Whether demand that came is the cleaned one.
        until_at: Lines from this instant on are not read; None: all are.
        non_stock_skus: Codes that name no goods; see `replenishment.cleaning.names_no_goods`.

    Raises:
        ValueError: If a number is below 1 or leads do not rise.
    """

    first_origin_at: int
    every_buckets: int
    leads: tuple[int, ...]
    cleans_actuals: bool = False
    until_at: int | None = None
    non_stock_skus: tuple[str, ...] = (USUAL,)

    def __post_init__(self) -> None:
        if self.every_buckets < 1 or not self.leads or min(self.leads) < 1 or sorted(set(self.leads)) != [*self.leads]:
            raise ValueError(f"origins every {self.every_buckets} and leads {self.leads} must be 1 or more, and rise")


@dataclass(frozen=True, slots=True)
class Backtest:
    """Demand and origins of an evaluation.

    Attributes:
        actual: Demand that came, keys (K,).
        seen: Demand that models see.
        seen_rows: Row of each key in ``seen``, -1 where cleaning left it out, (K,).
        origins: Where forecasts are made.
        grid: Edges of the buckets.
        findings: What cleaning found.
    """

    actual: DemandHistory
    seen: DemandHistory
    seen_rows: Int64s
    origins: Origins
    grid: AnchoredGrid
    findings: tuple[Finding, ...] = ()

    @property
    def learnt(self) -> DemandHistory:
        """Demand before the first origin: all that a model may be fitted on."""
        return self.seen.until(self.origins.columns[0])

    def origin_at(self, column: int) -> int:
        """Return the first instant that the origin at a column does not see, epoch milliseconds."""
        return self.grid.start_of(self.actual.first_bucket + column)


def read_backtest(orders: Path, inventory: Path | None, width: BucketWidth, protocol: Protocol) -> Backtest:
    """Return the evaluation of a file of order lines.

    Args:
        orders: See `orders_file.read_orders`; units below zero are returns.
        inventory: File with bucket facts, if there is one.
        width: Width of the buckets; their edges are moved to the first origin.
        protocol: Where to forecast.

    Raises:
        UnusableHistory: If a file is unreadable or a row wrong, or no origin has a bucket before it and the longest
            lead after it.
    """
    lines = read_lines(orders)
    if protocol.until_at is not None:
        lines = lines.filter(pl.col("event_time") < protocol.until_at)
    bought = positive(lines)
    if not bought.height:
        raise UnusableHistory(f"{orders.name} has no line that orders anything, so there is no demand to forecast")
    grid = AnchoredGrid.at(width, protocol.first_origin_at)
    last = grid.bucket_at(int(lines.select(pl.col("event_time").max()).item()))
    cleaned = clean(lines, protocol.non_stock_skus)
    if not cleaned.lines.height:
        raise UnusableHistory(f"cleaning leaves no line of {orders.name}: {_said(cleaned.findings)}. Check the codes")
    seen = bucketed(cleaned.lines, width, grid, last)
    actual = seen if protocol.cleans_actuals else bucketed(bought, width, grid, last)
    if inventory is not None:
        facts = read_facts(inventory, grid)
        seen, actual = with_facts(seen, facts), with_facts(actual, facts)
    return backtest_of(actual, seen, grid, protocol, (*cleaned.findings, outliers_found(seen)))


def backtest_of(
    actual: DemandHistory,
    seen: DemandHistory,
    grid: AnchoredGrid,
    protocol: Protocol,
    findings: Sequence[Finding] = (),
) -> Backtest:
    """Return the evaluation of two histories that end together.

    Raises:
        UnusableHistory: If no origin has a bucket before it and the longest lead after it.
    """
    first = min(actual.first_bucket, seen.first_bucket)
    actual, seen = (led_by_nothing(one, one.first_bucket - first) for one in (actual, seen))
    row_of = {key: row for row, key in enumerate(seen.keys)}
    rows = np.array([row_of.get(key, -1) for key in actual.keys], dtype=np.int64)
    column = grid.bucket_at(protocol.first_origin_at) - first
    longest = protocol.leads[-1]
    last = actual.buckets - longest
    if column < 1 or last < column:
        raise _no_origin(actual, grid, column, longest)
    return Backtest(
        actual=actual,
        seen=seen,
        seen_rows=rows,
        origins=Origins(tuple(range(column, last + 1, protocol.every_buckets)), protocol.leads),
        grid=grid,
        findings=tuple(findings),
    )


def _no_origin(actual: DemandHistory, grid: AnchoredGrid, column: int, longest: int) -> UnusableHistory:
    start, end = grid.start_of(actual.first_bucket), grid.start_of(actual.first_bucket + actual.buckets)
    span = f"demand is from {shown(start)} to {shown(end)}, {actual.buckets} buckets of {actual.width.seconds} s"
    if column < 1:
        return UnusableHistory(
            f"nothing is known before the first origin: {span}. Choose --first-origin after the first of them, "
            f"{shown(grid.start_of(actual.first_bucket + 1))} at the earliest"
        )
    latest = actual.buckets - longest
    if latest < 1:
        return UnusableHistory(
            f"too little history: {span}; a lead of {longest} needs one more. Choose shorter --leads"
        )
    return UnusableHistory(
        f"no origin has a whole lead of {longest} buckets after it: {span}. Choose --first-origin "
        f"{shown(grid.start_of(actual.first_bucket + latest))} or earlier, or shorter --leads"
    )


def _said(findings: Sequence[Finding]) -> str:
    return ", ".join(f"{found.rule} {found.lines} lines" for found in findings if found.lines)
