"""Recording rules and alerts: burn rates of the promise over two windows each, and what an operator must act on.

Each alert has a paragraph in docs/how-to/alerts.md: what it means, where to
look, what to do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Rule = dict[str, Any]
FRESH_SECONDS = 5.0
"""A fetch counts as fresh up to here: an edge of the histogram."""
OBJECTIVE = 0.99
MEMORY_BYTES = 2**30
STALE_DAYS = 28
"""Two periods of a fortnightly retraining."""
RUNBOOK = "docs/how-to/alerts.md"
WINDOWS = ("5m", "30m", "1h", "6h", "3d")
_RECORDED = "restock:freshness_slow:ratio_rate{window}"


@dataclass(frozen=True, slots=True)
class Alert:
    """When somebody is told: ``text`` may hold ``{{ $value }}`` and labels, ``summary`` is always the same."""

    name: str
    expression: str
    severity: Literal["critical", "warning", "info"]
    summary: str
    text: str
    dashboard: str
    wait: str = "0m"


def _slow(window: str) -> str:
    edge = f'restock_freshness_seconds_bucket{{le="{FRESH_SECONDS:.1f}"}}'
    fresh = f"sum by (job) (rate({edge}[{window}]))"
    return f"1 - {fresh} / sum by (job) (rate(restock_freshness_seconds_count[{window}]))"


def recording_rules() -> Iterator[Rule]:
    """Yield the share of fetches that were too old, over each window."""
    for window in WINDOWS:
        yield {"record": _RECORDED.format(window=window), "expr": _slow(window)}


def _burning(factor: float, long: str, short: str) -> str:
    limit = f"{factor * (1 - OBJECTIVE):g}"
    return f"{_RECORDED.format(window=long)} > {limit} and {_RECORDED.format(window=short)} > {limit}"


def _burn(name: str, factor: float, long: str, short: str, severity: Literal["critical", "warning"]) -> Alert:
    return Alert(
        name,
        _burning(factor, long, short),
        severity,
        "Orders take effect too late.",
        f"{{{{ $value | humanizePercentage }}}} of fetches were older than {FRESH_SECONDS:g} s over {long}: the error "
        f"budget of {1 - OBJECTIVE:.0%} burns {factor:g} times as fast as it may.",
        "overview",
    )


ALERTS: Sequence[Alert] = (
    _burn("RestockFreshnessBurnFast", 14.4, "1h", "5m", "critical"),
    _burn("RestockFreshnessBurnSlow", 6, "6h", "30m", "critical"),
    _burn("RestockFreshnessBudgetLow", 1, "3d", "6h", "warning"),
    Alert(
        "RestockWorkerDown",
        'up{job=~"restock.*"} == 0',
        "critical",
        "A worker does not answer.",
        "{{ $labels.instance }} gave no metrics for a minute.",
        "overview",
        "1m",
    ),
    Alert(
        "RestockPartitionsUnowned",
        "count by (job) (restock_champion_info == 1)"
        " < max_over_time(count by (job) (restock_champion_info == 1)[1h:1m])",
        "critical",
        "Partitions have no worker.",
        "{{ $value }} partitions have a worker, fewer than within the last hour.",
        "stream",
        "5m",
    ),
    Alert(
        "RestockStreamStuck",
        "sum by (job, partition) (restock_lag_records) > 0"
        " unless on (job, partition) time() - restock_last_record_processed_timestamp_seconds < 120",
        "critical",
        "Records wait, and nothing is applied.",
        "Partition {{ $labels.partition }} has {{ $value }} records waiting and applied none for two minutes.",
        "stream",
        "2m",
    ),
    Alert(
        "RestockEventLagHigh",
        "sum by (job, topic) (restock_lag_records) > 100000"
        " and sum by (job, topic) (deriv(restock_lag_records[10m])) > 0",
        "warning",
        "Workers do not keep up.",
        "{{ $value }} records of {{ $labels.topic }} wait, and they become more.",
        "stream",
        "15m",
    ),
    Alert(
        "RestockOutboxStalled",
        "restock_outbox_entries > 0 and time() - restock_outbox_settled_timestamp_seconds > 60",
        "critical",
        "Requests are decided but not sent.",
        "{{ $value }} entries of partition {{ $labels.partition }} wait for Kafka for more than a minute.",
        "stream",
        "1m",
    ),
    Alert(
        "RestockRecordsRejected",
        "sum by (job, code) (increase(restock_rejected_records_total[15m])) > 0",
        "warning",
        "Records are refused.",
        "{{ $value | humanize }} records were refused as {{ $labels.code }} within 15 minutes.",
        "stream",
    ),
    Alert(
        "RestockClaimsContested",
        'sum by (job) (increase(restock_turns_total{outcome=~"fenced|regressed|ahead"}[15m])) > 5',
        "warning",
        "Workers contest each other's partitions.",
        "{{ $value | humanize }} turns were refused by the store within 15 minutes.",
        "stream",
    ),
    Alert(
        "RestockStoreSlow",
        "histogram_quantile(0.99, sum by (job, le) (rate(restock_apply_seconds_bucket[5m]))) > 0.5",
        "warning",
        "Redis takes long.",
        "One turn in a hundred takes {{ $value | humanizeDuration }}.",
        "stream",
        "10m",
    ),
    Alert(
        "RestockMemoryHigh",
        f'process_resident_memory_bytes{{job=~"restock.*"}} > {0.9 * MEMORY_BYTES:.0f}',
        "warning",
        "A worker needs much memory.",
        "{{ $labels.instance }} has {{ $value | humanize1024 }}B resident.",
        "stream",
        "10m",
    ),
    Alert(
        "RestockRequestsUnanswered",
        "sum by (job) (restock_expired_requests) > 0",
        "warning",
        "Suppliers do not answer.",
        "{{ $value }} requests are unanswered past RESTOCK_EXPIRY_DAYS.",
        "replenishment",
        "15m",
    ),
    Alert(
        "RestockSupplyOverdue",
        "sum by (job) (restock_overdue_requests) > 0",
        "warning",
        "Supplies are overdue.",
        "{{ $value }} requests should have arrived and are not fully received.",
        "replenishment",
        "15m",
    ),
    Alert(
        "RestockRequestsWithheld",
        "sum by (job) (increase(restock_withheld_requests_total[1d])) > 0",
        "info",
        "Terms leave nothing to order.",
        "{{ $value | humanize }} requests were due within a day but fit no minimum, pack and maximum.",
        "replenishment",
    ),
    Alert(
        "RestockModelRefused",
        "sum by (job) (increase(restock_model_swap_failures_total[1h])) > 0",
        "warning",
        "A promoted version cannot be used.",
        "{{ $value | humanize }} times within an hour; the old version goes on serving.",
        "training",
    ),
    Alert(
        "RestockModelFallback",
        'count by (job) (restock_champion_info{rung!="champion"} == 1) > 0',
        "info",
        "No promoted version serves.",
        "{{ $value }} partitions are forecast for by the starter or a moving average.",
        "forecast",
        "1h",
    ),
    Alert(
        "RestockModelStale",
        "max by (job) (restock_event_clock_timestamp_seconds - restock_model_data_until_timestamp_seconds)"
        f" > {STALE_DAYS * 86_400}",
        "warning",
        "The model has not learnt for long.",
        "The newest order is {{ $value | humanizeDuration }} younger than what the model was trained on.",
        "training",
        "1h",
    ),
    Alert(
        "RestockForecastDrift",
        'sum by (job) (restock_drifted_partitions{role="champion"}) > 0',
        "warning",
        "Forecasts are off to one side: retraining is asked for.",
        "In {{ $value }} partitions demand has been beside the forecasts for longer than chance explains.",
        "forecast",
        "15m",
    ),
    Alert(
        "RestockTrainingFailing",
        "max by (job) (restock_trainer_failed_rounds_in_a_row) >= 2",
        "warning",
        "Rounds of the trainer fail.",
        "The last {{ $value }} rounds failed; what serves goes on serving and grows old.",
        "training",
    ),
)


def alert_rules() -> Iterator[Rule]:
    """Yield the alerts as Prometheus reads them."""
    for alert in ALERTS:
        yield {
            "alert": alert.name,
            "expr": alert.expression,
            "for": alert.wait,
            "labels": {"severity": alert.severity},
            "annotations": {
                "summary": alert.summary,
                "description": alert.text,
                "runbook_url": f"{RUNBOOK}#{alert.name.lower()}",
                "dashboard_url": f"/d/restock-{alert.dashboard}",
            },
        }


def document() -> Rule:
    """Return the rule file."""
    return {
        "groups": [
            {"name": "restock-promise", "rules": list(recording_rules())},
            {"name": "restock-alerts", "rules": list(alert_rules())},
        ]
    }
