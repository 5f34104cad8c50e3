"""Priors of categories: what their keys sold when they were young, and how long a new key should lean on it.

Surfaces come from keys that began within the history (of the others nobody
knows the age), or from all if there are too few. How fast a key's own forecast takes
over is learnt: priors of one half of the young keys, tried on the other half.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from model_store.priors import MOST_CATEGORIES, PRIORS, SETTLED_BUCKETS, Priors, prior_weight, surfaces_of
from model_store.training.history import DemandHistory
from model_store.training.plan import Trained
from model_store.training.scoring import pinball_loss
from replenishment.arrays import Float32s, Float64s, Int64s
from replenishment.forecaster import Forecaster
from replenishment.quantiles import QuantileGrid

YOUNG_BUCKETS = 14
"""Ages that a prior is made of."""
LEAST_KEYS = 4
SHRINKING_KEYS = 5
"""A category of so many young keys is believed half, beside all keys together."""
CREDIBILITIES_BUCKETS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


def with_priors(trained: Trained, learnt: DemandHistory) -> Trained:
    """Return a draft that carries the priors of its history's categories; the same if it has none.

    Figures say how many categories there are and after how many buckets a key's own forecast weighs half.
    """
    if learnt.categories is None:
        return trained
    forecaster, grid = trained.draft.forecaster(), trained.draft.spec.grid
    young = _young_keys(learnt)
    priors = _priors(learnt, young, grid)
    if priors is None:
        return trained
    credibility = _credibility(forecaster, learnt, young)
    priors = Priors(credibility, priors.overall, priors.categories)
    figures = {"prior_categories": len(priors.categories), "prior_credibility_buckets": credibility}
    files = {**trained.draft.files, PRIORS: priors.to_json()}
    return Trained(replace(trained.draft, files=files), {**trained.figures, **figures})


def _young_keys(learnt: DemandHistory) -> Int64s:
    """Rows of keys that began after the first weeks of the history; all if there are too few."""
    young = np.flatnonzero(learnt.born >= YOUNG_BUCKETS)
    return young if len(young) >= LEAST_KEYS else np.arange(len(learnt.keys))


def _priors(learnt: DemandHistory, rows: Int64s, grid: QuantileGrid) -> Priors | None:
    """Surfaces of rows (N,), all of them together and by category; None if nobody's first weeks are known."""
    sums = [_young_sums(learnt, row, grid) for row in rows.tolist()]
    overall = _surface(sums, grid)
    if overall is None or learnt.categories is None:
        return None
    names = learnt.categories[rows]
    known, counts = np.unique(names[names != b""], return_counts=True)
    categories = {}
    for name in known[np.argsort(-counts, kind="stable")][:MOST_CATEGORIES].tolist():
        own = [one for one, is_of in zip(sums, names == name, strict=True) if is_of]
        surface = _surface(own, grid)
        if surface is not None:
            believed = len(own) / (len(own) + SHRINKING_KEYS)
            mixed = believed * surface + (1 - believed) * overall
            categories[name.decode()] = _rounded(mixed)
    return Priors(0.0, _rounded(overall), categories)


def _young_sums(learnt: DemandHistory, row: int, grid: QuantileGrid) -> Float64s:
    """Demand over each horizon from each of a key's first buckets on, (N, H); NaN where it is not known."""
    born = int(learnt.born[row])
    begins = np.arange(born, min(born + YOUNG_BUCKETS, learnt.buckets - 1)) + 1
    ends = begins[:, None] + np.array(grid.horizons_buckets)
    inside = np.minimum(ends, learnt.buckets)
    units = np.concatenate([[0], np.cumsum(learnt.demand_units[row], dtype=np.float64)])
    unknown = np.concatenate([[0], np.cumsum(learnt.available_ratio[row] == 0)])
    is_known = (ends <= learnt.buckets) & (unknown[inside] == unknown[begins][:, None])
    return np.where(is_known, units[inside] - units[begins][:, None], np.nan)


def _surface(sums: Sequence[Float64s], grid: QuantileGrid) -> Float64s | None:
    """Quantiles (H, Q) of the sums of some keys; None if there are none over the longest horizon."""
    together = np.concatenate(sums) if sums else np.empty((0, len(grid.horizons_buckets)))
    if not np.isfinite(together).any(axis=0).all():
        return None
    surface = np.nanquantile(together, grid.levels, axis=0).T
    return np.asarray(np.maximum.accumulate(np.maximum.accumulate(surface, axis=0), axis=1))


def _rounded(surface: Float64s) -> list[list[float]]:
    return [[round(float(units), 3) for units in row] for row in surface]


def _credibility(forecaster: Forecaster, learnt: DemandHistory, young: Int64s) -> float:
    """Return the k with the lowest loss on half of the young keys, with priors made of the other half."""
    grid = forecaster.grid
    priors = _priors(learnt, young[::2], grid)
    tried = learnt.of_rows(young[1::2])
    if priors is None or not len(tried.keys):
        return 0.0
    rows, ages, own, units = _young_forecasts(forecaster, tried)
    prior = surfaces_of(priors, tried.categories, rows)[:, len(grid.horizons_buckets) // 2]
    scale = np.maximum(np.bincount(rows, units) / np.maximum(np.bincount(rows), 1), 1)[rows]
    losses = []
    for credibility in CREDIBILITIES_BUCKETS:
        weight = prior_weight(ages + 1, credibility)[:, None]
        blended = (1 - weight) * own + weight * prior
        shortfalls = [pinball_loss(units, blended[:, q], level) / scale for q, level in enumerate(grid.levels)]
        losses.append(float(np.mean(shortfalls)))
    return CREDIBILITIES_BUCKETS[int(np.argmin(losses))]


def _young_forecasts(forecaster: Forecaster, tried: DemandHistory) -> tuple[Int64s, Int64s, Float32s, Float64s]:
    """Rows, ages, quantiles (N, Q) and demand over the middle horizon of every young key at every bucket, (N,)."""
    place = len(forecaster.grid.horizons_buckets) // 2
    horizon = forecaster.grid.horizons_buckets[place]
    before = np.pad(np.cumsum(tried.demand_units, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    memory = np.zeros((len(tried.keys), forecaster.memory_floats), dtype=np.float32)
    found = []
    for column in range(tried.buckets - horizon):
        closed = tried.closed(column)
        born = len(closed.age_buckets)
        forecast = forecaster.step(closed, memory[:born])
        memory[:born] = forecast.memory
        rows = np.flatnonzero(closed.age_buckets + 1 < SETTLED_BUCKETS)
        came = before[rows, column + 1 + horizon] - before[rows, column + 1]
        found.append((rows, closed.age_buckets[rows].astype(np.int64), forecast.quantiles[rows, place], came))
    rows, ages, own, came = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return rows, ages, own, came
