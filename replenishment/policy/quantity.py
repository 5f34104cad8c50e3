"""Quantities from levels and limits: what is missing, in whole packs, within what a supplier allows."""

from dataclasses import dataclass
from math import ceil, floor
from typing import NamedTuple

from replenishment.policy.names import Rounding


@dataclass(frozen=True, slots=True)
class OrderLimits:
    """What a supplier allows: least units of an order, units of a pack, most units; None = no limit.

    ``rounding`` is how packs become whole; ``shelf_life_units`` what is
    expected to sell until an order that is placed now has perished, None =
    nothing perishes.

    Raises:
        ValueError: If a limit of the supplier is below 1.
    """

    minimum_units: int | None = None
    pack_units: int = 1
    maximum_units: int | None = None
    rounding: Rounding = Rounding.UP
    shelf_life_units: int | None = None

    def __post_init__(self) -> None:
        for name in ("minimum_units", "pack_units", "maximum_units"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}, must be 1 or more")


@dataclass(frozen=True, slots=True)
class OrderQuantity:
    """What to order: ``units`` (0 = nothing), what was missing before limits, and which limit forbids an order.

    ``cap_units`` is the most that a request may be, whatever the supplier
    allows; ``steps`` is what each limit left.
    """

    units: int
    raw_units: int
    reason: str | None = None
    cap_units: int = 0
    steps: tuple["LimitStep", ...] = ()


def order_quantity(
    position: int, order_up_to_level: int, limits: OrderLimits, max_request_ratio: float
) -> OrderQuantity:
    """Return how many units to order now that an order is due.

    What is missing up to S, at least the minimum, in whole packs by the
    rounding rule; then down to whole packs within the maximum, within
    ``max_request_ratio`` times S (but never less than one minimum order) and
    within what the position leaves to sell before it perishes. If limits can
    never leave the minimum, nothing is ordered and the reason says why.
    Nothing is ordered either, and no limit is to blame, while less is missing
    than the rounding rule makes a pack of, or while the position alone lasts
    until it perishes.

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
    return _limited(order_up_to_level - position, position, order_up_to_level, limits, max_request_ratio)


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
    return _limited(max(lots, 0) * lot_units, position, reorder_point + lot_units, limits, max_request_ratio)


def _limited(
    raw: int, position: int, order_up_to_level: int, limits: OrderLimits, max_request_ratio: float
) -> OrderQuantity:
    if raw <= 0:
        return OrderQuantity(0, raw)
    one_order = _one_order(limits)
    cap = max(floor(max_request_ratio * order_up_to_level), one_order)
    steps = tuple(limit_steps(raw, limits, cap, position))
    units = steps[-1].units
    if units < (limits.minimum_units or 1):
        return OrderQuantity(0, raw, _infeasible(limits, one_order), cap, steps)
    return OrderQuantity(units, raw, None, cap, steps)


def _one_order(limits: OrderLimits) -> int:
    """Return the least that can be ordered: the minimum, in whole packs."""
    return ceil((limits.minimum_units or 1) / limits.pack_units) * limits.pack_units


class LimitStep(NamedTuple):
    """One limit and how many units were left after it; ``value`` is the limit's own."""

    limit: str
    value: int
    units: int


def limit_steps(raw_units: int, limits: OrderLimits, cap_units: int, position: int = 0) -> list[LimitStep]:
    """Return what each limit makes of the units that are missing, in the order in which they hold.

    Args:
        raw_units: What is missing, above 0.
        limits: What the supplier allows, and what sells before it perishes.
        cap_units: The most that a request may be.
        position: Inventory position, units: it sells first.

    Example:
        >>> [step.units for step in limit_steps(38, OrderLimits(20, 12, 40), 200)]
        [38, 48, 48, 36]
        >>> [step.units for step in limit_steps(38, OrderLimits(None, 12, rounding=Rounding.NEAREST), 200)]
        [38, 36, 36]
        >>> [step.units for step in limit_steps(38, OrderLimits(None, 12, shelf_life_units=35), 200, position=5)]
        [38, 48, 48, 24]
    """
    pack = limits.pack_units
    steps = [LimitStep("minimum_units", limits.minimum_units or 1, max(raw_units, limits.minimum_units or 1))]
    steps.append(LimitStep("pack_units", pack, _whole_packs(steps[-1].units, limits)))
    steps.append(LimitStep("cap_units", cap_units, min(steps[-1].units, cap_units) // pack * pack))
    if limits.maximum_units is not None:
        most = limits.maximum_units
        steps.append(LimitStep("maximum_units", most, min(steps[-1].units, most // pack * pack)))
    if limits.shelf_life_units is not None:
        sells = limits.shelf_life_units
        steps.append(
            LimitStep("shelf_life_units", sells, min(steps[-1].units, max(sells - position, 0) // pack * pack))
        )
    return steps


def _whole_packs(units: int, limits: OrderLimits) -> int:
    """Return whole packs by the rounding rule; up where it would leave less than the minimum."""
    pack = limits.pack_units
    up, down = -(-units // pack) * pack, units // pack * pack
    match limits.rounding:
        case Rounding.UP:
            return up
        case Rounding.NEAREST:
            rounded = down if 2 * (units - down) < pack else up
        case Rounding.DOWN_TO_MAX:
            rounded = down
    return rounded if rounded >= (limits.minimum_units or 0) else up


def _infeasible(limits: OrderLimits, one_order: int) -> str | None:
    """Return which limit no order can ever keep, None if one can when more is missing or less is in stock."""
    maximum, pack, shelf = limits.maximum_units, limits.pack_units, limits.shelf_life_units
    if maximum is not None and maximum < pack:
        return f"maximum of {maximum} units is less than one pack of {pack}"
    if maximum is not None and maximum // pack * pack < one_order:
        return f"maximum of {maximum} units leaves whole packs of {pack} below the minimum of {limits.minimum_units}"
    if shelf is not None and shelf < one_order:
        return f"{shelf} units are expected to sell before they perish, less than the least order of {one_order}"
    return None
