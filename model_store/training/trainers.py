"""What can be fitted: a new model is one function and one line here.

A model is a name that people choose; the kind it becomes is in its spec
(several models may be of one kind). Nets are fitted by TensorFlow, which is
loaded when the first of them is asked for.
"""

from collections.abc import Callable, Mapping

from model_store.training import classical
from model_store.training.history import DemandHistory
from model_store.training.plan import Clock, RunPlan, Trained
from model_store.training.progress import Reporter
from model_store.training.sufficiency import require_learnable

Trainer = Callable[[DemandHistory, RunPlan, Reporter, Clock, float], Trained]
"""Makes a version of a history; the last argument is the instant of the clock by which a long fit should end."""


def _learned(learnt: DemandHistory, plan: RunPlan, reporter: Reporter, clock: Clock, fit_by: float) -> Trained:
    require_learnable(learnt, plan.wanted_grid.horizons_buckets[-1])
    from model_store.training.learned import fitted  # noqa: PLC0415 - loads TensorFlow

    return fitted(learnt, plan, reporter, clock=clock, fit_by=fit_by)


TRAINERS: Mapping[str, Trainer] = {
    "exponential_smoothing": classical.exponential_smoothing,
    "lstm": _learned,
    "moving_average": classical.moving_average,
    "seasonal_least_squares": classical.seasonal_least_squares,
    "seasonal_naive": classical.seasonal_naive,
    "tsb": classical.tsb,
}


def is_learned(name: str) -> bool:
    """Return whether a model is a net, which needs many keys to learn from."""
    return TRAINERS[name] is _learned
