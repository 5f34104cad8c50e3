"""Facts that decisions of many keys rest on, read at once, and the evidence that one request carries of them."""

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple, TypeVar

import numpy as np

from replenishment.arrays import Int64s
from replenishment.engine.expected import YOUNG_BUCKETS
from replenishment.engine.state import PartitionState
from replenishment.evidence import Evidence
from replenishment.order_days import named_days
from replenishment.policy import (
    ApprovalLimits,
    OrderLimits,
    OrderQuantity,
    Policy,
    Rounding,
    ServiceKind,
    lot_quantity,
    order_quantity,
)
from replenishment.quantiles import ProtectionDemand
from replenishment.stock import StockKnowledge

_DERIVED = (
    "policy",
    "service_kind",
    "service_level",
    "used_level",
    "reorder_point",
    "order_up_to_level",
    "reorder_units",
    "order_up_to_units",
    "order_quantity_units",
    "protection_buckets",
    "cover_buckets",
    "lead_time_days",
    "lead_time_mean_buckets",
    "lead_time_deviation_buckets",
    "deliveries_observed",
    "stepped_bucket",
    "order_days",
    "shelf_life_days",
    "shelf_life_units",
    "expected_daily_units",
    "lost_units",
    "textbook_reorder_units",
    "textbook_order_up_to_units",
    "planned_units",
)
_Number = TypeVar("_Number", int, float)
_TERMS = (
    "minimum_units",
    "pack_units",
    "maximum_units",
    "supplier",
    "unit_cost",
    "approval_above_units",
    "approval_above_value",
    "budget_value",
    "budget_days",
    "cool_down_buckets",
    "rounding",
)


class KeyFacts(NamedTuple):
    """What is known of one key when it is reviewed, but for its stock; names as in the rows.

    ``age_buckets`` counts closed buckets since its first line;
    ``expected_units`` and ``quantile_units`` are of the protection interval.
    """

    policy: int
    service_kind: int
    service_level: float
    used_level: float
    reorder_point: int
    order_up_to_level: int
    reorder_units: float
    order_up_to_units: float
    order_quantity_units: int
    protection_buckets: int
    cover_buckets: int
    lead_time_days: float
    lead_time_mean_buckets: float
    lead_time_deviation_buckets: float
    deliveries_observed: int
    stepped_bucket: int
    order_days: int
    shelf_life_days: float
    shelf_life_units: int
    expected_daily_units: float
    lost_units: float
    textbook_reorder_units: float
    textbook_order_up_to_units: float
    planned_units: float
    minimum_units: int
    pack_units: int
    maximum_units: int
    supplier: bytes
    unit_cost: float
    approval_above_units: int
    approval_above_value: float
    budget_value: float
    budget_days: float
    cool_down_buckets: int
    rounding: int
    age_buckets: int
    expected_units: float
    quantile_units: float

    @property
    def limits(self) -> OrderLimits:
        """What the supplier allows, and what sells before it perishes."""
        return OrderLimits(
            self.minimum_units or None,
            self.pack_units or 1,
            self.maximum_units or None,
            Rounding(self.rounding),
            self.shelf_life_units if self.shelf_life_days else None,
        )

    @property
    def approval(self) -> ApprovalLimits:
        """What may be requested without a person."""
        return ApprovalLimits(
            above_units=_limit(self.approval_above_units),
            above_value=_limit(self.approval_above_value),
            budget_value=_limit(self.budget_value),
            budget_days=self.budget_days,
            unit_cost=self.unit_cost or None,
        )

    @property
    def needs_approvals(self) -> bool:
        """Whether there is a limit at all above which a person decides."""
        return max(self.approval_above_units, self.approval_above_value, self.budget_value) >= 0

    def quantity(self, position: int, limits: OrderLimits, max_request_ratio: float) -> OrderQuantity:
        """Return what to order at a position at or below s."""
        if self.policy == Policy.S_NQ:
            lot = self.order_quantity_units
            return lot_quantity(position, self.reorder_point, lot, limits, max_request_ratio)
        return order_quantity(position, self.order_up_to_level, limits, max_request_ratio)

    def textbook_units(self, position: int, limits: OrderLimits, max_request_ratio: float) -> int:
        """Return what mean and deviation of the last 28 days would have ordered."""
        if position > ceil(self.textbook_reorder_units):
            return 0
        return order_quantity(position, ceil(self.textbook_order_up_to_units), limits, max_request_ratio).units


@dataclass(frozen=True, slots=True)
class Position:
    """The parts of one key's inventory position, units; ``net`` is on hand minus backorders."""

    net: int
    on_order: int
    in_transit: int
    pending: int
    is_assumed: bool

    @property
    def units(self) -> int:
        """The position."""
        return self.net + self.on_order + self.in_transit + self.pending


def position_of(state: PartitionState, row: int, net_units: int) -> Position:
    """Return the position of a key whose net stock is, or was at a line, so many units."""
    return Position(
        net=net_units,
        on_order=int(state.on_order[row]),
        in_transit=int(state.in_transit[row]),
        pending=int(state.pending[row]),
        is_assumed=bool(state.hot["stock"][row] == StockKnowledge.ASSUMED),
    )


def _limit(stored: _Number) -> _Number | None:
    return stored if stored >= 0 else None


def facts_of(state: PartitionState, rows: Int64s) -> list[KeyFacts]:
    """Return the facts of rows (B,) with levels, in order; those of a key do not depend on the keys beside it."""
    derived, terms = state.champion.rows[rows], state.terms[rows]
    demand = _protection_demand(state, rows)
    columns = [
        *(derived[name].tolist() for name in _DERIVED),
        *(terms[name].tolist() for name in _TERMS),
        (derived["stepped_bucket"] - state.window["born_bucket"][rows] + 1).tolist(),
        demand.mean().tolist(),
        demand.quantile(derived["used_level"]).tolist(),
    ]
    return [KeyFacts(*fields) for fields in zip(*columns, strict=True)]


def _protection_demand(state: PartitionState, rows: Int64s) -> ProtectionDemand:
    grid = state.champion.grid
    if grid is None:
        raise RuntimeError(f"version {state.champion.version} has no levels to decide by")
    return ProtectionDemand(grid.levels, state.champion.rows["curve"][rows].astype(np.float64))


def evidence_of(
    state: PartitionState,
    facts: KeyFacts,
    limits: OrderLimits,
    position: Position,
    quantity: OrderQuantity,
    rung: str,
    cause: int,
) -> Evidence:
    """Return why a request has its quantity; ``cause`` is the offset of the order that made it due, or -1."""
    positions = dict(state.progress.positions)
    if cause >= 0:
        positions["orders"] = cause + 1
    plan = state.plan
    return Evidence(
        policy=Policy(facts.policy).notation,
        service_kind=ServiceKind(facts.service_kind).label,
        service_level=facts.service_level,
        on_hand=max(position.net, 0),
        backorders=max(-position.net, 0),
        on_order=position.on_order,
        in_transit=position.in_transit,
        pending=position.pending,
        inventory_position=position.units,
        reorder_point=facts.reorder_point,
        order_up_to_level=facts.order_up_to_level,
        protection_buckets=facts.protection_buckets,
        cover_buckets=facts.cover_buckets,
        bucket_seconds=plan.width.seconds,
        lead_time_days=facts.lead_time_days,
        lead_time_mean_buckets=round(facts.lead_time_mean_buckets, 3),
        lead_time_deviation_buckets=round(facts.lead_time_deviation_buckets, 3),
        deliveries_observed=facts.deliveries_observed,
        forecast_origin=plan.width.start_of(facts.stepped_bucket + 1),
        expected_units=round(facts.expected_units, 3),
        quantile_units=round(facts.quantile_units, 3),
        reorder_units=round(facts.reorder_units, 3),
        order_up_to_units=round(facts.order_up_to_units, 3),
        raw_units=quantity.raw_units,
        order_quantity_units=facts.order_quantity_units or None,
        minimum_units=limits.minimum_units,
        pack_units=limits.pack_units,
        maximum_units=limits.maximum_units,
        cap_units=quantity.cap_units,
        textbook_units=facts.textbook_units(position.units, limits, plan.max_request_ratio),
        stock_assumed=position.is_assumed,
        cold_start=facts.age_buckets < YOUNG_BUCKETS,
        model_rung=rung,
        positions=dict(sorted(positions.items())),
        used_level=None if facts.used_level == facts.service_level else round(facts.used_level, 6),
        rounding=limits.rounding.label,
        # sorted as stored: what waits for approval is said again, with the same bytes
        units_after=dict(sorted((step.limit, step.units) for step in quantity.steps)),
        order_days=named_days(facts.order_days) or None,
        shelf_life_days=facts.shelf_life_days or None,
        shelf_life_units=limits.shelf_life_units,
        expected_daily_units=facts.expected_daily_units or None,
        lost_units=round(facts.lost_units, 3) or None,
        planned_units=round(facts.planned_units, 3) or None,
    )
