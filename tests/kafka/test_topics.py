"""Creating topics and judging those that exist, on the embedded Kafka."""

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from server_access.kafka import KafkaAccess
from stream_app.errors import ConfigError, Unavailable
from stream_app.kafka.sender import write_all
from stream_app.kafka.topics import TOPIC_ROLES, TopicNames, co_partitioning_problems, create, product_counts
from tests.e2e.checker import read_topic


@pytest.fixture
def names(unique_name: str) -> TopicNames:
    return TopicNames(f"{unique_name}.")


def test_all_topics_are_made_once_and_left_as_they_are_afterwards(kafka_bootstrap: str, names: TopicNames) -> None:
    first = create(KafkaAccess(kafka_bootstrap), names, 3, 1)
    again = create(KafkaAccess(kafka_bootstrap), names, 3, 1)
    assert first.created == again.existing == {names.of(role): 3 for role in TOPIC_ROLES}
    assert first.existing == again.created == {}
    assert product_counts(KafkaAccess(kafka_bootstrap), names) == again.existing


def test_a_dry_run_makes_nothing(kafka_bootstrap: str, names: TopicNames) -> None:
    assert len(create(KafkaAccess(kafka_bootstrap), names, 3, 1, is_dry_run=True).created) == len(TOPIC_ROLES)
    assert product_counts(KafkaAccess(kafka_bootstrap), names) == {}


def test_inputs_are_stamped_by_the_broker_and_outputs_are_kept(kafka_bootstrap: str, names: TopicNames) -> None:
    create(KafkaAccess(kafka_bootstrap), names, 1, 1)
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    try:
        orders = settings_of(admin, names.of("orders"))
        assert orders["message.timestamp.type"] == "LogAppendTime"
        assert settings_of(admin, names.of("catalog"))["cleanup.policy"] == "compact"
        assert settings_of(admin, names.of("demand"))["retention.ms"] == "-1"
    finally:
        admin.close()


def settings_of(admin: KafkaAdminClient, topic: str) -> dict[str, str]:
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {name: value["value"] for name, value in found["topic"][topic].items()}


def test_missing_inputs_are_not_made_beside_others_of_another_count(kafka_bootstrap: str, names: TopicNames) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    admin.create_topics({names.of("orders"): {"num_partitions": 4, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()
    with pytest.raises(ConfigError, match="orders has 4 partitions, not 3: give --partitions 4"):
        create(KafkaAccess(kafka_bootstrap), names, 3, 1)


def test_counts_that_differ_are_named_with_the_way_out() -> None:
    names = TopicNames()
    counts = dict.fromkeys((names.of(role) for role in TOPIC_ROLES), 3) | {"inventory": 5}
    (problem,) = co_partitioning_problems(counts, names)
    assert "catalog 3, inventory 5, orders 3" in problem and "--partitions 5" in problem


def test_a_broker_that_is_away_is_named_with_the_setting() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9 does not answer.*RESTOCK_KAFKA"):
        product_counts(KafkaAccess("127.0.0.1:9"), TopicNames())


def test_what_is_written_is_there_in_order(kafka_bootstrap: str, names: TopicNames) -> None:
    create(KafkaAccess(kafka_bootstrap), names, 1, 1)
    told: list[int] = []
    records = [(b"a", b"1"), (b"b", None), (b"a", b"2")]
    assert write_all(KafkaAccess(kafka_bootstrap), names.of("catalog"), records, told.append) == 3
    assert [(one.key, one.value) for one in read_topic(kafka_bootstrap, names.of("catalog"))] == records
    assert sum(told) == 3
