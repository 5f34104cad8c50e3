"""Groups of keys that are looked at apart, as they stood before the first origin; a key may be in several.

Sources:
    Syntetos, Boylan & Croston, On the categorization of demand patterns, JORS 56, 2005 (intermittent: more than
    1.32 buckets from one demand to the next in the mean); Silver, Pyke & Thomas, 4th ed., section 2.3 (ABC).
"""

import numpy as np

from model_store.training.history import DemandHistory
from model_store.training.scoring import Actuals
from replenishment.arrays import Bools, Float64s

INTERMITTENT_INTERVAL = 1.32
FAST_SHARE = 0.8
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
    fast = known & _leading(units, FAST_SHARE)
    return {
        "established": actuals.is_established,
        "new": ~actuals.is_established & actuals.is_scored.any(axis=(1, 2)),
        "fast": fast,
        "slow": known & ~fast,
        "intermittent": known & (age > INTERMITTENT_INTERVAL * np.maximum(sold, 1)),
    }


def _leading(units: Float64s, share: float) -> Bools:
    """Whether a key is among the fewest that make up a share of all units, (K,)."""
    order = np.argsort(-units, kind="stable")
    before = np.cumsum(units[order]) - units[order]
    leading = np.zeros(len(units), dtype=np.bool_)
    leading[order] = (before < share * units.sum()) & (units[order] > 0)
    return leading
