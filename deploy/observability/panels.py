"""Panels that more than one dashboard has, and expressions that more than one panel asks."""

from deploy.observability.grafana import Panel, Query, increase, quantiles, rate, series
from deploy.observability.rules import FRESH_SECONDS

CLOCK_AGE = f"time() - {series('restock_event_clock_timestamp_seconds')}"
SLOW = (
    f"1 - sum({rate('restock_freshness_seconds_bucket', le=f'{FRESH_SECONDS:.1f}')})"
    f" / sum({rate('restock_freshness_seconds_count')})"
)
SERVED = f"{series('restock_champion_info')} == 1"

FRESHNESS = Panel(
    "Freshness",
    "From the moment Kafka has a record until its effect is durable: median, p95, p99 of fetches. A back-fill is old "
    "by nature; else look at lag and at the time to store a turn.",
    "s",
    quantiles("restock_freshness_seconds", 0.5, 0.95, 0.99),
)
LAG = Panel(
    "Lag by topic",
    "Records written but not applied yet. Growing steadily means that workers do not keep up: add workers up to the "
    "number of partitions.",
    "short",
    [Query(f"sum by (topic) ({series('restock_lag_records')})", "{{topic}}")],
)
REJECTED = Panel(
    "Rejected records",
    "Records that went to dead-letter, by refusal code. `restock dlq list` names each with its reason.",
    "reqps",
    [Query(f"sum by (code) ({rate('restock_rejected_records_total')}) > 0", "{{code}}")],
)
SETTLED = Panel(
    "Records settled",
    "Records of all inputs that are durable, by outcome.",
    "reqps",
    [Query(f"sum by (outcome) ({rate('restock_records_total')})", "{{outcome}}")],
)
REQUESTS = Panel(
    "Restock requests",
    "Requests decided, by policy.",
    "short",
    [Query(f"sum by (policy) ({increase('restock_requests_total')})", "{{policy}}")],
)
VERSIONS = Panel(
    "Partitions by model version",
    "How many partitions each version serves. Two versions for minutes: a swap is under way.",
    "short",
    [Query(f"count by (version, rung) ({SERVED})", "{{version}} ({{rung}})")],
)
OVERDUE = Panel(
    "Overdue supplies",
    "Open requests that should have arrived by now: a case for expediting. Nothing is requested twice for it.",
    "short",
    [Query(f"sum({series('restock_overdue_requests')})")],
    kind="stat",
    width=6,
    most=1,
)
EXPIRED = Panel(
    "Unanswered requests",
    "Open requests past RESTOCK_EXPIRY_DAYS: ask the supplier. The position still counts them.",
    "short",
    [Query(f"sum({series('restock_expired_requests')})")],
    kind="stat",
    width=6,
    most=1,
)
