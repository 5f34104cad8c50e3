"""What is the same for all partitions of a product: widths, windows and rules."""

from dataclasses import dataclass

from replenishment.buckets import BucketWidth


@dataclass(frozen=True, slots=True)
class Plan:
    """Settings that change results.

    ``window_buckets`` closed buckets are kept per key; ``closing_chunk_keys``
    keys close in one turn; a turn of order lines touches at most
    ``turn_keys`` keys. ``max_request_ratio`` caps a request at that many
    times S. With ``takes_unknown_shipments``, as for files, a shipment of a
    request that nobody here made is in transit if it says when it should
    arrive: goods that were under way before. With ``learns_lead_times`` levels
    rest on deliveries too, not on the catalog's lead time alone. With
    ``shows_unmet_demand``, as for files of all demand, orders never stay away
    because a key has no stock: every bucket is fully available. With
    ``calibrates`` the levels of decisions move until realised coverage is the
    target. Order lines of ``non_stock_skus`` (see ``cleaning.names_no_goods``)
    are counted and nothing else.

    Raises:
        ValueError: If a number is out of its range.
    """

    width: BucketWidth = BucketWidth(86_400)
    allowed_lateness_seconds: int = 3_600
    window_buckets: int = 112
    lost_sales: bool = False
    expiry_days: float = 14.0
    max_request_ratio: float = 4.0
    closing_chunk_keys: int = 1_024
    turn_keys: int = 16_384
    takes_unknown_shipments: bool = False
    learns_lead_times: bool = True
    shows_unmet_demand: bool = False
    calibrates: bool = False
    non_stock_skus: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.allowed_lateness_seconds < 0:
            raise ValueError(f"allowed lateness is {self.allowed_lateness_seconds} s, must be 0 or more")
        if self.open_buckets > self.window_buckets:
            raise ValueError(
                f"allowed lateness of {self.allowed_lateness_seconds} s spans {self.open_buckets} buckets, "
                f"more than the window of {self.window_buckets}"
            )
        for name in ("window_buckets", "closing_chunk_keys", "turn_keys", "expiry_days", "max_request_ratio"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be above 0")

    @property
    def open_buckets(self) -> int:
        """How many buckets can be open at once: those between watermark and clock."""
        return -(-self.allowed_lateness_seconds // self.width.seconds) + 1

    @property
    def layout(self) -> dict[str, int]:
        """What the durable rows depend on; a partition keeps it and refuses another."""
        return {
            "bucket_seconds": self.width.seconds,
            "bucket_offset_seconds": self.width.offset_seconds,
            "window_buckets": self.window_buckets,
            "open_buckets": self.open_buckets,
        }
