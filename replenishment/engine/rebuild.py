"""Memory of another model version from the windows, chunk by chunk beside the stream, and the flip to it."""

import numpy as np

from replenishment.arrays import Int64s
from replenishment.engine.availability import ratio_of
from replenishment.engine.closing import set_levels
from replenishment.engine.effects import Effects
from replenishment.engine.rows import NEVER
from replenishment.engine.state import ForecastColumns, PartitionState
from replenishment.engine.turn import Turn, settle
from replenishment.engine.uplift import planned_units
from replenishment.forecaster import ClosedBucket, Forecast, Forecaster


def begin_rebuild(state: PartitionState, incoming: Forecaster) -> None:
    """Make room for another version; one that was being rebuilt before is forgotten, its rows are dropped."""
    abandon(state)
    columns = state.incoming = ForecastColumns.of(incoming, len(state.hot))
    columns.account = state.accounts.pop(incoming.version, columns.account)


def abandon(state: PartitionState) -> None:
    """Forget the incoming version; the next turn drops its rows. Its account waits for it until another one flips."""
    if state.incoming is not None:
        state.abandoned.append(state.incoming.table.name)
        state.accounts[state.incoming.version] = state.incoming.account
        state.incoming = None


def dismiss(state: PartitionState) -> Effects:
    """Forget the incoming version with all that is known of its forecasts: one turn."""
    dismissed = [] if state.incoming is None else [state.incoming.version]
    abandon(state)
    for version in dismissed:
        del state.accounts[version]
    return settle(state, Turn(is_scored=True, forgotten=dismissed))


def rebuild_chunk(state: PartitionState, incoming: Forecaster, at_most_keys: int) -> Effects | None:
    """Step up to ``at_most_keys`` rows through their windows and write them: one turn, None when all are stepped.

    Raises:
        ValueError: If ``incoming`` is not the version being rebuilt.
    """
    columns = state.incoming
    if columns is None or columns.version != incoming.version:
        raise ValueError(f"version {incoming.version} is not being rebuilt; call begin_rebuild first")
    rows = _lagging(state, columns)[:at_most_keys]
    if not len(rows):
        return None
    _warm(state, columns, incoming, rows)
    return settle(state, Turn(incoming=[rows]))


def flip(state: PartitionState) -> Effects:
    """Make the incoming version the champion, in one turn that also drops the old version's rows.

    Raises:
        ValueError: If nothing is incoming or rows are not stepped yet.
    """
    columns = state.incoming
    if columns is None or len(_lagging(state, columns)):
        raise ValueError(f"partition {state.partition} has rows to rebuild before it can flip")
    # a version may come back under its own name: its rows were just written anew
    if state.champion.table.name != columns.table.name:
        state.abandoned.append(state.champion.table.name)
    others = {state.champion.version, *state.accounts} - {columns.version}
    state.champion, state.incoming, state.accounts = columns, None, {}
    state.move(model_version=columns.version, quantile_levels=columns.levels)
    return settle(state, Turn(is_scored=True, forgotten=sorted(others)))


def pending_keys(state: PartitionState) -> int:
    """Return how many keys the incoming version must still be stepped for, 0 if none is incoming."""
    return 0 if state.incoming is None else len(_lagging(state, state.incoming))


def _lagging(state: PartitionState, columns: ForecastColumns) -> Int64s:
    """Rows with closed buckets that the version has not been stepped through."""
    rows = np.arange(state.keys.count)
    window = state.window[: state.keys.count]
    has_window = (window["born_bucket"] != NEVER) & (window["closed_bucket"] >= window["born_bucket"])
    is_behind = columns.rows["stepped_bucket"][rows] != window["closed_bucket"]
    return np.asarray(rows[has_window & is_behind])


def _warm(state: PartitionState, columns: ForecastColumns, incoming: Forecaster, rows: Int64s) -> None:
    """Step rows (B,) from a memory of zeros through the buckets that their windows and the context hold."""
    born, last = state.window["born_bucket"][rows], state.window["closed_bucket"][rows]
    depth = min(incoming.context_buckets, state.plan.window_buckets)
    first = np.maximum(born, last - depth + 1)
    memory = np.zeros((len(rows), incoming.memory_floats), dtype=np.float32)
    grid = incoming.grid
    quantiles = np.zeros((len(rows), len(grid.horizons_buckets), len(grid.levels)), dtype=np.float32)
    for bucket in range(int(first.min()), int(last.max()) + 1):
        inside = np.flatnonzero((first <= bucket) & (bucket <= last))
        closed = _observed(state, bucket, rows[inside], grid.horizons_buckets[-1])
        forecast = incoming.step(closed, memory[inside])
        at_end = np.flatnonzero(last[inside] == bucket)
        if len(at_end):
            ended = rows[inside[at_end]]
            made = Forecast(forecast.quantiles[at_end], forecast.memory[at_end])
            uplift = planned_units(state, incoming, closed.of_rows(at_end), memory[inside[at_end]], made, ended)
            columns.rows["planned_units"][ended] = uplift
        memory[inside], quantiles[inside] = forecast.memory, forecast.quantiles
    columns.rows["memory"][rows] = memory
    columns.rows["stepped_bucket"][rows] = last
    set_levels(state, columns, incoming, Forecast(quantiles, memory), rows)


def _observed(state: PartitionState, bucket: int, rows: Int64s, reach_buckets: int) -> ClosedBucket:
    """The window's facts of one closed bucket, and what was known when it closed."""
    column = bucket % state.plan.window_buckets
    window = state.window
    return ClosedBucket(
        bucket=bucket,
        demand_units=np.maximum(window["units"][rows, column], 0).astype(np.float32),
        order_lines=window["lines"][rows, column].astype(np.float32),
        available_ratio=ratio_of(window["short_steps"][rows, column]).astype(np.float32),
        age_buckets=(bucket - window["born_bucket"][rows]).astype(np.int32),
        known_ahead=state.signals.known_ahead(bucket, rows, reach_buckets, state.plan.width),
        categories=state.terms["category"][rows],
    )
