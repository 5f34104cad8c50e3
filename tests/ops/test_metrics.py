"""Metrics of a worker: what each moment changes, and that names and labels stay within bounds."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from model_store.training.trainer_page import TrainerMeter
from replenishment.accuracy import measured
from replenishment.engine.effects import Effects, LineCounts, ShadowDecisions, VersionAccuracy
from replenishment.engine.progress import Progress
from replenishment.engine.rows import accuracy_table
from replenishment.events import OrderWithheld, Rejection
from stream_app.ops.freshness import WatchedWire
from stream_app.ops.joint import JointMeter
from stream_app.ops.metrics import PrometheusMeter
from stream_app.ops.splitting import SplitMeter
from stream_app.ports import Outcome, RecordBatch
from stream_app.topic_reader import Message
from stream_app.wire.json_wire import JsonWire
from stream_app.wire.refusals import Code
from tests.wire.test_outgoing import RESTOCK

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
LABELS = {
    "partition",
    "topic",
    "outcome",
    "code",
    "version",
    "policy",
    "rung",
    "le",
    "role",
    "lead",
    "segment",
    "level",
}


SCORED = {"role": "champion", "lead": "protection", "segment": "established"}
REQUESTED = {"policy": "(s,S)", "rung": "champion"}


def turn(progress: Progress | None = None, **more: Any) -> Effects:
    """Return a turn."""
    silent: dict[str, Any] = {"writes": (), "restocks": (), "causes": (), "demand": (), "rejections": ()}
    silent |= {"withheld": (), "counts": LineCounts()}
    return Effects(progress or Progress(1, {}, 0), **{**silent, **more})


BUSY = turn(
    Progress(9, {"orders": 110, "inventory": 7}, 0, clock=1_700_000_003_600_000, watermark=1_700_000_000_000_000),
    restocks=(RESTOCK, RESTOCK),
    causes=(-1, -1),
    rejections=(Rejection("orders", 1, "too_old", ""), Rejection("inventory", 2, "contradicts_request", "")),
    withheld=(OrderWithheld(b"uk|A", 0, 3, "below minimum"),),
    counts=LineCounts(applied=100, late_corrected=3, late_dropped=2, repeated=5, unknown_requests=4, lost_units=11),
    buckets_closed=2,
    keys=50,
    open_requests=6,
    expired_requests=1,
)


def value(meter: PrometheusMeter, name: str, labels: Mapping[str, str] | None = None) -> float | None:
    return meter.registry.get_sample_value(name, dict(labels or {}))


def account(role: Literal["champion", "challenger"] = "champion") -> VersionAccuracy:
    """Return an account of one forecast over a protection interval: 7 of 4 units came for an old slow key."""
    row = np.zeros(1, dtype=accuracy_table().row)
    row["sums"][0, 0, 1] = measured(np.array([7.0]), np.array([[4.0, 5.0, 7.0, 8.0, 9.0]]), np.array([4.5]))[0]
    row["watch"], row["drifted_bucket"] = (40, 0.1, 3.0, 7.0, 0.0), 15_000
    return VersionAccuracy(role, "lstm-20270101-0123abcd", row[0])


def scripted() -> PrometheusMeter:
    """Return a meter after one moment of each kind."""
    meter = PrometheusMeter(clock=lambda: 1_800_000_000.0)
    meter.swapped(0, "lstm-20270101-0123abcd", "starter")
    meter.applied(0, turn(Progress(8, {"orders": 60, "inventory": 7}, 0)), 0.004)
    meter.arrived(0, 1_799_999_999_300)
    meter.applied(0, BUSY, 0.004)
    meter.refused(0, Outcome.FENCED)
    meter.swap_failed()
    meter.rebuilding(0, 12)
    meter.published(0, 3)
    meter.waiting(0, 8)
    meter.lagging("orders", 0, 77)
    meter.scored(0, [account(), account("challenger")])
    return meter


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("restock_records_total", {"outcome": "on_time"}, 89),
        ("restock_records_total", {"outcome": "late_corrected"}, 3),
        ("restock_records_total", {"outcome": "late_dropped"}, 2),
        ("restock_records_total", {"outcome": "repeated"}, 5),
        ("restock_records_total", {"outcome": "rejected"}, 2),
        ("restock_rejected_records_total", {"code": "too_old"}, 1),
        ("restock_rejected_records_total", {"code": "contradicts_request"}, 1),
        ("restock_rejected_records_total", {"code": "undecodable"}, 0),
        ("restock_unknown_request_answers_total", {}, 4),
        ("restock_lost_sales_units_total", {}, 11),
        ("restock_turns_total", {"outcome": "applied"}, 2),
        ("restock_turns_total", {"outcome": "fenced"}, 1),
        ("restock_turns_total", {"outcome": "regressed"}, 0),
        ("restock_apply_seconds_count", {}, 2),
        ("restock_apply_seconds_sum", {}, 0.008),
        ("restock_apply_seconds_bucket", {"le": "0.005"}, 2),
        ("restock_apply_seconds_bucket", {"le": "0.0025"}, 0),
        ("restock_freshness_seconds_count", {}, 1),
        ("restock_freshness_seconds_bucket", {"le": "1.0"}, 1),
        ("restock_freshness_seconds_bucket", {"le": "0.5"}, 0),
        ("restock_turn_records_count", {}, 1),
        ("restock_turn_records_sum", {}, 50),
        ("restock_requests_total", {"policy": "(s,S)", "rung": "champion"}, 2),
        ("restock_requests_total", {"policy": "(R,S)", "rung": "moving_average"}, 0),
        ("restock_requested_units_total", {}, 48),
        ("restock_withheld_requests_total", {}, 1),
        ("restock_buckets_closed_total", {}, 2),
        ("restock_published_records_total", {}, 3),
        ("restock_model_swaps_total", {}, 0),
        ("restock_partitions_released_total", {}, 0),
        ("restock_outbox_settled_timestamp_seconds", {"partition": "0"}, 1_800_000_000),
        ("restock_model_data_until_timestamp_seconds", {"partition": "0"}, 1_798_761_600),
        ("restock_model_swap_failures_total", {}, 1),
        ("restock_watermark_timestamp_seconds", {"partition": "0"}, 1_700_000_000_000),
        ("restock_event_clock_timestamp_seconds", {"partition": "0"}, 1_700_000_003_600),
        ("restock_last_record_processed_timestamp_seconds", {"partition": "0"}, 1_800_000_000),
        ("restock_stock_keys", {"partition": "0"}, 50),
        ("restock_open_requests", {"partition": "0"}, 6),
        ("restock_expired_requests", {"partition": "0"}, 1),
        ("restock_rebuild_pending_keys", {"partition": "0"}, 12),
        ("restock_outbox_entries", {"partition": "0"}, 8),
        ("restock_position_offset", {"topic": "orders", "partition": "0"}, 110),
        ("restock_position_offset", {"topic": "inventory", "partition": "0"}, 7),
        ("restock_lag_records", {"topic": "orders", "partition": "0"}, 77),
        ("restock_forecast_scored", SCORED, 1),
        ("restock_forecast_demand_units", SCORED, 7),
        ("restock_forecast_absolute_error_units", SCORED, 3),
        ("restock_forecast_error_units", SCORED, -2.5),
        ("restock_forecast_deviation_units", SCORED, 2.5),
        ("restock_forecast_scored", {**SCORED, "segment": "new"}, 0),
        ("restock_forecast_scored", {**SCORED, "lead": "7"}, 0),
        ("restock_forecast_covered", {**SCORED, "level": "0.9"}, 1),
        ("restock_forecast_covered", {**SCORED, "level": "0.8"}, 0),
        ("restock_forecast_pinball_units", {**SCORED, "level": "0.8"}, 1.6),
        ("restock_drift_ratio", {"role": "champion"}, 0.7),
        ("restock_drifted_partitions", {"role": "champion"}, 1),
        ("restock_champion_info", {"partition": "0", "version": "lstm-20270101-0123abcd", "rung": "starter"}, 1),
    ],
)
def test_each_moment_shows(name: str, labels: dict[str, str], expected: float) -> None:
    assert value(scripted(), name, labels) == pytest.approx(expected)


def test_records_over_all_outcomes_are_the_records_settled() -> None:
    meter = scripted()
    families = {family.name: family for family in meter.registry.collect()}
    total = sum(one.value for one in families["restock_records"].samples if one.name == "restock_records_total")
    # 100 were applied, one of them refused by the engine; the wire refused one more
    assert total == 101


def test_only_a_change_of_version_is_a_swap() -> None:
    meter = PrometheusMeter()
    meter.swapped(0, "a", "starter")
    meter.swapped(0, "a", "starter")
    meter.swapped(0, "a", "champion")
    assert value(meter, "restock_model_swaps_total") == 0
    meter.swapped(0, "b", "champion")
    assert value(meter, "restock_model_swaps_total") == 1
    assert value(meter, "restock_champion_info", {"partition": "0", "version": "b", "rung": "champion"}) == 1
    served = [
        one for family in meter.registry.collect() if family.name == "restock_champion_info" for one in family.samples
    ]
    assert len(served) == 1


def test_a_partition_without_events_has_no_watermark() -> None:
    meter = PrometheusMeter()
    meter.applied(0, turn(), 0.001)
    assert value(meter, "restock_watermark_timestamp_seconds", {"partition": "0"}) is None


def test_a_released_partition_leaves_no_gauge_behind_and_keeps_its_counts() -> None:
    meter = scripted()
    meter.released(0)
    meter.released(1)
    assert value(meter, "restock_requests_total", REQUESTED) == 2
    text = generate_latest(meter.registry).decode()
    assert 'partition="0"' not in text and 'role="champion"' not in text
    meter.swapped(0, "b", "champion")
    assert value(meter, "restock_model_swaps_total") == 0, "the first version after an assignment is no swap"


def test_time_without_records_and_terms_are_no_late_records() -> None:
    meter = PrometheusMeter(clock=lambda: 1_000.0)
    wire = WatchedWire(JsonWire(1, None), meter)
    old = [Message(0, 0, 1, b"uk|A", b"{}")]
    for batch in (None, RecordBatch("catalog", "catalog", 0, 0, 1, old), RecordBatch("orders", "orders", 0, 0, 1, [])):
        wire.encode(0, turn(), batch)
        meter.applied(0, turn(), 0.1)
    assert value(meter, "restock_freshness_seconds_count") == 0
    fetched = RecordBatch(
        "orders", "orders", 0, 0, 2, [Message(0, 0, 997_000, b"", b""), Message(0, 1, 999_000, b"", b"")]
    )
    wire.encode(0, turn(), fetched)
    meter.applied(0, turn(), 0.1)
    assert value(meter, "restock_freshness_seconds_sum") == 3.0


def test_a_shadow_shows_its_last_closing_until_it_ends_and_counts_what_was_due() -> None:
    meter = PrometheusMeter()
    for due in (3, 1):
        shadow = ShadowDecisions("lstm-2", 0, 50, 90, 80, 400, 350, 5, due, 2)
        meter.applied(0, turn(shadow=shadow, accuracy=(account(), account("challenger"))), 0.1)
    assert value(meter, "restock_shadow_due_keys_total", {"outcome": "champion_only"}) == 4
    assert value(meter, "restock_shadow_due_keys_total", {"outcome": "both"}) == 10
    assert value(meter, "restock_shadow_keys", {"partition": "0", "version": "lstm-2"}) == 50
    assert value(meter, "restock_shadow_reorder_units", {"partition": "0", "role": "challenger"}) == 80
    assert value(meter, "restock_shadow_order_up_to_units", {"partition": "0", "role": "champion"}) == 400
    meter.applied(0, turn(accuracy=(account(),)), 0.1)
    assert value(meter, "restock_shadow_keys", {"partition": "0", "version": "lstm-2"}) is None
    assert value(meter, "restock_shadow_due_keys_total", {"outcome": "shadow_only"}) == 4


def test_a_version_without_a_date_has_no_age() -> None:
    meter = scripted()
    meter.swapped(0, "moving-average", "moving_average")
    assert value(meter, "restock_model_data_until_timestamp_seconds", {"partition": "0"}) is None


def test_every_code_and_answer_is_there_before_it_happens() -> None:
    meter = PrometheusMeter()
    for code in Code:
        assert value(meter, "restock_rejected_records_total", {"code": code.value}) == 0
    for outcome in (Outcome.APPLIED, Outcome.AHEAD, Outcome.REGRESSED, Outcome.FENCED):
        assert value(meter, "restock_turns_total", {"outcome": outcome.value}) == 0


def test_labels_are_few_and_never_a_sku() -> None:
    text = generate_latest(scripted().registry).decode()
    families = list(text_string_to_metric_families(text))
    assert {label for family in families for one in family.samples for label in one.labels} <= LABELS
    assert all(family.name.startswith("restock_") and family.documentation.endswith(".") for family in families)


def test_the_reference_lists_exactly_the_metrics_there_are() -> None:
    listed = set(re.findall(r"^\| `(restock_\w+)`", REFERENCE.read_text(), re.MULTILINE))
    meters = (scripted(), TrainerMeter(), JointMeter(), SplitMeter())
    families = [family for meter in meters for family in meter.registry.collect()]
    there = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    assert listed == {name for name in there if not name.startswith("process_")}


def test_two_meters_do_not_share_a_registry() -> None:
    one, other = scripted(), PrometheusMeter()
    assert value(one, "restock_requests_total", REQUESTED) == 2
    assert value(other, "restock_requests_total", REQUESTED) == 0
