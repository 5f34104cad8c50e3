"""Demand shown to a net both ways, so that it cannot take the trend of its one season for a law.

A history of a year falls and rises once or twice, for all SKUs together. Read backwards as well, it rises as often as
it falls, and there are twice as many courses to learn from: levels, gaps and lots are as real in either direction.
"""

from dataclasses import replace

import numpy as np

from model_store.spec import FeatureSpec
from model_store.training.history import DemandHistory, joined, led_by_nothing
from replenishment.arrays import Float32s, Float64s

_DAYS = 7


def both_ways(history: DemandHistory, spec: FeatureSpec, latest_buckets: int | None = None) -> DemandHistory:
    """Return a history beside itself read backwards, the latter at most six days ahead so that weeks fit.

    If only the latest buckets are shown of it, only they are read backwards, in their own place.

    Backwards a key begins with its last sale; what was before its first one is unknown, not zero. Where days count,
    weekdays are those of the mirrored week that sells most like the week and is closed on the same days. If none is,
    or buckets are shorter than a day (a day is no mirror of itself), the history is returned as it is; so is one with
    plans, since what a plan does to the buckets before it is no law for those after it.
    """
    if spec.buckets_per_day > 1 or history.plans or not history.demand_units.any():
        return history
    turned, days_ahead = _latest(history, latest_buckets or history.buckets), 0
    if spec.buckets_per_day:
        mirrored = _mirrored_week(history, spec.closed_weekdays)
        if mirrored is None:
            return history
        # n days ahead, bucket b is bucket first - n + last - b backwards: of weekday mirrored - b.
        days_ahead = (2 * turned.first_bucket + turned.buckets - 1 - mirrored) % _DAYS
    return joined(led_by_nothing(history, days_ahead), _backwards(led_by_nothing(turned, days_ahead)))


def _latest(history: DemandHistory, buckets: int) -> DemandHistory:
    """Return the last buckets of a history, in which older keys are born at once."""
    first = max(history.buckets - buckets, 0)
    return replace(
        history,
        first_bucket=history.first_bucket + first,
        demand_units=history.demand_units[:, first:],
        order_lines=history.order_lines[:, first:],
        available_ratio=history.available_ratio[:, first:],
        born=np.maximum(history.born - first, 0),
    )


def _backwards(history: DemandHistory) -> DemandHistory:
    """Return the keys that ever sold from their last sale to their first bucket, over the same buckets."""
    sold = np.flatnonzero(history.demand_units.any(axis=1))
    born = (history.demand_units[sold, ::-1] > 0).argmax(axis=1)
    order = np.argsort(born, kind="stable")
    rows = sold[order]
    available = _turned(history.available_ratio[rows])
    available[np.arange(history.buckets) >= history.buckets - history.born[rows, None]] = 0
    return DemandHistory(
        width=history.width,
        first_bucket=history.first_bucket,
        keys=tuple(history.keys[row] + b"|backwards" for row in rows.tolist()),
        demand_units=_turned(history.demand_units[rows]),
        order_lines=_turned(history.order_lines[rows]),
        available_ratio=available,
        born=born[order],
    )


def _turned(values: Float32s) -> Float32s:
    return np.ascontiguousarray(values[:, ::-1])


def _mirrored_week(history: DemandHistory, closed_weekdays: tuple[int, ...]) -> int | None:
    """Return m for which day m - d (modulo 7) sells most like day d, with closed days among themselves; None: no m."""
    weekday = (history.first_bucket + np.arange(history.buckets)) % _DAYS
    units = history.demand_units.sum(axis=0, dtype=np.float64)
    sold = np.bincount(weekday, weights=units, minlength=_DAYS).astype(np.float64)
    fits = [m for m in range(_DAYS) if {(m - day) % _DAYS for day in closed_weekdays} == set(closed_weekdays)]
    return min(fits, key=lambda m: _unlike(sold, m), default=None)


def _unlike(sold: Float64s, mirrored: int) -> float:
    return float(np.abs(sold - sold[(mirrored - np.arange(_DAYS)) % _DAYS]).sum())
