"""Weights of the buckets before, by least squares over all keys, at least 0 and adding up to 1."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from model_store.training.history import DemandHistory
from replenishment.arrays import Float64s

MOST_ROWS = 200_000
_SWEEPS = 2_000
_SETTLED = 1e-10
LARGEST_RATIO = 20.0
"""Demand is measured in the key's mean and cut here: one huge order must not set the weights of all keys."""


def fitted_weights(learnt: DemandHistory, lags: int, seed: int) -> Float64s:
    """Return the weights (L,), newest first, that forecast the next bucket of each key best.

    Args:
        learnt: Demand; each key is measured in its own mean.
        lags: L, how many buckets back.
        seed: Of the rows that are drawn when there are more than fit.
    """
    mean = learnt.demand_units.mean(axis=1, dtype=np.float64)
    scaled = np.minimum(learnt.demand_units / np.maximum(mean, 1e-9)[:, None], LARGEST_RATIO)
    windows = sliding_window_view(scaled, lags + 1, axis=1)  # (K, T - L, L + 1), newest last
    known = sliding_window_view(learnt.available_ratio > 0, lags + 1, axis=1).all(axis=2)
    known &= np.arange(windows.shape[1]) >= learnt.born[:, None]
    key, column = np.nonzero(known & (mean > 0)[:, None])
    if len(key) > MOST_ROWS:
        drawn = np.sort(np.random.default_rng(seed).choice(len(key), MOST_ROWS, replace=False))
        key, column = key[drawn], column[drawn]
    if not len(key):
        return np.full(lags, 1 / lags)
    rows = windows[key, column].astype(np.float64)
    return simplex_least_squares(rows[:, -2::-1], rows[:, -1])


def simplex_least_squares(inputs: Float64s, wanted: Float64s) -> Float64s:
    """Return the weights (L,), at least 0 and adding up to 1, of least squared error, by cyclic pair moves.

    Each move shifts weight between two lags to the best point between them,
    so the sum stays 1 and the error never rises.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> inputs = rng.normal(size=(500, 3))
        >>> simplex_least_squares(inputs, inputs @ np.array([0.7, 0.0, 0.3])).round(3).tolist()
        [0.7, 0.0, 0.3]
    """
    lags = inputs.shape[1]
    gram, target = inputs.T @ inputs, inputs.T @ wanted
    weights = np.full(lags, 1 / lags)
    for _ in range(_SWEEPS):
        before = weights.copy()
        for lag in range(lags):
            _move(weights, gram, target, lag)
        if np.abs(weights - before).max() < _SETTLED:
            break
    return np.asarray(weights / weights.sum())


def _move(weights: Float64s, gram: Float64s, target: Float64s, lag: int) -> None:
    """Move weight between ``lag`` and the lag that gains most by giving or taking, in place."""
    slope = gram @ weights - target
    giving = np.flatnonzero(weights > 0)
    other = int(giving[np.argmax(slope[giving])]) if slope[lag] < slope[giving].max() else int(np.argmin(slope))
    taker, giver = (lag, other) if slope[lag] < slope[other] else (other, lag)
    curve = gram[taker, taker] + gram[giver, giver] - 2 * gram[taker, giver]
    if curve <= 0:
        return
    moved = min((slope[giver] - slope[taker]) / curve, weights[giver])
    weights[taker] += moved
    weights[giver] -= moved
