"""The dashboard Stream: what becomes of records, and how fast."""

from deploy.observability.grafana import Dashboard, Panel, Query, increase, quantiles, rate, series
from deploy.observability.panels import (
    FRESHNESS,
    LAG,
    REJECTED,
    SETTLED,
)
from deploy.observability.rules import MEMORY_BYTES

STREAM = Dashboard(
    "stream",
    "Restock: Stream",
    "From Kafka to the store and back: rates, batch sizes, times, lag, outbox, processes.",
    {
        "Intake": [
            SETTLED,
            REJECTED,
            LAG,
            FRESHNESS,
            Panel(
                "Watermark behind the clock",
                "How far the watermark stays behind the newest event time: the allowed lateness, less what ticks add.",
                "s",
                [
                    Query(
                        f"max({series('restock_event_clock_timestamp_seconds')}"
                        f" - {series('restock_watermark_timestamp_seconds')})"
                    )
                ],
            ),
            Panel(
                "Buckets closed",
                "Each counted once per partition.",
                "short",
                [Query(f"sum({increase('restock_buckets_closed_total')})")],
            ),
        ],
        "Store": [
            Panel(
                "Time to store a turn",
                "How long Redis takes for one script. Tens of milliseconds are usual for closings.",
                "s",
                quantiles("restock_apply_seconds", 0.5, 0.99),
            ),
            Panel(
                "Records in a turn",
                "How large the batches are: large while catching up, small while keeping up.",
                "short",
                quantiles("restock_turn_records", 0.5, 0.99),
            ),
            Panel(
                "Turns by answer",
                "`fenced`, `regressed` and `ahead` mean that a partition is claimed again: some at a rebalance.",
                "ops",
                [Query(f"sum by (outcome) ({rate('restock_turns_total')})", "{{outcome}}")],
            ),
            Panel(
                "Partitions let go of",
                "Rebalances, seen from here.",
                "short",
                [Query(f"sum({increase('restock_partitions_released_total')})")],
            ),
        ],
        "Outbox": [
            Panel(
                "Entries waiting",
                "What is decided and not yet in Kafka.",
                "short",
                [Query(f"sum({series('restock_outbox_entries')})")],
            ),
            Panel(
                "Waiting for",
                "Time since the outbox was last empty or something of it was published, where entries wait.",
                "s",
                [
                    Query(
                        f"max((time() - {series('restock_outbox_settled_timestamp_seconds')})"
                        f" and ({series('restock_outbox_entries')} > 0)) or vector(0)"
                    )
                ],
            ),
            Panel(
                "Published",
                "Outbox entries acknowledged by Kafka.",
                "reqps",
                [Query(f"sum({rate('restock_published_records_total')})")],
            ),
        ],
        "Processes": [
            Panel(
                "Processor time",
                "A worker uses one core at most; near 1 it does not keep up with more.",
                "percentunit",
                [Query(rate("process_cpu_seconds_total"), "{{instance}}")],
            ),
            Panel(
                "Memory",
                f"Resident bytes of each worker; the limit in the compose file is {MEMORY_BYTES / 2**30:g} GiB.",
                "bytes",
                [Query(series("process_resident_memory_bytes"), "{{instance}}")],
            ),
            Panel(
                "Stock keys by partition",
                "Even bars mean an even load.",
                "short",
                [Query(f"sum by (partition) ({series('restock_stock_keys')})", "{{partition}}")],
            ),
        ],
    },
)
