"""Quantities from levels and limits: what is missing, in whole packs, within what a supplier allows."""

from dataclasses import dataclass
from math import ceil, floor
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class OrderLimits:
    """What a supplier allows: least units of an order, units of a pack, most units; None = no limit.

    Raises:
        ValueError: If a limit is below 1.
    """

    minimum_units: int | None = None
    pack_units: int = 1
    maximum_units: int | None = None

    def __post_init__(self) -> None:
        for name in ("minimum_units", "pack_units", "maximum_units"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}, must be 1 or more")


@dataclass(frozen=True, slots=True)
class OrderQuantity:
    """What to order: ``units`` (0 = nothing), what was missing before limits, and why nothing is ordered if so.

    ``cap_units`` is the most that a request may be, whatever the supplier allows.
    """

    units: int
    raw_units: int
    reason: str | None = None
    cap_units: int = 0


def order_quantity(
    position: int, order_up_to_level: int, limits: OrderLimits, max_request_ratio: float
) -> OrderQuantity:
    """Return how many units to order now that an order is due.

    What is missing up to S, at least the minimum, up to whole packs; then
    down to whole packs within the maximum and within ``max_request_ratio``
    times S (but never less than one minimum order). If that leaves less than
    the minimum, nothing is ordered and the reason says why.

    Args:
        position: Inventory position, units, may be negative.
        order_up_to_level: S, units.
        limits: What the supplier allows.
        max_request_ratio: Largest request in multiples of S, above 0.

    Example:
        >>> order_quantity(12, 50, OrderLimits(pack_units=12), 4).units
        48
        >>> order_quantity(40, 50, OrderLimits(pack_units=12, maximum_units=10), 4).reason
        'maximum of 10 units is less than one pack of 12'
    """
    return _limited(order_up_to_level - position, order_up_to_level, limits, max_request_ratio)


def lot_quantity(
    position: int, reorder_point: int, lot_units: int, limits: OrderLimits, max_request_ratio: float
) -> OrderQuantity:
    """Return how many lots, in units, lift the position above s: n = ⌈(s + 1 - position) / Q⌉; limits as ever.

    Args:
        position: Inventory position, units, may be negative.
        reorder_point: s, units; nothing is ordered above it.
        lot_units: Q, 1 or more.
        limits: What the supplier allows.
        max_request_ratio: Largest request in multiples of s + Q, above 0.

    Source:
        Snyder & Shen, Fundamentals of Supply Chain Theory, 2nd ed., section 5.1: (r,nQ).

    Example:
        >>> lot_quantity(-3, 20, 10, OrderLimits(), 4).units, lot_quantity(21, 20, 10, OrderLimits(), 4).units
        (30, 0)
    """
    lots = ceil((reorder_point + 1 - position) / lot_units)
    return _limited(max(lots, 0) * lot_units, reorder_point + lot_units, limits, max_request_ratio)


def _limited(raw: int, order_up_to_level: int, limits: OrderLimits, max_request_ratio: float) -> OrderQuantity:
    if raw <= 0:
        return OrderQuantity(0, raw)
    pack, least = limits.pack_units, limits.minimum_units or 1
    one_order = ceil(least / pack) * pack
    cap = max(floor(max_request_ratio * order_up_to_level), one_order)
    units = limit_steps(raw, limits, cap)[-1].units
    if units < least:
        return OrderQuantity(0, raw, _infeasible(limits, pack, least), cap)
    return OrderQuantity(units, raw, None, cap)


class LimitStep(NamedTuple):
    """One limit and how many units were left after it; ``value`` is the limit's own."""

    limit: str
    value: int
    units: int


def limit_steps(raw_units: int, limits: OrderLimits, cap_units: int) -> list[LimitStep]:
    """Return what each limit makes of the units that are missing, in the order in which they hold.

    Args:
        raw_units: What is missing, above 0.
        limits: What the supplier allows.
        cap_units: The most that a request may be.

    Example:
        >>> [step.units for step in limit_steps(38, OrderLimits(20, 12, 40), 200)]
        [38, 48, 48, 36]
    """
    pack = limits.pack_units
    steps = [LimitStep("minimum_units", limits.minimum_units or 1, max(raw_units, limits.minimum_units or 1))]
    steps.append(LimitStep("pack_units", pack, ceil(steps[-1].units / pack) * pack))
    steps.append(LimitStep("cap_units", cap_units, min(steps[-1].units, cap_units) // pack * pack))
    if limits.maximum_units is not None:
        most = limits.maximum_units
        steps.append(LimitStep("maximum_units", most, min(steps[-1].units, most // pack * pack)))
    return steps


def _infeasible(limits: OrderLimits, pack: int, least: int) -> str:
    if limits.maximum_units is not None and limits.maximum_units < pack:
        return f"maximum of {limits.maximum_units} units is less than one pack of {pack}"
    return f"maximum of {limits.maximum_units} units leaves whole packs of {pack} below the minimum of {least}"
