"""A client for Redis or Valkey, and whether the server is fit to hold state."""

from dataclasses import dataclass
from typing import Any

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from stream_app.errors import ConfigError
from stream_app.store.patience import Patience, is_away, reason

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
"""A request without an answer for longer is made again on a new connection."""
OLDEST_VERSION = 7


@dataclass(frozen=True, slots=True)
class ServerReport:
    """What a server is; ``warnings`` are sentences for an operator, each with its remedy."""

    version: str
    warnings: tuple[str, ...] = ()


def connected(address: str) -> Redis:
    """Return a client that answers in bytes and never retries by itself; nothing is connected yet.

    Args:
        address: ``redis://``, ``rediss://`` or ``unix://``, with the password if there is one.
    """
    client: Redis = Redis.from_url(
        address,
        decode_responses=False,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    return client


async def command(client: Redis, *words: str | bytes | int) -> Any:
    """Return the answer to one command, in bytes."""
    return await client.execute_command(*words)  # type: ignore[no-untyped-call]


async def examined(client: Redis, patience: Patience | None = None) -> ServerReport:
    """Return what the server is, once it answers.

    Raises:
        ConfigError: If it is too old or evicts keys, or turns us away; lists every reason.
        Unavailable: If it gives no answer within the patience.
    """
    patience = patience or Patience()
    about = await patience.ask(client.info)
    version = str(about.get("redis_version", "0"))
    policy = str(about.get("maxmemory_policy", "noeviction"))
    problems = []
    if int(version.partition(".")[0]) < OLDEST_VERSION:
        problems.append(f"RESTOCK_REDIS_URL: the server is version {version}, must be {OLDEST_VERSION} or later")
    if policy != "noeviction":
        problems.append(
            f"RESTOCK_REDIS_URL: the server's maxmemory-policy is {policy}, which may drop state: "
            "run `redis-cli CONFIG SET maxmemory-policy noeviction`"
        )
    if problems:
        raise ConfigError(problems)
    warning = await _durability_warning(client, about)
    return ServerReport(version, (warning,) if warning else ())


async def _durability_warning(client: Redis, about: Any) -> str | None:
    """Return what a power loss could cost, or None if nothing."""
    if not about.get("aof_enabled"):
        return (
            "the server keeps no append-only file: a restart may lose minutes of state, which is then read again from "
            "Kafka; run `redis-cli CONFIG SET appendonly yes` and `redis-cli CONFIG SET appendfsync always`"
        )
    try:
        found = await client.config_get("appendfsync")
    except exceptions.RedisError as refused:
        if is_away(refused):
            return None
        return f"the server does not tell its appendfsync ({reason(refused)}): make sure that it is always"
    policy = _text(next(iter(found.values()), "unknown"))
    if policy == "always":
        return None
    return (
        f"the server's appendfsync is {policy}: a power loss may cost the last second of state, which is then read "
        "again from Kafka; run `redis-cli CONFIG SET appendfsync always`"
    )


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
