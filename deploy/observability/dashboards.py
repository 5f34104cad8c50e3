"""The five dashboards. What a panel says of itself is for someone who sees it for the first time."""

from deploy.observability.grafana import Dashboard, Panel, Query, increase, quantiles, rate, series
from deploy.observability.panels import (
    CLOCK_AGE,
    EXPIRED,
    FRESHNESS,
    LAG,
    OVERDUE,
    REJECTED,
    REQUESTS,
    SETTLED,
    SLOW,
    VERSIONS,
)
from deploy.observability.rules import FRESH_SECONDS, MEMORY_BYTES, OBJECTIVE

OVERVIEW = Dashboard(
    "overview",
    "Restock: Overview",
    "Is the promise kept, does the stream flow, what is requested, which model serves.",
    {
        "Promise": [
            Panel(
                f"Fetches within {FRESH_SECONDS:g} s",
                f"Share of fetches whose records were durable within {FRESH_SECONDS:g} s of arriving. "
                f"The objective is {OBJECTIVE:.0%}.",
                "percentunit",
                [Query(f"1 - ({SLOW})")],
                kind="stat",
                width=6,
            ),
            Panel(
                "Lag",
                "Records written to the input topics but not applied yet.",
                "short",
                [Query(f"sum({series('restock_lag_records')})")],
                kind="stat",
                width=6,
            ),
            Panel(
                "Age of the newest order",
                "Wall clock minus the highest event time: high while no orders come, or while history is replayed.",
                "s",
                [Query(f"min({CLOCK_AGE})")],
                kind="stat",
                width=6,
            ),
            EXPIRED,
            FRESHNESS,
            SETTLED,
        ],
        "Decisions": [REQUESTS, VERSIONS],
        "Trouble": [REJECTED, LAG],
    },
)
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


def by_lead(sum_of: str) -> str:
    """Return a sum of live accuracy over all keys, by role and lead."""
    return f"sum by (role, lead) ({series(f'restock_forecast_{sum_of}', segment='all')})"


def by_level(sum_of: str) -> str:
    """Return the same over protection intervals, by role and level."""
    selected = series(f"restock_forecast_{sum_of}", segment="all", lead="protection")
    return f"sum by (role, level) ({selected})"


def by_segment(sum_of: str) -> str:
    """Return the same by role and segment."""
    return f"sum by (role, segment) ({series(f'restock_forecast_{sum_of}', lead='protection')})"


FORECAST = Dashboard(
    "forecast",
    "Restock: Forecast",
    "Which version forecasts for whom, how old its knowledge is, what late lines change.",
    {
        "Who forecasts": [
            VERSIONS,
            Panel(
                "Requests by rung",
                "By the step of the fallback that forecast for them: anything but champion wants attention.",
                "short",
                [Query(f"sum by (rung) ({increase('restock_requests_total')})", "{{rung}}")],
            ),
            Panel(
                "Age of the model's data",
                "Newest order minus the end of the training data. Falls with each retraining.",
                "s",
                [
                    Query(
                        f"max({series('restock_event_clock_timestamp_seconds')}"
                        f" - {series('restock_model_data_until_timestamp_seconds')})"
                    )
                ],
            ),
            Panel(
                "Keys still to be stepped",
                "By a swap under way; 0 = none. The old version serves until all are.",
                "short",
                [Query(f"sum({series('restock_rebuild_pending_keys')})")],
            ),
        ],
        "How good it is": [
            Panel(
                "WAPE",
                "Absolute error of the median over demand, by lead in buckets; `protection`: each key's own interval.",
                "percentunit",
                [Query(f"{by_lead('absolute_error_units')} / {by_lead('demand_units')}", "{{role}} {{lead}}")],
            ),
            Panel(
                "Bias",
                "Error of the mean over demand: above 0 too much was forecast, below 0 too little.",
                "percentunit",
                [Query(f"{by_lead('error_units')} / {by_lead('demand_units')}", "{{role}} {{lead}}")],
            ),
            Panel(
                "Coverage over protection intervals",
                "Share of demands within each quantile: a line should lie at its own level.",
                "percentunit",
                [
                    Query(
                        f"{by_level('covered')} / on (role) group_left sum by (role) ("
                        f"{series('restock_forecast_scored', segment='all', lead='protection')})",
                        "{{role}} {{level}}",
                    )
                ],
            ),
            Panel(
                "Tracking signal",
                "Cumulated error over cumulated absolute error, -1 to 1, by segment over protection intervals. Beyond "
                "±0.5 forecasts are off to one side.",
                "short",
                [Query(f"{by_segment('error_units')} / {by_segment('deviation_units')}", "{{role}} {{segment}}")],
            ),
            Panel(
                "Drift",
                "How far the test for drift is in the partition nearest to it; above 1 retraining is asked for.",
                "short",
                [Query(f"max by (role) ({series('restock_drift_ratio')})", "{{role}}")],
                most=1,
            ),
        ],
        "What it is fed": [
            Panel(
                "Late lines",
                "Corrected in the window, or older than it and dropped. Many: raise RESTOCK_ALLOWED_LATENESS_SECONDS.",
                "reqps",
                [Query(f"sum by (outcome) ({rate('restock_records_total', outcome='late_corrected|late_dropped')})")],
            ),
            Panel(
                "Buckets closed",
                "One step of the forecaster for each key of a closing.",
                "short",
                [Query(f"sum({increase('restock_buckets_closed_total')})")],
            ),
        ],
    },
)
REPLENISHMENT = Dashboard(
    "replenishment",
    "Restock: Replenishment",
    "What is requested, withheld, withdrawn, open, unanswered and lost.",
    {
        "Requests": [
            REQUESTS,
            Panel(
                "Units requested",
                "Of all requests decided.",
                "short",
                [Query(f"sum({increase('restock_requested_units_total')})")],
            ),
            Panel(
                "Withheld",
                "Due, but minimum, pack and maximum leave nothing to order: correct the terms. The log names each.",
                "short",
                [Query(f"sum({increase('restock_withheld_requests_total')})")],
            ),
            Panel(
                "Withdrawn",
                "Unanswered, and made needless by cancellations.",
                "short",
                [Query(f"sum({increase('restock_withdrawn_requests_total')})")],
            ),
            Panel(
                "Open requests",
                "Not yet fully received, rejected or final.",
                "short",
                [Query(f"sum({series('restock_open_requests')})")],
            ),
        ],
        "Suppliers and stock": [
            EXPIRED,
            OVERDUE,
            Panel(
                "Stock keys",
                "Known to the product.",
                "short",
                [Query(f"sum({series('restock_stock_keys')})")],
                kind="stat",
                width=6,
            ),
            Panel(
                "Answers to unknown requests",
                "Answers and receipts that name a request this product never made: a mapping at the supplier is wrong.",
                "short",
                [Query(f"sum({increase('restock_unknown_request_answers_total')})")],
            ),
            Panel(
                "Units lost",
                "Demand not served for want of stock, with RESTOCK_LOST_SALES.",
                "short",
                [Query(f"sum({increase('restock_lost_sales_units_total')})")],
            ),
        ],
    },
)
TRAINING = Dashboard(
    "training",
    "Restock: Training",
    "What became of retraining: promotions that arrived, those that failed, and how stale knowledge is.",
    {
        "Promotions as workers saw them": [
            Panel(
                "Swaps",
                "Versions that partitions changed over to.",
                "short",
                [Query(f"sum({increase('restock_model_swaps_total')})")],
            ),
            Panel(
                "Refused versions",
                "Promoted but not usable: the old one stayed, the log says why. `model-store verify` names the file.",
                "short",
                [Query(f"sum({increase('restock_model_swap_failures_total')})")],
            ),
            VERSIONS,
            Panel(
                "End of the training data",
                "Of the version served, by partition.",
                "dateTimeAsIso",
                [Query(f"1000 * {series('restock_model_data_until_timestamp_seconds')}", "{{partition}}")],
            ),
        ],
    },
)
ALL = (OVERVIEW, STREAM, FORECAST, REPLENISHMENT, TRAINING)
