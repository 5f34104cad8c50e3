"""The intervals that decisions of many keys must cover, and the demand over them, with lead times as chances."""

from dataclasses import dataclass

import numpy as np

from replenishment.arrays import Float32s, Int64s, Records
from replenishment.engine.plan import Plan
from replenishment.lead_time import Delays, LeadTimes, buckets_of_days, protection_buckets
from replenishment.policy import IntervalDemand, Targets, needs_lead
from replenishment.quantiles import ProtectionDemand, QuantileGrid, mixed, over


@dataclass(frozen=True, slots=True)
class Intervals:
    """Lead time of B keys as chances; what follows on it, whole buckets (B,).

    Attributes:
        lead_times: From order to arrival.
        deliveries: How many deliveries they rest on, (B,).
        after_lead: Buckets that a decision must cover after the lead time: the review period, at least one.
        cover: Buckets of demand that an order brings.
        protection: Mean lead time, rounded up, and what must be covered after it.
    """

    lead_times: LeadTimes
    deliveries: Int64s
    after_lead: Int64s
    cover: Int64s
    protection: Int64s


def intervals_of(terms: Records, deliveries: Records, plan: Plan, delays: Delays | None = None) -> Intervals:
    """Return the intervals under terms (B,) and after deliveries (B,), with suppliers' delays if they are known."""
    promised = buckets_of_days(terms["lead_time_days"], plan.width)
    review = buckets_of_days(terms["review_period_days"], plan.width)
    observed = deliveries["observed"].astype(np.int64) if plan.learns_lead_times else np.zeros_like(promised)
    lead_times = LeadTimes.certain(promised)
    if observed.any() or (delays is not None and plan.learns_lead_times):
        lead_times = LeadTimes.learnt(promised, deliveries["buckets"].astype(np.int64), observed, delays)
    # rounded first: a mean of 7.000000000000001 buckets is not eight
    lead = np.ceil(np.round(lead_times.mean(), 6)).astype(np.int64)
    protection = protection_buckets(lead, review)
    cover = np.maximum(buckets_of_days(terms["cover_days"], plan.width), 1)
    return Intervals(lead_times, observed, protection - lead, cover, protection)


def interval_demand(grid: QuantileGrid, quantiles: Float32s, intervals: Intervals, targets: Targets) -> IntervalDemand:
    """Return the demand of B keys over each interval; of the lead time only where a key asks for it."""
    times = intervals.lead_times
    lead = None
    if np.any(needs_lead(targets.kind)):
        lead = _over_lead(grid, quantiles, times, np.zeros(len(quantiles), dtype=np.int64))
    return IntervalDemand(
        protection=protection_demand(grid, quantiles, intervals),
        cover=_over_lead(grid, quantiles, times, intervals.cover),
        lead=lead,
        protection_buckets=intervals.protection,
    )


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
