"""``restock tail``: what a topic holds, without doing anything to the terminal or to the topic."""

import json
import subprocess
import time

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from stream_app.ports import OutgoingRecord
from tests.commands.runs import refusal, run, write
from tests.e2e.cluster import RESTOCK, Cluster, cluster, eventually

HOSTILE = b"\x1b]0;owned\x07\x1b[2J\n\x00\xe2\x80\xae\xff\x7f\xc2\x9b31m"


def lines(product: Cluster, count: int) -> list[tuple[int, OutgoingRecord]]:
    return [(0, OutgoingRecord("orders", b"k%d" % n, b'{"n": %d}' % n, (("h", b"1"),))) for n in range(count)]


def test_from_the_beginning_to_the_present_end_is_every_record_in_order(product: Cluster) -> None:
    write(product, "orders", lines(product, 5))
    told = run(product, "tail", "orders", "--from-beginning", "--no-follow", "--json").stdout
    found = [json.loads(line) for line in told.splitlines()]
    assert [one["value"]["n"] for one in found] == [0, 1, 2, 3, 4]
    assert [(one["partition"], one["offset"]) for one in found] == [(0, n) for n in range(5)]
    assert found[0]["key"] == "k0" and found[0]["headers"] == {"h": "1"} and found[0]["timestamp"].endswith("Z")


def test_a_count_ends_it_and_an_empty_topic_is_no_error(product: Cluster) -> None:
    assert run(product, "tail", "restock", "--no-follow").stdout == ""
    write(product, "orders", lines(product, 5))
    assert len(run(product, "tail", "orders", "--from-beginning", "-n", "3").stdout.splitlines()) == 3


@pytest.mark.parametrize("form", ["--json", "--no-follow"])
def test_no_control_sequence_of_a_record_reaches_the_terminal(product: Cluster, form: str) -> None:
    hostile = OutgoingRecord("orders", HOSTILE, HOSTILE, (("h", HOSTILE),))
    write(product, "orders", [(1, hostile), (1, OutgoingRecord("orders", HOSTILE, None))])
    told = run(product, "tail", "orders", "--from-beginning", "--no-follow", form).stdout
    assert len(told.splitlines()) == 2
    assert all(one.isprintable() for one in told.replace("\n", "")), told


def test_transactions_end_it_too_and_what_was_aborted_is_not_shown(product: Cluster) -> None:
    """The last offset of such a topic is a marker, which no client ever sees as a record."""
    producer = KafkaProducer(bootstrap_servers=product.bootstrap, transactional_id=product.topic("shop"))
    producer.init_transactions()
    for value, ends in ((b"1", producer.commit_transaction), (b"2", producer.abort_transaction)):
        producer.begin_transaction()
        producer.send(product.topic("orders"), key=b"k", value=value, partition=0)
        ends()
    producer.close()
    told = run(product, "tail", "orders", "--from-beginning", "--no-follow", "--json").stdout
    assert [json.loads(line)["value"] for line in told.splitlines()] == [1]


def test_what_comes_later_is_shown_as_it_comes(product: Cluster) -> None:
    write(product, "orders", lines(product, 2))
    with subprocess.Popen(
        [*RESTOCK, "tail", "orders", "-n", "1"], env=product.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as tail:
        try:
            told: list[bytes] = []

            def has_told() -> bool:
                write(product, "orders", [(0, OutgoingRecord("orders", b"new", b"{}"))])
                time.sleep(0.2)
                return tail.poll() is not None

            eventually(has_told, "the new record", 30)
            told = (tail.stdout.read() if tail.stdout else b"").splitlines()
        finally:
            tail.kill()
    assert len(told) == 1 and b"new" in told[0]


def test_a_reader_that_goes_away_is_no_error(product: Cluster) -> None:
    write(product, "orders", [(0, OutgoingRecord("orders", b"k", b"x" * 1_000)) for _ in range(500)])
    command = f"{' '.join(RESTOCK)} tail orders --from-beginning --no-follow | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command], env=product.environment, capture_output=True, timeout=30, check=False
    )
    assert len(done.stdout.splitlines()) == 1 and done.stderr == b""


def test_a_topic_that_does_not_exist_is_named_and_not_created(kafka_bootstrap: str, product: Cluster) -> None:
    with cluster(product.folder, kafka_bootstrap, "redis://127.0.0.1:9/0", "absent") as bare:
        assert "topic absent.orders does not exist: run `restock topics create`" in refusal(bare, "tail", "orders")
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    assert "absent.orders" not in admin.list_topics()
    admin.close()
