"""What a forecast costs on the shelf of each key: held units against lost ones, at the levels that decisions use.

The policy is that of `stock_value`: order up to the quantile of a level, review
at each bucket's end, sales lost where there is no stock. A unit left at a
bucket's end costs 1 - level, a unit lost costs level: the prices at which that
level is the right one.

Source: Snyder & Shen, Fundamentals of Supply Chain Theory, 2nd ed., section 4.3 (critical ratio p / (p + h)).
"""

from collections.abc import Sequence

import numpy as np

from model_store.training.history import DemandHistory
from model_store.training.scoring import TABLE_LEVELS, LeadForecasts
from model_store.training.stock_value import shelf
from replenishment.arrays import Float64s


def stock_costs(
    actual: DemandHistory,
    forecasts: LeadForecasts,
    first: int,
    *,
    lead_place: int,
    lead_buckets: int,
    levels: Sequence[float],
) -> Float64s:
    """Return the cost of each key over the buckets from ``first`` on, mean over levels, (K,); NaN without a forecast.

    Args:
        actual: Demand that came, keys (K,).
        forecasts: At every bucket from ``first`` to the end.
        first: Column of the first simulated bucket.
        lead_place: Place of the lead that demand is covered over.
        lead_buckets: That lead: from one review to the arrival of what the next one orders.
        levels: Some of `TABLE_LEVELS`.
    """
    demand = actual.demand_units[:, first:].astype(np.float64)
    whole = forecasts.is_there[:, :, lead_place].all(axis=1)
    costs = np.full(len(demand), np.nan)
    costs[whole] = 0.0
    for level in levels:
        target = forecasts.quantiles[whole, :, lead_place, TABLE_LEVELS.index(level)].astype(np.float64)
        sold, stock = shelf(demand[whole], np.ceil(target - 1e-6), lead_buckets - 1)
        costs[whole] += ((1 - level) * stock + level * (demand[whole].sum(axis=1) - sold)) / len(levels)
    return costs
