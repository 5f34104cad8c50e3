"""The few batches that wait for a partition while one is worked on."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from stream_app.ports import RecordBatch


@dataclass(frozen=True, slots=True)
class Delivery:
    """A batch, the era it was fetched in, and how to acknowledge it once it is durable."""

    batch: RecordBatch
    era: int
    acknowledge: Callable[[], Awaitable[object]]


class Inbox:
    """A bounded queue that can be shut: what is in it, and who waits to put, is let go of unacknowledged."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Delivery] = deque()
        self._is_open = False
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()

    def open(self) -> None:
        """Accept deliveries from now on."""
        self.shut()
        self._is_open = True

    def shut(self) -> None:
        """Drop all deliveries, now and until it is opened."""
        self._is_open = False
        self._waiting.clear()
        self._has_room.set()
        self._arrived.set()

    async def put(self, delivery: Delivery) -> None:
        """Add a delivery as soon as there is room; drop it if the inbox is shut."""
        while self._is_open and len(self._waiting) >= self._limit:
            self._has_room.clear()
            await self._has_room.wait()
        if self._is_open:
            self._waiting.append(delivery)
            self._arrived.set()

    async def take(self, timeout_seconds: float | None) -> Delivery | None:
        """Return the oldest delivery, or None if none arrives in time or the inbox is shut."""
        if not self._waiting and self._is_open:
            self._arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), timeout_seconds)
        if not self._waiting:
            return None
        self._has_room.set()
        return self._waiting.popleft()
