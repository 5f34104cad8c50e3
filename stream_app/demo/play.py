"""Plays the order book: history at full speed, then day by day at a pace that can be watched."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from replenishment.simulation import DAY_MS, Days
from stream_app.demo.order_book import records
from stream_app.demo.publisher import Publisher

LIVE_FROM = datetime(2011, 11, 10, tzinfo=UTC)
LIVE_UNTIL = datetime(2011, 12, 9, tzinfo=UTC)
LIVE = Days(start_at=round(LIVE_FROM.timestamp() * 1000), count=(LIVE_UNTIL - LIVE_FROM).days)
LEAD_TIME_DAYS = 7
SLICE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the live play: its events in order of time, and when it ends."""

    start: datetime
    events: pl.DataFrame

    @property
    def end(self) -> datetime:
        """First instant of the next day."""
        return self.start + timedelta(days=1)


def history(events: pl.DataFrame) -> pl.DataFrame:
    """Return the events before the live days."""
    return events.filter(pl.col("event_time") < LIVE.start_at)


def live_days(events: pl.DataFrame) -> Iterator[Day]:
    """Yield every live day, those without orders too."""
    for day in range(LIVE.count):
        start_at = LIVE.start_at + day * DAY_MS
        of_day = pl.col("event_time").is_between(start_at, start_at + DAY_MS, closed="left")
        yield Day(LIVE_FROM + timedelta(days=day), events.filter(of_day))


async def play(publisher: Publisher, day: Day, seconds: float) -> None:
    """Publish a day's events evenly over ``seconds``, then move every partition's clock to its end."""
    loop = asyncio.get_running_loop()
    slices = max(1, round(seconds / SLICE_SECONDS))
    begun = loop.time()
    for number in range(slices):
        first, last = (day.events.height * edge // slices for edge in (number, number + 1))
        await publisher.publish(records(day.events[first:last]))
        await asyncio.sleep(max(0.0, begun + (number + 1) * seconds / slices - loop.time()))
    await publisher.time_passed(round(day.end.timestamp() * 1000))
