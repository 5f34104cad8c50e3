"""Two models on the same forecasts: how much better one is, with an interval over keys.

Forecasts of one key share its surprises, so keys are drawn, not forecasts.
Origins share shocks of the whole shop, which no drawing of keys shows: true
intervals are wider, and one season is one season.

Source:
    Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 (blocks) and 13 (percentile interval).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from model_store.training.scoring import LEVELS, Actuals, LeadForecasts, scored_losses
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


def paired_losses(
    actuals: Actuals, one: LeadForecasts, other: LeadForecasts, levels: Sequence[float] = LEVELS
) -> Float64s:
    """Return what each key adds to the scaled pinball loss of both, mean over leads and some levels, (K, 2).

    Keys are those of the top figures, with the forecasts that both made; the columns' sums are the losses.
    """
    leads = actuals.scale.shape[1]
    total = np.zeros((len(actuals.scale), 2))
    for place in range(leads):
        both = _both(actuals, one, other, place)
        count = max(int(np.count_nonzero(both)), 1) * leads
        total += _sums(actuals, (one, other), place, both, levels) / count
    return total


def change_of(
    actuals: Actuals, one: LeadForecasts, other: LeadForecasts, seed: int, levels: Sequence[float] = LEVELS
) -> Change | None:
    """Return the change of `paired_losses`; None for fewer than two keys."""
    return change_in(paired_losses(actuals, one, other, levels), seed)


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
    found = change_in(sums, seed)
    return None if found is None else (found.change, found.low, found.high, len(sums))


def _both(actuals: Actuals, one: LeadForecasts, other: LeadForecasts, place: int) -> Bools:
    """Keys and origins that count and that both forecast, (K, O)."""
    both = actuals.is_scored[:, :, place] & actuals.top[:, place, None]
    return np.asarray(both & one.is_there[:, :, place] & other.is_there[:, :, place])


def _sums(
    actuals: Actuals,
    pair: tuple[LeadForecasts, LeadForecasts],
    place: int,
    both: Bools,
    levels: Sequence[float] = LEVELS,
) -> Float64s:
    """Loss of each key, summed over origins, of both, (K, 2)."""
    return np.stack([_key_sums(actuals, each, place, both, levels) for each in pair], axis=1)


def change_in(sums: Float64s, seed: int) -> Change | None:
    """Return the change between the columns of what keys add, (K, 2), keys drawn with replacement.

    None for fewer than two keys that add anything, or if the other's sum is not above 0.

    Example:
        >>> change_in(np.array([[1.0, 2.0], [3.0, 4.0]]), seed=0).change.__round__(2)
        -0.33
    """
    sums = sums[sums.any(axis=1)]
    total = sums.sum(axis=0)
    if len(sums) < 2 or not total[1] > 0:
        return None
    drawn = _drawn(sums, seed)
    low, high = np.quantile(drawn[:, 0] / np.maximum(drawn[:, 1], 1e-12) - 1, [0.025, 0.975])
    return Change(float(total[0] / total[1] - 1), float(low), float(high))


def _key_sums(actuals: Actuals, forecasts: LeadForecasts, place: int, both: Bools, levels: Sequence[float]) -> Float64s:
    losses = scored_losses(actuals, forecasts, place, levels).mean(axis=2) / actuals.scale[:, place, None]
    return np.asarray(np.where(both, losses, 0).sum(axis=1))


def _drawn(sums: Float64s, seed: int) -> Float64s:
    """Sums over as many keys, drawn with replacement, (RESAMPLES, 2)."""
    rng, keys = np.random.default_rng(seed), len(sums)
    share = np.full(keys, 1 / keys)
    blocks = [rng.multinomial(keys, share, size=_BLOCK) @ sums for _ in range(RESAMPLES // _BLOCK)]
    return np.concatenate(blocks)
