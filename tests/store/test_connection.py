"""Which servers are fit to hold state."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from stream_app.errors import ConfigError, Unavailable
from stream_app.store.connection import command, examined
from stream_app.store.patience import Patience
from tests.store.clients import client_of


@asynccontextmanager
async def configured(client: Redis, name: str, value: str) -> AsyncIterator[None]:
    """Let the server have another setting for a while."""
    before: Any = (await client.config_get(name))[name]
    await client.config_set(name, value)
    try:
        yield
    finally:
        await client.config_set(name, before)


async def test_the_embedded_server_is_fit_without_a_warning(redis_url: str) -> None:
    async with client_of(redis_url) as client:
        report = await examined(client)
        assert int(report.version.split(".")[0]) >= 7
        assert not report.warnings


async def test_a_server_that_may_evict_state_is_refused_with_the_remedy(redis_url: str) -> None:
    async with client_of(redis_url) as client, configured(client, "maxmemory-policy", "allkeys-lru"):
        with pytest.raises(ConfigError, match="CONFIG SET maxmemory-policy noeviction"):
            await examined(client)


@pytest.mark.parametrize("policy", ["everysec", "no"])
async def test_a_server_that_may_lose_its_last_second_is_warned_of(policy: str, redis_url: str) -> None:
    async with client_of(redis_url) as client, configured(client, "appendfsync", policy):
        (warning,) = (await examined(client)).warnings
        assert f"appendfsync is {policy}" in warning


async def test_a_server_without_an_append_only_file_is_warned_of(redis_url: str) -> None:
    async with client_of(redis_url) as client, configured(client, "appendonly", "no"):
        (warning,) = (await examined(client)).warnings
        assert "appendonly yes" in warning


async def test_a_server_that_turns_us_away_is_a_wrong_setting(redis_url: str) -> None:
    async with client_of(redis_url) as client:
        await command(client, "ACL", "SETUSER", "stranger", "on", ">right")
        try:
            async with client_of(_as_user(redis_url, "stranger", "wrong")) as stranger:
                with pytest.raises(ConfigError, match="RESTOCK_REDIS_PASSWORD_FILE"):
                    await examined(stranger, Patience(0.2))
        finally:
            await command(client, "ACL", "DELUSER", "stranger")


def _as_user(redis_url: str, user: str, password: str) -> str:
    scheme, _, rest = redis_url.partition("://")
    return f"{scheme}://{user}:{password}@{rest}"


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    async with client_of(f"unix://{tmp_path}/nobody") as client:
        with pytest.raises(Unavailable, match="Start it"):
            await examined(client, Patience(0.1))
