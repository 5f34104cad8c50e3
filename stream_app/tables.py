"""How the rows of a partition are laid out, from what is stored beside them."""

from collections.abc import Mapping

from replenishment.arrays import Records
from replenishment.buckets import BucketWidth
from replenishment.engine.plan import Plan
from replenishment.engine.rows import Table, forecast_table
from stream_app.store.reader import Standing


def plan_of(layout: Mapping[str, int]) -> Plan:
    """Return a plan with the layout of stored rows; its rules are nobody's."""
    width = BucketWidth(layout["bucket_seconds"], layout["bucket_offset_seconds"])
    lateness_seconds = (layout["open_buckets"] - 1) * width.seconds
    return Plan(width=width, allowed_lateness_seconds=lateness_seconds, window_buckets=layout["window_buckets"])


def decisive_table(standing: Standing) -> Table:
    """Return the forecast table of the version whose levels decide in a partition."""
    version, levels = standing.progress.model_version, len(standing.progress.quantile_levels)
    least = forecast_table(version, 0, levels)
    stored = standing.row_bytes.get(least.name, least.row_bytes)
    return forecast_table(version, (stored - least.row_bytes) // 4, levels)


def pipeline(requests: Records) -> Mapping[int, tuple[int, int, int]]:
    """Return units on order, in transit and pending of each row number that has requests."""
    sums: dict[int, tuple[int, int, int]] = {}
    for one in requests:
        on_order, in_transit, pending = sums.get(int(one["ordinal"]), (0, 0, 0))
        sums[int(one["ordinal"])] = (
            on_order + int(one["on_order"]),
            in_transit + int(one["in_transit"]),
            pending + int(one["pending"]),
        )
    return sums
