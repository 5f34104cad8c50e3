"""A part that cannot be had: refused, and said so that a stranger knows what to do."""

import hashlib
import os
import sys
from pathlib import Path

import psutil
import pytest
import redis

from stream_app.embedded import EmbeddedUnavailable, ValkeyServer, servers
from stream_app.embedded.bound_process import BoundProcess
from stream_app.embedded.jars import Jar, JarLock, fetched_jars, read_lock
from stream_app.embedded.kafka import PORTS, free_ports

CONTENT = b"a jar"
JAR = Jar("org.example:part:1.0", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
UNREACHABLE = "127.0.0.1:1"


def untold(_: str) -> None:
    """Tell nobody."""


def test_a_server_that_ends_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('port is taken'); sys.exit(3)"]
    server = BoundProcess("Apache Kafka", command, tmp_path)
    server.begin()
    with pytest.raises(EmbeddedUnavailable) as raised:
        server.wait_until(lambda: False, 30)
    message = str(raised.value)
    assert "Apache Kafka" in message
    assert "exit code 3" in message
    assert "port is taken" in message
    assert str(tmp_path / "server.log") in message
    assert "RESTOCK_KAFKA" in message


def test_a_server_that_does_not_answer_in_time_is_reported(tmp_path: Path) -> None:
    server = BoundProcess("Valkey", ["sleep", "600"], tmp_path)
    server.begin()
    try:
        with pytest.raises(EmbeddedUnavailable, match=r"Valkey .*: it was not ready within 0\.1 s"):
            server.wait_until(lambda: False, 0.1)
    finally:
        server.kill()
    assert not server.is_running


def test_a_jar_that_is_what_the_lock_says_is_taken_from_the_cache(tmp_path: Path) -> None:
    jars = tmp_path / "jars"
    jars.mkdir()
    (jars / JAR.file_name).write_bytes(CONTENT)
    assert fetched_jars(tmp_path, JarLock("1.0", (JAR,)), untold) == jars


def test_a_tampered_jar_is_refused(tmp_path: Path) -> None:
    jars = tmp_path / "jars"
    jars.mkdir()
    (jars / JAR.file_name).write_bytes(CONTENT + b" and more")
    with pytest.raises(EmbeddedUnavailable, match=r"part-1\.0\.jar has sha256 .* it was not used") as raised:
        fetched_jars(tmp_path, JarLock("1.0", (JAR,)), untold)
    assert JAR.sha256 in str(raised.value)


def test_without_network_the_missing_file_is_named_and_no_server_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTOCK_CACHE", str(tmp_path / "cache"))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{UNREACHABLE}")
    monkeypatch.setenv("no_proxy", "")
    told: list[str] = []
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(EmbeddedUnavailable) as raised, servers(tmp_path / "run", told.append):
        pytest.fail("it started without its jars")
    message = str(raised.value)
    assert any(f"{jar.coordinate} cannot be fetched from Maven Central" in message for jar in read_lock().jars)
    assert "RESTOCK_REDIS_URL" in message
    assert told[0].startswith(f"fetching Apache Kafka {read_lock().kafka_version} (4")
    # the folder of a download that is being cleared may go away meanwhile
    assert [name for _, _, names in os.walk(tmp_path / "cache") for name in names if name.endswith(".jar")] == []
    assert (tmp_path / "run" / "valkey" / "server.log").exists(), "Valkey had been started beside it"
    assert set(psutil.Process().children(recursive=True)) - before == set()


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(EmbeddedUnavailable, match="set RESTOCK_CACHE to another directory"):
        fetched_jars(file, JarLock("1.0", (JAR,)), untold)


def test_the_lock_pins_every_file_of_one_kafka_version() -> None:
    lock = read_lock()
    own = [jar.coordinate for jar in lock.jars if jar.coordinate.startswith("org.apache.kafka:")]
    assert f"org.apache.kafka:kafka_2.13:{lock.kafka_version}" in own
    assert all(coordinate.endswith(f":{lock.kafka_version}") for coordinate in own)
    assert len({jar.file_name for jar in lock.jars}) == len(lock.jars)
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in lock.jars)


def test_a_folder_with_a_long_path_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path / ("deep " * 30).strip() / "valkey")
    server.start()
    with redis.Redis.from_url(server.url) as client:
        assert client.ping()
        path = Path(client.config_get("unixsocket")["unixsocket"])
    server.close()
    assert len(str(path)) < 104
    assert not path.parent.exists()


def test_ports_differ_and_are_none_that_outgoing_connections_take() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert set(ports) <= set(PORTS)
