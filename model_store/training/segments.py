"""Groups of keys that are looked at apart, as they stood before the first origin; a key may be in several.

The rules are those of the stream: replenishment/segments.py.
"""

import numpy as np

from model_store.training.history import DemandHistory
from model_store.training.scoring import Actuals
from replenishment.arrays import Bools
from replenishment.segments import is_intermittent, leading_units

SEGMENTS = ("established", "new", "fast", "slow", "intermittent")


def segments_of(history: DemandHistory, actuals: Actuals, first: int) -> dict[str, Bools]:
    """Return which keys are in each segment, (K,).

    Args:
        history: Demand that came.
        actuals: The same at the origins.
        first: Column of the first origin.

    Returns:
        ``established`` (first line 60 buckets before the first origin) and ``new`` (the others that were
        forecast at some origin); of the keys born before the first origin ``fast`` (the fewest that make up 80 % of
        the units), ``slow`` (the others) and ``intermittent``.
    """
    before = history.demand_units[:, :first].astype(np.float64)
    units, sold = before.sum(axis=1), (before > 0).sum(axis=1)
    known = history.born < first
    age = np.maximum(first - history.born, 1)
    fast = known & (units > 0) & (units >= leading_units(units))
    return {
        "established": actuals.is_established,
        "new": ~actuals.is_established & actuals.is_scored.any(axis=(1, 2)),
        "fast": fast,
        "slow": known & ~fast,
        "intermittent": known & is_intermittent(age, sold),
    }
