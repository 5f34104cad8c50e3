"""Levels s and S of many keys at once: one rule for each policy, one for each meaning of a target.

Notation as in Silver, Pyke & Thomas: L lead time, R review period (one bucket
if reviewed continuously), X demand over an interval, s reorder point, S
order-up-to level, Q lot.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from replenishment.arrays import Bools, Float64s, Int64s, UInt8s
from replenishment.policy.names import Policy, ServiceKind
from replenishment.policy.textbook import RecentDemand, textbook_reorder_units
from replenishment.quantiles import ProtectionDemand

HIGHEST_LEVEL = 0.9999
_HALVINGS = 50
"""Of an interval of a million units: far finer than a thousandth."""


@dataclass(frozen=True, slots=True)
class IntervalDemand:
    """Demand of B keys over lead time, protection interval and lead time plus cover.

    ``lead`` is needed for fill rates and lots only; ``recent`` and
    ``cover_buckets`` (B,) and ``protection_buckets`` (B,) for the textbook only.
    ``lost_units`` (B,) of it are expected never to be asked of what is ordered
    now, since they are lost before its delivery; None = none.
    """

    protection: ProtectionDemand
    cover: ProtectionDemand
    lead: ProtectionDemand | None = None
    recent: RecentDemand | None = None
    protection_buckets: Int64s | None = None
    cover_buckets: Float64s | None = None
    lost_units: Float64s | None = None

    def take(self, rows: Int64s) -> "IntervalDemand":
        """Return that of some rows."""
        return IntervalDemand(
            protection=self.protection.take(rows),
            cover=self.cover.take(rows),
            lead=None if self.lead is None else self.lead.take(rows),
            recent=None if self.recent is None else self.recent.take(rows),
            protection_buckets=None if self.protection_buckets is None else self.protection_buckets[rows],
            cover_buckets=None if self.cover_buckets is None else self.cover_buckets[rows],
            lost_units=None if self.lost_units is None else self.lost_units[rows],
        )


@dataclass(frozen=True, slots=True)
class Targets:
    """What B keys aim at: ``Policy``, ``ServiceKind``, level in (0, 1), lot Q in units (0 = none)."""

    policy: UInt8s
    kind: UInt8s
    level: Float64s
    lot_units: Int64s

    def take(self, rows: Int64s) -> "Targets":
        """Return those of some rows."""
        return Targets(self.policy[rows], self.kind[rows], self.level[rows], self.lot_units[rows])


@dataclass(frozen=True, slots=True)
class Levels:
    """Reorder point s and order-up-to level S of B keys, in units; s is at most S.

    ``reorder_units`` and ``order_up_to_units`` are what the rule gave before
    whole units were made of it.
    """

    reorder_point: Int64s
    order_up_to_level: Int64s
    reorder_units: Float64s
    order_up_to_units: Float64s


_Raw = tuple[Float64s, Float64s]
"""Unrounded s and S, (B,) each."""


def critical_ratio(shortage_cost: Float64s, holding_cost_per_day: Float64s, review_days: Float64s) -> Float64s:
    """Return shortage / (shortage + holding · review days), (B,), at most 0.9999.

    Source:
        Snyder & Shen, Fundamentals of Supply Chain Theory, 2nd ed., section
        4.3: F(S*) = p / (p + h), h for one review cycle.

    Example:
        >>> critical_ratio(np.array([1.0]), np.array([0.2 / 7]), np.array([7.0])).round(3).tolist()
        [0.833]
    """
    holding = holding_cost_per_day * review_days
    ratio = np.divide(shortage_cost, shortage_cost + holding, out=np.full(len(holding), 0.5), where=shortage_cost > 0)
    return np.asarray(np.minimum(ratio, HIGHEST_LEVEL))


def levels(
    protection: ProtectionDemand, cover: ProtectionDemand, service_level: Float64s, is_periodic: Bools
) -> Levels:
    """Return s and S of each key by cycle service level: (R,S) where periodic, else (s,S).

    Args:
        protection: Demand over the protection interval of B keys.
        cover: Demand over lead time plus cover, for the continuous ones.
        service_level: Cycle service level, (B,), in (0, 1).
        is_periodic: Whether a key has a review period, (B,).
    """
    policy = np.where(is_periodic, Policy.R_S, Policy.S_S).astype(np.uint8)
    nothing = np.zeros(len(policy), dtype=np.int64)
    targets = Targets(policy, nothing.astype(np.uint8), service_level, nothing)
    return levels_of(IntervalDemand(protection, cover), targets)


def levels_of(demand: IntervalDemand, targets: Targets) -> Levels:
    """Return s and S of each key under its own policy and kind of target.

    (s,S): s covers lead time plus one bucket, S lead time plus cover. (R,S): S
    covers lead time plus review period and s = S - 1, so that "at or below s"
    reads "below S". (s,nQ): s as in (s,S), S = s + Q. min/max: the textbook's
    s, S = s + mean demand of the cover. What is expected to be lost before
    delivery is taken off both.

    Source:
        Silver, Pyke & Thomas, 4th ed., sections 6.5 and 6.7-6.10; the normal
        quantile there is the model's own quantile here.
    """
    reorder, upto = np.zeros(len(targets.policy)), np.zeros(len(targets.policy))
    for policy in np.unique(targets.policy).tolist():
        rows = np.flatnonzero(targets.policy == policy)
        some = (demand, targets) if len(rows) == len(reorder) else (demand.take(rows), targets.take(rows))
        reorder[rows], upto[rows] = POLICIES[Policy(policy)](*some)
    if demand.lost_units is not None:
        reorder, upto = (np.maximum(units - demand.lost_units, 0.0) for units in (reorder, upto))
    whole_reorder, whole_upto = _whole_units(reorder), _whole_units(upto)
    is_base_stock = targets.policy == Policy.R_S
    return Levels(
        reorder_point=np.where(is_base_stock, whole_upto - 1, whole_reorder),
        # a lot on top of whole units, so that S - s is Q exactly
        order_up_to_level=np.where(
            targets.policy == Policy.S_NQ, whole_reorder + targets.lot_units, np.maximum(whole_upto, whole_reorder)
        ),
        reorder_units=reorder,
        order_up_to_units=upto,
    )


def _s_s(demand: IntervalDemand, targets: Targets) -> _Raw:
    covered = demand.cover.quantile(targets.level)
    if not needs_lead(targets.kind).any():
        reorder = demand.protection.quantile(targets.level)
        return reorder, np.maximum(covered, reorder)
    cycle_units = demand.cover.mean() - _lead(demand).mean()
    reorder = _protecting(demand, targets, cycle_units)
    by_units = reorder + np.maximum(cycle_units, 1.0)
    return reorder, np.maximum(np.where(needs_lead(targets.kind), by_units, covered), reorder)


def _r_s(demand: IntervalDemand, targets: Targets) -> _Raw:
    is_fill = targets.kind == ServiceKind.FILL
    upto = _quantile_or_cheapest(demand, targets)
    if is_fill.any():
        review_units = demand.protection.mean() - _lead(demand).mean()
        allowed = (1 - targets.level) * review_units
        upto = np.where(is_fill, least_stock(demand.protection, allowed, _lead(demand)), upto)
    return upto, upto


def _s_nq(demand: IntervalDemand, targets: Targets) -> _Raw:
    reorder = _protecting(demand, targets, targets.lot_units.astype(np.float64))
    return reorder, reorder + targets.lot_units


def _min_max(demand: IntervalDemand, targets: Targets) -> _Raw:
    if demand.recent is None or demand.protection_buckets is None or demand.cover_buckets is None:
        raise ValueError("min/max needs recent demand and its intervals")
    reorder = textbook_reorder_units(demand.recent, demand.protection_buckets, targets.level)
    return reorder, reorder + demand.recent.mean * demand.cover_buckets


POLICIES: Mapping[Policy, Callable[[IntervalDemand, Targets], _Raw]] = {
    Policy.S_S: _s_s,
    Policy.R_S: _r_s,
    Policy.S_NQ: _s_nq,
    Policy.MIN_MAX: _min_max,
}
"""How each policy makes unrounded s and S of B keys."""


def _protecting(demand: IntervalDemand, targets: Targets, cycle_units: Float64s) -> Float64s:
    """Return the s that protects a cycle of ``cycle_units`` (B,) between two orders.

    For a fill rate β: the smallest s with E[(X - s)⁺] ≤ (1 - β)·cycle units
    (Silver, Pyke & Thomas, 4th ed., section 6.7.2, P2 with backorders).
    """
    reorder = _quantile_or_cheapest(demand, targets)
    is_fill = targets.kind == ServiceKind.FILL
    if is_fill.any():
        reorder = np.where(is_fill, least_stock(demand.protection, (1 - targets.level) * cycle_units), reorder)
    return reorder


def needs_lead(kind: UInt8s) -> Bools:
    """Return which kinds of target ask for the demand over the lead time, (B,)."""
    return np.asarray((kind == ServiceKind.FILL) | (kind == ServiceKind.COST))


def _quantile_or_cheapest(demand: IntervalDemand, targets: Targets) -> Float64s:
    quantile = demand.protection.quantile(targets.level)
    is_cost = targets.kind == ServiceKind.COST
    if not is_cost.any():
        return quantile
    return np.where(is_cost, cheapest_stock(demand.protection, _lead(demand), targets.level), quantile)


def cheapest_stock(protection: ProtectionDemand, lead: ProtectionDemand, ratio: Float64s) -> Float64s:
    """Return the S with the least expected cost of holding and shortage in a review cycle, (B,), unrounded.

    The cost h·E[(S - X_{L+R})⁺] + p·(E[(X_{L+R} - S)⁺] - E[(X_L - S)⁺]) stops
    falling where p·(F_L(S) - F_{L+R}(S)) = h·F_{L+R}(S): one more unit serves
    only if demand passes S within this very cycle. With r = p / (p + h) that
    is r·F_L(S) = F_{L+R}(S). For L = 0 it is the newsvendor's F(S) = r.

    Args:
        protection: X_{L+R}.
        lead: X_L.
        ratio: r of each key, (B,), in (0, 1); h is the cost of a unit over a cycle.

    Source:
        The first-order condition of Zipkin, Foundations of Inventory
        Management, section 6.2, with shortages counted when they occur.
    """
    low = np.zeros(len(ratio))
    high = protection.quantile(np.full(len(low), 1 - 1e-9)) + 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        within = protection.probability_within(middle)
        is_enough = (within >= ratio * lead.probability_within(middle)) & (within > 0)
        low, high = np.where(is_enough, low, middle), np.where(is_enough, middle, high)
    return np.asarray(high)


def least_stock(
    protection: ProtectionDemand, allowed_units: Float64s, lead: ProtectionDemand | None = None
) -> Float64s:
    """Return the smallest S of each key whose expected shortage stays within what is allowed, (B,), unrounded.

    Shortage of one review cycle: E[(X_{L+R} - S)⁺] - E[(X_L - S)⁺]; what was
    short before the receipt belongs to the cycle before.

    Args:
        protection: X_{L+R}.
        allowed_units: Units per cycle that may be short, (B,), at least 0.
        lead: X_L; None where a cycle is long against it.

    Source:
        Silver, Pyke & Thomas, 4th ed., section 6.9 (R,S with P2); Johnson,
        Lee, Davis & Hall, Expressions for item fill rates in periodic
        inventory systems, Naval Research Logistics 42, 1995.
    """
    low = np.zeros(len(allowed_units))
    high = protection.quantile(np.full(len(low), 1 - 1e-9)) + 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        short = protection.expected_shortage(middle)
        if lead is not None:
            short = short - lead.expected_shortage(middle)
        is_enough = short <= allowed_units
        low, high = np.where(is_enough, low, middle), np.where(is_enough, middle, high)
    return np.asarray(high)


def _lead(demand: IntervalDemand) -> ProtectionDemand:
    if demand.lead is None:
        raise ValueError("a fill rate needs the demand over the lead time")
    return demand.lead


def _whole_units(units: Float64s) -> Int64s:
    # rounded before ceil: the last bits of a float32 curve must not cost a unit
    return np.ceil(np.round(units, 3)).astype(np.int64)
