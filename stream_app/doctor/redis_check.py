"""Redis: version, whether what is acknowledged is on disk, whether anything may be thrown away, room, role, clock."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError

from stream_app.doctor.finding import Finding, fine, problem, warning
from stream_app.errors import ConfigError
from stream_app.settings import Settings
from stream_app.store.connection import OLDEST_VERSION
from stream_app.store.refusal import forbidden, refusal

CONNECT_SECONDS = 1.5
ANSWER_SECONDS = 2.0
FULL_RATIO = 0.8
"""From here on room is short."""
BURSTING_RATIO = 0.95
SKEW_SECONDS = 5.0

UNREACHED = frozenset({"redis.password", "redis.access", "redis.answer", "redis.rights"})
"""Checks that say that nothing else could be asked."""

Facts = Mapping[str, Any]


def client_of(address: str) -> Redis:
    """Return a client that gives up soon."""
    client: Redis = Redis.from_url(
        address,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    return client


async def examined_redis(settings: Settings, now: Callable[[], float] = time.time) -> Sequence[Finding]:
    """Return what there is to say of the server."""
    try:
        client = client_of(settings.redis_address())
    except ConfigError as wrong:
        return [problem("redis.password", one, "restock config") for one in wrong.problems]
    try:
        async with asyncio.timeout(CONNECT_SECONDS + ANSWER_SECONDS):
            facts: Facts = await client.info()
            fsync = await _asked_fsync(client)
            begun = now()
            seconds, micros = await client.time()
            middle = (begun + now()) / 2
    except (RedisError, OSError, TimeoutError) as wrong:
        return [_unreached(settings, wrong)]
    finally:
        with suppress(RedisError, OSError):
            await client.aclose()
    found = [*findings_of_facts(facts, fsync), *_of_clock(seconds + micros / 1e6 - middle)]
    return found or [fine("redis", f"the server answers (version {_version(facts)}), keeps all it is given, has room")]


async def _asked_fsync(client: Redis) -> str:
    """Return ``appendfsync``; empty where the server does not tell."""
    with suppress(RedisError):
        found = await client.config_get("appendfsync")
        for value in found.values():
            return value.decode() if isinstance(value, bytes) else str(value)
    return ""


def _unreached(settings: Settings, wrong: BaseException) -> Finding:
    turned_away = refusal(wrong)
    if turned_away is not None:
        return problem("redis.access", f"{settings.redis_url}: {turned_away}", "restock config")
    if isinstance(wrong, NoPermissionError):
        return problem("redis.rights", str(forbidden(wrong)), "restock acl redis")
    reason = " ".join(str(wrong).split()) or type(wrong).__name__
    what = f"Redis does not answer at {settings.redis_url}: {reason}"
    return problem("redis.answer", what, "start it, or set RESTOCK_REDIS_URL to where it is")


def findings_of_facts(facts: Facts, fsync: str) -> Iterator[Finding]:
    """Yield what is to be said of the answer to INFO and of ``appendfsync``; nothing if all is well."""
    yield from _of_version(facts)
    yield from _of_eviction(facts)
    yield from _of_durability(facts, fsync)
    yield from _of_memory(facts)
    if facts.get("role") not in (None, "master"):
        what = f"the server is a {facts['role']}: it refuses to write"
        yield problem("redis.role", what, "set RESTOCK_REDIS_URL to the primary")


def _of_version(facts: Facts) -> Iterator[Finding]:
    version = _version(facts)
    if int(version.partition(".")[0]) < OLDEST_VERSION:
        what = f"the server is version {version}, must be {OLDEST_VERSION} or later"
        yield problem("redis.version", what, "run a newer Redis or Valkey")


def _version(facts: Facts) -> str:
    return str(facts.get("valkey_version") or facts.get("redis_version", "0"))


def _of_eviction(facts: Facts) -> Iterator[Finding]:
    policy = str(facts.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        what = f"maxmemory-policy is {policy}: the server throws state away when memory is short"
        yield problem("redis.eviction", what, "redis-cli CONFIG SET maxmemory-policy noeviction")


def _of_durability(facts: Facts, fsync: str) -> Iterator[Finding]:
    if not facts.get("aof_enabled"):
        what = "the server keeps no append-only file: a restart may lose minutes of state (read again from Kafka)"
        mend = "redis-cli CONFIG SET appendonly yes; redis-cli CONFIG SET appendfsync always"
        yield warning("redis.durability", what, mend)
    elif fsync != "always":
        what = f"appendfsync is {fsync or 'not told'}: a power loss may cost the last second of state"
        yield warning("redis.durability", what, "redis-cli CONFIG SET appendfsync always")
    for name in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"):
        if facts.get(name, "ok") != "ok":
            what = f"{name} is {facts[name]}: the server cannot write its files"
            yield problem("redis.disk", what, "free space on its disk, look into its log")


def _of_memory(facts: Facts) -> Iterator[Finding]:
    used, limit = int(facts.get("used_memory", 0)), int(facts.get("maxmemory", 0))
    name = "maxmemory" if limit else "memory of its machine"
    limit = limit or int(facts.get("total_system_memory", 0))
    ratio = used / limit if limit else 0.0
    if ratio < FULL_RATIO:
        return
    what = f"the server uses {used / 2**20:,.0f} MiB, {ratio:.0%} of its {name} ({limit / 2**20:,.0f} MiB)"
    mend = f"redis-cli CONFIG SET maxmemory {2 * used}, or give it a larger machine"
    if ratio >= BURSTING_RATIO:
        yield problem("redis.memory", f"{what}: when it is full, workers wait", mend)
    else:
        yield warning("redis.memory", what, mend)


def _of_clock(skew_seconds: float) -> Iterator[Finding]:
    if abs(skew_seconds) > SKEW_SECONDS:
        side = "ahead of" if skew_seconds > 0 else "behind"
        what = f"the clock of Redis is {abs(skew_seconds):.1f} s {side} the clock here: one of the two is wrong"
        yield warning("clocks", what, "run a time service (chrony, systemd-timesyncd) on both machines")
