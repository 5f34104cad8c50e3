"""Finished goods exploded into components: the numbers of the page, and lines that a restart only repeats."""

import csv
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from replenishment.events import Rejection
from server_access.kafka import KafkaAccess
from stream_app.kafka.topics import TopicNames, create
from stream_app.ports import RecordBatch
from stream_app.topic_reader import Message
from tests.e2e.checker import Logged, read_topic
from tests.e2e.cluster import eventually
from tests.examples.runs import EXAMPLES, copied, run_commands, table

FOLDER = EXAMPLES / "raw_materials"
ROOT = EXAMPLES.parent


@pytest.fixture(scope="module")
def splitter() -> ModuleType:
    spec = importlib.util.spec_from_file_location("splitter", FOLDER / "splitter.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_example_gives_the_numbers_of_its_page(tmp_path: Path) -> None:
    folder = copied("raw_materials", tmp_path)
    run_commands(folder, 0)
    with (folder / "decisions.csv").open() as rows:
        requested: dict[str, list[str]] = {}
        for row in csv.DictReader(rows):
            requested.setdefault(row["sku"], []).append(row["quantity"])
    assert requested == {part: row["requested"].split(", ") for part, row in table(folder, "part").items()}
    (run,) = json.loads((folder / "figures.json").read_text())["runs"]
    assert run["fill_rate"] == 1.0
    for part, row in table(folder, "part").items():
        days = int(row["lead time"]) + 7
        assert int(row["a day"]) * days == int(row["level S"]), part


def test_a_bill_is_exploded_to_the_bottom_and_a_circle_is_named(splitter: ModuleType, tmp_path: Path) -> None:
    bill = splitter.bill_of_materials(str(FOLDER / "bill_of_materials.csv"))
    assert splitter.exploded(bill, "BIKE") == {"FRAME": 1, "RIM": 2, "SPOKE": 64}
    assert splitter.exploded(bill, "BELL") == {"BELL": 1}
    (tmp_path / "circle.csv").write_text("sku,component,units\nA,B,1\nB,A,2\n")
    with pytest.raises(SystemExit, match="a circle: A > B > A"):
        splitter.bill_of_materials(str(tmp_path / "circle.csv"))
    (tmp_path / "half.csv").write_text("sku,component,units\nA,B,0.5\n")
    with pytest.raises(SystemExit, match=r"row 1: units is '0\.5'"):
        splitter.bill_of_materials(str(tmp_path / "half.csv"))


def test_a_cancellation_gives_the_components_back_in_the_bucket_of_its_order(splitter: ModuleType) -> None:
    order = {"type": "order_cancelled", "sku": "A", "quantity": 2, "event_time": 9, "placed_at": 5, "location": "x"}
    (line,) = splitter.component_lines({"A": {"B": 3}}, order, "t/0/7")
    same = {"type": "order_cancelled", "event_time": 9, "placed_at": 5, "location": "x"}
    assert line == {"order_id": "t/0/7", "line": 1, "sku": "B", "quantity": 6, **same}


def test_a_line_larger_than_restock_takes_is_cut(splitter: ModuleType) -> None:
    lines = splitter.component_lines({"A": {"B": 1500}}, {"sku": "A", "quantity": 1000, "event_time": 9}, "t/0/7")
    assert [(one["line"], one["quantity"]) for one in lines] == [(1, 1_000_000), (2, 500_000)]


@pytest.mark.parametrize(
    "value", [None, b"no json", b"[1]", b'{"sku": "A"}', b'{"sku": "A", "quantity": 0}', b'{"type": "time_passed"}']
)
def test_what_is_no_order_of_a_finished_good_is_refused(splitter: ModuleType, value: bytes | None) -> None:
    record = Message(0, 7, 0, b"A", value, ())
    refused = splitter.components({}, record, RecordBatch("orders", "finished", 0, 7, 8, [record]))
    assert isinstance(refused, Rejection) and refused.code == "out_of_range"


def test_a_wrong_row_of_a_file_is_named(splitter: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "finished.csv").write_text("sku,quantity,event_time\nA,1,2026-01-05\nA,1.5,2026-01-05\n")
    with pytest.raises(SystemExit, match="row 2"):
        splitter.split_file({}, str(tmp_path / "finished.csv"), str(tmp_path / "out.csv"))


def test_after_kills_every_line_is_there_and_repeats_are_the_same_bytes(kafka_bootstrap: str, unique_name: str) -> None:
    names = TopicNames(f"{unique_name}.")
    create(KafkaAccess(kafka_bootstrap), names, 2, 1)
    finished, orders = f"{unique_name}.finished", names.of("orders")
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    admin.create_topics({finished: {"num_partitions": 2, "replication_factor": 1}})
    admin.close()
    sent = [
        {"sku": ("BIKE", "TRIKE")[n % 2], "quantity": 1 + n % 4, "event_time": 1_767_600_000_000 + n} for n in range(60)
    ]
    for share in (sent[:25], sent[25:40], sent[40:]):
        worker = started(kafka_bootstrap, unique_name)
        enough = len(read_topic(kafka_bootstrap, orders)) + len(share)
        try:
            produce(kafka_bootstrap, finished, share)
            eventually(lambda least=enough: len(read_topic(kafka_bootstrap, orders)) > least, "split", 60)  # type: ignore[misc]
        finally:
            worker.kill()  # with offsets uncommitted, maybe
            worker.wait()
    worker = started(kafka_bootstrap, unique_name)
    try:
        eventually(lambda: len(lines(read_topic(kafka_bootstrap, orders))) == 3 * len(sent), "split", 60)
    finally:
        worker.kill()
        worker.wait()
    units = sum(one["quantity"] for one in lines(read_topic(kafka_bootstrap, orders)).values() if one["sku"] == "SPOKE")
    wheels = {"BIKE": 2, "TRIKE": 3}
    assert units == sum(32 * wheels[str(one["sku"])] * int(str(one["quantity"])) for one in sent)


def started(bootstrap: str, name: str) -> subprocess.Popen[bytes]:
    command = [str(FOLDER / "splitter.py"), "topic", str(FOLDER / "bill_of_materials.csv"), f"{name}.finished"]
    # a member that Kafka knows by name has its partitions back at once after a kill
    settings = {"KAFKA": bootstrap, "TOPIC_PREFIX": f"{name}.", "GROUP": name, "GROUP_INSTANCE": "one"}
    own = {**os.environ, "PYTHONPATH": str(ROOT), **{f"RESTOCK_{one}": value for one, value in settings.items()}}
    return subprocess.Popen([sys.executable, *command], env=own, stderr=subprocess.DEVNULL)


def produce(bootstrap: str, topic: str, finished: Sequence[Mapping[str, object]]) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    for one in finished:
        producer.send(topic, key=str(one["sku"]).encode(), value=json.dumps(one).encode())
    producer.flush()
    producer.close()


def lines(logged: list[Logged]) -> dict[tuple[str, int], dict[str, Any]]:
    """Return each line once; one that was written again must be the same bytes, at the same key and partition."""
    found: dict[tuple[str, int], Logged] = {}
    for one in logged:
        name = (str(one.fields["order_id"]), int(str(one.fields["line"])))
        before = found.setdefault(name, one)
        assert (before.key, before.value, before.partition) == (one.key, one.value, one.partition)
    return {name: dict(one.fields) for name, one in found.items()}
