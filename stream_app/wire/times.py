"""Event times: RFC 3339 text to epoch milliseconds and back. No clock is read here.

``instant_at`` defines what a readable time is; ``instants_at`` reads a whole
column of usual ones at once and leaves the rest to it.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from replenishment.arrays import Bools, Int64s, UInt8s

_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):\d\d:\d\d)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  both sides of the subtraction are UTC without saying so
_MILLISECOND = timedelta(milliseconds=1)
_SHORTEST, _LONGEST = len("2026-01-31T00:00:00Z"), len("2026-01-31T00:00:00.123456789+00:00")
_LOCAL_LENGTH = len("2026-01-31T00:00:00")
_SEPARATORS = ((4, b"-"), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":"))


def instant_at(text: str) -> int | None:
    """Return a time in epoch milliseconds, a finer fraction cut off; None if it is no RFC 3339 time with an offset.

    Leap seconds (``:60``) are not readable.

    Example:
        >>> instant_at("2026-01-31T01:00:00.99999+01:00"), instant_at("2026-01-31T00:00:00")
        (1769817600999, None)
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return None
    day, clock, fraction, sign, hours, minutes = match.groups()
    try:
        local = datetime.fromisoformat(f"{day}T{clock}")
    except ValueError:
        return None
    offset_ms = (int(hours) * 60 + int(minutes)) * 60_000 if sign else 0
    local_ms = (local - _EPOCH) // _MILLISECOND + int((fraction or "0")[:3].ljust(3, "0"))
    return local_ms + offset_ms if sign == "-" else local_ms - offset_ms


def instants_at(texts: Sequence[str]) -> tuple[Int64s, Bools]:
    """Return times (N,) in epoch milliseconds, and which of them were read (N,).

    A time that was not read may still be readable: ``instant_at`` decides.
    One that was read is what ``instant_at`` returns.

    Example:
        >>> at, is_read = instants_at(["2026-01-31T00:00:00Z", "soon"])
        >>> at.tolist(), is_read.tolist()
        ([1769817600000, 0], [True, False])
    """
    at, is_read = np.zeros(len(texts), dtype=np.int64), np.zeros(len(texts), dtype=np.bool_)
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    for length in np.unique(lengths).tolist():
        place = np.flatnonzero(lengths == length)
        joined = "".join(texts if len(place) == len(texts) else [texts[one] for one in place.tolist()])
        if _SHORTEST <= length <= _LONGEST and joined.isascii():
            characters = np.frombuffer(joined.encode(), dtype=np.uint8).reshape(-1, length)
            at[place], is_read[place] = _read_column(characters)
    return at, is_read


def shown(at: int) -> str:
    """Return a time as all output shows it: RFC 3339 UTC, milliseconds, ``Z``.

    Example:
        >>> shown(1769817600999)
        '2026-01-31T00:00:00.999Z'
    """
    return f"{np.datetime_as_string(np.datetime64(at, 'ms'))}Z"


def _read_column(characters: UInt8s) -> tuple[Int64s, Bools]:
    """Read times of one length (N, L): those that end in Z, then those that end in an offset."""
    ends_in_z = (characters[:, -1] == ord("Z")) | (characters[:, -1] == ord("z"))
    at, is_read = np.zeros(len(characters), dtype=np.int64), np.zeros(len(characters), dtype=np.bool_)
    for place, zone_length in ((np.flatnonzero(ends_in_z), 1), (np.flatnonzero(~ends_in_z), len("+00:00"))):
        zone = characters.shape[1] - zone_length
        if len(place) and (zone == _LOCAL_LENGTH or zone > _LOCAL_LENGTH + 1):
            some = characters if len(place) == len(characters) else characters[place]
            local_ms, is_local = _local(some[:, :zone])
            offset_ms, is_offset = _offset(some[:, zone:])
            at[place], is_read[place] = local_ms - offset_ms, is_local & is_offset
    return np.where(is_read, at, 0), is_read


def _local(characters: UInt8s) -> tuple[Int64s, Bools]:
    """Read ``YYYY-MM-DDTHH:MM:SS[.f…]`` since 1970 (N, L)."""
    digits = characters - np.uint8(ord("0"))
    is_read = np.ones(len(characters), dtype=np.bool_)
    for place, allowed in _SEPARATORS:
        is_read &= np.isin(characters[:, place], np.frombuffer(allowed, dtype=np.uint8))
    year, month, day = _number(digits, 0, 4), _number(digits, 5, 7), _number(digits, 8, 10)
    hour, minute, second = _number(digits, 11, 13), _number(digits, 14, 16), _number(digits, 17, 19)
    is_read &= (year >= 1970) & (year <= 9999) & (month >= 1) & (month <= 12)
    is_read &= (hour <= 23) & (minute <= 59) & (second <= 59)
    months = np.where(is_read, (year - 1970) * 12 + month - 1, 0)
    first_day, next_first_day = _days(months), _days(months + 1)
    is_read &= (day >= 1) & (first_day + day <= next_first_day)
    seconds = (first_day + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second
    fraction = digits[:, _LOCAL_LENGTH + 1 :]
    if characters.shape[1] > _LOCAL_LENGTH:
        is_read &= (characters[:, _LOCAL_LENGTH] == ord(".")) & (fraction <= 9).all(axis=1)
    milliseconds = sum(
        (fraction[:, one].astype(np.int64) * 10 ** (2 - one) for one in range(min(3, fraction.shape[1]))),
        start=np.zeros(len(characters), dtype=np.int64),
    )
    return seconds * 1000 + milliseconds, is_read


def _offset(characters: UInt8s) -> tuple[Int64s, Bools]:
    """Read ``Z`` or ``+HH:MM`` (N, 1 or 6) in milliseconds."""
    if characters.shape[1] == 1:
        return np.zeros(len(characters), dtype=np.int64), np.ones(len(characters), dtype=np.bool_)
    digits = characters - np.uint8(ord("0"))
    hours, minutes = _number(digits, 1, 3), _number(digits, 4, 6)
    sign = np.where(characters[:, 0] == ord("-"), -1, 1)
    is_read = np.isin(characters[:, 0], np.frombuffer(b"+-", dtype=np.uint8)) & (characters[:, 3] == ord(":"))
    return sign * (hours * 60 + minutes) * 60_000, is_read & (hours <= 23) & (minutes <= 59)


def _number(digits: UInt8s, start: int, end: int) -> Int64s:
    """Return the number that columns of digits make (N,); far above any other where one is no digit."""
    part = digits[:, start:end].astype(np.int64)
    value = np.zeros(len(part), dtype=np.int64)
    for column in range(end - start):
        value = value * 10 + part[:, column]
    return np.where((part <= 9).all(axis=1), value, 10**6)


def _days(months: Int64s) -> Int64s:
    """Return the days from 1970-01-01 to the first of each month counted from 1970-01."""
    first_days: NDArray[np.datetime64] = months.astype("datetime64[M]").astype("datetime64[D]")
    return first_days.astype(np.int64)
