"""Makes classical versions: no net, a few numbers, chosen by pinball loss on the last buckets that are learnt from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from model_store.artifact import Draft
from model_store.kinds.moving_average import FALLBACK_WINDOW_BUCKETS
from model_store.kinds.seasonal_least_squares import weight_name
from model_store.spec import DEFAULT_CONTEXT_BUCKETS, ModelSpec, buckets_per_day
from model_store.training.evaluate import evaluate, held_out, mean_spb
from model_store.training.history import DemandHistory
from model_store.training.lag_fit import fitted_weights
from model_store.training.plan import Clock, RunPlan, Trained, created_by
from model_store.training.progress import Reporter

GAINS = (0.02, 0.05, 0.1, 0.2)
SPREADS = (1.0, 1.5, 2.5, 4.0)
MOST_KEYS = 300
"""Keys that parameters are chosen on."""
_DAYS = 7


def moving_average(learnt: DemandHistory, plan: RunPlan, _reporter: Reporter, clock: Clock, _fit_by: float) -> Trained:
    """Return the textbook's forecast over the last 28 buckets; there is nothing to fit."""
    parameters = {"window_buckets": float(FALLBACK_WINDOW_BUCKETS)}
    spec = ModelSpec("moving_average", learnt.width, plan.wanted_grid, FALLBACK_WINDOW_BUCKETS, None, parameters)
    return _trained(spec, learnt, clock(), clock)


def exponential_smoothing(
    learnt: DemandHistory, plan: RunPlan, reporter: Reporter, clock: Clock, _fit_by: float
) -> Trained:
    """Return simple exponential smoothing with the best gain."""
    begun = clock()
    spec = _spec("exponential_smoothing", learnt, plan, {"gain": 0.1})
    return _trained(_chosen(spec, learnt, ({"gain": gain} for gain in GAINS), reporter), learnt, begun, clock)


def tsb(learnt: DemandHistory, plan: RunPlan, reporter: Reporter, clock: Clock, _fit_by: float) -> Trained:
    """Return TSB with the best gains, then the best spread."""
    begun = clock()
    spec = _spec("tsb", learnt, plan, {"probability_gain": 0.1, "size_gain": 0.1, "spread": 1.0})
    both = ({"probability_gain": gain, "size_gain": gain} for gain in GAINS)
    spec = _chosen(spec, learnt, both, reporter)
    return _trained(_chosen(spec, learnt, _spreads(), reporter), learnt, begun, clock)


def seasonal_naive(learnt: DemandHistory, plan: RunPlan, reporter: Reporter, clock: Clock, _fit_by: float) -> Trained:
    """Return the mean of the last one to four seasons, the best number of them, then the best spread."""
    begun, season = clock(), season_of(learnt)
    parameters = {"season_buckets": float(season), "seasons": 1.0, "spread": 1.0}
    specs = [
        ModelSpec("seasonal_naive", learnt.width, plan.wanted_grid, season * many, None, parameters | {"seasons": many})
        for many in (1, 2, 4)
        if season * many <= DEFAULT_CONTEXT_BUCKETS
    ]
    spec = _best(specs, learnt, reporter)
    return _trained(_chosen(spec, learnt, _spreads(), reporter), learnt, begun, clock)


def seasonal_least_squares(
    learnt: DemandHistory, plan: RunPlan, reporter: Reporter, clock: Clock, _fit_by: float
) -> Trained:
    """Return weights of the last four seasons by least squares, with the best spread."""
    begun, season = clock(), season_of(learnt)
    lags = min(4 * season if season > 1 else 8, DEFAULT_CONTEXT_BUCKETS, max(learnt.buckets // 3, 2))
    weights = fitted_weights(learnt, lags, plan.seed)
    parameters = {weight_name(lag): float(weight) for lag, weight in enumerate(weights, 1)} | {"spread": 1.0}
    spec = ModelSpec("seasonal_least_squares", learnt.width, plan.wanted_grid, lags, None, parameters)
    return _trained(_chosen(spec, learnt, _spreads(), reporter), learnt, begun, clock)


def season_of(learnt: DemandHistory) -> int:
    """Return the season that a history can show: a week of days, a day of shorter buckets, else none (1).

    A season counts once there are two of it.
    """
    per_day = buckets_per_day(learnt.width)
    season = _DAYS if per_day == 1 else per_day
    return season if 1 < season <= DEFAULT_CONTEXT_BUCKETS and learnt.buckets >= 2 * season else 1


def _spec(kind: str, learnt: DemandHistory, plan: RunPlan, parameters: dict[str, float]) -> ModelSpec:
    return ModelSpec(kind, learnt.width, plan.wanted_grid, DEFAULT_CONTEXT_BUCKETS, None, parameters)


def _spreads() -> Iterable[Mapping[str, float]]:
    return ({"spread": spread} for spread in SPREADS)


def _chosen(
    spec: ModelSpec, learnt: DemandHistory, choices: Iterable[Mapping[str, float]], reporter: Reporter
) -> ModelSpec:
    """Return the spec with the best of several changes of its parameters."""
    return _best([replace(spec, parameters=spec.parameters | dict(one)) for one in choices], learnt, reporter)


def _best(specs: Sequence[ModelSpec], learnt: DemandHistory, reporter: Reporter) -> ModelSpec:
    """Return the spec with the lowest scaled pinball loss on the last buckets; the first if those are too few."""
    tried = learnt.of_rows(np.arange(0, len(learnt.keys), -(-len(learnt.keys) // MOST_KEYS)))
    horizons = specs[0].grid.horizons_buckets
    if learnt.buckets < 3 * horizons[-1]:
        return specs[0]
    origins = held_out(learnt.buckets, horizons)
    if not tried.born_by(origins.columns[0] - 1):
        return specs[0]
    stage, losses = reporter.stage(f"fitting {specs[0].kind}"), []
    for place, spec in enumerate(specs):
        losses.append(mean_spb(evaluate(_draft(spec, learnt).forecaster(), tried, origins)))
        stage(place + 1, len(specs))
    return specs[int(np.argmin(losses))]


def _draft(spec: ModelSpec, learnt: DemandHistory) -> Draft:
    return Draft(spec, {}, learnt.start_at, learnt.end_at, created_by=created_by())


def _trained(spec: ModelSpec, learnt: DemandHistory, begun: float, clock: Clock) -> Trained:
    figures = {
        "keys_learnt": len(learnt.keys),
        "buckets_learnt": learnt.buckets,
        "fit_seconds": round(clock() - begun, 1),
    }
    return Trained(_draft(spec, learnt), figures)
