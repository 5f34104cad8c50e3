"""A trial of forecasters on held-out buckets: stepped once, scored at origins, and their stock simulated in between."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_store.training.evaluate import Origins, Scores, lead_forecasts
from model_store.training.gate import DECISION_LEVELS, Contest
from model_store.training.history import DemandHistory
from model_store.training.paired import change_in, paired_losses
from model_store.training.progress import Stage
from model_store.training.scoring import Actuals, LeadForecasts, actuals_of, scores_of
from model_store.training.stock_cost import stock_costs
from replenishment.arrays import Float64s
from replenishment.forecaster import Forecaster


@dataclass(frozen=True, slots=True)
class Tried:
    """What a forecaster made of the held-out buckets.

    Attributes:
        version: Its version.
        forecasts: At the origins.
        scores: Over the keys of the top figures.
        costs: Of stock of each key, (K,); see `stock_costs`.
    """

    version: str
    forecasts: LeadForecasts
    scores: Scores
    costs: Float64s


@dataclass(frozen=True, slots=True)
class Trial:
    """Held-out buckets, and what came in them.

    Attributes:
        history: Demand up to their end.
        origins: Where forecasts are scored.
        actuals: What came after each origin.
        seed: Of the draws of intervals.
        levels: That decisions use.
    """

    history: DemandHistory
    origins: Origins
    actuals: Actuals
    seed: int = 0
    levels: Sequence[float] = DECISION_LEVELS

    @classmethod
    def of(
        cls, history: DemandHistory, origins: Origins, seed: int, levels: Sequence[float] = DECISION_LEVELS
    ) -> "Trial":
        """Return the trial over the buckets from the first origin on."""
        return cls(history, origins, actuals_of(history, origins), seed, levels)

    @property
    def first(self) -> int:
        """Column of the first held-out bucket."""
        return self.origins.columns[0]

    @property
    def held_out_from_at(self) -> int:
        """Start of the held-out demand, epoch milliseconds."""
        return self.history.width.start_of(self.history.first_bucket + self.first)

    def tried(self, forecaster: Forecaster, stage: Stage | None = None) -> Tried:
        """Return what a forecaster makes of the held-out buckets, each seen only after it was forecast."""
        every = Origins(tuple(range(self.first, self.history.buckets)), self.origins.leads)
        made = lead_forecasts(forecaster, self.history, every, stage)
        leads = range(len(self.origins.leads))
        at_origins = made.at([column - self.first for column in self.origins.columns], leads)
        scores = scores_of(self.actuals, at_origins, self.origins.leads, self.actuals.top)
        costs = stock_costs(
            self.history, made, self.first, lead_place=0, lead_buckets=self.origins.leads[0], levels=self.levels
        )
        return Tried(forecaster.version, at_origins, scores, costs)

    def contest(self, challenger: Tried, incumbent: Tried) -> Contest:
        """Return a challenger against an incumbent.

        Raises:
            ValueError: If they did not forecast the same keys at the same origins.
        """
        ours, theirs = (
            np.where(self.actuals.is_scored, one.forecasts.is_there, False) for one in (challenger, incumbent)
        )
        if not np.array_equal(ours, theirs):
            raise ValueError(f"{incumbent.version} was not scored on the buckets of the challenger")
        sums = paired_losses(self.actuals, challenger.forecasts, incumbent.forecasts, self.levels)
        costs = np.nan_to_num(np.stack([challenger.costs, incumbent.costs], axis=1))
        costs[~self.actuals.top.any(axis=1)] = 0
        loss, other = sums.sum(axis=0).tolist()
        return Contest(incumbent.version, loss, other, change_in(sums, self.seed), change_in(costs, self.seed))
