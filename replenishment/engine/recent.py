"""What the window says of a key's recent demand: the facts of the textbook's levels."""

import numpy as np

from replenishment.arrays import Int64s
from replenishment.engine.plan import Plan
from replenishment.engine.state import PartitionState
from replenishment.policy import RecentDemand, recent_demand
from replenishment.policy.textbook import HISTORY_DAYS


def recent_of(state: PartitionState, rows: Int64s) -> RecentDemand:
    """Return mean and deviation of the closed buckets of the last 28 days of rows (B,), none before a key's first."""
    length = _history_buckets(state.plan)
    closed, born = state.window["closed_bucket"][rows], state.window["born_bucket"][rows]
    columns = (closed[:, None] - np.arange(length - 1, -1, -1)) % state.plan.window_buckets
    window = state.window["units"][rows]
    # at a closing all keys end with one bucket: whole columns are taken several times faster than single cells
    is_same = bool(np.all(closed == closed[:1]))
    recent = window[:, columns[0]] if is_same else np.take_along_axis(window, columns, axis=1)
    units = np.maximum(recent, 0).astype(np.float64)
    return recent_demand(units, np.clip(closed - born + 1, 0, length))


def _history_buckets(plan: Plan) -> int:
    """Return how many buckets make 28 days: at least two, at most the window."""
    return min(max(round(HISTORY_DAYS * 86_400 / plan.width.seconds), 2), plan.window_buckets)
