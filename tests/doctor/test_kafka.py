"""What the doctor says of Kafka, each situation made on a real broker or a real socket."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server_access.kafka import KafkaAccess
from stream_app.doctor.finding import Level
from stream_app.doctor.kafka_check import examined_kafka
from stream_app.doctor.kafka_link import Address, linked
from stream_app.embedded.kafka import KafkaBroker
from stream_app.settings import Settings
from tests.doctor.surroundings import kafka_findings, make_topics, settings_of, silent_socket, talking_socket
from tests.e2e.cluster import eventually


@pytest.fixture
def settings(kafka_bootstrap: str, redis_url: str, unique_name: str, tmp_path: Path) -> Settings:
    return settings_of(kafka_bootstrap, redis_url, unique_name, tmp_path / "models")


def test_topics_as_they_should_be_are_said_to_be_well(settings: Settings) -> None:
    make_topics(settings)
    seen = asyncio.run(examined_kafka(settings))
    assert {one.level for one in seen.findings} == {Level.OK}
    assert {one.check for one in seen.findings} == {"kafka.bootstrap", "kafka.listener", "topics"}
    assert seen.partitions["orders"] == 2


def test_each_missing_topic_is_named_and_none_is_created_by_looking(settings: Settings) -> None:
    make_topics(settings, without=("restock", "demand"))
    for _ in range(2):
        found = kafka_findings(settings)
        assert [one.what for one in found] == [
            f"topic {settings.topic_prefix}{role} does not exist" for role in ("restock", "demand")
        ]
        assert {one.mend for one in found} == {"restock topics create"}


def test_input_topics_of_different_counts_are_listed(settings: Settings) -> None:
    make_topics(settings, partitions={"inventory": 3})
    (found,) = kafka_findings(settings)
    assert (found.check, found.level) == ("topics.copartitioning", Level.PROBLEM)
    assert f"{settings.topic_prefix}inventory 3" in found.what and f"{settings.topic_prefix}orders 2" in found.what
    assert "--partitions 3" in found.mend


@pytest.mark.parametrize(
    ("role", "config", "check", "level", "mended_by"),
    [
        ("orders", {"message.timestamp.type": "CreateTime"}, "topics.timestamps", Level.WARNING, "LogAppendTime"),
        ("orders", {"cleanup.policy": "compact"}, "topics.cleanup", Level.PROBLEM, "cleanup.policy=delete"),
        ("catalog", {"cleanup.policy": "delete"}, "topics.cleanup", Level.PROBLEM, "cleanup.policy=compact"),
        ("orders", {"retention.ms": "604800000"}, "topics.retention", Level.WARNING, "retention.ms=9676800000"),
        ("orders", {"retention.bytes": "1000000"}, "topics.retention", Level.WARNING, "retention.bytes=-1"),
        ("restock", {"retention.ms": "604800000"}, "topics.retention", Level.WARNING, "retention.ms=-1"),
        ("demand", {"retention.ms": "604800000"}, "topics.retention", Level.WARNING, "retention.ms=-1"),
        ("demand", {"max.message.bytes": "100000"}, "topics.size", Level.PROBLEM, "max.message.bytes=589824"),
    ],
)
def test_a_topic_configured_otherwise_is_one_finding(
    settings: Settings, role: str, config: dict[str, str], check: str, level: Level, mended_by: str
) -> None:
    make_topics(settings, configs={role: config})
    (found,) = kafka_findings(settings)
    assert (found.check, found.level) == (check, level)
    assert settings.topic_prefix + role in found.what and next(iter(config)).split(".")[0] in found.what
    assert mended_by in found.mend and f"--entity-name {settings.topic_prefix}{role}" in found.mend


def test_orders_kept_as_long_as_the_window_are_well(settings: Settings) -> None:
    make_topics(settings, configs={"orders": {"retention.ms": "604800000"}})
    assert kafka_findings(settings.model_copy(update={"window_buckets": 7})) == []


def test_a_server_that_is_away_is_named_with_its_reason(settings: Settings) -> None:
    (found,) = kafka_findings(settings.model_copy(update={"kafka": "127.0.0.1:9"}))
    assert found.check == "kafka.bootstrap" and "127.0.0.1:9" in found.what and "RESTOCK_KAFKA" in found.mend


def test_one_of_two_bootstrap_servers_is_enough_to_look_at_the_rest(settings: Settings) -> None:
    make_topics(settings)
    (found,) = kafka_findings(settings.model_copy(update={"kafka": f"127.0.0.1:9,{settings.kafka}"}))
    assert "127.0.0.1:9" in found.what


def test_a_name_that_does_not_resolve_is_said_to_be_one(settings: Settings) -> None:
    (found,) = kafka_findings(settings.model_copy(update={"kafka": "kafka.invalid:9092"}))
    assert "name kafka.invalid" in found.what and "resolve" in found.what


def test_what_does_not_speak_kafka_is_told_from_what_is_silent(settings: Settings) -> None:
    with silent_socket() as silent, talking_socket(b"HTTP/1.1 400 Bad Request\r\n\r\n") as web:
        begun = time.monotonic()
        both = {"kafka": f"127.0.0.1:{silent},127.0.0.1:{web}"}
        first, second = kafka_findings(settings.model_copy(update=both))
    assert time.monotonic() - begun < 4
    assert "no connection within" in first.what
    assert str(web) in second.what


@pytest.fixture
def misadvertised(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A broker that serves at one address and advertises another, where nobody listens."""
    folder = tmp_path / "kafka"
    broker = KafkaBroker(folder, lambda _: None)
    configuration = folder / "server.properties"
    wrong = "127.0.0.1:9"
    advertised = f"advertised.listeners=CLIENTS://{broker.bootstrap}"
    text = configuration.read_text()
    assert advertised in text
    configuration.write_text(text.replace(advertised, f"advertised.listeners=CLIENTS://{wrong}"))
    broker.begin()
    try:
        eventually(lambda: asyncio.run(answers(broker.bootstrap)), "the broker answers")
        yield broker.bootstrap, wrong
    finally:
        broker.kill()


async def answers(bootstrap: str) -> bool:
    try:
        async with linked(Address.parsed(bootstrap), KafkaAccess(bootstrap)):
            return True
    except OSError:
        return False


def test_an_advertised_listener_out_of_reach_is_told_from_a_broker_that_is_away(
    settings: Settings, misadvertised: tuple[str, str]
) -> None:
    bootstrap, wrong = misadvertised
    found = {one.check: one for one in kafka_findings(settings.model_copy(update={"kafka": bootstrap}))}
    assert "kafka.bootstrap" not in found
    assert f"bootstrap {bootstrap} answered, but it advertises {wrong}" in found["kafka.listener"].what
    assert "advertised.listeners" in found["kafka.listener"].mend
