"""Policies: levels from a demand distribution, quantities from levels and limits."""

from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from replenishment.arrays import Bools, Float64s, Int64s
from replenishment.quantiles import ProtectionDemand


@dataclass(frozen=True, slots=True)
class Levels:
    """Reorder point s and order-up-to level S of B keys, in units; s is at most S."""

    reorder_point: Int64s
    order_up_to_level: Int64s


def levels(
    protection: ProtectionDemand, cover: ProtectionDemand, service_level: Float64s, is_periodic: Bools
) -> Levels:
    """Return s and S of each key by cycle service level.

    (s,S), continuous review: s is the quantile of demand over lead time plus
    one bucket, S the quantile over lead time plus cover. (R,S), periodic: S is
    the quantile over lead time plus review period and s = S - 1, so that
    "at or below s" reads "below S".

    Args:
        protection: Demand over the protection interval of B keys.
        cover: Demand over lead time plus cover, for the continuous ones.
        service_level: Cycle service level, (B,), in (0, 1).
        is_periodic: Whether a key has a review period, (B,).

    Source:
        Silver, Pyke & Thomas, 4th ed., sections 6.5 (s,S) and 6.6 (R,S); the
        normal quantile there is the model's own quantile here.
    """
    protected = _whole_units(protection.quantile(service_level))
    covered = _whole_units(cover.quantile(service_level))
    return Levels(
        reorder_point=np.where(is_periodic, protected - 1, protected),
        order_up_to_level=np.where(is_periodic, protected, np.maximum(covered, protected)),
    )


def _whole_units(units: Float64s) -> Int64s:
    # rounded before ceil: the last bits of a float32 curve must not cost a unit
    return np.ceil(np.round(units, 3)).astype(np.int64)


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
    """What to order: ``units`` (0 = nothing), what was missing before limits, and why nothing is ordered if so."""

    units: int
    raw_units: int
    reason: str | None = None


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
    raw = order_up_to_level - position
    if raw <= 0:
        return OrderQuantity(0, raw)
    pack, least = limits.pack_units, limits.minimum_units or 1
    one_order = ceil(least / pack) * pack
    wanted = ceil(max(raw, least) / pack) * pack
    ratio_cap = max(floor(max_request_ratio * order_up_to_level), one_order)
    cap = ratio_cap if limits.maximum_units is None else min(ratio_cap, limits.maximum_units)
    units = min(wanted, cap) // pack * pack
    if units < least:
        return OrderQuantity(0, raw, _infeasible(limits, pack, least))
    return OrderQuantity(units, raw)


def _infeasible(limits: OrderLimits, pack: int, least: int) -> str:
    if limits.maximum_units is not None and limits.maximum_units < pack:
        return f"maximum of {limits.maximum_units} units is less than one pack of {pack}"
    return f"maximum of {limits.maximum_units} units leaves whole packs of {pack} below the minimum of {least}"
