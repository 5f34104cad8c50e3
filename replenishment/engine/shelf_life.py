"""What keys whose goods perish are expected to sell until an order that is placed now perishes."""

import numpy as np

from replenishment.arrays import Float32s, Int64s, Records
from replenishment.engine.intervals import Intervals, shelf_life_units
from replenishment.engine.plan import Plan
from replenishment.lead_time import buckets_of_days
from replenishment.quantiles import QuantileGrid


def set_shelf_life(
    derived: Records,
    rows: Int64s,
    terms: Records,
    grid: QuantileGrid,
    quantiles: Float32s,
    intervals: Intervals,
    plan: Plan,
) -> None:
    """Keep what is expected to sell before it perishes; keys whose goods keep cost nothing."""
    derived["shelf_life_days"][rows] = terms["shelf_life_days"]
    some = np.flatnonzero(terms["shelf_life_days"] > 0)
    if len(some):
        buckets = buckets_of_days(terms["shelf_life_days"][some], plan.width)
        sells = shelf_life_units(grid, quantiles[some], intervals.take(some), buckets)
        # rounded before whole units are made of it: a last bit must not cost one
        derived["shelf_life_units"][rows[some]] = np.floor(np.round(sells, 3))
