"""Demand that came, beside what was forecast of it: pinball loss, coverage, bias, and the lead sums they are of.

Arrays are over K keys, O origins, L leads and Q levels. Who makes the
forecasts is in `evaluate`; intervals between models are in `paired`.

Source:
    Gneiting & Raftery, Strictly Proper Scoring Rules, Prediction, and Estimation, JASA 102(477), 2007 (pinball
    loss is proper for a quantile).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from model_store.training.history import DemandHistory
from replenishment.arrays import Bools, Float32s, Float64s, Int64s

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
"""Levels that scores are means over."""
TABLE_LEVELS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
"""Levels that forecasts are kept at."""
ESTABLISHED_BUCKETS = 60
_SCORED = [TABLE_LEVELS.index(level) for level in LEVELS]


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
        missing: Keys at origins that should have been scored and have no forecast.
    """

    spb: float
    wpb: float
    wape: float
    bias: float
    coverage: dict[float, float]
    n: int
    missing: int = 0


Scores = dict[int, LeadScore]
"""Score of each lead."""


@dataclass(frozen=True, slots=True)
class Actuals:
    """What came after each origin, and what it is measured in.

    Attributes:
        units: Demand over each lead from each origin on, (K, O, L).
        is_scored: Whether the key was known at the origin and every bucket of the lead is, (K, O, L).
        scale: Mean demand of the known lead sums before the first origin, at least 1, (K, L).
        has_sum: Whether there was such a sum, (K, L).
        is_established: Whether the key's first line is 60 buckets before the first origin or earlier, (K,).
    """

    units: Float64s
    is_scored: Bools
    scale: Float64s
    has_sum: Bools
    is_established: Bools

    @property
    def top(self) -> Bools:
        """Whether a key counts in the figures at the top, (K, L): established ones, or those with a sum if none is."""
        if self.is_established.any():
            return np.repeat(self.is_established[:, None], self.scale.shape[1], axis=1)
        return self.has_sum


@dataclass(frozen=True, slots=True)
class LeadForecasts:
    """Quantiles (K, O, L, Q) at `TABLE_LEVELS` and mean (K, O, L) of demand over each lead; NaN where there is none."""

    quantiles: Float32s
    mean: Float64s

    @property
    def is_there(self) -> Bools:
        """Whether there is a forecast, (K, O, L)."""
        return np.asarray(np.isfinite(self.quantiles).all(axis=-1) & np.isfinite(self.mean))

    def of_rows(self, rows: Int64s) -> "LeadForecasts":
        """Return the forecasts of rows (N,), none where a row is -1."""
        quantiles, mean = self.quantiles[rows], self.mean[rows]
        quantiles[rows < 0], mean[rows < 0] = np.nan, np.nan
        return LeadForecasts(quantiles, mean)

    def at(self, origins: Sequence[int], leads: Sequence[int]) -> "LeadForecasts":
        """Return the forecasts at some places of origins and leads."""
        chosen = np.ix_(range(len(self.mean)), origins, leads)
        return LeadForecasts(self.quantiles[chosen], self.mean[chosen])


def pinball_loss(demand: Float64s, forecast: Float64s, level: float) -> Float64s:
    """Return max(l (y - q), (l - 1) (y - q)), in units.

    Example:
        >>> pinball_loss(np.array([10.0, 2.0]), np.array([6.0, 6.0]), 0.9).round(2).tolist()
        [3.6, 0.4]
    """
    short = demand - forecast
    return np.maximum(level * short, (level - 1) * short)


def actuals_of(history: DemandHistory, origins: Origins) -> Actuals:
    """Return what came after each origin in a history.

    Raises:
        ValueError: If a lead reaches behind the history.
    """
    if origins.end > history.buckets:
        raise ValueError(f"forecasts reach bucket {origins.end} of {history.buckets}")
    columns = np.array(origins.columns)
    before = np.pad(np.cumsum(history.demand_units, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    unknown_before = np.pad(np.cumsum(history.available_ratio == 0, axis=1), ((0, 0), (1, 0)))
    is_born = history.born[:, None] < columns
    units, known, scales = [], [], []
    for lead in origins.leads:
        units.append(before[:, columns + lead] - before[:, columns])
        known.append(is_born & (unknown_before[:, columns + lead] == unknown_before[:, columns]))
        scales.append(_scale(before, unknown_before, history, lead, origins.columns[0]))
    return Actuals(
        units=np.stack(units, axis=2),
        is_scored=np.stack(known, axis=2),
        scale=np.stack([mean for mean, _ in scales], axis=1),
        has_sum=np.stack([has_sum for _, has_sum in scales], axis=1),
        is_established=history.born <= origins.columns[0] - ESTABLISHED_BUCKETS,
    )


def _scale(
    before: Float64s, unknown_before: Float64s, history: DemandHistory, lead: int, first: int
) -> tuple[Float64s, Bools]:
    """Mean of the known lead sums that end before column ``first``, at least 1, and whether there is one, (K,)."""
    starts = max(first - lead + 1, 0)
    sums = before[:, lead : lead + starts] - before[:, :starts]
    is_known = unknown_before[:, lead : lead + starts] == unknown_before[:, :starts]
    is_known &= np.arange(starts) >= history.born[:, None]
    count = is_known.sum(axis=1)
    mean = np.where(is_known, sums, 0).sum(axis=1) / np.maximum(count, 1)
    return np.maximum(mean, 1.0), count > 0


def scored_losses(
    actuals: Actuals, forecasts: LeadForecasts, lead_place: int, levels: Sequence[float] = LEVELS
) -> Float64s:
    """Return pinball loss of each key, origin and level, (K, O, N), at one lead; NaN where there is no forecast.

    The N levels are some of `TABLE_LEVELS`.
    """
    demand = actuals.units[:, :, lead_place]
    quantiles = forecasts.quantiles[:, :, lead_place].astype(np.float64)
    losses = [pinball_loss(demand, quantiles[:, :, TABLE_LEVELS.index(level)], level) for level in levels]
    return np.stack(losses, axis=2)


def scores_of(actuals: Actuals, forecasts: LeadForecasts, leads: tuple[int, ...], rows: Bools) -> Scores:
    """Return the score of each lead over chosen keys.

    Args:
        actuals: What came.
        forecasts: What was forecast.
        leads: Leads, (L,).
        rows: Keys that count at each lead, (K, L).
    """
    return {lead: _score(actuals, forecasts, place, rows[:, place]) for place, lead in enumerate(leads)}


def _score(actuals: Actuals, forecasts: LeadForecasts, place: int, rows: Bools) -> LeadScore:
    wanted = actuals.is_scored[:, :, place] & rows[:, None]
    chosen = wanted & forecasts.is_there[:, :, place]
    count = int(np.count_nonzero(chosen))
    demand = actuals.units[:, :, place][chosen]
    quantiles = forecasts.quantiles[:, :, place][chosen].astype(np.float64)
    losses = scored_losses(actuals, forecasts, place)[chosen]
    scale = np.broadcast_to(actuals.scale[:, place, None], chosen.shape)[chosen]
    units = max(float(demand.sum()), 1.0)
    covered = [float(np.count_nonzero(demand <= quantiles[:, column])) / max(count, 1) for column in _SCORED]
    return LeadScore(
        spb=float((losses.mean(axis=1) / scale).sum()) / max(count, 1),
        wpb=float(losses.mean(axis=1).sum()) / units,
        wape=float(np.abs(demand - quantiles[:, _SCORED[0]]).sum()) / units,
        bias=float((forecasts.mean[:, :, place][chosen] - demand).sum()) / units,
        coverage=dict(zip(LEVELS, covered, strict=True)),
        n=count,
        missing=int(np.count_nonzero(wanted)) - count,
    )
