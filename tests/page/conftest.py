"""One shop, played once for all tests that look at it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from stream_app.settings import Settings
from tests.e2e.checker import shown
from tests.e2e.cluster import Cluster, cluster
from tests.e2e.shop import LIVE
from tests.page.shop import played
from tests.page.visitor import settings_of


@dataclass(frozen=True)
class PlayedShop:
    """A product after its last day, and the requests that it made."""

    product: Cluster
    requests: Mapping[str, dict[str, Any]]

    @property
    def settings(self) -> Settings:
        return settings_of(self.product.environment)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, kafka_bootstrap: str, redis_url: str) -> Iterator[PlayedShop]:
    folder, name = tmp_path_factory.mktemp("shop"), f"t{uuid4().hex[:12]}"
    with cluster(folder, kafka_bootstrap, redis_url, name, RESTOCK_DECIDE_FROM=shown(LIVE)) as product:
        yield PlayedShop(product, played(product))


@pytest.fixture
def nowhere(unique_name: str, kafka_bootstrap: str, redis_url: str) -> Settings:
    """Settings of a product of which nothing is stored."""
    return Settings(
        kafka=kafka_bootstrap, redis_url=redis_url, topic_prefix=f"{unique_name}.", state_prefix=unique_name
    )
