"""What came of a demonstration, as JSON for machines."""

import msgspec


class Report(msgspec.Struct, frozen=True):
    """Figures of one run.

    ``orders_read`` rows of the file are ``orders_sent`` plus ``orders_skipped``;
    ``orders_rejected`` of those sent are on ``dead-letter``.
    ``restocks_duplicated`` counts ids that came with two payloads,
    ``lines_per_second`` is of the back-fill from the first line published to
    the last one durable in Redis, ``seconds`` of the whole run.
    """

    orders_read: int
    orders_sent: int
    orders_skipped: int
    orders_rejected: int
    skipped: dict[str, int]
    stock_keys: int
    buckets_closed: int
    restocks: int
    restocks_duplicated: int
    receipts: int
    model_versions: list[str]
    swaps: int
    lines_per_second: float
    kafka_version: str
    redis_version: str
    seconds: float
    fill_rate: float
    days_of_stock: float
    min_max_fill_rate: float
    min_max_days_of_stock: float
