"""Servers end with the process that started them, however it ends, and come back with what they had."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient

from stream_app.embedded import servers
from stream_app.embedded.bound_process import BoundProcess

GONE_SECONDS = 30
HOLDER = """
import pathlib, sys
from stream_app.embedded import servers

with servers(pathlib.Path(sys.argv[1])):
    print("up", flush=True)
    if sys.stdin.readline() == "raise":
        raise ValueError("the demonstration failed")
"""


@contextmanager
def holder(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", list[psutil.Process]]]:
    """A process that holds servers, as from a terminal, and all processes it started."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        started = psutil.Process(process.pid).children(recursive=True)
        assert {"java", "valkey-server"} <= {child.name() for child in started}
        try:
            yield process, started
        finally:
            process.kill()
            for child in started:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that have not ended within a reasonable time."""
    _, running = psutil.wait_procs(processes, timeout=GONE_SECONDS)
    return running


@pytest.mark.skipif(sys.platform != "linux", reason="promised on Linux")
def test_kill_9_of_the_holder_leaves_no_server(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, started):
        process.kill()
        assert alive(started) == []


def test_ctrl_c_reaches_the_holder_only_which_stops_the_servers_in_order(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, started):
        os.killpg(process.pid, signal.SIGINT)  # what a terminal does
        assert process.wait(GONE_SECONDS) != 0
        assert alive(started) == []
    assert (tmp_path / "kafka" / "topics" / ".kafka_cleanshutdown").exists()
    assert "bye bye" in (tmp_path / "valkey" / "server.log").read_text()


def test_servers_stop_when_an_error_leaves_the_context(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, started):
        _, printed = process.communicate("raise", timeout=GONE_SECONDS)
        assert "the demonstration failed" in printed
        assert alive(started) == []


@pytest.mark.skipif(sys.platform != "linux", reason="promised on Linux")
def test_a_server_ends_when_its_watchdog_is_killed(tmp_path: Path) -> None:
    # the servers of the session have watchdogs too
    before = set(psutil.Process().children())
    server = BoundProcess("sleeper", ["sleep", "600"], tmp_path)
    server.begin()
    (watchdog,) = set(psutil.Process().children()) - before
    server.wait_until(lambda: [one.name() for one in watchdog.children()] == ["sleep"], 10)
    sleeper = watchdog.children()
    watchdog.kill()
    assert alive(sleeper) == []
    server.kill()


def test_a_crash_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with servers(tmp_path) as running:
        admin = KafkaAdminClient(bootstrap_servers=running.kafka)
        admin.create_topics({"orders": {"num_partitions": 1, "replication_factor": 1}})
        admin.close()
        producer = KafkaProducer(bootstrap_servers=running.kafka, acks="all")
        producer.send("orders", b"one line").get(30)
        producer.close()
        with redis.Redis.from_url(running.redis_url) as client:
            client.set("applied", 1)
        address, url = running.kafka, running.redis_url
        running.broker.kill()
        running.valkey.kill()
        assert not running.broker.is_running
        assert not running.valkey.is_running
        running.valkey.start()
        running.broker.start()
        assert (running.kafka, running.redis_url) == (address, url)
        with redis.Redis.from_url(url) as client:
            assert client.get("applied") == b"1"
        consumer = KafkaConsumer(
            "orders", bootstrap_servers=address, auto_offset_reset="earliest", consumer_timeout_ms=30_000
        )
        assert next(consumer).value == b"one line"
        consumer.close()
