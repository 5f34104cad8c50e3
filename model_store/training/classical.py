"""Makes classical versions: no net, a few numbers, chosen on the last buckets of what is learnt from."""

from model_store.artifact import Draft
from model_store.kinds.moving_average import FALLBACK_WINDOW_BUCKETS
from model_store.spec import ModelSpec
from model_store.training.history import DemandHistory
from model_store.training.plan import Clock, RunPlan, Trained, created_by
from model_store.training.progress import Reporter


def moving_average(learnt: DemandHistory, plan: RunPlan, _reporter: Reporter, _clock: Clock, _fit_by: float) -> Trained:
    """Return the textbook's forecast over the last 28 buckets; there is nothing to fit."""
    parameters = {"window_buckets": float(FALLBACK_WINDOW_BUCKETS)}
    spec = ModelSpec("moving_average", learnt.width, plan.wanted_grid, FALLBACK_WINDOW_BUCKETS, None, parameters)
    return _trained(spec, learnt)


def _trained(spec: ModelSpec, learnt: DemandHistory) -> Trained:
    figures = {"keys_learnt": len(learnt.keys), "buckets_learnt": learnt.buckets}
    return Trained(Draft(spec, {}, learnt.start_at, learnt.end_at, created_by=created_by()), figures)
