"""All that is known of a quantile curve: levels, horizons, reading between and beyond them. The only home.

Per-bucket quantiles are never summed: a model forecasts demand *summed* over
each horizon, and this module reads that surface at a key's own interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from replenishment.arrays import Float32s, Float64s, Int64s

_SAME_UNITS = 1e-9
_SAME_LEVEL = 1e-9
"""Below these two numbers are one."""


@dataclass(frozen=True, slots=True)
class QuantileGrid:
    """Horizons in buckets (H,) and levels (Q,) of a forecast, both strictly rising.

    Raises:
        ValueError: If a list is too short, does not rise, or a level is outside (0, 1).
    """

    horizons_buckets: tuple[int, ...]
    levels: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.horizons_buckets or self.horizons_buckets[0] < 1 or not _rises(self.horizons_buckets):
            raise ValueError(f"horizons must rise from 1 or more, got {self.horizons_buckets}")
        if len(self.levels) < 2 or not _rises(self.levels):
            raise ValueError(f"at least two rising levels are needed, got {self.levels}")
        if not self.levels[0] > 0 or not self.levels[-1] < 1:
            raise ValueError(f"levels must lie strictly between 0 and 1, got {self.levels}")


def _rises(values: tuple[float, ...]) -> bool:
    return all(a < b for a, b in pairwise(values))


@dataclass(frozen=True, slots=True)
class ProtectionDemand:
    """Distribution of demand over each key's interval: units (B, Q) at the grid's levels, non-negative, rising in Q."""

    levels: tuple[float, ...]
    units: Float64s

    def quantile(self, level: Float64s) -> Float64s:
        """Return the units not exceeded with probability ``level``, (B,).

        Linear between the grid's levels. Above the highest the tail is
        exponential with the rate of the last two levels; below the lowest the
        first slope is continued, never below zero.

        Args:
            level: Probability of each key, (B,), in (0, 1).
        """
        levels = np.asarray(self.levels)
        upper = np.clip(np.searchsorted(levels, level), 1, len(levels) - 1)
        lower = upper - 1
        row = np.arange(len(self.units))
        low, high = self.units[row, lower], self.units[row, upper]
        share = (level - levels[lower]) / (levels[upper] - levels[lower])
        inside = low + (high - low) * share
        beyond = self.units[:, -1] + self._tail_units() * np.log((1 - levels[-1]) / (1 - level))
        return np.asarray(np.maximum(np.where(level > levels[-1], beyond, inside), 0.0))

    def read_at(self, wanted: tuple[float, ...]) -> Float64s:
        """Return the units at levels that are the same for all keys, (B, L), read as ``quantile`` reads them."""
        levels, shared = np.asarray(self.levels), np.asarray(wanted)
        upper = np.clip(np.searchsorted(levels, shared), 1, len(levels) - 1)
        low, high = self.units[:, upper - 1], self.units[:, upper]
        units = low + (high - low) * ((shared - levels[upper - 1]) / (levels[upper] - levels[upper - 1]))
        for place in np.flatnonzero(shared > levels[-1]).tolist():
            units[:, place] = self.units[:, -1] + self._tail_units() * np.log((1 - levels[-1]) / (1 - shared[place]))
        return np.asarray(np.maximum(units, 0.0))

    def take(self, rows: Int64s) -> "ProtectionDemand":
        """Return the demand of some rows."""
        return ProtectionDemand(self.levels, self.units[rows])

    def probability_within(self, stock_units: Float64s) -> Float64s:
        """Return the probability that demand does not exceed a stock, (B,): the inverse of ``quantile``.

        Args:
            stock_units: S of each key, (B,), at least 0.

        Example:
            >>> demand = ProtectionDemand((0.25, 0.5, 0.75), np.array([[0.0, 8.0, 16.0]]))
            >>> [demand.probability_within(np.array([at])).tolist() for at in (0.0, 4.0, 8.0)]
            [[0.25], [0.375], [0.5]]
        """
        levels = np.concatenate([[0.0], self.levels])
        units = np.column_stack([self.quantile(np.zeros(len(self.units))), self.units])
        # of equal units the highest level holds: demand is as likely to be exactly so
        upper = np.minimum((units <= stock_units[:, None]).sum(axis=1), units.shape[1] - 1)
        row, lower = np.arange(len(units)), np.maximum(upper - 1, 0)
        low, high = units[row, lower], units[row, upper]
        share = (stock_units - low) / np.where(high > low, high - low, 1.0)
        inside = levels[lower] + (levels[upper] - levels[lower]) * np.clip(share, 0.0, 1.0)
        tail, excess = self._tail_units(), stock_units - self.units[:, -1]
        decay = np.exp(-np.maximum(excess, 0.0) / np.where(tail > 0, tail, 1.0))
        beyond = np.where(tail > 0, 1 - (1 - self.levels[-1]) * decay, 1.0)
        return np.asarray(np.where(excess >= 0, beyond, np.where(stock_units < units[:, 0], 0.0, inside)))

    def expected_shortage(self, stock_units: Float64s) -> Float64s:
        """Return the units that demand is expected to exceed a stock by, (B,): E[(X - S)⁺].

        The integral of (q(u) - S)⁺ over the levels u, with q as ``quantile``
        reads it; at S = 0 it is the mean.

        Args:
            stock_units: S of each key, (B,), at least 0.

        Example:
            >>> demand = ProtectionDemand((0.25, 0.5, 0.75), np.array([[4.0, 8.0, 8.0]]))
            >>> demand.expected_shortage(np.array([6.0])).tolist(), demand.mean().tolist()
            ([1.125], [6.0])
        """
        levels = np.concatenate([[0.0], self.levels])
        at_zero = self.quantile(np.zeros(len(self.units)))
        over_stock = np.column_stack([at_zero, self.units]) - stock_units[:, None]
        low, high = over_stock[:, :-1], over_stock[:, 1:]
        rise = np.where(high > low, high - low, 1.0)
        crossing = np.where(high > 0, np.maximum(high, 0) ** 2 / (2 * rise), 0.0)
        inside = (np.where(low >= 0, (low + high) / 2, crossing) * np.diff(levels)).sum(axis=1)
        tail, last = self._tail_units(), over_stock[:, -1]
        decay = np.exp(np.minimum(last, 0.0) / np.where(tail > 0, tail, 1.0))
        beyond = np.where(last >= 0, last + tail, tail * decay) * (1 - self.levels[-1])
        return np.asarray(inside + beyond)

    def mean(self) -> Float64s:
        """Return the expected units, (B,): the integral of the quantile function over (0, 1)."""
        levels = np.asarray(self.levels)
        between = ((self.units[:, 1:] + self.units[:, :-1]) / 2 * np.diff(levels)).sum(axis=1)
        at_zero = self.quantile(np.zeros(len(self.units)))
        below = (at_zero + self.units[:, 0]) / 2 * levels[0]
        above = (self.units[:, -1] + self._tail_units()) * (1 - levels[-1])
        return np.asarray(below + between + above)

    def _tail_units(self) -> Float64s:
        """Mean excess over the highest level if the last two levels lie on an exponential tail, (B,)."""
        decay = np.log((1 - self.levels[-2]) / (1 - self.levels[-1]))
        return np.asarray((self.units[:, -1] - self.units[:, -2]) / decay)


_TAIL_LEVELS = (0.9975, 0.999, 0.9999)
"""Where the exponential tail of a part is cut into straight pieces before parts are mixed."""


def mixed(parts: Sequence[ProtectionDemand], weights: Float64s) -> ProtectionDemand:
    """Return the demand of each key over an interval that is not certain: which part holds is drawn by weight.

    The distribution function of the mixture is the weighted sum of those of
    the parts, which are straight between their levels; the quantiles are read
    off that sum. Quantiles themselves must not be averaged: the average knows
    nothing of the chance that the interval is the long one.

    Args:
        parts: K distributions of the same B keys at the same levels.
        weights: Probability of each part, (B, K), rows add up to 1; 0 = the part does not count.

    Returns:
        Units (B, Q) at the levels of the parts.

    Example:
        >>> short, long = (ProtectionDemand((0.25, 0.5, 0.75), np.array([[x, 2 * x, 3 * x]])) for x in (4.0, 40.0))
        >>> mixed([short, long], np.array([[1.0, 0.0]])).units.tolist()
        [[4.0, 8.0, 12.0]]
        >>> mixed([short, long], np.array([[0.5, 0.5]])).units.round(1).tolist()
        [[7.3, 23.2, 80.0]]
    """
    levels = parts[0].levels
    tail = tuple(level for level in _TAIL_LEVELS if level > levels[-1])
    heights = np.array([0.0, *levels, *tail])
    beyond = [np.full(len(weights), level) for level in (0.0, *tail)]
    at, jump, slope = [], [], []
    for place, part in enumerate(parts):
        outside = [part.quantile(level)[:, None] for level in beyond]
        units = np.concatenate([outside[0], part.units, *outside[1:]], axis=1)
        risen, width = np.diff(heights) * weights[:, [place]], np.diff(units, axis=1)
        is_step = width <= _SAME_UNITS
        steepness = np.where(is_step, 0.0, risen / np.where(is_step, 1.0, width))
        at += [units[:, :-1], units[:, 1:]]
        slope += [steepness, -steepness]
        jump += [np.zeros_like(risen), np.where(is_step, risen, 0.0)]
    return ProtectionDemand(levels, _read_off(np.hstack(at), np.hstack(jump), np.hstack(slope), levels))


def _read_off(at: Float64s, jump: Float64s, slope: Float64s, levels: tuple[float, ...]) -> Float64s:
    """Return where the sum of distribution functions reaches each level, (B, Q).

    Args:
        at: Units where something changes, (B, N).
        jump: Probability that is added at once there, (B, N).
        slope: Change of the probability per unit from there on, (B, N).
        levels: Of the quantiles.
    """
    order = np.argsort(at, axis=1, kind="stable")
    at, jump, slope = (np.take_along_axis(one, order, axis=1) for one in (at, jump, slope))
    steepness = np.maximum(np.cumsum(slope, axis=1), 0.0)
    gained = steepness[:, :-1] * np.diff(at, axis=1)
    before = np.cumsum(np.column_stack([np.zeros(len(at)), jump[:, :-1] + gained]), axis=1)
    after = np.maximum.accumulate(before + jump, axis=1)
    units = np.empty((len(at), len(levels)))
    row = np.arange(len(at))
    for place, level in enumerate(levels):
        upper = np.minimum((after < level - _SAME_LEVEL).sum(axis=1), at.shape[1] - 1)
        lower = np.maximum(upper - 1, 0)
        rise = before[row, upper] - after[row, lower]
        share = np.clip((level - after[row, lower]) / np.where(rise > 0, rise, 1.0), 0.0, 1.0)
        units[:, place] = at[row, lower] + (at[row, upper] - at[row, lower]) * np.where(rise > 0, share, 1.0)
    return np.maximum.accumulate(units, axis=1)


def over(grid: QuantileGrid, cumulative: Float32s, interval_buckets: Int64s) -> ProtectionDemand:
    """Read a forecast surface at each key's own interval.

    Linear between the grid's horizons. Outside them the mean grows with h and
    the spread around it with the square root of h, as for independent buckets
    (Silver, Pyke & Thomas, Inventory and Production Management in Supply
    Chains, 4th ed., section 6.7.1).

    Args:
        grid: Horizons (H,) and levels (Q,) of the surface.
        cumulative: Quantiles (B, H, Q) of demand summed over each horizon, in units.
        interval_buckets: Interval of each key in buckets, (B,), at least 1.

    Returns:
        Units (B, Q) at the grid's levels.

    Example:
        >>> grid = QuantileGrid((1, 2), (0.5, 0.9))
        >>> surface = np.array([[[4, 6], [8, 10]]], dtype=np.float32)
        >>> over(grid, surface, np.array([2])).units.tolist()
        [[8.0, 10.0]]
    """
    horizons = np.asarray(grid.horizons_buckets, dtype=np.float64)
    wanted = np.asarray(interval_buckets, dtype=np.float64)
    near = np.clip(wanted, horizons[0], horizons[-1])
    upper = np.clip(np.searchsorted(horizons, near), min(1, len(horizons) - 1), len(horizons) - 1)
    lower = np.maximum(upper - 1, 0)
    gap = np.maximum(horizons[upper] - horizons[lower], 1.0)
    share = ((near - horizons[lower]) / gap)[:, None] if len(horizons) > 1 else np.zeros((len(near), 1))
    row = np.arange(len(cumulative))
    low, high = cumulative[row, lower].astype(np.float64), cumulative[row, upper].astype(np.float64)
    inside = ProtectionDemand(grid.levels, low + (high - low) * share)
    ratio = (wanted / near)[:, None]
    if np.all(ratio == 1.0):
        return inside
    centre = inside.mean()[:, None]
    grown = np.maximum(centre * ratio + (inside.units - centre) * np.sqrt(ratio), 0.0)
    return ProtectionDemand(grid.levels, np.where(ratio == 1.0, inside.units, grown))
