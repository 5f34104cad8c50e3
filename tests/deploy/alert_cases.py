"""For each alert, series that make it fire, as ``promtool test rules`` reads them: one value a minute."""

from dataclasses import dataclass

JOB = 'job="restock",instance="a"'
FRESH = f'restock_freshness_seconds_bucket{{{JOB},le="5.0"}}'
ALL_FETCHES = f"restock_freshness_seconds_count{{{JOB}}}"


@dataclass(frozen=True, slots=True)
class Case:
    """``series`` by name with their values; ``at`` fires, ``not_at`` does not; ``labels`` are those of the alert."""

    alert: str
    series: dict[str, str]
    at: str
    not_at: str
    labels: dict[str, str]


def partition(metric: str) -> str:
    """Return a series of partition 0."""
    return f'restock_{metric}{{{JOB},partition="0"}}'


def of(metric: str, **labels: str) -> str:
    """Return a series."""
    more = "".join(f',{name}="{value}"' for name, value in labels.items())
    return f"restock_{metric}{{{JOB}{more}}}"


INSTANCE = {"job": "restock", "instance": "a"}
PARTITION = {"job": "restock", "partition": "0"}
ONLY_JOB = {"job": "restock"}
CASES = (
    # all fetches are fresh, then none is
    Case(
        "RestockFreshnessBurnFast",
        {FRESH: "0+100x60 6000x60", ALL_FETCHES: "0+100x120"},
        "1h30m",
        "1h",
        ONLY_JOB,
    ),
    Case(
        "RestockFreshnessBurnSlow",
        {FRESH: "0+100x360 36000+90x400", ALL_FETCHES: "0+100x760"},
        "12h",
        "6h",
        ONLY_JOB,
    ),
    Case(
        "RestockFreshnessBudgetLow",
        {FRESH: "0+1000x400 400000+960x400", ALL_FETCHES: "0+1000x800"},
        "13h",
        "6h",
        ONLY_JOB,
    ),
    Case("RestockWorkerDown", {f"up{{{JOB}}}": "1x10 0x10"}, "15m", "10m", INSTANCE),
    Case(
        "RestockPartitionsUnowned",
        {
            of("champion_info", partition="0", version="v", rung="champion"): "1x60",
            of("champion_info", partition="1", version="v", rung="champion"): "1x20",
        },
        "35m",
        "20m",
        ONLY_JOB,
    ),
    Case(
        "RestockStreamStuck",
        {
            of("lag_records", topic="orders", partition="0"): "5x40",
            partition("last_record_processed_timestamp_seconds"): "0+60x20 1200x20",
        },
        "30m",
        "20m",
        PARTITION,
    ),
    Case(
        "RestockEventLagHigh",
        {of("lag_records", topic="orders", partition="0"): "10x30 20000+20000x60"},
        "1h20m",
        "30m",
        {**ONLY_JOB, "topic": "orders"},
    ),
    Case(
        "RestockOutboxStalled",
        {
            partition("outbox_entries"): "3x40",
            partition("outbox_settled_timestamp_seconds"): "0+60x20 1200x20",
        },
        "30m",
        "20m",
        {**INSTANCE, "partition": "0"},
    ),
    Case(
        "RestockRecordsRejected",
        {of("rejected_records_total", code="too_old"): "0x20 2x20"},
        "25m",
        "20m",
        {**ONLY_JOB, "code": "too_old"},
    ),
    Case(
        "RestockClaimsContested",
        {of("turns_total", outcome="fenced"): "0x20 0+1x20", of("turns_total", outcome="applied"): "0+1000x40"},
        "35m",
        "20m",
        ONLY_JOB,
    ),
    Case(
        "RestockStoreSlow",
        {
            of("apply_seconds_bucket", le="0.1"): "0+100x20 2000+10x40",
            of("apply_seconds_bucket", le="2.5"): "0+100x60",
            of("apply_seconds_bucket", le="+Inf"): "0+100x60",
        },
        "50m",
        "20m",
        ONLY_JOB,
    ),
    Case(
        "RestockMemoryHigh",
        {f"process_resident_memory_bytes{{{JOB}}}": "500000000x20 1000000000x40"},
        "45m",
        "20m",
        INSTANCE,
    ),
    Case("RestockRequestsUnanswered", {partition("expired_requests"): "0x20 2x40"}, "50m", "25m", ONLY_JOB),
    Case("RestockSupplyOverdue", {partition("overdue_requests"): "0x20 2x40"}, "50m", "25m", ONLY_JOB),
    Case("RestockRequestsWithheld", {of("withheld_requests_total"): "0x20 1x40"}, "30m", "20m", ONLY_JOB),
    Case("RestockModelRefused", {of("model_swap_failures_total"): "0x20 1x40"}, "30m", "20m", ONLY_JOB),
    Case(
        "RestockModelFallback",
        {of("champion_info", partition="0", version="s", rung="starter"): "1x200"},
        "2h",
        "30m",
        ONLY_JOB,
    ),
    Case(
        "RestockModelStale",
        {
            partition("model_data_until_timestamp_seconds"): "0x300",
            partition("event_clock_timestamp_seconds"): f"{20 * 86_400}x60 {30 * 86_400}x200",
        },
        "3h",
        "1h",
        ONLY_JOB,
    ),
    Case(
        "RestockForecastDrift",
        {of("drifted_partitions", role="champion"): "0x20 1x40"},
        "50m",
        "25m",
        ONLY_JOB,
    ),
    Case("RestockTrainingFailing", {of("trainer_failed_rounds_in_a_row"): "0x10 1x10 2x20"}, "30m", "15m", ONLY_JOB),
)
