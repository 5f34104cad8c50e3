"""What tests share: one Kafka and one Valkey for the whole session, and how hard Hypothesis looks."""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
import structlog
from hypothesis import HealthCheck, settings

from stream_app.embedded import Servers
from stream_app.embedded import servers as embedded

# a loaded machine is slow now and then; how slow is not what these tests are about
SLOW_MACHINE = (HealthCheck.too_slow,)
settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=SLOW_MACHINE)
settings.register_profile(
    "ci", max_examples=200, deadline=None, derandomize=True, suppress_health_check=SLOW_MACHINE, print_blob=True
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
# as the product's console does: the usual one prints every local variable, which takes seconds
structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Both servers; who stops or kills one starts its own instead."""
    with embedded(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture(scope="session")
def kafka_bootstrap(servers: Servers) -> str:
    """Address of the session's Kafka."""
    return servers.kafka


@pytest.fixture(scope="session")
def redis_url(servers: Servers) -> str:
    """Address of the session's Valkey."""
    return servers.redis_url


@pytest.fixture
def unique_name() -> str:
    """A name nothing else in the session uses: for prefixes of topics and keys, for groups."""
    return f"t{uuid4().hex[:12]}"
