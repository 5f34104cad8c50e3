"""Live accuracy: earlier forecasts are scored as the buckets they speak of close.

A forecast waits in its key's row until its demand is known. At most one waits
for each lead, so that a key costs little over a hundred bytes: forecasts are
taken at origins a lead apart, at different ones for different keys. Which
ones follows from bucket and row number alone, so no cut of the input matters.
"""

from dataclasses import dataclass

import numpy as np

from replenishment.accuracy import FORGETTING, MEASURES, SCORED_LEVELS, measured
from replenishment.arrays import Bools, Float64s, Int64s, UInt8s
from replenishment.calibration import ENOUGH, calibrated_level, misses, moved_shift
from replenishment.drift import Watch, residuals
from replenishment.engine.rows import FIXED_LEADS, LEADS
from replenishment.engine.state import ForecastColumns, PartitionState
from replenishment.events import ForecastsScored
from replenishment.forecaster import Forecast
from replenishment.policy import Policy, ServiceKind, Targets
from replenishment.quantiles import ProtectionDemand, over
from replenishment.segments import CELLS, leading_units, traits_of

SHORTEST_PERIOD_BUCKETS = 7
"""Origins of a key are at least so far apart, however short the lead."""
TRAITS_PERIOD_BUCKETS = 14
"""How often it is looked anew whether a key is fast, slow, new or intermittent."""
PROTECTION, NEXT_BUCKET = 0, 1
"""Leads by place: the key's own protection interval, and one bucket."""


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
    _add_residuals(columns, due, quantiles, expected)
    whole = np.flatnonzero(slots == PROTECTION)
    if state.plan.calibrates:
        _add_misses(columns, due.rows[whole], due.actual_units[whole])
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
    if state.plan.calibrates:
        own = np.flatnonzero(slots == PROTECTION)
        _keep_decisions(columns, rows[places[own]], demand.take(own))
    _set_traits(state, columns, bucket, rows[(bucket + rows) % TRAITS_PERIOD_BUCKETS == 0])


def end_bucket(state: PartitionState, bucket: int) -> list[str]:
    """Let the sums forget a little once every key has closed ``bucket``, and draw the conclusions.

    Returns:
        Versions whose forecasts were found to drift with this bucket.
    """
    versions = [one for one in (state.champion, state.incoming) if one is not None]
    fast_units = _fast_units(state) if bucket % SHORTEST_PERIOD_BUCKETS == 0 else None
    for columns in versions:
        columns.account["sums"] *= FORGETTING
        if fast_units is not None:
            columns.account["fast_units"] = fast_units
        if state.plan.calibrates:
            _move_shifts(columns, bucket)
    return [columns.version for columns in versions if _is_drifting(columns, bucket)]


def _is_drifting(columns: ForecastColumns, bucket: int) -> bool:
    """Take in the residual of a bucket; return whether it is the one with which drift is found."""
    account = columns.account[0]
    if account["residual_count"] > 0:
        watch = Watch(*account["watch"].tolist()).after(float(account["residual_sum"] / account["residual_count"]))
        account["watch"] = watch
        account["residual_sum"] = account["residual_count"] = 0.0
        if watch.ratio > 1 and not account["drifted_bucket"]:
            account["drifted_bucket"] = bucket
            return True
    return False


def _move_shifts(columns: ForecastColumns, bucket: int) -> None:
    account = columns.account[0]
    some = np.flatnonzero(account["miss_count"] >= ENOUGH)
    count, since = account["miss_count"][some], account["shifted_bucket"][some]
    lead = account["miss_lead_buckets"][some] / count
    elapsed = np.where(since > 0, bucket - since, np.ceil(lead)).astype(np.int64)
    account["shift"][some] = moved_shift(account["shift"][some], account["miss_sum"][some] / count, elapsed, lead)
    account["shifted_bucket"][some] = bucket
    for name in ("miss_sum", "miss_count", "miss_lead_buckets"):
        account[name][some] = 0.0


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


def _add_residuals(columns: ForecastColumns, due: _Due, quantiles: Float64s, expected: Float64s) -> None:
    """Add how far off the forecasts of the next bucket were: they tell of a change first."""
    next_bucket = np.flatnonzero(due.slots == NEXT_BUCKET)
    spread = quantiles[next_bucket, -2] - quantiles[next_bucket, 0]
    found = residuals(due.actual_units[next_bucket], expected[next_bucket], spread)
    columns.account["residual_sum"] += found.sum()
    columns.account["residual_count"] += len(found)


def _add_misses(columns: ForecastColumns, rows: Int64s, actual_units: Float64s) -> None:
    """Add how often demand passed what was decided by, for each combination of traits."""
    decided = np.flatnonzero(columns.rows["decided_level"][rows] > 0)
    rows, actual_units = rows[decided], actual_units[decided]
    level = columns.rows["decided_level"][rows].astype(np.float64)
    found = misses(actual_units, columns.rows["decided_units"][rows].astype(np.float64), level)
    cells, account = columns.rows["traits"][rows], columns.account
    account["miss_sum"][0] += np.bincount(cells, found, minlength=CELLS)
    account["miss_count"][0] += np.bincount(cells, minlength=CELLS)
    account["miss_lead_buckets"][0] += np.bincount(
        cells, columns.rows["scored_lead"][rows, PROTECTION], minlength=CELLS
    )


def _keep_decisions(columns: ForecastColumns, rows: Int64s, demand: ProtectionDemand) -> None:
    """Keep by which quantile rows (B,) decide, where it is one of the model's that decides."""
    derived = columns.rows
    is_quantile = decides_by_quantile(derived["policy"][rows], derived["service_kind"][rows])
    derived["decided_level"][rows] = np.where(is_quantile, derived["service_level"][rows], 0.0)
    derived["decided_units"][rows] = demand.quantile(derived["used_level"][rows])


def decides_by_quantile(policy: UInt8s, kind: UInt8s) -> Bools:
    """Return which keys (B,) take a quantile of the forecast for their level: only those can be calibrated."""
    return np.asarray((policy != Policy.MIN_MAX) & ((kind == ServiceKind.CYCLE) | (kind == ServiceKind.NEWSVENDOR)))


def used_levels(state: PartitionState, columns: ForecastColumns, rows: Int64s, targets: Targets) -> Float64s:
    """Return the levels that rows (B,) decide by: their targets, calibrated if the plan says so."""
    if not state.plan.calibrates:
        return targets.level
    shift = columns.account["shift"][0][columns.rows["traits"][rows]]
    is_quantile = decides_by_quantile(targets.policy, targets.kind)
    return np.where(is_quantile, calibrated_level(targets.level, shift), targets.level)


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
