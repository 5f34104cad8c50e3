"""The intervals that decisions of many keys must cover, and the demand over them, with lead times as chances."""

from dataclasses import dataclass

import numpy as np

from replenishment.arrays import Float32s, Float64s, Int64s
from replenishment.engine.state import PartitionState
from replenishment.forecaster import Forecaster
from replenishment.lead_time import KnowsSuppliers, LeadTimes, buckets_of_days, protection_buckets
from replenishment.order_days import ANY_DAY, buckets_to_cover
from replenishment.policy import IntervalDemand, Targets, needs_lead
from replenishment.quantiles import ProtectionDemand, QuantileGrid, mixed, over


@dataclass(frozen=True, slots=True)
class Intervals:
    """Lead time of B keys as chances; what follows on it, whole buckets (B,).

    Attributes:
        lead_times: From order to arrival.
        deliveries: How many deliveries they rest on, (B,).
        after_lead: Buckets that a decision must cover after the lead time: those to the next order day, or the
            review period, at least one.
        cover: Buckets of demand that an order brings.
        protection: Mean lead time, rounded up, and what must be covered after it.
    """

    lead_times: LeadTimes
    deliveries: Int64s
    after_lead: Int64s
    cover: Int64s
    protection: Int64s

    def take(self, rows: Int64s) -> "Intervals":
        """Return those of some keys."""
        kept = (self.deliveries, self.after_lead, self.cover, self.protection)
        return Intervals(self.lead_times.take(rows), *(one[rows] for one in kept))


def intervals_of(state: PartitionState, forecaster: Forecaster, rows: Int64s) -> Intervals:
    """Return the intervals from the last closings of rows (B,) on, under their terms and after their deliveries.

    What the version knows of suppliers counts too.
    """
    terms, deliveries, plan = state.terms[rows], state.deliveries[rows], state.plan
    delays = forecaster.delays(terms["supplier"]) if isinstance(forecaster, KnowsSuppliers) else None
    promised = buckets_of_days(terms["lead_time_days"], plan.width)
    review = buckets_of_days(terms["review_period_days"], plan.width)
    observed = deliveries["observed"].astype(np.int64) if plan.learns_lead_times else np.zeros_like(promised)
    lead_times = LeadTimes.certain(promised)
    if observed.any() or (delays is not None and plan.learns_lead_times):
        lead_times = LeadTimes.learnt(promised, deliveries["buckets"].astype(np.int64), observed, delays)
    # rounded first: a mean of 7.000000000000001 buckets is not eight
    lead = np.ceil(np.round(lead_times.mean(), 6)).astype(np.int64)
    after = protection_buckets(lead, review) - lead
    if terms["order_days"].any():
        to_order_day = buckets_to_cover(plan.width, terms["order_days"], state.window["closed_bucket"][rows])
        after = np.where(terms["order_days"] != ANY_DAY, to_order_day, after)
    cover = np.maximum(buckets_of_days(terms["cover_days"], plan.width), 1)
    return Intervals(lead_times, observed, after, cover, lead + after)


def interval_demand(grid: QuantileGrid, quantiles: Float32s, intervals: Intervals, targets: Targets) -> IntervalDemand:
    """Return the demand of B keys over each interval; of the lead time only where a key asks for it."""
    times = intervals.lead_times
    lead = None
    if np.any(needs_lead(targets.kind)):
        lead = lead_time_demand(grid, quantiles, intervals)
    return IntervalDemand(
        protection=protection_demand(grid, quantiles, intervals),
        cover=_over_lead(grid, quantiles, times, intervals.cover),
        lead=lead,
        protection_buckets=intervals.protection,
    )


def shelf_life_units(
    grid: QuantileGrid, quantiles: Float32s, intervals: Intervals, shelf_life_buckets: Int64s
) -> Float64s:
    """Return the median demand of B keys until what is ordered now perishes, after lead time and shelf life, (B,)."""
    demand = _over_lead(grid, quantiles, intervals.lead_times, shelf_life_buckets)
    return demand.quantile(np.full(len(shelf_life_buckets), 0.5))


def lead_time_demand(grid: QuantileGrid, quantiles: Float32s, intervals: Intervals) -> ProtectionDemand:
    """Return the demand of B keys over the lead time alone."""
    return _over_lead(grid, quantiles, intervals.lead_times, np.zeros(len(quantiles), dtype=np.int64))


def protection_demand(grid: QuantileGrid, quantiles: Float32s, intervals: Intervals) -> ProtectionDemand:
    """Return the demand of B keys over the lead time and what a decision must cover after it."""
    return _over_lead(grid, quantiles, intervals.lead_times, intervals.after_lead)


def _over_lead(grid: QuantileGrid, quantiles: Float32s, times: LeadTimes, after: Int64s) -> ProtectionDemand:
    """Return the demand over the lead time and ``after`` (B,) buckets more, each lead time with its chance."""
    likeliest = times.buckets[np.arange(len(after)), times.weights.argmax(axis=1)]
    demand = _over_certain(grid, quantiles, likeliest + after)
    uncertain = np.flatnonzero((times.weights > 0).sum(axis=1) > 1)
    if len(uncertain):
        some, rest = times.take(uncertain), after[uncertain]
        parts = [_over_certain(grid, quantiles[uncertain], lead + rest) for lead in some.buckets.T]
        demand.units[uncertain] = mixed(parts, some.weights).units
    return demand


def _over_certain(grid: QuantileGrid, quantiles: Float32s, interval: Int64s) -> ProtectionDemand:
    """Return the demand over intervals (B,), of which some may have no bucket."""
    within = over(grid, quantiles, np.maximum(interval, 1))
    return ProtectionDemand(within.levels, np.where(interval[:, None] > 0, within.units, 0.0))
