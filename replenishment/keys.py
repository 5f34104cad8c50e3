"""The stock key ``location|sku``: what every topic, window and position is keyed by."""

import re
from typing import NamedTuple

PART = re.compile(r"[A-Za-z0-9._:/-]{1,64}")
"""One part of a stock key: a location or a SKU."""
MAIN_LOCATION = "main"
"""Location of rows of files that name none."""


class StockKey(NamedTuple):
    """The two parts of a stock key."""

    location: str
    sku: str


def stock_key(key: bytes) -> StockKey | None:
    """Return the parts of ``location|sku``, or None if ``key`` is no stock key.

    Example:
        >>> stock_key(b"uk|85123A")
        StockKey(location='uk', sku='85123A')
        >>> stock_key(b"uk|") is None and stock_key(b"a|b|c") is None
        True
    """
    try:
        location, _, sku = key.decode("ascii").partition("|")
    except UnicodeDecodeError:
        return None
    if PART.fullmatch(location) and PART.fullmatch(sku):
        return StockKey(location, sku)
    return None


def key_bytes(location: str, sku: str) -> bytes:
    """Return the Kafka key of a location and a SKU.

    Example:
        >>> key_bytes("uk", "85123A")
        b'uk|85123A'
    """
    return f"{location}|{sku}".encode()
