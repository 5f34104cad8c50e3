"""Policies: levels from a demand distribution, quantities from levels and limits; `POLICIES` has them all."""

from replenishment.policy.approval import ApprovalLimits
from replenishment.policy.levels import IntervalDemand, Levels, Targets, critical_ratio, levels, levels_of, needs_lead
from replenishment.policy.names import Policy, ServiceKind
from replenishment.policy.quantity import (
    LimitStep,
    OrderLimits,
    OrderQuantity,
    limit_steps,
    lot_quantity,
    order_quantity,
)
from replenishment.policy.textbook import RecentDemand, recent_demand, textbook_reorder_units

__all__ = [
    "ApprovalLimits",
    "IntervalDemand",
    "Levels",
    "LimitStep",
    "OrderLimits",
    "OrderQuantity",
    "Policy",
    "RecentDemand",
    "ServiceKind",
    "Targets",
    "critical_ratio",
    "levels",
    "levels_of",
    "limit_steps",
    "lot_quantity",
    "needs_lead",
    "order_quantity",
    "recent_demand",
    "textbook_reorder_units",
]
