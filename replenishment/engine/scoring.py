"""Live accuracy: earlier forecasts are scored as the buckets they speak of close.

A forecast waits in its key's row until its demand is known. At most one waits
for each lead, so that a key costs little over a hundred bytes: forecasts are
taken at origins a lead apart, at different ones for different keys. Which
ones follows from bucket and row number alone, so no cut of the input matters.
"""

from dataclasses import dataclass

import numpy as np

from replenishment.accuracy import FORGETTING, MEASURES, SCORED_LEVELS, measured
from replenishment.arrays import Float64s, Int64s
from replenishment.engine.rows import FIXED_LEADS, LEADS
from replenishment.engine.state import ForecastColumns, PartitionState
from replenishment.events import ForecastsScored
from replenishment.forecaster import Forecast
from replenishment.quantiles import ProtectionDemand, over
from replenishment.segments import CELLS, leading_units, traits_of

SHORTEST_PERIOD_BUCKETS = 7
"""Origins of a key are at least so far apart, however short the lead."""
TRAITS_PERIOD_BUCKETS = 14
"""How often it is looked anew whether a key is fast, slow, new or intermittent."""
PROTECTION = 0
"""The first lead: the key's own protection interval."""


@dataclass(frozen=True, slots=True)
class _Due:
    """N forecasts whose demand is known now: rows, which lead, and what came, (N,)."""

    rows: Int64s
    slots: Int64s
    actual_units: Float64s


def score(state: PartitionState, columns: ForecastColumns, bucket: int, rows: Int64s) -> ForecastsScored:
    """Score what waited for the end of ``bucket`` in rows (B,), which are closed; return those over protection.

    ``places`` of the result count from 0 in ``rows``.
    """
    places, slots = np.nonzero(columns.rows["scored_due"][rows] == bucket)
    due = _Due(rows[places], slots, _came(state, columns, bucket, rows[places], slots))
    forecast = columns.rows["scored_units"][due.rows, slots].astype(np.float64)
    quantiles, expected = forecast[:, :-1], forecast[:, -1]
    found = measured(due.actual_units, quantiles, expected)
    _add(columns, due, found)
    whole = np.flatnonzero(slots == PROTECTION)
    return ForecastsScored(
        places=places[whole],
        lead_buckets=columns.rows["scored_lead"][due.rows[whole], PROTECTION].astype(np.int64),
        actual_units=due.actual_units[whole],
        expected_units=expected[whole],
        quantile_units=quantiles[whole],
    )


def take_forecasts(
    state: PartitionState, columns: ForecastColumns, bucket: int, rows: Int64s, forecast: Forecast
) -> None:
    """Keep the forecasts of rows (B,) whose origin is the end of ``bucket`` until they can be scored."""
    grid, derived = columns.grid, columns.rows
    if grid is None:
        raise RuntimeError(f"version {columns.version} has no levels to be scored at")
    leads = np.empty((len(rows), LEADS), dtype=np.int64)
    leads[:, PROTECTION], leads[:, 1:] = derived["protection_buckets"][rows], FIXED_LEADS
    is_origin = (bucket + rows)[:, None] % np.maximum(leads, SHORTEST_PERIOD_BUCKETS) == 0
    is_origin &= leads <= state.plan.window_buckets
    is_origin[:, 1:] &= leads[:, 1:] <= grid.horizons_buckets[-1]
    places, slots = np.nonzero(is_origin)
    wanted = leads[places, slots]
    demand = over(grid, forecast.quantiles[places], wanted)
    derived["scored_units"][rows[places], slots] = _scorable(demand)
    derived["scored_lead"][rows[places], slots] = wanted
    derived["scored_due"][rows[places], slots] = bucket + wanted
    _set_traits(state, columns, bucket, rows[(bucket + rows) % TRAITS_PERIOD_BUCKETS == 0])


def end_bucket(state: PartitionState, bucket: int) -> None:
    """Let the sums forget a little once every key has closed ``bucket``, and look who is fast now and then."""
    versions = [one for one in (state.champion, state.incoming) if one is not None]
    fast_units = _fast_units(state) if bucket % SHORTEST_PERIOD_BUCKETS == 0 else None
    for columns in versions:
        columns.account["sums"] *= FORGETTING
        if fast_units is not None:
            columns.account["fast_units"] = fast_units


def _scorable(demand: ProtectionDemand) -> Float64s:
    """Return quantiles at the scored levels, then the mean, (N, L + 1)."""
    return np.concatenate([demand.read_at(SCORED_LEVELS), demand.mean()[:, None]], axis=1)


def _came(state: PartitionState, columns: ForecastColumns, bucket: int, rows: Int64s, slots: Int64s) -> Float64s:
    """Return the demand of the buckets that forecasts (N,) were made for, late lines included."""
    units, leads = np.zeros(len(rows)), columns.rows["scored_lead"][rows, slots].astype(np.int64)
    for slot in range(LEADS):
        some = np.flatnonzero(slots == slot)
        back = np.arange(int(leads[some].max(initial=0)))
        window = state.window["units"][rows[some]][:, (bucket - back) % state.plan.window_buckets]
        units[some] = np.where(back < leads[some, None], np.maximum(window, 0), 0).sum(axis=1)
    return units


def _add(columns: ForecastColumns, due: _Due, found: Float64s) -> None:
    """Add measures (N, M) to the sums of their leads and combinations of traits, one after the other."""
    cells = due.slots * CELLS + columns.rows["traits"][due.rows]
    places = cells[:, None] * MEASURES + np.arange(MEASURES)
    sums = np.bincount(places.ravel(), found.ravel(), minlength=LEADS * CELLS * MEASURES)
    columns.account["sums"][0] += sums.reshape(LEADS, CELLS, MEASURES)


def _set_traits(state: PartitionState, columns: ForecastColumns, bucket: int, rows: Int64s) -> None:
    units = np.maximum(state.window["units"][rows], 0)
    columns.rows["traits"][rows] = traits_of(
        age_buckets=bucket - state.window["born_bucket"][rows] + 1,
        units=units.sum(axis=1, dtype=np.float64),
        sold_buckets=(units > 0).sum(axis=1),
        fast_units=float(columns.account["fast_units"][0]),
        kept=state.plan.window_buckets,
    )


def _fast_units(state: PartitionState) -> float:
    step, count = state.plan.closing_chunk_keys, state.keys.count
    window = state.window["units"]
    parts = [np.maximum(window[first : min(first + step, count)], 0).sum(axis=1) for first in range(0, count, step)]
    return leading_units(np.concatenate(parts).astype(np.float64))
