"""Two models on the same forecasts: how much better one is, with an interval over keys.

Forecasts of one key share its surprises, so keys are drawn, not forecasts.
Origins share shocks of the whole shop, which no drawing of keys shows: true
intervals are wider, and one season is one season.

Source:
    Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 (blocks) and 13 (percentile interval).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from model_store.training.scoring import Actuals, LeadForecasts, scored_losses
from replenishment.arrays import Bools, Float64s

RESAMPLES = 1_000
_BLOCK = 50


@dataclass(frozen=True, slots=True)
class Comparison:
    """Scaled pinball loss of one model against another, over the forecasts that both made.

    Attributes:
        model: The one.
        against: The other.
        lead: Buckets that demand is summed over.
        change: Loss of the one / loss of the other - 1; below 0 the one is better.
        low: Lower end of the 95 % interval of the change.
        high: Upper end of it.
        keys: Keys that were drawn from.
    """

    model: str
    against: str
    lead: int
    change: float
    low: float
    high: float
    keys: int


@dataclass(frozen=True, slots=True)
class Change:
    """Scaled pinball loss of one model / that of another - 1, and its 95 % interval."""

    change: float
    low: float
    high: float


def change_of(actuals: Actuals, one: LeadForecasts, other: LeadForecasts, seed: int) -> Change | None:
    """Return the change of the mean over leads, over the keys of the top figures; None for fewer than two keys."""
    total = None
    for place in range(actuals.scale.shape[1]):
        both = _both(actuals, one, other, place)
        sums = _sums(actuals, (one, other), place, both) / max(int(np.count_nonzero(both)), 1)
        total = sums if total is None else total + sums
    return None if total is None else _change(total[total.any(axis=1)], seed)


def compared(
    actuals: Actuals, forecasts: Mapping[str, LeadForecasts], leads: tuple[int, ...], seed: int
) -> tuple[Comparison, ...]:
    """Return every pair of models at every lead, over the keys of the top figures.

    Pairs with fewer than two keys, or of which the other loses nothing, are left out.
    """
    found = []
    for place, lead in enumerate(leads):
        for one, other in combinations(forecasts, 2):
            pair = _pair(actuals, forecasts[one], forecasts[other], place, seed)
            if pair is not None:
                found.append(Comparison(one, other, lead, *pair))
    return tuple(found)


def _pair(
    actuals: Actuals, one: LeadForecasts, other: LeadForecasts, place: int, seed: int
) -> tuple[float, float, float, int] | None:
    both = _both(actuals, one, other, place)
    sums = _sums(actuals, (one, other), place, both)[both.any(axis=1)]
    found = _change(sums, seed)
    return None if found is None else (found.change, found.low, found.high, len(sums))


def _both(actuals: Actuals, one: LeadForecasts, other: LeadForecasts, place: int) -> Bools:
    """Keys and origins that count and that both forecast, (K, O)."""
    both = actuals.is_scored[:, :, place] & actuals.top[:, place, None]
    return np.asarray(both & one.is_there[:, :, place] & other.is_there[:, :, place])


def _sums(actuals: Actuals, pair: tuple[LeadForecasts, LeadForecasts], place: int, both: Bools) -> Float64s:
    """Loss of each key, summed over origins, of both, (K, 2)."""
    return np.stack([_key_sums(actuals, each, place, both) for each in pair], axis=1)


def _change(sums: Float64s, seed: int) -> Change | None:
    total = sums.sum(axis=0)
    if len(sums) < 2 or not total[1] > 0:
        return None
    drawn = _drawn(sums, seed)
    low, high = np.quantile(drawn[:, 0] / np.maximum(drawn[:, 1], 1e-12) - 1, [0.025, 0.975])
    return Change(float(total[0] / total[1] - 1), float(low), float(high))


def _key_sums(actuals: Actuals, forecasts: LeadForecasts, place: int, both: Bools) -> Float64s:
    losses = scored_losses(actuals, forecasts, place).mean(axis=2) / actuals.scale[:, place, None]
    return np.asarray(np.where(both, losses, 0).sum(axis=1))


def _drawn(sums: Float64s, seed: int) -> Float64s:
    """Sums over as many keys, drawn with replacement, (RESAMPLES, 2)."""
    rng, keys = np.random.default_rng(seed), len(sums)
    share = np.full(keys, 1 / keys)
    blocks = [rng.multinomial(keys, share, size=_BLOCK) @ sums for _ in range(RESAMPLES // _BLOCK)]
    return np.concatenate(blocks)
