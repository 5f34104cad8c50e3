"""Online calibration of the decision level: moved until stock lasts as often as the target says.

Sources:
    Gibbs & Candès, Adaptive conformal inference under distribution shift, NeurIPS 34, 2021: the level moves by γ
    times (miss - α), and realised coverage tends to the target whatever the demand. Moved here in log-odds, so that
    keys with different targets share one shift; the guarantee holds for any such scale (Angelopoulos, Candès &
    Tibshirani, Conformal PID control for time series prediction, NeurIPS 36, 2023).
"""

import numpy as np

from replenishment.arrays import Float64s, Int64s

GAIN = 0.25
"""γ: what part of an error is taken back once every key was scored."""
ENOUGH = 200
"""Forecasts that make one move; fewer wait for more."""
LOWEST_BELOW = 0.1
HIGHEST_LEVEL = 0.999
LARGEST_SHIFT = 3.0
LARGEST_MISS = 2.0
"""Of a mean over all decisions of a move: one bad week must not throw the levels about."""


def calibrated_level(level: Float64s, shift: Float64s) -> Float64s:
    """Return the levels to use for targets (B,), shifted in log-odds: from 0.1 below the target up to 0.999.

    Example:
        >>> calibrated_level(np.array([0.95, 0.5, 0.95]), np.array([0.0, 1.0, -3.0])).round(3).tolist()
        [0.95, 0.731, 0.85]
    """
    moved = 1 / (1 + np.exp(-(np.log(level / (1 - level)) + shift)))
    bounded = np.clip(moved, level - LOWEST_BELOW, np.maximum(HIGHEST_LEVEL, level))
    return np.where(shift == 0, level, bounded)


def misses(actual_units: Float64s, decided_units: Float64s, level: Float64s) -> Float64s:
    """Return (miss - α) of each decision (N,) in units of the variance of a miss, so that targets compare."""
    return ((actual_units > decided_units) - (1 - level)) / (level * (1 - level))


def moved_shift(shift: Float64s, mean_miss: Float64s, elapsed_buckets: Int64s, lead_buckets: Float64s) -> Float64s:
    """Return the shifts after a move.

    A forecast is scored a lead after it was made, so what is learnt in one
    bucket counts as its part of a lead: otherwise errors that are already
    mended would be taken back again and again.

    Args:
        shift: Shifts before, (C,).
        mean_miss: Mean of ``misses`` since the move before.
        elapsed_buckets: Buckets since then.
        lead_buckets: Mean lead of the decisions.
    """
    part = np.minimum(elapsed_buckets / np.maximum(lead_buckets, 1.0), 1.0)
    moved = shift + GAIN * part * np.clip(mean_miss, -LARGEST_MISS, LARGEST_MISS)
    return np.clip(moved, -LARGEST_SHIFT, LARGEST_SHIFT)
