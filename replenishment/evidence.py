"""Why a request has its quantity: the facts that it carries."""

from collections.abc import Mapping
from typing import Literal

import msgspec


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """Why this quantity; enough to compute it again.

    Position parts are those just before the request. ``expected_units`` and
    ``quantile_units`` (at ``service_level``, which is what ``service_kind``
    says) are of demand over the ``protection_buckets`` from ``forecast_origin``
    on; ``reorder_units`` and ``order_up_to_units`` are s and S before whole
    units were made of them; ``raw_units`` is S minus position or whole lots of
    ``order_quantity_units``, ``minimum_units``, ``pack_units`` and
    ``maximum_units`` the limits applied to it (None = none), with
    ``cap_units`` on any request. ``textbook_units`` is what mean and deviation
    of the last 28 days and a normal quantile would have ordered.
    ``lead_time_days`` is the catalog's; levels rest on mean and deviation in
    buckets of it and the ``deliveries_observed`` together.
    ``cold_start`` says that the key had closed fewer than 14 buckets.
    ``positions`` are the next offsets of each input topic at the decision.
    ``used_level`` is the level after online calibration, None where it is the
    ``service_level``. ``units_after`` is what each limit left of ``raw_units``,
    packs by the ``rounding`` rule; ``shelf_life_units`` is what was expected to
    sell until this request perishes; ``expected_daily_units`` stood in for the
    forecast; ``lost_units`` of demand were expected to be lost before delivery
    and are in no level. ``planned_units`` are the part of ``expected_units`` that
    is due to plans (below 0 = they lower demand), None where nothing is planned.
    ``approval_reasons`` say why a person must release the request, ``value`` is
    what it costs. A field of a term that the key does not have is None.
    """

    policy: Literal["(s,S)", "(R,S)", "(s,nQ)", "min/max"]
    service_kind: Literal["cycle", "fill", "newsvendor", "cost"]
    service_level: float
    on_hand: int
    backorders: int
    on_order: int
    in_transit: int
    pending: int
    inventory_position: int
    reorder_point: int
    order_up_to_level: int
    protection_buckets: int
    cover_buckets: int
    bucket_seconds: int
    lead_time_days: float
    lead_time_mean_buckets: float
    lead_time_deviation_buckets: float
    deliveries_observed: int
    forecast_origin: int
    expected_units: float
    quantile_units: float
    reorder_units: float
    order_up_to_units: float
    raw_units: int
    order_quantity_units: int | None
    minimum_units: int | None
    pack_units: int
    maximum_units: int | None
    cap_units: int
    textbook_units: int
    stock_assumed: bool
    cold_start: bool
    model_rung: str
    positions: Mapping[str, int]
    used_level: float | None = None
    rounding: Literal["up", "nearest", "down_to_max"] = "up"
    units_after: Mapping[str, int] = {}
    order_days: str | None = None
    shelf_life_days: float | None = None
    shelf_life_units: int | None = None
    expected_daily_units: float | None = None
    lost_units: float | None = None
    planned_units: float | None = None
    value: float | None = None
    approval_reasons: tuple[str, ...] | None = None
