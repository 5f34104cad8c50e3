"""Whether a history is enough to learn from; if not, what is lacking and what to do, in one sentence."""

import numpy as np

from model_store.training.errors import UnusableHistory
from model_store.training.evaluate import Origins
from model_store.training.history import DemandHistory

SHORTEST_HORIZONS = 3
"""A history is at least this many times as long as the longest horizon."""
LEAST_KEYS = 2
LEAST_SOLD_CELLS = 100


def require_enough(history: DemandHistory, origins: Origins) -> None:
    """Require that a net can be learnt from the buckets before the first origin and scored on the others.

    Raises:
        UnusableHistory: If there are too few buckets, keys or sales.
    """
    require_long(history, origins)
    require_sold(history.until(origins.columns[0]))


def require_learnable(learnt: DemandHistory, longest: int) -> None:
    """Require that a net can be learnt from all of a history, to forecast up to ``longest`` buckets ahead.

    Raises:
        UnusableHistory: If there are too few buckets, keys or sales.
    """
    least = SHORTEST_HORIZONS * longest
    if learnt.buckets < least:
        raise UnusableHistory(
            f"a net that forecasts {longest} buckets ahead learns from {least} or more, and there are {learnt.buckets} "
            f"before {_shown(learnt.end_at)}. Begin later, choose shorter leads or narrower buckets"
        )
    require_sold(learnt)


def require_sold(learnt: DemandHistory) -> None:
    """Require keys and sales enough for a net.

    Raises:
        UnusableHistory: If there are too few.
    """
    until = _shown(learnt.end_at)
    sold = int(np.count_nonzero(learnt.demand_units))
    if not sold:
        raise UnusableHistory(
            f"all demand before {until} is zero ({len(learnt.keys)} stock keys, {learnt.buckets} buckets). "
            "Check the quantities, and that cancellations do not take everything back"
        )
    if len(learnt.keys) < LEAST_KEYS:
        raise UnusableHistory(
            f"there is one stock key before {until}, {learnt.keys[0].decode()}, and a net learns from many. "
            "Read more SKUs; until then what serves now goes on serving"
        )
    if sold < LEAST_SOLD_CELLS:
        raise UnusableHistory(
            f"only {sold} buckets before {until} have demand, {LEAST_SOLD_CELLS} are needed. "
            "Read more SKUs or a longer history, or choose wider buckets"
        )


def require_long(history: DemandHistory, origins: Origins) -> None:
    """Require that a history is long enough for its longest lead.

    Raises:
        UnusableHistory: If it is not.
    """
    longest, seconds = origins.leads[-1], history.width.seconds
    least = SHORTEST_HORIZONS * longest
    if history.buckets < least:
        raise UnusableHistory(
            f"the history has {history.buckets} buckets of {seconds} s, from {_shown(history.start_at)} to "
            f"{_shown(history.end_at)}; forecasting {longest} ahead needs {least}. Train again from "
            f"{_shown(history.start_at + least * seconds * 1000)} on, or choose narrower buckets"
        )


def _shown(at: int) -> str:
    return f"{np.datetime64(at, 'ms').astype('datetime64[m]')}Z"
