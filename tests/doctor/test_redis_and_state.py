"""What the doctor says of Redis and of stored state, on a Valkey that is made to be so."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from stream_app.doctor.finding import Finding, Level
from stream_app.doctor.redis_check import examined_redis, findings_of_facts
from stream_app.doctor.state_check import examined_state
from stream_app.embedded.valkey import ValkeyServer
from stream_app.ports import Opening
from stream_app.settings import Settings
from tests.doctor.surroundings import settings_of, silent_socket, unwell
from tests.store.clients import client_of

PASSWORD = "open-sesame-4711"


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path_factory.mktemp("own") / "valkey")
    server.start()
    yield server
    server.close()


@pytest.fixture
def changed(own_server: ValkeyServer) -> Iterator["redis.Redis"]:
    """A client of a server whose configuration is as before afterwards."""
    with redis.Redis.from_url(own_server.url) as client:
        before = client.config_get("*")
        yield client
        for name in ("maxmemory-policy", "maxmemory", "appendonly", "appendfsync"):
            client.config_set(name, before[name])
        client.replicaof("NO", "ONE")


@pytest.fixture
def settings(own_server: ValkeyServer, unique_name: str, tmp_path: Path) -> Settings:
    return settings_of("127.0.0.1:9", own_server.url, unique_name, tmp_path / "models")


def redis_findings(settings: Settings) -> Sequence[Finding]:
    return unwell(asyncio.run(examined_redis(settings)))


def test_the_server_that_comes_with_the_product_is_well(settings: Settings) -> None:
    (found,) = asyncio.run(examined_redis(settings))
    assert found.level is Level.OK and "has room" in found.what


@pytest.mark.parametrize(
    ("name", "value", "check", "level", "mended_by"),
    [
        ("maxmemory-policy", "allkeys-lru", "redis.eviction", Level.PROBLEM, "maxmemory-policy noeviction"),
        ("appendonly", "no", "redis.durability", Level.WARNING, "appendonly yes"),
        ("appendfsync", "everysec", "redis.durability", Level.WARNING, "appendfsync always"),
        ("maxmemory", "1", "redis.memory", Level.PROBLEM, "maxmemory"),
    ],
)
def test_a_server_configured_otherwise_is_one_finding(
    settings: Settings, changed: "redis.Redis", name: str, value: str, check: str, level: Level, mended_by: str
) -> None:
    changed.config_set(name, value)
    (found,) = redis_findings(settings)
    assert (found.check, found.level) == (check, level)
    assert mended_by in found.mend


def test_memory_that_is_getting_short_is_a_warning(settings: Settings, changed: "redis.Redis") -> None:
    used = changed.info("memory")["used_memory"]
    changed.config_set("maxmemory", int(used / 0.87))
    (found,) = redis_findings(settings)
    assert (found.check, found.level) == ("redis.memory", Level.WARNING)


def test_a_replica_is_refused(settings: Settings, changed: "redis.Redis") -> None:
    changed.replicaof("127.0.0.1", "9")
    assert [one.check for one in redis_findings(settings)] == ["redis.role"]


def test_a_clock_that_differs_is_named_with_its_side(settings: Settings) -> None:
    (found,) = unwell(asyncio.run(examined_redis(settings, now=lambda: time.time() - 60)))
    assert found.check == "clocks" and "60.0 s ahead of the clock here" in found.what


def facts(own_server: ValkeyServer, **changes: Any) -> Mapping[str, Any]:
    with redis.Redis.from_url(own_server.url) as client:
        return {**client.info(), **changes}


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        # what no server of today can be made to say of itself
        ({"redis_version": "6.2.14", "valkey_version": None}, "redis.version"),
        ({"aof_last_write_status": "err"}, "redis.disk"),
    ],
)
def test_an_old_server_and_a_full_disk_are_problems(
    own_server: ValkeyServer, changes: dict[str, Any], check: str
) -> None:
    assert list(findings_of_facts(facts(own_server), "always")) == []
    (found,) = findings_of_facts(facts(own_server, **changes), "always")
    assert (found.check, found.level) == (check, Level.PROBLEM)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path / "valkey")
    server.start()
    with redis.Redis.from_url(server.url) as client:
        client.config_set("requirepass", PASSWORD)
    yield server
    server.close()


def test_a_wrong_password_is_told_from_a_server_that_is_away_and_never_shown(
    guarded: ValkeyServer, tmp_path: Path, unique_name: str
) -> None:
    secret = tmp_path / "password"
    for content, checks in (("wrong-" + PASSWORD, ["redis.access"]), (PASSWORD, [])):
        secret.write_text(content + "\n")
        settings = settings_of("127.0.0.1:9", guarded.url, unique_name, tmp_path / "models", redis_password_file=secret)
        found = redis_findings(settings)
        assert [one.check for one in found] == checks
        assert all(PASSWORD not in one.what + one.mend for one in found)
    assert asyncio.run(examined_state(settings, {})).findings[0].level is Level.OK


def test_a_server_that_is_away_or_silent_is_named_soon(settings: Settings) -> None:
    begun = time.monotonic()
    with silent_socket() as port:
        for url in ("unix:///nowhere/valkey.sock", f"redis://127.0.0.1:{port}/0"):
            (found,) = redis_findings(settings.model_copy(update={"redis_url": url}))
            assert found.check == "redis.answer" and url in found.what and "RESTOCK_REDIS_URL" in found.mend
    assert time.monotonic() - begun < 4.5


def store_state(settings: Settings, partition: int, **layout: int) -> None:
    async def claim() -> None:
        from stream_app.store.patience import Patience
        from stream_app.store.redis_store import RedisStore

        async with client_of(settings.redis_url) as client:
            store = RedisStore(client, settings.state_prefix, Patience(5.0))
            await store.claim(partition, 1, Opening(0, {**settings.plan().layout, **layout}))

    asyncio.run(claim())


def state_findings(settings: Settings, partitions: Mapping[str, int]) -> Sequence[Finding]:
    return unwell(asyncio.run(examined_state(settings, partitions)).findings)


def test_state_that_a_worker_would_take_over_is_well(settings: Settings) -> None:
    store_state(settings, 1)
    seen = asyncio.run(examined_state(settings, {"orders": 2}))
    (found,) = seen.findings
    assert seen.partitions == [1]
    assert found.level is Level.OK and "1 partitions" in found.what


def test_state_laid_out_by_other_settings_names_both_values(settings: Settings) -> None:
    store_state(settings, 0)
    (found,) = state_findings(settings.model_copy(update={"window_buckets": 50}), {"orders": 2})
    assert found.check == "state.layout"
    assert "window buckets 112" in found.what and "RESTOCK_WINDOW_BUCKETS is 50" in found.what


def test_state_of_another_version_of_the_product_is_named(settings: Settings) -> None:
    store_state(settings, 0, row_layout=10_000)
    (found,) = state_findings(settings, {"orders": 2})
    assert found.check == "state.layout" and "row layout 10000, this version of the product has" in found.what


def test_state_of_a_partition_that_the_topics_do_not_have_is_named(settings: Settings) -> None:
    store_state(settings, 5)
    (found,) = state_findings(settings, {"orders": 3})
    assert found.check == "state.partitions" and "partition 5" in found.what and "has 3 partitions" in found.what
