"""Snapshots of the running product: progress from Redis, the truth, and totals from the workers' ``/metrics``."""

import asyncio
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from replenishment.engine.progress import Progress
from stream_app.demo.watch import Snapshot
from stream_app.store.connection import connected
from stream_app.store.keys import PartitionKeys

STATE_PREFIX = "restock"
METRICS_SECONDS = 0.5
ANSWER_SECONDS = 5.0
_progress = msgspec.json.Decoder(Progress)


class Watcher:
    """Implements ``Watch``."""

    def __init__(self, redis_url: str, partitions: int) -> None:
        self._redis = connected(redis_url)
        self._keys = [PartitionKeys(STATE_PREFIX, partition) for partition in range(partitions)]
        self._totals: dict[str, float] = {}
        self._totalled_at = float("-inf")
        self._pages: Sequence[str] = ()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._redis.aclose()

    def follow(self, pages: Sequence[str]) -> None:
        """Take totals from these workers' pages from now on, each as ``http://host:port``."""
        self._pages = tuple(pages)

    async def snapshot(self) -> Snapshot:
        """Return the product as it is now; totals are at most half a second old."""
        async with self._redis.pipeline(transaction=False) as asked:
            for keys in self._keys:
                asked.hget(keys.meta, "progress")
                asked.xlen(keys.outbox)
                asked.hlen(keys.table("hot"))
            told = await asked.execute()
        progress = {
            keys.partition: _progress.decode(stored)
            for keys, stored in zip(self._keys, told[0::3], strict=True)
            if stored is not None
        }
        if time.monotonic() - self._totalled_at > METRICS_SECONDS:
            self._totals = await asyncio.to_thread(_totals, self._pages)
            self._totalled_at = time.monotonic()
        return Snapshot(
            applied={
                role: {partition: one.positions.get(role, 0) for partition, one in progress.items()}
                for role in ("orders", "inventory", "catalog")
            },
            unsent=sum(told[1::3]),
            versions=frozenset(one.model_version for one in progress.values()) - {""},
            keys=sum(told[2::3]),
            buckets_closed=round(self._totals.get("restock_buckets_closed_total", 0)),
            open_requests=round(self._totals.get("restock_open_requests", 0)),
        )


def _totals(addresses: Sequence[str]) -> dict[str, float]:
    """Return the sum of each sample's values over all labels and workers; a worker that is silent counts nothing."""
    totals: dict[str, float] = {}
    for address in addresses:
        for name, value in _samples(address):
            totals[name] = totals.get(name, 0.0) + value
    return totals


def _samples(address: str) -> list[tuple[str, float]]:
    try:
        with urlopen(f"{address}/metrics", timeout=ANSWER_SECONDS) as page:
            text = page.read().decode()
    except (URLError, OSError):
        return []
    return [(one.name, one.value) for family in text_string_to_metric_families(text) for one in family.samples]
