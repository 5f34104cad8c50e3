"""Catalog terms of a key as a durable row: what `rows` is for all other tables."""

import numpy as np

from replenishment.arrays import Records
from replenishment.engine.rows import Table
from replenishment.events import CatalogEntry
from replenishment.policy import Rounding, ServiceKind


def terms_table() -> Table:
    """Catalog terms; 0 units = no limit, a cost of 0 = not known."""
    return Table(
        "terms",
        np.dtype(
            [
                ("lead_time_days", "<f8"),
                ("review_period_days", "<f8"),
                ("cover_days", "<f8"),
                ("service_target", "<f8"),
                ("minimum_units", "<i8"),
                ("pack_units", "<i8"),
                ("maximum_units", "<i8"),
                ("order_quantity_units", "<i8"),
                ("holding_cost_per_unit_day", "<f8"),
                ("shortage_cost_per_unit", "<f8"),
                ("ordering_cost", "<f8"),
                ("unit_cost", "<f8"),
                ("approval_above_units", "<i8"),  # -1 = no limit, here and in the next two
                ("approval_above_value", "<f8"),
                ("budget_value", "<f8"),
                ("budget_days", "<f8"),
                ("cool_down_buckets", "<i4"),
                ("shelf_life_days", "<f8"),  # 0 = nothing perishes
                ("expected_daily_units", "<f8"),  # 0 = not known
                ("supplier", "S64"),
                ("category", "S64"),
                ("successor_of", "S64"),
                ("order_days", "u1"),  # set of weekdays, 0 = any time
                ("rounding", "u1"),  # Rounding
                ("is_lost_sales", "u1"),  # what stock cannot serve before delivery counts as lost
                ("is_active", "u1"),
                ("service_kind", "u1"),  # ServiceKind
                ("is_textbook", "u1"),  # levels from the last 28 days, not from the forecast
            ]
        ),
    )


def terms_row(entry: CatalogEntry) -> Records:
    """Return the row of a catalog entry, ()."""
    return np.array(
        (
            entry.lead_time_days,
            entry.review_period_days,
            entry.cover_days,
            entry.service_target,
            entry.minimum_order_units or 0,
            entry.pack_units or 0,
            entry.maximum_units or 0,
            entry.order_quantity_units or 0,
            entry.holding_cost_per_unit_day or 0.0,
            entry.shortage_cost_per_unit or 0.0,
            entry.ordering_cost or 0.0,
            entry.unit_cost or 0.0,
            *(-1 if limit is None else limit for limit in _approval_limits(entry)),
            entry.budget_days,
            entry.cool_down_buckets,
            entry.shelf_life_days or 0.0,
            entry.expected_daily_units or 0.0,
            entry.supplier.encode(),
            entry.category.encode(),
            entry.successor_of.encode(),
            entry.order_days,
            Rounding[entry.rounding.upper()],
            entry.unmet_demand == "lost_sales",
            entry.active,
            ServiceKind[entry.service_kind.upper()],
            entry.levels_from == "textbook",
        ),
        dtype=terms_table().row,
    )


def _approval_limits(entry: CatalogEntry) -> tuple[float | None, ...]:
    return (entry.approval_above_units, entry.approval_above_value, entry.budget_value)
