"""The state as the page has it: read anew in the background, kept when Redis is away, with its age."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from redis.asyncio import Redis

from stream_app.errors import RestockError
from stream_app.page.columns import OpenRequests, StockColumns, read_columns
from stream_app.store.patience import Patience
from stream_app.store.reader import Standing, StateReader
from stream_app.store.redis_store import RedisStore

LEAST_PAUSE_SECONDS = 5.0
PAUSE_RATIO = 10.0
"""Reading is at most one part in so many of the time, however many keys there are."""
ANSWER_SECONDS = 5.0
STALE_SECONDS = 60.0
FIRST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All keys, their open requests, how far each partition is, and when that was read (monotonic seconds)."""

    columns: StockColumns
    requests: OpenRequests
    standings: Sequence[Standing]
    is_paused: bool
    read_at_seconds: float
    took_seconds: float

    @property
    def clock(self) -> int:
        """Latest event time of any order: what is now for the shop, also when it lives in the past."""
        return max((one.progress.clock for one in self.standings), default=0)


class Snapshots:
    """The latest snapshot and why there is none, or no younger one.

    Args:
        client: As ``connected`` makes it.
        prefix: What names the product in Redis.
    """

    def __init__(self, client: Redis, prefix: str) -> None:
        patience = Patience(ANSWER_SECONDS)
        self._reader = StateReader(client, prefix, patience)
        self._store = RedisStore(client, prefix, patience)
        self._changed = asyncio.Condition()
        self.current: Snapshot | None = None
        self.problem = ""
        self.number = 0

    async def run(self) -> None:
        """Read for ever."""
        while True:
            begun = time.monotonic()
            try:
                self.current, self.problem = await self._read(begun), ""
            except RestockError as wrong:
                self.problem = str(wrong)
            await self._tell()
            await asyncio.sleep(max(LEAST_PAUSE_SECONDS, PAUSE_RATIO * (time.monotonic() - begun)))

    async def first(self) -> None:
        """Return as soon as something is known, or after some seconds."""
        if self.number == 0:
            await self.after(0, FIRST_SECONDS)

    async def after(self, number: int, seconds: float) -> int:
        """Return the number of the latest reading once it is another than ``number``, or after some seconds."""
        async with self._changed:
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait_for(lambda: self.number != number)
            except TimeoutError:
                return number
        return self.number

    def age_seconds(self) -> float:
        """Return how old the current snapshot is; there must be one."""
        assert self.current is not None
        return time.monotonic() - self.current.read_at_seconds

    async def _read(self, begun: float) -> Snapshot:
        found = [await self._reader.standing(number) for number in await self._reader.partitions()]
        standings = [one for one in found if one is not None]
        is_paused = await self._store.is_paused()
        if self.current is not None and _turns(self.current.standings) == _turns(standings):
            return replace(self.current, standings=standings, is_paused=is_paused, read_at_seconds=begun)
        columns, requests = await read_columns(self._reader, standings)
        return Snapshot(columns, requests, standings, is_paused, begun, time.monotonic() - begun)

    async def _tell(self) -> None:
        async with self._changed:
            self.number += 1
            self._changed.notify_all()


def _turns(standings: Sequence[Standing]) -> list[tuple[int, int, int]]:
    return [(one.partition, one.epoch, one.progress.turn) for one in standings]
