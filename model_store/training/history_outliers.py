"""Outlying buckets of a history, found by the rule of the stream with what was before each of them; flagged, kept."""

import numpy as np

from model_store.spec import DEFAULT_CONTEXT_BUCKETS
from model_store.training.cleaning import Finding
from model_store.training.history import DemandHistory
from model_store.training.times import shown
from replenishment.arrays import Bools
from replenishment.outliers import LEAST_OUTLIER_UNITS, outliers

MEANING = "kept, flagged: a bucket far above what this SKU usually sells"
EXAMPLES = 5


def history_outliers(history: DemandHistory, window_buckets: int = DEFAULT_CONTEXT_BUCKETS) -> Bools:
    """Return which buckets (K, T) of a history are outliers, each judged by the ``window_buckets`` before it."""
    found = np.zeros(history.demand_units.shape, dtype=np.bool_)
    for column in range(1, history.buckets):
        some = np.flatnonzero(history.demand_units[:, column] >= LEAST_OUTLIER_UNITS)
        past = history.demand_units[some, max(0, column - window_buckets) : column]
        found[some, column] = outliers(past, history.demand_units[some, column])
    return found


def outliers_found(history: DemandHistory) -> Finding:
    """Return the outlying buckets of a history in the words of the data report."""
    rows, columns = np.nonzero(history_outliers(history))
    units = history.demand_units[rows, columns]
    largest = np.argsort(-units, kind="stable")[:EXAMPLES]
    return Finding(
        rule="outlier",
        meaning=MEANING,
        lines=int(history.order_lines[rows, columns].sum()),
        units=int(units.sum()),
        keys=len(np.unique(rows)),
        examples=tuple(
            f"{history.keys[rows[place]].decode()} {units[place]:.0f} on "
            f"{shown(history.width.start_of(history.first_bucket + int(columns[place])))}"
            for place in largest
        ),
    )
