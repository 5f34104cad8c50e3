"""The log of the peers' job: hours of orders in which each partition's event time rises, and one block is late."""

from dataclasses import dataclass

import numpy as np

from replenishment.arrays import Int64s
from stream_app.bench.figures import Size
from stream_app.bench.load import FIRST_AT, Load, partitions_of_lines

HOUR_MS = 3_600_000
LATENESS_MS = 120_000
TAIL_MS = 600_000
"""How far the log goes into the hour after the last one that is asked for, so that all of those close."""
LATE_MS = 480_000
LATE_FROM_MS = 360_000
"""How far into an hour the late block begins: the lines before it have closed the hour before, which it belongs to."""


@dataclass(frozen=True, slots=True)
class JobLog:
    """Orders over some hours; ``late`` consecutive ones of partition 0 are eight minutes behind the rest of it."""

    load: Load
    hours: int
    late: int

    @staticmethod
    def of(size: Size) -> "JobLog":
        """Return the log of a size."""
        return JobLog(Load(size.lines, size.skus, size.partitions), size.hours, size.late)

    def times(self) -> Int64s:
        """Return the event time of each line, epoch milliseconds, (N,)."""
        span = self.hours * HOUR_MS + TAIL_MS
        times = FIRST_AT + np.arange(self.load.lines, dtype=np.int64) * span // self.load.lines
        block_from = FIRST_AT + max(self.hours // 2, 1) * HOUR_MS + LATE_FROM_MS
        candidates = np.flatnonzero((partitions_of_lines(self.load) == 0) & (times >= block_from))
        times[candidates[: self.late]] -= LATE_MS
        return np.asarray(times)
