"""What the doctor reads in ``orders`` itself: who partitioned it, and whether Redis has lost what was read."""

import json
from pathlib import Path
from zlib import crc32

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from stream_app.doctor.finding import Level
from stream_app.doctor.orders_check import lost_state_findings, order_findings
from stream_app.settings import Settings
from stream_app.wire.admission import librdkafka_partition_of, partition_of
from stream_app.wire.json_wire import JsonWire
from tests.doctor.surroundings import make_topics, settings_of
from tests.wire.builders import ORDER, Sent, refusal

KEYS = [b"main|SKU-%d" % number for number in range(30)]
PARTITIONS = 2


@pytest.fixture
def settings(kafka_bootstrap: str, redis_url: str, unique_name: str, tmp_path: Path) -> Settings:
    made = settings_of(kafka_bootstrap, redis_url, unique_name, tmp_path / "models", group=unique_name)
    make_topics(made, partitions={"orders": PARTITIONS})
    return made


def produce(settings: Settings, placed: list[tuple[bytes, int]]) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    for key, partition in placed:
        producer.send(f"{settings.topic_prefix}orders", key=key, value=b"{}", partition=partition)
    producer.close()


def murmur2() -> list[tuple[bytes, int]]:
    return [(key, partition_of(key, PARTITIONS)) for key in KEYS]


def test_an_empty_topic_and_one_partitioned_by_murmur2_are_well(settings: Settings) -> None:
    for placed in ([], murmur2()):
        produce(settings, placed)
        (found,) = order_findings(settings)
        assert found.level is Level.OK
    assert f"newest {len(KEYS)} records" in found.what


def test_the_partitioner_of_librdkafka_is_recognised(settings: Settings) -> None:
    produce(settings, [(key, crc32(key) % PARTITIONS) for key in KEYS])
    (found,) = order_findings(settings)
    assert found.level is Level.PROBLEM and "CRC32" in found.what and "murmur2_random" in found.mend


def test_any_other_partitioner_is_shown_by_an_example(settings: Settings) -> None:
    produce(settings, [(key, 1 - partition) for key, partition in murmur2()])
    (found,) = order_findings(settings)
    assert found.level is Level.PROBLEM and "CRC32" not in found.what and "main|SKU-" in found.what


def test_a_refusal_names_the_partitioner_that_put_the_record_there() -> None:
    wire = JsonWire(PARTITIONS, None)
    found = {}
    for key in KEYS:
        right, other = partition_of(key, PARTITIONS), librdkafka_partition_of(key, PARTITIONS)
        value = json.dumps({**ORDER, "location": "main", "sku": key.decode().partition("|")[2]}).encode()
        refused = refusal("orders", Sent(value, key), wire, 1 - right)
        assert refused is not None and refused.code == "wrong_partition"
        found[other != right] = refused.reason
    assert "murmur2_random" in found[True] and "murmur2_random" not in found[False]


def test_offsets_of_a_group_without_state_are_lost_state(settings: Settings) -> None:
    assert lost_state_findings(settings, []) == []
    produce(settings, murmur2())
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka, group_id=settings.group, enable_auto_commit=False)
    consumer.assign([TopicPartition(f"{settings.topic_prefix}orders", 1)])
    consumer.commit({TopicPartition(f"{settings.topic_prefix}orders", 1): OffsetAndMetadata(3, "", -1)})
    consumer.close()
    assert lost_state_findings(settings, [1]) == []
    (found,) = lost_state_findings(settings, [0])
    assert found.check == "state.lost" and "partitions 1 of" in found.what and "restock rebuild" in found.mend
