"""Several models on one backtest: each fitted once before the first origin, advanced, and scored like the others.

A model is fitted here by one of `trainers`, or is a version that exists. One
that cannot be fitted is left out with its reason; the others go on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from model_store.artifact import Artifact
from model_store.errors import ModelStoreError
from model_store.training.backtest import Backtest
from model_store.training.cold_start import with_priors
from model_store.training.errors import UnusableHistory
from model_store.training.evaluate import Origins, lead_forecasts
from model_store.training.history import DemandHistory
from model_store.training.plan import Clock, RunPlan
from model_store.training.progress import Reporter
from model_store.training.scoring import Actuals, LeadForecasts, actuals_of
from model_store.training.stock_value import StockValue, stock_value
from model_store.training.trainers import Trainer
from replenishment.forecaster import Forecaster


@dataclass(frozen=True, slots=True)
class Effort:
    """What a model cost.

    Attributes:
        fit_seconds: To fit it, all fits together.
        step_seconds: To advance it and read its forecasts.
        steps: Buckets times keys that it was advanced by.
        memory_bytes: Carried per key from bucket to bucket.
    """

    fit_seconds: float
    step_seconds: float
    steps: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Rolled:
    """Forecasts of a model for the keys it saw, what it cost, and whether it had learnt from what it was scored on."""

    forecasts: LeadForecasts
    effort: Effort
    has_seen_scored: bool = False


class Candidate(Protocol):
    """A model that can be rolled over a history."""

    def __call__(self, seen: DemandHistory, origins: Origins, reporter: Reporter, clock: Clock) -> Rolled:
        """Return its forecasts at origins of a history of K keys; see `LeadForecasts`.

        Raises:
            ModelStoreError: If it cannot be fitted or does not fit.
        """
        ...


@dataclass(frozen=True, slots=True)
class Comparing:
    """What an evaluation found; all by model in the order they were named."""

    backtest: Backtest
    actuals: Actuals
    forecasts: Mapping[str, LeadForecasts]
    efforts: Mapping[str, Effort]
    not_evaluated: Mapping[str, str] = field(default_factory=dict)
    have_seen_scored: Sequence[str] = ()
    stock: Mapping[str, StockValue] = field(default_factory=dict)


def compare(
    backtest: Backtest,
    candidates: Mapping[str, Candidate],
    reporter: Reporter,
    clock: Clock,
    stock_lead: int | None = None,
) -> Comparing:
    """Roll every candidate over a backtest.

    Args:
        backtest: Demand and origins.
        candidates: By name.
        reporter: Who shows progress.
        clock: Seconds since some instant.
        stock_lead: Lead time in buckets for which to simulate stock from the first origin to the end; None: not at all.

    Raises:
        UnusableHistory: If none of them could be evaluated, with the reason of each.
    """
    wanted = backtest.origins if stock_lead is None else _every_bucket(backtest, stock_lead)
    places = _places(backtest.origins, wanted)
    actuals = actuals_of(backtest.actual, backtest.origins)
    forecasts, efforts, failed, seen, stock = {}, {}, {}, [], {}
    for name, candidate in candidates.items():
        try:
            rolled = candidate(backtest.seen, wanted, reporter, clock)
        except ModelStoreError as error:
            failed[name] = str(error)
            reporter.say(f"{name} is not evaluated: {error}")
            continue
        made = rolled.forecasts.of_rows(backtest.seen_rows)
        forecasts[name], efforts[name] = made.at(*places), rolled.effort
        if stock_lead is not None:
            stock[name] = _stock(backtest, actuals, made, wanted, stock_lead)
        if rolled.has_seen_scored:
            seen.append(name)
    if not forecasts:
        raise UnusableHistory("no model could be evaluated: " + "; ".join(f"{n}: {why}" for n, why in failed.items()))
    return Comparing(backtest, actuals, forecasts, efforts, failed, tuple(seen), stock)


def _every_bucket(backtest: Backtest, stock_lead: int) -> Origins:
    """Origins at every bucket from the first one to the end of demand, with the lead that stock is held for."""
    leads = tuple(sorted({*backtest.origins.leads, stock_lead + 1}))
    return Origins(tuple(range(backtest.origins.columns[0], backtest.actual.buckets)), leads)


def _places(chosen: Origins, among: Origins) -> tuple[list[int], list[int]]:
    """Places of origins and leads among others."""
    columns = [among.columns.index(column) for column in chosen.columns]
    return columns, [among.leads.index(lead) for lead in chosen.leads]


def _stock(backtest: Backtest, actuals: Actuals, made: LeadForecasts, wanted: Origins, stock_lead: int) -> StockValue:
    return stock_value(
        backtest.actual,
        made,
        wanted.columns[0],
        lead_place=wanted.leads.index(stock_lead + 1),
        lead_buckets=stock_lead,
        rows=np.asarray(actuals.top.any(axis=1)),
    )


def fitted_candidate(trainer: Trainer, plan: RunPlan, *, refits: bool = False) -> Candidate:
    """Return what fits a model before the first origin, or with ``refits`` before each."""

    def rolled(seen: DemandHistory, origins: Origins, reporter: Reporter, clock: Clock) -> Rolled:
        parts = [Origins((column,), origins.leads) for column in origins.columns] if refits else [origins]
        return joined([_fitted_once(trainer, plan, seen, part, reporter=reporter, clock=clock) for part in parts])

    return rolled


def _fitted_once(
    trainer: Trainer, plan: RunPlan, seen: DemandHistory, origins: Origins, *, reporter: Reporter, clock: Clock
) -> Rolled:
    begun = clock()
    learnt = seen.until(origins.columns[0])
    trained = with_priors(trainer(learnt, plan, reporter, clock, float("inf")), learnt)
    forecaster = trained.draft.forecaster()
    fit_seconds, stage = clock() - begun, reporter.stage(f"evaluating {plan.kind}")
    return _rolled(forecaster, seen, origins, stage=stage, clock=clock, fit_seconds=fit_seconds)


def version_candidate(found: Artifact, begins_at: Callable[[int], int]) -> Candidate:
    """Return a version as a candidate; it is not fitted.

    Args:
        found: The version.
        begins_at: Start of the bucket at a column, epoch milliseconds, to tell what the version had seen.
    """

    def rolled(seen: DemandHistory, origins: Origins, reporter: Reporter, clock: Clock) -> Rolled:
        found.require_fits(seen.width, found.manifest.spec.context_buckets)
        stage = reporter.stage(f"evaluating {found.version}")
        done = _rolled(found.forecaster(), seen, origins, stage=stage, clock=clock)
        has_seen = found.manifest.data_until_at > begins_at(origins.columns[0])
        return Rolled(done.forecasts, done.effort, has_seen)

    return rolled


def _rolled(
    forecaster: Forecaster,
    seen: DemandHistory,
    origins: Origins,
    *,
    stage: Callable[[float, float], None],
    clock: Clock,
    fit_seconds: float = 0.0,
) -> Rolled:
    begun = clock()
    made = lead_forecasts(forecaster, seen, origins, stage)
    first = max(origins.columns[0] - forecaster.context_buckets, 0)
    steps = sum(seen.born_by(column) for column in range(first, origins.columns[-1]))
    return Rolled(made, Effort(fit_seconds, clock() - begun, steps, 4 * forecaster.memory_floats))


def joined(parts: Sequence[Rolled]) -> Rolled:
    """Return forecasts at several origins, each from a part of its own, as one."""
    if len(parts) == 1:
        return parts[0]
    forecasts = LeadForecasts(
        np.concatenate([part.forecasts.quantiles for part in parts], axis=1),
        np.concatenate([part.forecasts.mean for part in parts], axis=1),
    )
    efforts = [part.effort for part in parts]
    effort = Effort(
        sum(one.fit_seconds for one in efforts),
        sum(one.step_seconds for one in efforts),
        sum(one.steps for one in efforts),
        efforts[0].memory_bytes,
    )
    return Rolled(forecasts, effort, any(part.has_seen_scored for part in parts))
