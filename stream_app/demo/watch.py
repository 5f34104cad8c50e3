"""What is seen of the workers from outside: how far the state in Redis is, and what ``/metrics`` counts."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

RATE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The product at one moment.

    ``applied`` is the next offset of each partition by topic role, ``unsent``
    how many entries wait in the outboxes, ``versions`` the model versions that
    partitions serve; the others are totals over all partitions.
    """

    applied: Mapping[str, Mapping[int, int]]
    unsent: int
    versions: frozenset[str]
    keys: int
    buckets_closed: int
    open_requests: int

    def has_applied(self, role: str, ends: Mapping[int, int]) -> bool:
        """Return whether every record before these offsets is durable in the state.

        Example:
            >>> seen = Snapshot({"orders": {0: 7, 1: 3}}, 0, frozenset(), 0, 0, 0)
            >>> seen.has_applied("orders", {0: 7}), seen.has_applied("orders", {0: 7, 1: 4})
            (True, False)
        """
        applied = self.applied.get(role, {})
        return all(applied.get(partition, 0) >= end for partition, end in ends.items())

    @property
    def lines(self) -> int:
        """Records of ``orders`` that are durable in the state."""
        return sum(self.applied.get("orders", {}).values())


class Watch(Protocol):
    """Where snapshots come from."""

    def follow(self, pages: Sequence[str]) -> None:
        """Take totals from these workers' pages from now on, each as ``http://host:port``."""
        ...

    async def snapshot(self) -> Snapshot:
        """Return the product as it is now."""
        ...


class LiveLine:
    """The line that is updated in place."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._recent: deque[tuple[float, int]] = deque()

    def text(self, seen: Snapshot, sent: int) -> str:
        """Return the line for a snapshot; ``sent`` records were published on ``orders``."""
        now = self._clock()
        self._recent.append((now, seen.lines))
        while self._recent[0][0] < now - RATE_SECONDS:
            self._recent.popleft()
        first, lines = self._recent[0]
        elapsed = now - first
        rate = (seen.lines - lines) / elapsed if elapsed else 0.0
        return " · ".join(
            (
                f"{rate:,.0f} lines/s",
                f"lag {max(0, sent - seen.lines):,}",
                f"{seen.keys:,} keys",
                f"{seen.buckets_closed:,} buckets closed",
                f"{seen.open_requests:,} open requests",
                f"model {', '.join(sorted(seen.versions)) or 'none'}",
            )
        )
