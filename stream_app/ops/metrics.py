"""Prometheus metrics of a worker: one method for each moment, counted once, when it is durable.

No label holds a SKU, a location or a request: labels are partitions, topics,
outcomes, codes and versions. Names and meanings are the contract of
dashboards and alerts: docs/reference/metrics.md.
"""

import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import get_args

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from replenishment.engine.effects import Effects, LineCounts, VersionAccuracy
from replenishment.engine.progress import UNKNOWN
from replenishment.evidence import Evidence
from stream_app.ops.accuracy import AccuracyCollector
from stream_app.ops.shadow import ShadowMetrics
from stream_app.ports import Meter, Outcome
from stream_app.wire.refusals import Code

APPLY_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Edges of the buckets of the apply histogram."""
FRESHNESS_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
TURN_RECORDS = (1, 10, 100, 1_000, 5_000, 20_000, 100_000)
POLICIES: tuple[str, ...] = get_args(next(one.type for one in msgspec.structs.fields(Evidence) if one.name == "policy"))
RUNGS = ("champion", "starter", "moving_average")
_DATA_UNTIL = re.compile(r"-(\d{8})-[0-9a-f]{8}$")
RECORD_OUTCOMES = ("on_time", "late_corrected", "late_dropped", "repeated", "not_stock", "rejected")


class PrometheusMeter:
    """Implements ``Meter`` in a registry of its own.

    Args:
        clock: Seconds since 1970, for when a turn was last applied.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        self._served: dict[int, tuple[str, str]] = {}
        self._arrived: dict[int, float] = {}
        self._positions_before: dict[int, int] = {}
        self._make_counters()
        self._make_histograms()
        self._make_gauges()
        self._begin_at_zero()
        self._accuracy = AccuracyCollector()
        self.registry.register(self._accuracy)
        self._shadow = ShadowMetrics(self.registry)

    def _make_counters(self) -> None:
        self._records = self._counter("records", "Input records settled, by outcome.", ["outcome"])
        self._rejected = self._counter("rejected_records", "Records sent to dead-letter, by refusal code.", ["code"])
        self._unknown = self._counter("unknown_request_answers", "Answers and receipts naming an unknown request.")
        self._lost = self._counter("lost_sales_units", "Units of demand lost for want of stock.")
        self._turns = self._counter("turns", "Turns asked of the store, by its answer.", ["outcome"])
        self._requests = self._counter("requests", "Restock requests decided.", ["policy", "rung"])
        self._requested = self._counter("requested_units", "Units of restock requests decided.")
        self._waiting = self._gauge("waiting_requests", "Requests that wait for approval.")
        self._withdrawn = self._counter("withdrawn_requests", "Unanswered requests that were taken back.")
        self._withheld = self._counter("withheld_requests", "Requests that were due but left nothing within limits.")
        self._late = self._counter("late_supplies", "Requests noticed not to be there when they were needed.")
        self._closed = self._counter("buckets_closed", "Buckets closed, each counted once per partition.")
        self._outliers = self._counter("outlier_buckets", "Closed buckets of keys far above what they usually sell.")
        self._published = self._counter("published_records", "Outbox entries acknowledged by Kafka.")
        self._swaps = self._counter("model_swaps", "Model versions that partitions changed over to.")
        self._swap_failures = self._counter(
            "model_swap_failures", "Versions promoted but not usable; the old one stayed."
        )
        self._releases = self._counter("partitions_released", "Partitions let go of, as when the group rebalances.")

    def _make_histograms(self) -> None:
        self._apply = self._histogram("apply_seconds", "Seconds until the store had a turn.", APPLY_SECONDS)
        self._freshness = self._histogram(
            "freshness_seconds",
            "Age of the oldest record of a fetch when a turn of it was durable, since Kafka had it.",
            FRESHNESS_SECONDS,
        )
        self._turn_records = self._histogram("turn_records", "Offsets that a turn moved on.", TURN_RECORDS)

    def _make_gauges(self) -> None:
        self._watermark = self._gauge("watermark_timestamp_seconds", "Event time up to which orders are complete.")
        self._clocks = self._gauge("event_clock_timestamp_seconds", "Highest event time of accepted orders.")
        self._applied_at = self._gauge("last_record_processed_timestamp_seconds", "When a turn was last durable.")
        self._keys = self._gauge("stock_keys", "Stock keys known.")
        self._open = self._gauge("open_requests", "Restock requests not yet settled.")
        self._expired = self._gauge("expired_requests", "Open requests past their expiry.")
        self._overdue = self._gauge("overdue_requests", "Open requests that should have arrived.")
        self._held = self._gauge("held_lines", "Order lines far ahead of the clock that wait for a second order.")
        self._rebuild = self._gauge(
            "rebuild_pending_keys", "Keys the model beside the champion has not been stepped for yet."
        )
        self._outbox = self._gauge("outbox_entries", "Entries waiting to be published, when last looked.")
        self._settled = self._gauge(
            "outbox_settled_timestamp_seconds", "When the outbox was last empty or something of it published."
        )
        self._model_data = self._gauge(
            "model_data_until_timestamp_seconds", "End of the data that the version served was trained on."
        )
        self._positions = self._gauge("position_offset", "Next offset to apply.", ["topic", "partition"])
        self._lag = self._gauge(
            "lag_records", "Offsets between the applied position and the end.", ["topic", "partition"]
        )
        self._champion = self._gauge(
            "champion_info", "1 for what a partition serves.", ["partition", "version", "rung"]
        )

    def applied(self, partition: int, effects: Effects, seconds: float) -> None:
        """Count a turn that is durable, ``seconds`` after the store was asked; a repeated request for it counts not."""
        self._turns.labels(Outcome.APPLIED.value).inc()
        self._apply.observe(seconds)
        self._observe_batch(partition, effects)
        self._count_records(effects)
        made = [restock for restock in effects.restocks if restock.revision == 1]
        for restock in made:
            self._requests.labels(restock.evidence.policy, restock.evidence.model_rung).inc()
        self._requested.inc(sum(restock.units for restock in made))
        self._withdrawn.inc(sum(restock.withdrawn is not None for restock in effects.restocks))
        self._withheld.inc(len(effects.withheld))
        self._late.inc(len(effects.overdue))
        self._closed.inc(effects.buckets_closed)
        self._outliers.inc(sum(len(demand.outliers) for demand in effects.demand))
        self._show_progress(partition, effects)
        self._shadow.applied(partition, effects)
        if effects.accuracy:
            self.scored(partition, effects.accuracy)

    def scored(self, partition: int, accuracy: Sequence[VersionAccuracy]) -> None:
        """Show how good the forecasts of a partition turned out to be."""
        self._accuracy.scored(partition, accuracy)

    def arrived(self, partition: int, timestamp: int) -> None:
        """Take in when Kafka had the oldest record of the fetch whose turns come next (epoch ms); -1 = no records."""
        if timestamp < 0:
            self._arrived.pop(partition, None)
        else:
            self._arrived[partition] = timestamp / 1000

    def refused(self, partition: int, outcome: Outcome) -> None:  # noqa: ARG002  counters outlive partitions
        """Count a turn that the store refused."""
        self._turns.labels(outcome.value).inc()

    def swapped(self, partition: int, version: str, rung: str) -> None:
        """Show what a partition serves from now on; the first version after an assignment is no swap."""
        before = self._served.get(partition)
        if before == (version, rung):
            return
        if before is not None:
            self._champion.remove(str(partition), *before)
            self._swaps.inc(before[0] != version)
        self._served[partition] = (version, rung)
        self._champion.labels(str(partition), version, rung).set(1)
        until = _data_until(version)
        if until is None:
            self._model_data.remove_by_labels({"partition": str(partition)})
        else:
            self._model_data.labels(str(partition)).set(until)

    def swap_failed(self) -> None:
        """Count a promoted version that cannot be used."""
        self._swap_failures.inc()

    def rebuilding(self, partition: int, keys: int) -> None:
        """Show how many keys the incoming model must still be stepped for; 0 = no rebuild is under way."""
        self._rebuild.labels(str(partition)).set(keys)

    def published(self, partition: int, entries: int) -> None:
        """Count outbox entries that Kafka acknowledged."""
        self._published.inc(entries)
        self._settled.labels(str(partition)).set(self._clock())

    def waiting(self, partition: int, entries: int) -> None:
        """Show how many outbox entries were waiting when the relay last looked."""
        self._outbox.labels(str(partition)).set(entries)
        if not entries:
            self._settled.labels(str(partition)).set(self._clock())

    def lagging(self, topic: str, partition: int, records: int) -> None:
        """Show how far the applied position of a topic (its role) is behind its end."""
        self._lag.labels(topic, str(partition)).set(records)

    def released(self, partition: int) -> None:
        """Forget the gauges of a partition that another worker may own now."""
        number = str(partition)
        for gauge in self._partition_gauges:
            gauge.remove_by_labels({"partition": number})
        self._accuracy.released(partition)
        self._shadow.released(partition)
        self._releases.inc()
        for kept in (self._served, self._arrived, self._positions_before):
            kept.pop(partition, None)

    @property
    def _partition_gauges(self) -> Sequence[Gauge]:
        gauges = [
            self._watermark,
            self._clocks,
            self._applied_at,
            self._keys,
            self._open,
            self._waiting,
            self._expired,
            self._overdue,
            self._held,
        ]
        gauges += [self._rebuild, self._outbox, self._settled, self._model_data]
        return [*gauges, self._positions, self._lag, self._champion]

    def _observe_batch(self, partition: int, effects: Effects) -> None:
        """Observe how much a turn moved on, and how old the oldest record of its fetch is; ticks move nothing."""
        position = sum(effects.progress.positions.values())
        moved = position - self._positions_before.get(partition, position)
        self._positions_before[partition] = position
        if moved > 0:
            self._turn_records.observe(moved)
        if partition in self._arrived:
            self._freshness.observe(max(0.0, self._clock() - self._arrived[partition]))

    def _count_records(self, effects: Effects) -> None:
        counts = effects.counts
        by_engine = sum(rejection.code == Code.CONTRADICTS_REQUEST for rejection in effects.rejections)
        outcomes = {
            "on_time": _on_time(counts) - by_engine,
            "late_corrected": counts.late_corrected,
            "late_dropped": counts.late_dropped,
            "repeated": counts.repeated,
            "not_stock": counts.not_stock,
            "rejected": len(effects.rejections),
        }
        for outcome, count in outcomes.items():
            self._records.labels(outcome).inc(count)
        for rejection in effects.rejections:
            self._rejected.labels(rejection.code).inc()
        self._unknown.inc(counts.unknown_requests)
        self._lost.inc(counts.lost_units)

    def _show_progress(self, partition: int, effects: Effects) -> None:
        number, progress = str(partition), effects.progress
        if progress.watermark != UNKNOWN:
            self._watermark.labels(number).set(progress.watermark / 1000)
        if progress.clock != UNKNOWN:
            self._clocks.labels(number).set(progress.clock / 1000)
        self._applied_at.labels(number).set(self._clock())
        self._keys.labels(number).set(effects.keys)
        self._open.labels(number).set(effects.open_requests)
        self._waiting.labels(number).set(effects.waiting_requests)
        self._expired.labels(number).set(effects.expired_requests)
        self._overdue.labels(number).set(effects.overdue_requests)
        self._held.labels(number).set(progress.held)
        for topic, position in progress.positions.items():
            self._positions.labels(topic, number).set(position)

    def _begin_at_zero(self) -> None:
        """Show counters before their first event: a rate over a series that appears late misses the first."""
        for outcome in RECORD_OUTCOMES:
            self._records.labels(outcome)
        for code in Code:
            self._rejected.labels(code.value)
        for policy in POLICIES:
            for rung in RUNGS:
                self._requests.labels(policy, rung)
        for answer in Outcome:
            if answer is not Outcome.REPEATED:
                self._turns.labels(answer.value)

    def _counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        return Counter(f"restock_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, edges: Sequence[float]) -> Histogram:
        return Histogram(f"restock_{name}", text, registry=self.registry, buckets=edges)

    def _gauge(self, name: str, text: str, labels: Sequence[str] = ("partition",)) -> Gauge:
        return Gauge(f"restock_{name}", text, labels, registry=self.registry)


def _on_time(counts: LineCounts) -> int:
    other = counts.late_corrected + counts.late_dropped + counts.repeated + counts.not_stock
    return counts.applied - other


def _data_until(version: str) -> float | None:
    """Return when the data of a version end, as its id says; None if it has none.

    Example:
        >>> _data_until("lstm-19700102-0123abcd"), _data_until("moving-average")
        (86400.0, None)
    """
    found = _DATA_UNTIL.search(version)
    try:
        return datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC).timestamp() if found else None
    except ValueError:
        return None


_meters: tuple[type[Meter], ...] = (PrometheusMeter,)
