"""The bench on small logs: answers are judged by a fold of its own, and speed has not fallen by a multiple."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream_app.bench.figures import Size
from stream_app.bench.fold import folded
from stream_app.bench.job import PEER_ENTRIES, Entry, compare
from stream_app.bench.job_log import HOUR_MS, LATENESS_MS, JobLog
from stream_app.bench.load import keys_of, produce
from stream_app.cli.main import cli
from stream_app.embedded import Servers
from stream_app.kafka.topics import TopicNames, create

LIAR = """
import sys
from kafka import KafkaProducer

bootstrap, _, closed, _ = sys.argv[1:]
producer = KafkaProducer(bootstrap_servers=bootstrap)
for number in range(500):
    producer.send(closed, key=b"uk|S000001", value=b'{"start": %d, "value": 1}' % number)
producer.flush()
producer.close()
"""
WIDE_MARGIN = 0.1
"""A worker that is slower than this beside a bare consumer has lost most of its speed, on any machine."""


def silent(_: str) -> None: ...


async def test_the_fold_of_a_log_tells_late_lines_from_those_in_time(
    kafka_bootstrap: str, unique_name: str, servers: Servers
) -> None:
    names, log = TopicNames(f"{unique_name}."), JobLog.of(Size(20_000, 500, 2, late=100, hours=2))
    create(kafka_bootstrap, names, 2, 1)
    await produce(kafka_bootstrap, names.of("orders"), log.load, log.times())
    expected = await folded(kafka_bootstrap, names.of("orders"), HOUR_MS, LATENESS_MS)
    units: dict[tuple[bytes, int], int] = {}
    keys = keys_of(log.load)
    for number, (sku, at) in enumerate(zip(log.load.skus_of_lines().tolist(), log.times().tolist(), strict=True)):
        window = keys[sku], at - at % HOUR_MS
        units[window] = units.get(window, 0) + 1 + number % 12
    begun = min(start for _, start in units)
    assert expected.with_late == {one: total for one, total in units.items() if one[1] < begun + 2 * HOUR_MS}
    assert 50 < expected.late_lines <= 100
    assert sum(expected.on_time.values()) < sum(expected.with_late.values())


@pytest.mark.timeout(120)
def test_worker_and_faust_are_right_and_a_fast_wrong_answer_is_told(tmp_path: Path) -> None:
    program = tmp_path / "liar.py"
    program.write_text(LIAR)
    entries = (PEER_ENTRIES[0], Entry("liar", 40, 1, 1, program, lambda: Path(sys.executable)))
    outcome = compare(tmp_path / "run", Size(40_000, 1_000, 4, late=200, hours=2), silent, entries)
    answers = {row[0]: row[-1] for row in outcome.rows}
    assert answers["restock"] == answers["faust"] == "right"
    assert answers["liar"].startswith("WRONG: ")
    assert "500 not in the log" in answers["liar"]
    assert [one.what for one in outcome.ratios] == ["the peers' job, lines per CPU second, to faust"]
    assert len(outcome.faults) == 1


def test_an_order_line_costs_no_multiple_of_what_reading_it_costs(tmp_path: Path) -> None:
    report, page = tmp_path / "figures.json", tmp_path / "RESULTS.md"
    done = CliRunner().invoke(cli, ["bench", "lines", "--quick", "--json", str(report), "--results", str(page)])
    assert done.exit_code == 0, done.output
    (ratio,) = json.loads(report.read_text())["figures"]["lines"]["ratios"]
    assert ratio["value"] > WIDE_MARGIN
    assert "bare aiokafka consumer" in page.read_text()
    assert "Apache Kafka" in page.read_text()


@pytest.mark.timeout(180)
def test_a_closing_is_measured_beside_the_same_bytes() -> None:
    done = CliRunner().invoke(cli, ["bench", "closing", "--quick"])
    assert done.exit_code == 0, done.output
    assert "bare HSET of the same bytes" in done.output


def test_a_figure_that_is_not_there_is_a_usage_error() -> None:
    done = CliRunner().invoke(cli, ["bench", "lightspeed"])
    assert done.exit_code == 2
    assert "no figure lightspeed; there are lines, job, closing" in done.output
