"""Which planned and measured series beside demand a version reads: promotions, prices, holidays and a user's own.

Pure values, part of a `FeatureSpec`; a version trained without them has none.
"""

import re
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from replenishment.signals import HOLIDAY

MOST_CHANNELS = 16
_CHANNEL = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_MOST_HOLIDAYS = 4096
_MOST_INPUTS = 16_384


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """Channels of a version; the order is that of its inputs.

    Attributes:
        known_ahead: Planned: read in the closed bucket and in those ahead.
        known_after: Measured: read in the closed bucket only.
        horizons_buckets: Horizons of the version's grid: what is ahead is averaged from one to the next.
        bucket_seconds: Width of the buckets, to find the holidays in them.
        holidays: Local dates (``2011-12-25``), rising, of the channel ``holiday``.

    Raises:
        ValueError: If a channel has no plain name or two have the same, there are too many, horizons do not rise,
            dates are none or do not rise, or are there without their channel.

    Example:
        >>> spec = SignalSpec(("promotion", "price"), ("visits",), (1, 2, 4))
        >>> spec.channels, spec.past_inputs(4), spec.ahead_inputs
        (('promotion', 'price', 'visits'), 15, 6)
    """

    known_ahead: tuple[str, ...]
    known_after: tuple[str, ...]
    horizons_buckets: tuple[int, ...]
    bucket_seconds: int = 86_400
    holidays: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = self.channels
        if not 1 <= len(names) <= MOST_CHANNELS or len(set(names)) < len(names):
            raise ValueError(f"1 to {MOST_CHANNELS} channels of different names are read, got {names}")
        if not all(_CHANNEL.fullmatch(name) for name in names):
            raise ValueError(f"channels are named by letters, digits and _ . -, got {names}")
        if not self.horizons_buckets or self.horizons_buckets[0] < 1 or not _rise(self.horizons_buckets):
            raise ValueError(f"horizons must rise from 1 or more, got {self.horizons_buckets}")
        if self.ahead_inputs > _MOST_INPUTS:
            raise ValueError(f"{len(names)} channels at {len(self.horizons_buckets)} horizons are too many inputs")
        if self.bucket_seconds < 1:
            raise ValueError(f"buckets of {self.bucket_seconds} s are none")
        if len(self.holidays) > _MOST_HOLIDAYS or not _rise(self.holiday_days):
            raise ValueError(f"up to {_MOST_HOLIDAYS} dates of holidays must rise")
        if bool(self.holidays) != (HOLIDAY in self.known_ahead):
            raise ValueError("dates of holidays and the channel holiday need each other")

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels, those known ahead first."""
        return self.known_ahead + self.known_after

    @property
    def ahead_inputs(self) -> int:
        """Inputs that tell of the buckets ahead: each channel at each horizon."""
        return len(self.horizons_buckets) * len(self.known_ahead)

    @property
    def holiday_days(self) -> tuple[int, ...]:
        """Days since Monday 1970-01-05, on which bucket 0 starts.

        Raises:
            ValueError: If a text is no date.
        """
        return tuple(date.fromisoformat(text).toordinal() - _FIRST_DAY for text in self.holidays)

    def past_inputs(self, half_lives: int) -> int:
        """Return the inputs that tell of the closed bucket and before: its value and means at so many half-lives."""
        return len(self.channels) * (1 + half_lives)


_FIRST_DAY = date(1970, 1, 5).toordinal()


def _rise(values: tuple[int, ...]) -> bool:
    return all(a < b for a, b in pairwise(values))
