"""What the log says, folded record by record in dictionaries: independent of the engine."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fold:
    """One partition's orders and ticks; times in milliseconds, buckets counted from the epoch's first Monday."""

    bucket_ms: int
    lateness_ms: int
    window: int
    clock: int | None = None
    watermark: float = float("-inf")
    first_open: int | None = None
    units: dict[bytes, dict[int, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    born: dict[bytes, int] = field(default_factory=dict)
    seen: dict[int, set[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(set))
    late_corrected: int = 0
    late_dropped: int = 0
    repeated: int = 0

    def bucket(self, at: float) -> int:
        """Return the bucket of a time."""
        return int((at - 4 * 86_400_000) // self.bucket_ms)

    def tick(self, seconds: float) -> None:
        """Let silent time pass."""
        if self.clock is not None:
            self._pass_to(self.watermark + round(seconds * 1000))

    def take(self, key: bytes | None, value: bytes) -> None:
        """Fold one accepted record in."""
        line = json.loads(value)
        at = line["event_time"]
        self.clock = at if self.clock is None else max(self.clock, at)
        self._pass_to(max(self.watermark, self.clock - self.lateness_ms))
        if line.get("type") == "time_passed":
            return
        assert key is not None and self.first_open is not None
        bucket = self.bucket(line.get("placed_at", at))
        if bucket >= self.first_open:
            known = (key, line["order_id"], line.get("line"), line.get("type"))
            if "line" in line and any(known in lines for lines in self.seen.values()):
                self.repeated += 1
                return
            self.seen[bucket].add(known)
        elif bucket < self.first_open - self.window:
            self.late_dropped += 1
            return
        else:
            self.late_corrected += 1
        self.born[key] = min(bucket, self.born.get(key, bucket))
        self.units[key][bucket] += -line["quantity"] if line.get("type") == "order_cancelled" else line["quantity"]

    def window_of(self, key: bytes) -> dict[int, int]:
        """Return the units of the closed buckets of a key."""
        assert self.first_open is not None
        first = max(self.born[key], self.first_open - self.window)
        return {one: self.units[key][one] for one in range(first, self.first_open)}

    def open_of(self, key: bytes, opened: int) -> list[int]:
        """Return the units of the open buckets of a key, the oldest first."""
        assert self.first_open is not None
        return [self.units[key][self.first_open + ahead] for ahead in range(opened)]

    def _pass_to(self, watermark: float) -> None:
        self.watermark = watermark
        due = self.bucket(watermark)
        self.first_open = due if self.first_open is None else max(self.first_open, due)
        for bucket in [one for one in self.seen if one < self.first_open]:
            del self.seen[bucket]


def folded(fold: Fold, records: Iterable[tuple[bytes | None, bytes | None, bool]], ticks: dict[int, float]) -> Fold:
    """Return a fold of (key, value, is refused) in log order; ``ticks`` are silent seconds before a position."""
    position = 0
    for position, (key, value, is_refused) in enumerate(records):
        if position in ticks:
            fold.tick(ticks[position])
        if not is_refused:
            assert value is not None
            fold.take(key, value)
    if position + 1 in ticks:
        fold.tick(ticks[position + 1])
    return fold
