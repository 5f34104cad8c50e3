"""The servers of the session: they answer, and they are what production needs."""

import ipaddress
import re
from pathlib import Path

import psutil
import redis
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient

from stream_app.embedded import Servers
from stream_app.embedded.jars import read_lock


def server_processes(servers: Servers) -> list[psutil.Process]:
    """Return the processes of the session's servers; neither watchdogs nor servers that other tests keep."""
    folder = str(servers.broker.log.parents[1])
    children = [one for one in psutil.Process().children(recursive=True) if one.name() in ("java", "valkey-server")]
    return [one for one in children if any(folder in part for part in (one.cwd(), *one.cmdline()))]


def test_what_is_produced_is_consumed(servers: Servers, unique_name: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=servers.kafka)
    admin.create_topics({unique_name: {"num_partitions": 1, "replication_factor": 1}})
    admin.close()
    producer = KafkaProducer(bootstrap_servers=servers.kafka, acks="all")
    producer.send(unique_name, key=b"uk|A", value=b"3 units").get(30)
    producer.close()
    consumer = KafkaConsumer(
        unique_name, bootstrap_servers=servers.kafka, auto_offset_reset="earliest", consumer_timeout_ms=30_000
    )
    record = next(consumer)
    consumer.close()
    assert (record.key, record.value, record.offset) == (b"uk|A", b"3 units", 0)


def test_valkey_writes_to_disk_before_it_answers_and_throws_nothing_away(servers: Servers) -> None:
    with redis.Redis.from_url(servers.redis_url, decode_responses=True) as client:
        shown = client.config_get("appendonly", "appendfsync", "maxmemory-policy", "save", "port")
    assert shown == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": "",
        "port": "0",
    }


def test_versions_are_those_of_the_running_servers(servers: Servers) -> None:
    assert servers.kafka_version == read_lock().kafka_version
    assert f"Kafka version: {servers.kafka_version}" in servers.broker.log.read_text()
    assert re.fullmatch(r"\d+\.\d+\.\d+", servers.redis_version)
    assert int(servers.redis_version.split(".")[0]) >= 7


def test_nothing_listens_beyond_this_machine(servers: Servers) -> None:
    listening = [
        connection.laddr
        for process in server_processes(servers)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.port for address in listening} >= {int(servers.kafka.rpartition(":")[2])}
    for address in listening:
        ip = ipaddress.ip_address(address.ip)
        assert (getattr(ip, "ipv4_mapped", None) or ip).is_loopback, address


def test_the_socket_is_for_this_user_only(servers: Servers) -> None:
    path = Path(re.sub(r"^unix://|\?.*$", "", servers.redis_url))
    assert path.is_socket()
    assert path.stat().st_mode & 0o077 == 0


def test_all_files_are_in_the_folder(servers: Servers) -> None:
    folder = servers.broker.log.parents[1]
    assert {process.name() for process in server_processes(servers)} == {"java", "valkey-server"}
    written = [
        Path(file.path)
        for process in server_processes(servers)
        for file in process.open_files()
        if getattr(file, "mode", "r") != "r"
    ]
    assert written
    assert [path for path in written if not path.is_relative_to(folder)] == []
