"""The example of a warehouse: killed at any moment and sent the same request again, it takes each once."""

import json
import runpy
import sqlite3
import subprocess
import sys
from pathlib import Path

from kafka import KafkaProducer

from stream_app.kafka.topics import TopicNames, create
from tests.e2e.cluster import eventually
from tests.topics.test_contracts import ROOT, golden

EXAMPLE = ROOT / "examples" / "warehouse.py"


def test_it_takes_each_request_once_across_repeats_and_kills(
    kafka_bootstrap: str, unique_name: str, tmp_path: Path
) -> None:
    names = TopicNames(f"{unique_name}.")
    create(kafka_bootstrap, names, 2, 1)
    database, topic = tmp_path / "picks.sqlite", names.of("restock")
    (request, *_) = golden("restock")
    requests = [{**request, "restock_id": f"id-{number}", "quantity": number + 1} for number in range(40)]
    sent = [*requests, *requests[5:15], {**requests[3], "revision": 2}]
    for share, expected in ((sent[:20], 20), (sent[20:], 41)):
        worker = subprocess.Popen(
            [sys.executable, str(EXAMPLE), kafka_bootstrap, topic, str(database)], stdout=subprocess.DEVNULL
        )
        try:
            produce(kafka_bootstrap, topic, share)
            eventually(lambda expected=expected: picked(database) >= expected, "picked", 60)  # type: ignore[misc]
        finally:
            worker.kill()  # with offsets uncommitted, maybe
            worker.wait()
    assert picked(database) == 41
    with sqlite3.connect(database) as picks:
        assert picks.execute("SELECT quantity FROM picks WHERE restock_id = 'id-7'").fetchall() == [(8,)]
    picks.close()


def produce(bootstrap: str, topic: str, requests: list[dict[str, object]]) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    for request in requests:
        producer.send(topic, key=str(request["restock_id"]).encode(), value=json.dumps(request).encode())
    producer.close()


def picked(database: Path) -> int:
    if not database.exists():
        return 0
    connection = sqlite3.connect(database, timeout=10)
    try:
        return int(connection.execute("SELECT COUNT(*) FROM picks").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0
    finally:
        connection.close()


def test_what_is_taken_back_is_not_picked() -> None:
    (request, *_) = golden("restock")
    warehouse = runpy.run_path(str(EXAMPLE))
    database = sqlite3.connect(":memory:")
    database.execute(warehouse["TABLE"])
    for told in (
        {**request, "restock_id": "kept"},
        {**request, "restock_id": "taken back"},
        {**request, "restock_id": "taken back", "revision": 2, "quantity": 0},
        {**request, "restock_id": "taken back"},
    ):
        warehouse["take"](database, told)
    assert warehouse["open_picks"](database) == [("kept", request["quantity"])]
    database.close()


def test_it_is_short_enough_to_be_read() -> None:
    code = [line for line in EXAMPLE.read_text().splitlines() if line.strip()]
    assert len(code) <= 42
