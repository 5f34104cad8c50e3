"""Plans from the topic are those of a file with the same rows, without the records that no worker takes."""

import csv
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from model_store.cli.main import main
from model_store.training.signals_file import read_signals
from model_store.training.signals_topic import read_signals_topic, told
from stream_app.kafka.sender import Outgoing, sending
from stream_app.kafka.topics import TopicNames, create

PLAN: dict[str, Any] = {
    "location": "main",
    "sku": "A",
    "starts_at": "2026-04-01T00:00:00Z",
    "ends_at": 1_775_520_000_000,
}
ROWS: list[dict[str, Any]] = [
    {**PLAN, "signal_id": "sale", "promotion": True, "price": 2.5, "pages": 3, "event_time": "2026-03-01T00:00:00Z"},
    {**PLAN, "signal_id": "sale", "promotion": 0.5, "pages": 1, "event_time": "2026-03-02T00:00:00Z"},
    {**PLAN, "sku": "B", "signal_id": "other", "price": 3},
    {"type": "withdrawn", "location": "main", "sku": "B", "signal_id": "other", "event_time": 1_772_500_000_000},
]
WRONG = [b"no json", b"[1]", *(json.dumps({**ROWS[0], **one}).encode() for one in ({"promotion": 3}, {"sku": "a b"}))]


def values() -> list[bytes]:
    return [json.dumps(row).encode() for row in ROWS]


def test_records_say_what_rows_of_a_file_say(tmp_path: Path) -> None:
    path = tmp_path / "signals.csv"
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, sorted({name for row in ROWS for name in row}))
        writer.writeheader()
        writer.writerows(ROWS)
    from_file, from_topic = read_signals(path, ["pages"]), told(values(), "signals", ["pages"], [])
    assert from_topic is not None
    assert from_topic.rows.equals(from_file.rows)
    assert from_topic.known_ahead == from_file.known_ahead == ("promotion", "price", "pages")


def test_records_that_no_worker_takes_are_left_out_and_counted() -> None:
    found, right = told([*WRONG, *values()], "signals", [], ["pages"]), told(values(), "signals", [], ["pages"])
    assert found is not None and right is not None
    assert found.rows.drop("identity").equals(right.rows.drop("identity"))
    assert "2 wrong records left out" in found.said


def test_a_topic_without_channels_has_no_plans() -> None:
    assert told([], "signals", [], []) is None
    assert told([json.dumps({**PLAN, "signal_id": "x"}).encode()], "signals", [], []) is None


def test_the_topic_is_read_to_its_end(kafka_bootstrap: str, unique_name: str) -> None:
    names = TopicNames(f"{unique_name}.")
    create(kafka_bootstrap, names, 2, 1)
    with sending(kafka_bootstrap) as sender:
        for place, value in enumerate(values()):
            sender.send(names.of("signals"), Outgoing(place // 2, b"main|A", value, ()))
        sender.confirm()
    found = read_signals_topic(kafka_bootstrap, names.of("signals"), (), (), lambda _done, _of: None)
    assert found is not None
    assert found.rows.height == len(ROWS)


def test_a_file_and_a_topic_of_plans_are_two_sources(tmp_path: Path) -> None:
    (tmp_path / "plans.csv").touch()
    both = ("--kafka", "localhost:1", "--signals-topic", "signals", "--signals", str(tmp_path / "plans.csv"))
    refused = CliRunner().invoke(main, ["train", *both])
    assert refused.exit_code == 2
    assert "name one" in refused.output
