"""A model fitted once on the buckets before a simulation; the only place that loads TensorFlow here."""

import time

import numpy as np
import polars as pl

from model_store.training import pipeline
from model_store.training.errors import UnusableHistory
from model_store.training.orders_file import history_of
from model_store.training.progress import on_stderr
from replenishment.closed_loop.world import Lines, Period
from replenishment.engine.columns import LineKind
from replenishment.forecaster import Forecaster
from stream_app.errors import ConfigError


def fitted(lines: Lines, period: Period) -> Forecaster:
    """Return an LSTM fitted on what was known when the period began; same lines, same forecaster.

    Raises:
        ConfigError: If what is before the period is too little to learn from.
    """
    known = int(np.searchsorted(lines.occurred_at, period.start_at))
    kinds = np.where(lines.kinds[:known] == LineKind.CANCELLED, "order_cancelled", "order_placed")
    parts = [key.decode().partition("|") for key in lines.keys[:known]]
    frame = pl.DataFrame(
        {
            "location": [location for location, _, _ in parts],
            "sku": [sku for _, _, sku in parts],
            "quantity": lines.units[:known],
            "event_time": lines.occurred_at[:known],
            "type": kinds,
            "placed_at": lines.placed_at[:known],
        }
    ).filter(pl.Series(lines.kinds[:known] != LineKind.TIME_PASSED))
    try:
        with on_stderr() as reporter:
            history = history_of(frame, period.width, "--orders before --from")
            return pipeline.fitted(history, pipeline.RunPlan(), reporter, clock=time.monotonic).draft.forecaster()
    except (UnusableHistory, ValueError) as wrong:
        raise ConfigError([f"--model lstm: {wrong}"]) from wrong
