"""Rolling-origin evaluation: a forecaster learns bucket by bucket, forecasts at origins, and is scored on what came.

It is fitted beforehand and only advanced here, from a memory of zeros through
its context, as a worker warms a version from its window. Demand is read off
its curves as the engine reads it (`replenishment.quantiles`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from model_store.training.history import DemandHistory
from replenishment.arrays import Bools, Float32s, Float64s
from replenishment.forecaster import Forecaster
from replenishment.quantiles import QuantileGrid, over

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
"""Levels that scores are means over."""
ESTABLISHED_BUCKETS = 60


@dataclass(frozen=True, slots=True)
class Origins:
    """Where forecasts are made and how far they reach.

    Attributes:
        columns: First bucket that an origin does not see, as columns of the history, rising.
        leads: Buckets that demand is summed over, rising.

    Raises:
        ValueError: If there is no origin or lead, one does not rise, or the first has no history.
    """

    columns: tuple[int, ...]
    leads: tuple[int, ...]

    def __post_init__(self) -> None:
        for values in (self.columns, self.leads):
            if not values or values[0] < 1 or any(a >= b for a, b in pairwise(values)):
                raise ValueError(f"origins {self.columns} and leads {self.leads} must rise from 1 or more")

    @property
    def end(self) -> int:
        """First column that no forecast reaches."""
        return self.columns[-1] + self.leads[-1]


@dataclass(frozen=True, slots=True)
class LeadScore:
    """How demand over one lead was forecast, over N forecasts of a key at an origin.

    Attributes:
        spb: Mean over forecasts and levels of pinball loss / the key's mean lead demand before the first
            origin (at least 1).
        wpb: Sum of pinball loss / sum of demand, mean over levels.
        wape: Sum of absolute errors of the median / sum of demand.
        bias: Sum of errors of the mean forecast / sum of demand.
        coverage: Share of demands at or below the forecast, for each level.
        n: Forecasts scored.
    """

    spb: float
    wpb: float
    wape: float
    bias: float
    coverage: dict[float, float]
    n: int


Scores = dict[int, LeadScore]
"""Score of each lead."""


def mean_spb(scores: Scores) -> float:
    """Return the scaled pinball loss, mean over leads."""
    return float(np.mean([score.spb for score in scores.values()]))


def pinball_loss(demand: Float64s, forecast: Float64s, level: float) -> Float64s:
    """Return max(l (y - q), (l - 1) (y - q)), in units.

    Example:
        >>> pinball_loss(np.array([10.0, 2.0]), np.array([6.0, 6.0]), 0.9).round(2).tolist()
        [3.6, 0.4]
    """
    short = demand - forecast
    return np.maximum(level * short, (level - 1) * short)


def forecasts(forecaster: Forecaster, history: DemandHistory, origins: Origins) -> Iterator[tuple[int, Float32s]]:
    """Yield at each origin the quantiles (B, H, Q) of the B keys born before it, seeing earlier buckets only."""
    wanted = set(origins.columns)
    memory = np.zeros((history.born_by(origins.columns[-1] - 1), forecaster.memory_floats), dtype=np.float32, order="F")
    for column in range(max(origins.columns[0] - forecaster.context_buckets, 0), origins.columns[-1]):
        closed = history.closed(column)
        born = len(closed.demand_units)
        forecast = forecaster.step(closed, memory[:born])
        memory[:born] = forecast.memory
        if column + 1 in wanted:
            yield column + 1, forecast.quantiles


def evaluate(forecaster: Forecaster, history: DemandHistory, origins: Origins) -> Scores:
    """Return the scores of a forecaster at each lead.

    Scored are established keys, born 60 buckets before the first origin; if
    there are none, all that are born before it. A forecast over a bucket of
    which nothing is known is not scored.

    Raises:
        ValueError: If a lead reaches behind the history.
    """
    if origins.end > history.buckets:
        raise ValueError(f"forecasts reach bucket {origins.end} of {history.buckets}")
    first = origins.columns[0]
    scored = history.born_by(first - ESTABLISHED_BUCKETS) or history.born_by(first - 1)
    sums = {lead: _Sums(_lead_demand(history, scored, lead), lead, first) for lead in origins.leads}
    for column, quantiles in forecasts(forecaster, history, origins):
        for lead, one in sums.items():
            one.add(column, forecaster.grid, quantiles[:scored], lead)
    return {lead: one.score() for lead, one in sums.items()}


@dataclass(frozen=True, slots=True)
class _LeadDemand:
    """Demand (K, T - lead + 1) over the lead from each column on, and whether all of it is known."""

    units: Float64s
    is_known: Bools


def _lead_demand(history: DemandHistory, keys: int, lead: int) -> _LeadDemand:
    def summed(values: Float64s) -> Float64s:
        total = np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
        return np.asarray(total[:, lead:] - total[:, :-lead])

    missing = summed((history.available_ratio[:keys] == 0).astype(np.float64))
    unborn = np.arange(missing.shape[1]) < history.born[:keys, None]
    return _LeadDemand(summed(history.demand_units[:keys].astype(np.float64)), (missing == 0) & ~unborn)


class _Sums:
    """What scores are made of, summed over origins."""

    def __init__(self, demand: _LeadDemand, lead: int, first: int) -> None:
        self._demand = demand
        self._scale = _scale(demand, max(first - lead + 1, 0))
        self._n = 0
        self._units = self._absolute = self._surplus = self._scaled = 0.0
        self._losses = np.zeros(len(LEVELS))
        self._covered = np.zeros(len(LEVELS))

    def add(self, column: int, grid: QuantileGrid, quantiles: Float32s, lead: int) -> None:
        known = np.flatnonzero(self._demand.is_known[:, column])
        if not len(known):
            return
        demand = self._demand.units[known, column]
        curve = over(grid, quantiles[known], np.full(len(known), lead))
        for place, level in enumerate(LEVELS):
            forecast = curve.quantile(np.full(len(known), level))
            losses = pinball_loss(demand, forecast, level)
            self._losses[place] += losses.sum()
            self._scaled += float((losses / self._scale[known]).sum()) / len(LEVELS)
            self._covered[place] += np.count_nonzero(demand <= forecast)
            if level == 0.5:
                self._absolute += float(np.abs(demand - forecast).sum())
        self._surplus += float((curve.mean() - demand).sum())
        self._units += float(demand.sum())
        self._n += len(known)

    def score(self) -> LeadScore:
        units, count = max(self._units, 1.0), max(self._n, 1)
        return LeadScore(
            spb=self._scaled / count,
            wpb=float(self._losses.mean()) / units,
            wape=self._absolute / units,
            bias=self._surplus / units,
            coverage=dict(zip(LEVELS, (self._covered / count).tolist(), strict=True)),
            n=self._n,
        )


def _scale(demand: _LeadDemand, starts: int) -> Float64s:
    """Mean demand over the known leads among the first ``starts``, at least 1, (K,)."""
    known = demand.is_known[:, :starts]
    mean = np.where(known, demand.units[:, :starts], 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.asarray(np.maximum(mean, 1.0))


def held_out(buckets: int, horizons: tuple[int, ...]) -> Origins:
    """Return origins over the last buckets of a history, to be kept from training.

    Up to four origins a short lead apart; leads are half the longest horizon
    and all of it. At most a quarter of the history is held out, as long as one
    origin fits.

    Example:
        >>> held_out(344, tuple(range(1, 15)))
        Origins(columns=(309, 316, 323, 330), leads=(7, 14))
    """
    longest = horizons[-1]
    leads = tuple(sorted({max(longest // 2, 1), longest}))
    count = min(4, max(1, (buckets // 4 - longest) // leads[0] + 1))
    last = max(buckets - longest, 1 + leads[0] * (count - 1))
    return Origins(tuple(last - leads[0] * back for back in reversed(range(count))), leads)


def rows_of(scores: Scores) -> dict[str, float]:
    """Return scores as named figures, e.g. for a manifest: ``spb_7``, ``coverage_7_95``."""
    figures: dict[str, float] = {}
    for lead, score in scores.items():
        figures |= {f"spb_{lead}": score.spb, f"wpb_{lead}": score.wpb, f"wape_{lead}": score.wape}
        figures |= {f"bias_{lead}": score.bias}
        figures |= {f"coverage_{lead}_{level * 100:g}": share for level, share in score.coverage.items()}
    return {name: round(value, 6) for name, value in figures.items()}
