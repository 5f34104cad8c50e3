"""What a forecast is worth on the shelf: days of stock that reach a fill rate, by simulation over the test buckets.

One order-up-to policy for all keys and models, so that only forecasts differ:
review at each bucket's end, a fixed lead time L, target = demand of L + 1
buckets not exceeded with a probability that is the same for all keys, sales
lost where there is no stock, start with the first target on the shelf. The
probability is raised step by step, which draws a curve of stock over fill
rate; models are compared at equal fill rates on it.

Source: Silver, Pyke & Thomas, Inventory and Production Management in Supply Chains, 4th ed., section 6.3 (policy
(R, S)); exchange curves: Gardner, Evaluating forecast performance in an inventory control system, Management Science
36(4), 1990.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from model_store.training.history import DemandHistory
from model_store.training.scoring import TABLE_LEVELS, LeadForecasts
from replenishment.arrays import Bools, Float64s

FILL_RATES = (0.9, 0.95, 0.98)
STRETCHES = (1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)
"""Beyond the highest level every model's target is continued alike: median + k (highest - median)."""


@dataclass(frozen=True, slots=True)
class StockPoint:
    """Fill rate (share of units met from the shelf) and mean end stock in days' demand, under one target."""

    fill_rate: float
    stock_buckets: float


@dataclass(frozen=True, slots=True)
class StockValue:
    """Stock in buckets of mean demand at each of `FILL_RATES`, None where no target reaches it, and the whole curve."""

    at_fill: dict[float, float | None]
    curve: tuple[StockPoint, ...]


def stock_value(
    actual: DemandHistory, forecasts: LeadForecasts, first: int, *, lead_place: int, lead_buckets: int, rows: Bools
) -> StockValue:
    """Return what a model's forecasts are worth.

    Args:
        actual: Demand that came, keys (K,).
        forecasts: At every bucket from ``first`` to the end, over ``lead_buckets`` + 1 buckets.
        first: Column of the first simulated bucket.
        lead_place: Place of that lead.
        lead_buckets: From an order to its arrival, in buckets.
        rows: Keys that count, (K,); those without a forecast at every bucket do not.
    """
    whole = rows & forecasts.is_there[:, :, lead_place].all(axis=1)
    demand = actual.demand_units[whole, first:].astype(np.float64)
    quantiles = forecasts.quantiles[whole, :, lead_place].astype(np.float64)
    points = tuple(simulated(demand, target, lead_buckets) for target in _targets(quantiles))
    return StockValue({rate: _stock_at(points, rate) for rate in FILL_RATES}, points)


def _targets(quantiles: Float64s) -> Iterator[Float64s]:
    """Targets (K, T) in whole units from quantiles (K, T, Q), rising."""
    for place in range(len(TABLE_LEVELS)):
        yield np.ceil(quantiles[:, :, place] - 1e-6)
    median, highest = quantiles[:, :, 0], quantiles[:, :, -1]
    for stretch in STRETCHES:
        yield np.ceil(median + stretch * (highest - median) - 1e-6)


def simulated(demand: Float64s, target: Float64s, lead_buckets: int) -> StockPoint:
    """Return fill rate and stock of order-up-to targets.

    An order at the end of a bucket arrives ``lead_buckets`` later, before that bucket's demand.

    Args:
        demand: Units of K keys in T buckets, (K, T).
        target: Order-up-to level at the start of each of them, (K, T).
        lead_buckets: 0 or more.

    Example:
        >>> steady = np.full((1, 63), 2.0)
        >>> point = simulated(steady, 8 * steady, 7)
        >>> point.fill_rate, round(point.stock_buckets * 63)
        (1.0, 28)
    """
    sold, stock = shelf(demand, target, lead_buckets)
    wanted = max(float(demand.sum()), 1e-12)
    return StockPoint(float(sold.sum()) / wanted, float(stock.sum()) / wanted)


def shelf(demand: Float64s, target: Float64s, lead_buckets: int) -> tuple[Float64s, Float64s]:
    """Return the units that each key sold and its end stock summed over buckets, (K,) each; see `simulated`."""
    keys, buckets = demand.shape
    on_hand, due = target[:, 0].copy(), np.zeros((keys, buckets + lead_buckets + 1))
    on_order, sold, stock = np.zeros(keys), np.zeros(keys), np.zeros(keys)
    for bucket in range(buckets):
        ordered = np.maximum(target[:, bucket] - on_hand - on_order, 0)
        due[:, bucket + lead_buckets] += ordered
        on_order += ordered
        on_hand += due[:, bucket]
        on_order -= due[:, bucket]
        met = np.minimum(on_hand, demand[:, bucket])
        on_hand -= met
        sold += met
        stock += on_hand
    return sold, stock


def _stock_at(points: tuple[StockPoint, ...], fill_rate: float) -> float | None:
    """Stock at a fill rate, linear in the logarithm of what is lost between two points of the curve."""
    for low, high in pairwise(points):
        if low.fill_rate <= fill_rate < high.fill_rate:
            lost = [np.log(1 - rate) if rate < 1 else np.log(1e-9) for rate in (low.fill_rate, high.fill_rate)]
            share = (np.log(1 - fill_rate) - lost[0]) / (lost[1] - lost[0])
            return float(low.stock_buckets + share * (high.stock_buckets - low.stock_buckets))
    return None
