"""Every event of the trade, in or out, once: values, no bytes. ``wire`` turns JSON into these and these into JSON.

Times are epoch milliseconds; a stock key is ``location|sku`` as bytes. Order
lines have no class here: they travel as columns (``engine/columns.py``).
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from replenishment.arrays import Float64s, Int64s


class StockCounted(msgspec.Struct, frozen=True, gc=False):
    """On hand was counted, as of ``occurred_at``."""

    key: bytes
    event_id: str
    occurred_at: int
    on_hand_units: int


class StockAdjusted(msgspec.Struct, frozen=True, gc=False):
    """On hand changed by ``delta_units`` for a reason that is no order and no receipt."""

    key: bytes
    event_id: str
    occurred_at: int
    delta_units: int


class StockReceived(msgspec.Struct, frozen=True, gc=False):
    """Goods arrived; ``final`` says that nothing more of the request will come."""

    key: bytes
    event_id: str
    occurred_at: int
    units: int
    restock_id: str | None = None
    final: bool = False


class RestockAccepted(msgspec.Struct, frozen=True, gc=False):
    """The warehouse or supplier will deliver ``units``."""

    key: bytes
    event_id: str
    occurred_at: int
    restock_id: str
    units: int


class RestockRejected(msgspec.Struct, frozen=True, gc=False):
    """The warehouse or supplier will not deliver."""

    key: bytes
    event_id: str
    occurred_at: int
    restock_id: str
    units: int


class RestockShipped(msgspec.Struct, frozen=True, gc=False):
    """``units`` left the supplier; ``expected_at`` is when they should arrive."""

    key: bytes
    event_id: str
    occurred_at: int
    restock_id: str
    units: int
    expected_at: int | None = None


InventoryEvent: TypeAlias = (
    StockCounted | StockAdjusted | StockReceived | RestockAccepted | RestockRejected | RestockShipped
)


class SignalPlanned(msgspec.Struct, frozen=True, gc=False):
    """Something beside demand is planned, or was measured, from ``starts_at`` until before ``ends_at``.

    ``occurred_at`` is when it was said, None = nobody told; ``values`` are by
    channel, each once, by name: ``promotion`` is a strength from 0 to 1,
    ``price`` above 0, any other a number of the user's own.
    """

    key: bytes
    signal_id: str
    occurred_at: int | None
    starts_at: int
    ends_at: int
    values: tuple[tuple[str, float], ...]


class SignalWithdrawn(msgspec.Struct, frozen=True, gc=False):
    """What was planned under a ``signal_id`` will not be."""

    key: bytes
    signal_id: str
    occurred_at: int | None


SignalEvent: TypeAlias = SignalPlanned | SignalWithdrawn


class CatalogEntry(msgspec.Struct, frozen=True, gc=False):
    """Terms of one stock key; the defaults hold where the catalog says nothing.

    ``lead_time_days`` 0-730; ``review_period_days`` 0-365, 0 = continuous
    review; ``cover_days`` 1-365; ``service_target`` 0.5-0.9999, of what
    ``service_kind`` says (unused for ``newsvendor`` and ``cost``, whose levels
    follow from the costs); units 1-1,000,000, None = no limit; ``supplier`` and
    ``category`` at most 64 bytes. ``order_quantity_units`` is the lot Q of
    (s,nQ), None = another policy; ``levels_from`` ``textbook`` takes levels
    from the last 28 days instead of the forecast. Costs are 0-10⁹ in one
    currency, None = not known.
    """

    key: bytes
    supplier: str = ""
    category: str = ""
    lead_time_days: float = 7.0
    review_period_days: float = 0.0
    cover_days: float = 7.0
    service_target: float = 0.95
    minimum_order_units: int | None = None
    pack_units: int | None = None
    maximum_units: int | None = None
    active: bool = True
    service_kind: Literal["cycle", "fill", "newsvendor", "cost"] = "cycle"
    order_quantity_units: int | None = None
    levels_from: Literal["forecast", "textbook"] = "forecast"
    holding_cost_per_unit_day: float | None = None
    shortage_cost_per_unit: float | None = None
    ordering_cost: float | None = None
    unit_cost: float | None = None


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
    ``service_level``. ``planned_units`` are the part of ``expected_units`` that
    is due to plans (below 0 = they lower demand), None where nothing is planned.
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
    planned_units: float | None = None


class RestockRequested(msgspec.Struct, frozen=True, gc=False):
    """We ask a supplier for units; ``decided_at`` is the partition's clock, never a wall clock.

    A later ``revision`` replaces the ones before it. 0 units take the request
    back, and ``withdrawn`` says why; the position parts in its evidence are
    then those without it. ``unit_cost`` is the catalog's, for whoever orders
    jointly; None = not known.
    """

    restock_id: str
    revision: int
    key: bytes
    supplier: str
    units: int
    decided_at: int
    needed_by: int
    expires_at: int
    model_version: str
    evidence: Evidence
    withdrawn: Literal["needless"] | None = None
    unit_cost: float | None = None


class OrderWithheld(msgspec.Struct, frozen=True, gc=False):
    """A request was due but its limits leave nothing to order: an exception for a planner, not an order."""

    key: bytes
    decided_at: int
    raw_units: int
    reason: str


class SupplyOverdue(msgspec.Struct, frozen=True, gc=False):
    """What was asked for should be there and is not: a case for expediting, never for a second order.

    ``open_units`` have not arrived; ``on_hand_units`` and ``backorder_units``
    are the stock at the closing that noticed it, at clock ``noticed_at``.
    """

    key: bytes
    restock_id: str
    needed_by: int
    noticed_at: int
    open_units: int
    on_hand_units: int
    backorder_units: int


class ForecastsScored(msgspec.Struct, frozen=True, gc=False):
    """Earlier forecasts whose demand is known with the end of a bucket, over N keys' protection intervals.

    ``places`` (N,) are those of the keys in the columns beside;
    ``lead_buckets`` (N,) how many buckets the forecast was for, the last of
    them the one that closed; ``actual_units`` (N,) what came in them,
    ``expected_units`` (N,) and ``quantile_units`` (N, L) what was forecast.
    """

    places: Int64s
    lead_buckets: Int64s
    actual_units: Float64s
    expected_units: Float64s
    quantile_units: Float64s


class DemandClosed(msgspec.Struct, frozen=True, gc=False):
    """Demand of one bucket for a chunk of keys, as columns of one length.

    ``kind`` is ``closed`` when the bucket closed, ``correction`` when a late
    line changed it; either way ``units`` are the bucket's signed sums after it.
    ``price_mean`` is NaN where no line had a price. ``scored`` is what became
    of earlier forecasts, None in a correction. ``outliers`` are the places of
    keys that sold far more than they usually do (`outliers.outliers`): flagged,
    not changed.
    """

    kind: Literal["closed", "correction"]
    bucket_start: int
    bucket_seconds: int
    chunk: int
    chunks: int
    model_version: str
    keys: Sequence[bytes]
    units: Int64s
    order_lines: Int64s
    price_mean: Float64s
    available_ratio: Float64s
    scored: ForecastsScored | None = None
    outliers: Sequence[int] = ()


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """A record that is refused; made by wire or engine, joined with its bytes by offset."""

    topic: str
    offset: int
    code: str
    reason: str
