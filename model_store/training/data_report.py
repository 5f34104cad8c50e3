"""What a file of orders holds and what cleaning does to it: the figures of the data report.

Nothing is judged here that a rule does not say; how figures look is in
`report_page` and in the command.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model_store.training.bucketing import AnchoredGrid, bucketed
from model_store.training.cleaning import Finding, clean, positive
from model_store.training.errors import UnusableHistory
from model_store.training.history import DemandHistory
from model_store.training.history_outliers import outliers_found
from model_store.training.inputs import closed_weekdays
from model_store.training.inventory_file import read_facts, with_facts
from model_store.training.orders_file import read_lines
from model_store.training.times import shown
from replenishment.arrays import Bools, Float64s
from replenishment.buckets import BucketWidth
from replenishment.cleaning import USUAL
from replenishment.segments import INTERMITTENT_INTERVAL

ERRATIC_VARIATION = 0.49
PATTERNS = ("smooth", "erratic", "intermittent", "lumpy", "never sold")
SEASONS_SECONDS = {"week": 7 * 86_400, "year": 31_557_600}
LEAST_SEASONS = 2
_POINTS = 200


@dataclass(frozen=True, slots=True)
class DataReport:
    """Figures of a file; units and buckets are of cleaned demand.

    Attributes:
        source: Name of the file.
        rows: Lines read.
        ordered_units: Units of its positive lines, before cleaning.
        units: Units that models see.
        keys: Stock keys that models see.
        begins: First bucket, as text.
        ends: End of the last bucket.
        buckets: How many buckets there are.
        bucket_seconds: Their width.
        zero_share: Share of the buckets since birth in which nothing was sold although it could be.
        missing_buckets: Buckets of which nothing is known, which is not the same as zero.
        censored_buckets: Buckets in which a key could be sold for a part only.
        patterns: Keys of each demand pattern (Syntetos, Boylan & Croston 2005).
        weekday_units: Share of units on each weekday, Monday first; empty if buckets are longer than a day.
        closed_weekdays: Weekdays on which nobody ever ordered, 0 = Monday.
        seasons: Whether the span shows two of a season, so that calendar inputs of it can be learnt.
        top_share: Share of units of the tenth of keys that sells most.
        findings: What each cleaning rule found.
        series: Units of all keys over time, at most 200 points, each of one or more whole buckets.
        sizes: Share of units (0 to 1) made up by the share of keys (0 to 1) that sells most, as pairs.
        sold_shares: Keys by the share of their buckets with demand, ten equal bins from 0 to 1.
    """

    source: str
    rows: int
    ordered_units: int
    units: int
    keys: int
    begins: str
    ends: str
    buckets: int
    bucket_seconds: int
    zero_share: float
    missing_buckets: int
    censored_buckets: int
    patterns: dict[str, int]
    weekday_units: list[float]
    closed_weekdays: list[int]
    seasons: dict[str, bool]
    top_share: float
    findings: list[Finding]
    series: list[float]
    sizes: list[tuple[float, float]]
    sold_shares: list[int]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values; findings by rule."""
        figures = asdict(self)
        figures["findings"] = {
            one.rule: {
                "lines": one.lines,
                "units": one.units,
                "keys": one.keys,
                "meaning": one.meaning,
                "examples": list(one.examples),
            }
            for one in self.findings
        }
        return figures


def report_of(
    orders: Path, inventory: Path | None, width: BucketWidth, non_stock_skus: tuple[str, ...] = (USUAL,)
) -> DataReport:
    """Return the report of a file of order lines, with bucket facts of an inventory file if there is one.

    Raises:
        UnusableHistory: If a file is unreadable, a row is wrong, or nothing is ordered.
    """
    lines = read_lines(orders)
    cleaned = clean(lines, non_stock_skus)
    ordered = positive(lines)
    if not cleaned.lines.height or not ordered.height:
        raise UnusableHistory(f"{orders.name} has no line that orders goods, so there is nothing to report")
    history = bucketed(cleaned.lines, width)
    if inventory is not None:
        history = with_facts(history, read_facts(inventory, AnchoredGrid(width)))
    findings = (*cleaned.findings, outliers_found(history))
    return _report(orders.name, lines.height, int(ordered["quantity"].sum()), history, findings)


def _report(source: str, rows: int, ordered: int, history: DemandHistory, findings: Sequence[Finding]) -> DataReport:
    alive = np.arange(history.buckets) >= history.born[:, None]
    is_known = alive & (history.available_ratio > 0)
    units = np.where(is_known, history.demand_units, 0).astype(np.float64)
    sold = (units > 0).sum(axis=1)
    by_key, known = np.sort(units.sum(axis=1))[::-1], np.maximum(is_known.sum(axis=1), 1)
    leading = np.cumsum(by_key) / max(by_key.sum(), 1)
    return DataReport(
        source=source,
        rows=rows,
        ordered_units=ordered,
        units=int(units.sum()),
        keys=len(history.keys),
        begins=shown(history.start_at),
        ends=shown(history.end_at),
        buckets=history.buckets,
        bucket_seconds=history.width.seconds,
        zero_share=round(float(1 - sold.sum() / known.sum()), 4),
        missing_buckets=int((alive & (history.available_ratio == 0)).sum()),
        censored_buckets=int((is_known & (history.available_ratio < 1)).sum()),
        patterns=_patterns(units, is_known, sold),
        weekday_units=_weekdays(history, units),
        closed_weekdays=list(closed_weekdays(history)),
        seasons={
            name: history.buckets * history.width.seconds >= LEAST_SEASONS * seconds
            for name, seconds in SEASONS_SECONDS.items()
        },
        top_share=round(float(leading[max(len(leading) // 10 - 1, 0)]), 4),
        findings=list(findings),
        series=_series(units.sum(axis=0)),
        sizes=_sizes(leading),
        sold_shares=np.histogram(sold / known, bins=10, range=(0, 1))[0].tolist(),
    )


def _patterns(
    units: Float64s, is_known: Bools, sold: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> dict[str, int]:
    """Keys by mean interval between demands and squared variation of their sizes."""
    interval = is_known.sum(axis=1) / np.maximum(sold, 1)
    mean = units.sum(axis=1) / np.maximum(sold, 1)
    squares = np.where(units > 0, np.square(units - mean[:, None]), 0).sum(axis=1) / np.maximum(sold, 1)
    is_erratic = squares > ERRATIC_VARIATION * np.square(mean)
    is_intermittent = interval > INTERMITTENT_INTERVAL
    chosen = np.where(sold == 0, 4, 2 * is_intermittent + is_erratic)
    return dict(zip(PATTERNS, np.bincount(chosen, minlength=len(PATTERNS)).tolist(), strict=True))


def _weekdays(history: DemandHistory, units: Float64s) -> list[float]:
    if history.width.seconds > 86_400 or 86_400 % history.width.seconds:
        return []
    day = (history.first_bucket + np.arange(history.buckets)) * history.width.seconds // 86_400 % 7
    shares = np.bincount(day, units.sum(axis=0), minlength=7) / max(units.sum(), 1)
    return [round(float(share), 4) for share in shares]


def _series(total: Float64s) -> list[float]:
    together = -(-len(total) // _POINTS)
    whole = total[: len(total) // together * together]
    return [float(one) for one in whole.reshape(-1, together).sum(axis=1)]


def _sizes(leading: Float64s) -> list[tuple[float, float]]:
    places = np.unique(np.linspace(0, len(leading) - 1, min(len(leading), 50)).astype(np.int64))
    return [(round((place + 1) / len(leading), 4), round(float(leading[place]), 4)) for place in places.tolist()]
