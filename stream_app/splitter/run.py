"""The composition root of a splitter: from settings to a process that splits until it is told to stop."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from stream_app.errors import ConfigError
from stream_app.kafka.topics import JOINT_ROLES, TOPIC_ROLES, TopicNames, visible_counts
from stream_app.ops.health import Health
from stream_app.ops.splitting import SplitMeter
from stream_app.settings import Settings
from stream_app.splitter.stream import Splitter
from stream_app.splitter.turn import Split, SplitParts
from stream_app.wire.admission import Admission
from stream_app.wire.mapping import whole_order_rules
from stream_app.wire.whole_orders import order_lines
from stream_app.worker.run import hold_sessions, until_available, until_stopped

BEAT_SECONDS = 1.0
Splitting: TypeAlias = Callable[[Settings, int], Split]
"""Makes a split of the settings and the number of partitions of ``orders``."""

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """Where a splitter shows itself."""

    health: Health
    meter: SplitMeter
    address: str


def whole_orders(settings: Settings, partitions: int) -> Split:
    """Return what splits whole orders by the mapping of the settings."""
    rules, admission = whole_order_rules(settings.mapping_file), Admission(partitions, settings.max_future_seconds)
    return lambda record, batch: order_lines(record, batch, rules, admission)


async def run(settings: Settings, source: str, splitting: Splitting, shown: Shown, stop: asyncio.Event) -> None:
    """Split the records of the topic ``source`` until ``stop`` is set.

    Raises:
        ConfigError: If settings or topics do not fit each other.
        RestockError: If the splitter cannot go on; the message names the next command.
    """
    names = TopicNames(settings.topic_prefix)
    if source in [names.of(role) for role in (*TOPIC_ROLES, *JOINT_ROLES)]:
        raise ConfigError([f"{source} is a topic of the product itself: name the one with whole orders"])
    beating = asyncio.create_task(_beat(shown.health))
    try:
        await until_stopped(stop, _serve(settings, source, splitting, shown))
    finally:
        beating.cancel()


async def _serve(settings: Settings, source: str, splitting: Splitting, shown: Shown) -> None:
    log.info("starting", kafka=settings.kafka, source=source, metrics=shown.address)
    names = TopicNames(settings.topic_prefix)
    for part in ("redis", "model"):
        shown.health.has(part)  # a splitter keeps no state and forecasts nothing
    partitions = await _partitions(settings, source, names, shown)
    split = splitting(settings, partitions)
    parts = SplitParts(settings.kafka_access(), names, partitions, split, shown.meter)
    begun = time.monotonic()

    def assigned(partitions: list[int]) -> None:
        shown.health.has("partitions")
        log.info("ready", partitions=partitions, metrics=shown.address, seconds=round(time.monotonic() - begun, 1))

    await hold_sessions(lambda: Splitter(settings, source, parts, assigned).hold(), shown)


async def _partitions(settings: Settings, source: str, names: TopicNames, shown: Shown) -> int:
    """Return how many partitions ``orders`` has, once Kafka answers and all topics are there."""
    orders, letters = names.of("orders"), names.of("dead-letter")
    topics = [source, orders, letters]
    counts = await until_available(
        "kafka", shown, lambda: asyncio.to_thread(visible_counts, settings.kafka_access(), topics)
    )
    mends = {source: "name the topic with whole orders", orders: "run `restock topics create`"}
    problems = [
        f"topic {topic} does not exist: {mends.get(topic, mends[orders])}" for topic in topics if topic not in counts
    ]
    if problems:
        raise ConfigError(problems)
    return counts[orders]


async def _beat(health: Health) -> None:
    while True:
        health.beat()
        await asyncio.sleep(BEAT_SECONDS)
