"""Bucket arithmetic: times into indices of half-open periods and back.

Local time is UTC plus a fixed offset; buckets are counted from Monday
1970-01-05 00:00 local, so weekly buckets begin on Mondays.
"""

from dataclasses import dataclass
from typing import Self

from replenishment.arrays import Int64s

MONDAY_MS = 4 * 86_400_000
"""1970-01-05 00:00 in epoch milliseconds: the origin of bucket 0."""
SHORTEST_SECONDS = 60
LONGEST_SECONDS = 28 * 86_400


@dataclass(frozen=True, slots=True)
class BucketWidth:
    """Width of half-open buckets ``[start, end)`` and the offset of local time from UTC.

    Raises:
        ValueError: If the width is not within 60 s to 4 weeks or the offset is neither less than a day nor
            than a bucket.

    Example:
        >>> day = BucketWidth(86_400)
        >>> day.bucket_at(day.start_of(15_284)), day.start_of(0)
        (15284, 345600000)
        >>> day.bucket_at(day.start_of(15_284) - 1)
        15283
    """

    seconds: int
    offset_seconds: int = 0

    def __post_init__(self) -> None:
        if not SHORTEST_SECONDS <= self.seconds <= LONGEST_SECONDS:
            raise ValueError(f"bucket width is {self.seconds} s, must be 60 s to 4 weeks (2419200 s)")
        if abs(self.offset_seconds) >= max(86_400, self.seconds):
            raise ValueError(f"bucket offset is {self.offset_seconds} s, must be less than a day or a bucket")

    @classmethod
    def anchored(cls, seconds: int, at: int) -> Self:
        """Return the width whose grid has an edge at a time of whole seconds, epoch milliseconds.

        Example:
            >>> week = BucketWidth.anchored(7 * 86_400, 1_291_161_600_000)  # a Wednesday
            >>> week.start_of(week.bucket_at(1_291_161_600_000))
            1291161600000
        """
        return cls(seconds, -((at - MONDAY_MS) // 1000 % seconds))

    @property
    def _width_ms(self) -> int:
        return self.seconds * 1000

    @property
    def _origin_ms(self) -> int:
        return MONDAY_MS - self.offset_seconds * 1000

    def bucket_at(self, at: int) -> int:
        """Return the index of the bucket that holds the time ``at`` (epoch milliseconds)."""
        return (at - self._origin_ms) // self._width_ms

    def buckets_of(self, at: Int64s) -> Int64s:
        """Return the bucket index of each time (N,), epoch milliseconds in."""
        return (at - self._origin_ms) // self._width_ms

    def start_of(self, bucket: int) -> int:
        """Return the first instant of a bucket, epoch milliseconds."""
        return bucket * self._width_ms + self._origin_ms

    def whole_buckets(self, seconds: float) -> int:
        """Return how many buckets cover ``seconds`` of time, rounded up.

        Example:
            >>> BucketWidth(86_400).whole_buckets(7 * 86_400), BucketWidth(3_600).whole_buckets(5_400)
            (7, 2)
        """
        return int(-(-seconds // self.seconds))
