"""Times as operators read them."""

from datetime import UTC, datetime


def shown(at: int) -> str:
    """Return a time (epoch milliseconds) as operators read it: a day, or a minute where it is not midnight."""
    time = datetime.fromtimestamp(at / 1000, UTC)
    return f"{time:%Y-%m-%d}" if at % 86_400_000 == 0 else f"{time:%Y-%m-%dT%H:%MZ}"
