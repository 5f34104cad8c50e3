"""What plans add to a forecast: the same step once more, as if nothing were planned."""

from dataclasses import replace

import numpy as np

from replenishment.arrays import Float32s, Float64s, Int64s
from replenishment.engine.intervals import intervals_of, protection_demand
from replenishment.engine.state import PartitionState
from replenishment.forecaster import ClosedBucket, Forecast, Forecaster


def planned_units(
    state: PartitionState,
    forecaster: Forecaster,
    closed: ClosedBucket,
    memory: Float32s,
    forecast: Forecast,
    rows: Int64s,
) -> Float64s:
    """Return the part of expected demand over the protection interval that is due to plans, (B,); below 0 = less.

    Only keys with plans ahead are stepped again. What a plan of the past did
    to the memory is part of both forecasts.

    Args:
        state: With the terms that levels are set under.
        forecaster: Who made the forecast.
        closed: The bucket it was made after, of rows (B,), as it was told.
        memory: Of rows before the step, (B, S).
        forecast: What the step yielded.
        rows: Which keys.
    """
    units = np.zeros(len(rows))
    known = closed.known_ahead
    if known is None:
        return units
    planned = np.flatnonzero(np.isfinite(known.values[:, 1:]).any(axis=(1, 2)))
    if not len(planned):
        return units
    some = replace(closed.of_rows(planned), known_ahead=known.of_rows(planned).without_plans())
    unplanned = forecaster.step(some, memory[planned])
    own = rows[planned]
    intervals = intervals_of(state, forecaster, own)
    with_plans, without = (
        protection_demand(forecaster.grid, quantiles, intervals).mean()
        for quantiles in (forecast.quantiles[planned], unplanned.quantiles)
    )
    units[planned] = with_plans - without
    return units
