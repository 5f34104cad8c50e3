"""Clients and stores that close themselves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from redis.asyncio import Redis

from stream_app.store.connection import connected
from stream_app.store.patience import Patience
from stream_app.store.redis_store import RedisStore


def fresh_prefix() -> str:
    """Return a prefix that nobody else uses."""
    return f"t{uuid4().hex}"


@asynccontextmanager
async def client_of(address: str) -> AsyncIterator[Redis]:
    """A client, closed afterwards."""
    client = connected(address)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def fresh_store(address: str, patience: Patience | None = None) -> AsyncIterator[tuple[RedisStore, Redis, str]]:
    """A store under a prefix of its own, with its client and prefix."""
    prefix = fresh_prefix()
    async with client_of(address) as client:
        yield RedisStore(client, prefix, patience), client, prefix
