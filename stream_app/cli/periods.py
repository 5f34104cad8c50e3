"""What a user writes for buckets, periods and lists of numbers."""

import re
from datetime import date

import click

from replenishment.buckets import LONGEST_SECONDS, SHORTEST_SECONDS, BucketWidth
from replenishment.closed_loop.world import Period
from stream_app.errors import ConfigError
from stream_app.settings import Settings
from stream_app.wire.times import instant_at, shown

_WIDTH = re.compile(r"(\d{1,7})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}


class Width(click.ParamType):
    """A bucket width such as 1d, 7d or 1h, in seconds."""

    name = "width"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the seconds, or fail with an example."""
        match = _WIDTH.fullmatch(str(value))
        seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
        if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
            self.fail(f"{value!r} is no width from 60 s to 4 weeks; for example 1d, 7d or 1h", param, ctx)
        return seconds


class Edge(click.ParamType):
    """A date (its start in local time) or RFC 3339, as text."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text, or fail with an example."""
        text = str(value)
        if edge_at(text, 0) is None:
            self.fail(f"{text!r} is neither a date such as 2011-10-10 nor RFC 3339", param, ctx)
        return text


class Numbers(click.ParamType):
    """Numbers with commas between them."""

    name = "numbers"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """Return the numbers in the order given, or fail with an example."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of numbers; for example 0.9,0.95,0.98", param, ctx)


def edge_at(text: str, offset_seconds: int) -> int | None:
    """Return a date or time as epoch milliseconds; a date begins at midnight of local time."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return instant_at(text)
    return ((day - date(1970, 1, 1)).days * 86_400 - offset_seconds) * 1000


def period_of(settings: Settings, bucket: int, start: str, end: str) -> Period:
    """Return the whole buckets between two edges; say what is left over.

    Raises:
        ConfigError: If there is none, or an edge is no whole second.
    """
    start_at, end_at = (edge_at(text, settings.bucket_offset_seconds) or 0 for text in (start, end))
    if start_at % 1000:
        raise ConfigError([f"--from {start}: must be a whole second"])
    buckets, rest = divmod(end_at - start_at, bucket * 1000)
    if buckets < 1:
        raise ConfigError([f"--to {end} is less than one bucket of {bucket} s after --from {start}"])
    if rest:
        last = shown(start_at + buckets * bucket * 1000)
        click.echo(f"--to {end} is no edge of a bucket: the last whole one ends at {last}", err=True)
    return Period(start_at, BucketWidth.anchored(bucket, start_at), buckets)
