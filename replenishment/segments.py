"""Kinds of keys that are looked at apart, the same in evaluation and in the stream; a key may be in several.

Sources:
    Syntetos, Boylan & Croston, On the categorization of demand patterns, JORS 56, 2005 (intermittent: more than
    1.32 buckets from one demand to the next in the mean); Silver, Pyke & Thomas, 4th ed., section 2.3 (ABC).
"""

from collections.abc import Mapping
from enum import IntFlag

import numpy as np

from replenishment.arrays import Bools, Float64s, Int64s, UInt8s

INTERMITTENT_INTERVAL = 1.32
FAST_SHARE = 0.8
ESTABLISHED_BUCKETS = 60


class Traits(IntFlag):
    """What a key is; none of them = new and slow."""

    ESTABLISHED = 1
    FAST = 2
    INTERMITTENT = 4


CELLS = 8
"""How many combinations of traits there are."""
SEGMENTS: Mapping[str, tuple[int, ...]] = {
    "all": tuple(range(CELLS)),
    "established": tuple(cell for cell in range(CELLS) if cell & Traits.ESTABLISHED),
    "new": tuple(cell for cell in range(CELLS) if not cell & Traits.ESTABLISHED),
    "fast": tuple(cell for cell in range(CELLS) if cell & Traits.FAST),
    "slow": tuple(cell for cell in range(CELLS) if not cell & Traits.FAST),
    "intermittent": tuple(cell for cell in range(CELLS) if cell & Traits.INTERMITTENT),
}
"""Which combinations of traits make up each segment."""


def traits_of(age_buckets: Int64s, units: Float64s, sold_buckets: Int64s, fast_units: float, kept: int) -> UInt8s:
    """Return ``Traits`` of keys (B,).

    Args:
        age_buckets: Closed buckets since each key's first one, at least 1.
        units: Demand in the buckets that are kept, at least 0.
        sold_buckets: How many of those had demand.
        fast_units: Least units of a fast key, as ``leading_units`` gives it.
        kept: How many buckets are kept at most.

    Example:
        >>> traits_of(np.array([90, 20]), np.array([80.0, 4.0]), np.array([90, 4]), 50.0, 112).tolist()
        [3, 4]
    """
    traits = np.where(age_buckets >= ESTABLISHED_BUCKETS, Traits.ESTABLISHED, 0)
    traits |= np.where((units > 0) & (units >= fast_units), Traits.FAST, 0)
    traits |= np.where(is_intermittent(np.minimum(age_buckets, kept), sold_buckets), Traits.INTERMITTENT, 0)
    return traits.astype(np.uint8)


def is_intermittent(buckets: Int64s, sold_buckets: Int64s) -> Bools:
    """Return whether keys (B,) sell too rarely, given in how many of how many buckets they sold."""
    return np.asarray(buckets > INTERMITTENT_INTERVAL * np.maximum(sold_buckets, 1))


def leading_units(units: Float64s, share: float = FAST_SHARE) -> float:
    """Return the least units of the fewest keys that make up a share of all units (K,); infinite if nothing sold.

    Example:
        >>> leading_units(np.array([70.0, 5.0, 20.0, 5.0]))
        20.0
    """
    falling = np.sort(units)[::-1]
    leading = np.flatnonzero((np.cumsum(falling) - falling < share * units.sum()) & (falling > 0))
    return float(falling[leading[-1]]) if len(leading) else float("inf")
