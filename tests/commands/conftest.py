"""A product of its own name for each test, its topics created."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from server_access.kafka import KafkaAccess
from stream_app.kafka.topics import TopicNames, create
from tests.e2e.cluster import Cluster, cluster
from tests.e2e.shop import PARTITIONS


@pytest.fixture
def product(tmp_path: Path, kafka_bootstrap: str, redis_url: str, unique_name: str) -> Iterator[Cluster]:
    create(KafkaAccess(kafka_bootstrap), TopicNames(f"{unique_name}."), PARTITIONS, 1)
    with cluster(tmp_path, kafka_bootstrap, redis_url, unique_name) as made:
        yield made
