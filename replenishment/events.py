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
    """``units`` left the supplier."""

    key: bytes
    event_id: str
    occurred_at: int
    restock_id: str
    units: int


InventoryEvent: TypeAlias = (
    StockCounted | StockAdjusted | StockReceived | RestockAccepted | RestockRejected | RestockShipped
)


class CatalogEntry(msgspec.Struct, frozen=True, gc=False):
    """Terms of one stock key; the defaults hold where the catalog says nothing.

    ``lead_time_days`` 0-730; ``review_period_days`` 0-365, 0 = continuous
    review; ``cover_days`` 1-365; ``service_target`` 0.5-0.9999, the cycle
    service level; units 1-1,000,000, None = no limit; ``supplier`` and
    ``category`` at most 64 bytes.
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


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """Why this quantity; enough to compute it again.

    Position parts are those just before the request. ``expected_units`` and
    ``quantile_units`` (at ``service_level``) are of demand over the
    ``protection_buckets`` from ``forecast_origin`` on; ``raw_units`` is S minus
    position, ``minimum_units``, ``pack_units`` and ``maximum_units`` the limits
    applied to it (None = none). ``positions`` are the next offsets of each
    input topic at the decision.
    """

    policy: Literal["(s,S)", "(R,S)"]
    service_kind: Literal["cycle"]
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
    forecast_origin: int
    expected_units: float
    quantile_units: float
    raw_units: int
    minimum_units: int | None
    pack_units: int
    maximum_units: int | None
    stock_assumed: bool
    model_rung: str
    positions: Mapping[str, int]


class RestockRequested(msgspec.Struct, frozen=True, gc=False):
    """We ask a supplier for units; ``decided_at`` is the partition's clock, never a wall clock."""

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


class OrderWithheld(msgspec.Struct, frozen=True, gc=False):
    """A request was due but its limits leave nothing to order: an exception for a planner, not an order."""

    key: bytes
    decided_at: int
    raw_units: int
    reason: str


class DemandClosed(msgspec.Struct, frozen=True, gc=False):
    """Demand of one bucket for a chunk of keys, as columns of one length.

    ``kind`` is ``closed`` when the bucket closed, ``correction`` when a late
    line changed it; either way ``units`` are the bucket's signed sums after it.
    ``price_mean`` is NaN where no line had a price.
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


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """A record that is refused; made by wire or engine, joined with its bytes by offset."""

    topic: str
    offset: int
    code: str
    reason: str
