"""What suppliers take: learnt from requests and receipts, carried by a version, for keys with few deliveries."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click import UsageError
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaProducer

from model_store import artifact
from model_store.cli.suppliers import SupplierSource
from model_store.errors import ArtifactCorrupt
from model_store.lead_times import LEAD_TIMES, MOST_DELAYS, LeadTimePriors, WithLeadTimes
from model_store.training.deliveries import Delivery, lead_time_priors, told, with_lead_times
from model_store.training.plan import Trained
from replenishment.buckets import BucketWidth
from replenishment.engine.plan import Plan
from replenishment.engine.state import PartitionState
from replenishment.events import CatalogEntry
from replenishment.forecaster import Serving
from replenishment.lead_time import KnowsSuppliers
from server_access.kafka import KafkaAccess
from stream_app.kafka.topics import TopicNames, create
from tests.engine.builders import (
    DAY,
    HOUR,
    T0,
    Ledger,
    Line,
    MeanForecaster,
    catalog_batch,
    fresh,
    order_columns,
    play,
    time_passed,
)
from tests.model_store.builders import moving_average_draft
from tests.model_store.training.builders import SILENT, history_from
from tests.model_store.training.test_cli_train import orders, ran

DAYS = BucketWidth(86_400)
END = T0 + 100 * DAY
Fields = dict[str, Any]


def shown(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def request(name: str, day: int, *, supplier: str = "acme", quantity: int = 10, promise: int = 7) -> Fields:
    decided_at, needed_by = T0 + day * DAY, T0 + (day + promise) * DAY
    more = {"supplier": supplier, "decided_at": shown(decided_at), "needed_by": shown(needed_by)}
    return {"restock_id": name, "revision": 1, "location": "main", "sku": "A", "quantity": quantity, **more}


def received(name: str, day: float, quantity: int = 10, **more: object) -> Fields:
    at = T0 + round(day * DAY)
    base = {"type": "stock_received", "event_id": f"{name}/{day}", "location": "main", "sku": "A", "event_time": at}
    return {**base, "quantity": quantity, "restock_id": name, **more}


def late(*asked: Fields, events: list[Fields]) -> list[tuple[str, int, float]]:
    return [(one.supplier, one.delay_buckets, one.taken_days) for one in told(asked, events, DAYS, END).found]


def test_a_delivery_is_late_by_the_buckets_after_its_promise() -> None:
    assert late(request("r", 0), events=[received("r", 9)]) == [("acme", 2, 9.0)]
    assert late(request("r", 0), events=[received("r", 5)]) == [("acme", -2, 5.0)]


def test_a_delivery_in_parts_took_the_mean_over_its_units() -> None:
    parts = [received("r", 7, 5), received("r", 11, 5)]
    assert late(request("r", 0), events=parts) == [("acme", 2, 9.0)]
    assert late(request("r", 0), events=parts[:1]) == []
    assert late(request("r", 0), events=[received("r", 8, 5, final=True)]) == [("acme", 1, 8.0)]


def test_what_a_supplier_accepted_is_what_must_come() -> None:
    accepted = {**received("r", 1, 4), "type": "restock_accepted"}
    assert late(request("r", 0), events=[accepted, received("r", 8, 4)]) == [("acme", 1, 8.0)]


def test_rejections_repeats_withdrawals_and_later_events_are_no_deliveries() -> None:
    rejected = {**received("r", 1), "type": "restock_rejected"}
    assert late(request("r", 0), events=[rejected, received("r", 8)]) == []
    half = received("r", 8, 5)
    assert late(request("r", 0), events=[half, half]) == []
    assert late(request("r", 0), request("r", 0, quantity=0), events=[received("r", 8)]) == []
    assert late(request("r", 97), events=[received("r", 101)]) == []
    assert late(request("r", -300), events=[received("r", -293)]) == []


def test_what_is_not_understood_is_counted() -> None:
    made = told([{"restock_id": "r"}, request("q", 0)], [{**received("q", 8), "quantity": None}], DAYS, END)
    assert (made.found, made.unreadable) == ([], 2)


def many(supplier: str, delays: Mapping[int, int]) -> list[Delivery]:
    return [Delivery(supplier, delay, 7.0 + delay) for delay, count in delays.items() for _ in range(count)]


def test_a_supplier_with_few_deliveries_leans_on_all_and_these_on_the_promise() -> None:
    found = [*many("late", {4: 24}), *many("new", {0: 1})]
    priors = lead_time_priors(found)
    assert priors is not None
    believed, all_together = 24 / 32, 25 / 33
    overall = {0: all_together / 25 + 1 - all_together, 4: all_together * 24 / 25}
    assert priors.overall.weights == pytest.approx([overall[0], overall[4]], abs=1e-6)
    late_weights = dict(zip(priors.suppliers["late"].delays_buckets, priors.suppliers["late"].weights, strict=True))
    assert late_weights[4] == pytest.approx(believed + (1 - believed) * overall[4], abs=1e-6)
    new_weights = dict(zip(priors.suppliers["new"].delays_buckets, priors.suppliers["new"].weights, strict=True))
    assert new_weights[4] == pytest.approx(8 / 9 * overall[4], abs=1e-6)
    assert (priors.suppliers["late"].mean_days, priors.suppliers["late"].deviation_days) == (11.0, 0.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-20, 60)), min_size=1, max_size=60))
def test_few_delays_keep_mean_and_most_of_the_spread(told_delays: list[tuple[str, int]]) -> None:
    priors = lead_time_priors([Delivery(name, delay, max(7.0 + delay, 0)) for name, delay in told_delays])
    assert priors is not None
    assert LeadTimePriors.from_json(priors.to_json()) == priors
    delays = np.array([delay for _, delay in told_delays])
    share = len(delays) / (len(delays) + 8)
    kept = np.array(priors.overall.delays_buckets)
    assert len(kept) <= MOST_DELAYS
    assert kept @ np.array(priors.overall.weights) == pytest.approx(share * delays.mean(), abs=0.51)
    assert priors.overall.delays_buckets[0] >= min(delays.min(), 0) and kept[-1] <= max(delays.max(), 0)


def test_nothing_delivered_is_no_prior() -> None:
    trained = Trained(moving_average_draft(), {})
    assert lead_time_priors([]) is None
    assert with_lead_times(trained, None) is trained


def carried(found: list[Delivery]) -> Trained:
    return with_lead_times(Trained(moving_average_draft(), {}), lead_time_priors(found))


def test_a_version_carries_what_suppliers_take_and_reads_it_back(tmp_path: Path) -> None:
    made = carried(many("acme", {3: 9}))
    assert made.figures == {"lead_time_suppliers": 1, "lead_time_deliveries": 9}
    artifact.write(tmp_path, made.draft)
    read = artifact.read(tmp_path)
    forecaster = read.forecaster()
    assert isinstance(forecaster, KnowsSuppliers)
    known = forecaster.delays(np.array([b"acme", b"", b"other"], dtype="S64"))
    assert known is not None
    assert known.buckets[0].tolist() == known.buckets[1].tolist() == [0, 3]
    assert known.weights[0, 1] > known.weights[1, 1] == known.weights[2, 1] > 0.5
    (tmp_path / LEAD_TIMES).write_bytes(read.files[LEAD_TIMES].replace(b"acme", b"acne"))
    with pytest.raises(ArtifactCorrupt, match=LEAD_TIMES):
        artifact.read(tmp_path)


def test_a_version_without_the_part_serves_as_before(tmp_path: Path) -> None:
    artifact.write(tmp_path, moving_average_draft())
    assert not isinstance(artifact.load(tmp_path), KnowsSuppliers)


ONE = b'{"deliveries":1,"mean_days":1.0,"deviation_days":0.0,"delays_buckets":%s,"weights":%s}'


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b'{"overall":' + ONE % (b"[0]", b"[0.5]") + b',"suppliers":{}}',
        b'{"overall":' + ONE % (b"[1,0]", b"[0.5,0.5]") + b',"suppliers":{}}',
        b'{"overall":' + ONE % (b"[]", b"[]") + b',"suppliers":{}}',
        b'{"overall":' + ONE % (b"[0,1]", b"[1.5,-0.5]") + b',"suppliers":{}}',
        b'{"overall":' + ONE % (b"[99999]", b"[1]") + b',"suppliers":{}}',
        b'{"overall":' + ONE % (b"[0]", b"[1]") + b',"suppliers":{"":' + ONE % (b"[0]", b"[1]") + b"}}",
    ],
)
def test_a_damaged_part_is_refused(raw: bytes) -> None:
    with pytest.raises(ArtifactCorrupt, match=LEAD_TIMES):
        LeadTimePriors.from_json(raw)


def levels(plan: Plan, supplier: str, found: list[Delivery]) -> np.void:
    """Return what a new key's first closings set, that sells ten a day and has no delivery of its own."""
    priors = lead_time_priors(found)
    forecaster = MeanForecaster() if priors is None else WithLeadTimes(MeanForecaster(), priors)
    state: PartitionState = fresh(plan, decide_from=T0 + 10 * DAY)
    ledger: Ledger = play(state, [catalog_batch([CatalogEntry(b"uk|A", supplier=supplier)])])
    lines = [Line(day, b"uk|A", T0 + day * DAY + HOUR, 10) for day in range(10)]
    lines.append(time_passed(10, T0 + 10 * DAY + HOUR))
    play(state, [order_columns(lines, 0, 11)], ledger, Serving(forecaster))
    row: np.void = state.champion.rows[0]
    return row


def test_a_key_without_deliveries_leans_on_its_supplier_from_its_first_closing_on() -> None:
    found = many("acme", {5: 40})
    plain, own, other = levels(Plan(), "acme", []), levels(Plan(), "acme", found), levels(Plan(), "new", found)
    assert plain["lead_time_mean_buckets"] == 7.0
    assert 11 < own["lead_time_mean_buckets"] < 12 and own["lead_time_deviation_buckets"] > 0
    assert 7 < other["lead_time_mean_buckets"] < own["lead_time_mean_buckets"]
    assert own["reorder_point"] > plain["reorder_point"]
    assert own["deliveries_observed"] == 0


def test_with_learning_off_suppliers_are_taken_at_the_catalogs_word() -> None:
    plan = Plan(learns_lead_times=False)
    plain, own = (levels(plan, "acme", found) for found in ([], many("acme", {5: 40})))
    assert own.tobytes() == plain.tobytes()


def test_topics_of_a_product_tell_what_suppliers_take(kafka_bootstrap: str, unique_name: str) -> None:
    names = TopicNames(f"{unique_name}.")
    create(KafkaAccess(kafka_bootstrap), names, 2, 1)
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all")
    for number in range(9):
        for role, value in (
            ("restock", request(f"r{number}", number)),
            ("inventory", received(f"r{number}", number + 9)),
        ):
            producer.send(names.of(role), key=b"main|A", value=json.dumps(value).encode())
    producer.send(names.of("inventory"), key=b"main|A", value=b"no json")
    producer.close()
    source = SupplierSource(True, None, None, kafka_bootstrap, f"{unique_name}.")
    history = replace(history_from(np.ones((1, 60))), first_bucket=DAYS.bucket_at(T0))
    priors = source.lead_times(history, SILENT)
    assert priors is not None
    assert (priors.suppliers["acme"].deliveries, priors.suppliers["acme"].mean_days) == (9, 9.0)
    assert source.lead_times(replace(history, first_bucket=history.first_bucket - 60), SILENT) is None
    nobody_asks = SupplierSource(False, None, None, kafka_bootstrap, "")
    assert nobody_asks.lead_times(history, SILENT) is None


def test_train_carries_what_files_tell_of_suppliers(tmp_path: Path) -> None:
    file, models = tmp_path / "orders.parquet", tmp_path / "models"
    orders().write_parquet(file)
    day = 1_297_036_800_000 // DAY - T0 // DAY
    asked = [request(f"r{number}", day + number) for number in range(12)]
    (tmp_path / "restocks.ndjson").write_text("".join(f"{json.dumps(one)}\n" for one in asked))
    came = [received(f"r{number}", day + number + 9) for number in range(12)]
    pl.DataFrame(came).write_csv(tmp_path / "inventory.csv")
    told_of = ("--restocks", tmp_path / "restocks.ndjson", "--inventory", tmp_path / "inventory.csv")
    done = ran("train", "--orders", file, "--models", models, "--kind", "moving_average", "--json", *told_of)
    assert done.exit_code == 0, done.output
    assert "12 deliveries of 1 suppliers" in done.stderr
    made = json.loads(done.stdout)
    assert (made["lead_time_suppliers"], made["lead_time_deliveries"]) == (1, 12)
    acme = LeadTimePriors.from_json((models / made["version"] / LEAD_TIMES).read_bytes()).suppliers["acme"]
    assert (acme.mean_days, acme.delays_buckets) == (9.0, [0, 2])


def test_files_of_suppliers_go_together() -> None:
    with pytest.raises(UsageError, match="go together"):
        SupplierSource(False, Path("restocks.ndjson"), None, None, "")
    with pytest.raises(UsageError, match="name --kafka"):
        SupplierSource(True, None, None, None, "")
