"""A model fitted once on the buckets before a simulation; the only place that loads TensorFlow here."""

import time

import numpy as np
import polars as pl

from model_store.training.errors import TrainingFailed, UnusableHistory
from model_store.training.orders_file import history_of
from model_store.training.plan import LEAST_STEPS, RunPlan
from model_store.training.progress import on_stderr
from model_store.training.trainers import known_models, trainer_of
from replenishment.closed_loop.world import Lines, Period
from replenishment.engine.columns import LineKind
from replenishment.forecaster import Forecaster
from stream_app.errors import ConfigError
from stream_app.simulate.availability import KnownAvailability
from stream_app.simulate.planned import Planned


def can_fit(name: str) -> bool:
    """Return whether a name is that of a model which can be fitted, as ``model-store train --kind`` has them."""
    return trainer_of(name) is not None


def fitted(
    name: str,
    lines: Lines,
    period: Period,
    planned: Planned | None = None,
    available: KnownAvailability | None = None,
) -> Forecaster:
    """Return a model fitted on what was known when the period began; same lines, plans and facts, same forecaster.

    Raises:
        ConfigError: If what is before the period is too little to learn from.
    """
    trainer = trainer_of(name)
    if trainer is None:
        raise ConfigError([f"--model {name}: no such model; there are {known_models()}"])
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
            if available is not None:
                history = available.learnt_with(history)
            plan = RunPlan(kind=name, least_steps=LEAST_STEPS)
            if planned is not None:
                history = planned.learnt_with(history, plan.wanted_grid.horizons_buckets[-1])
            made = trainer(history, plan, reporter, time.monotonic, float("inf"))
            return made.draft.forecaster()
    except (TrainingFailed, UnusableHistory, ValueError) as wrong:
        raise ConfigError([f"--model {name}: {wrong}"]) from wrong
