"""The composition root of a worker: from settings to a process that works until it is told to stop.

Servers that are away are waited for, at the start and later on. What waiting
cannot mend (settings, topics, the layout of stored state) ends the worker.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import structlog
from redis.asyncio import Redis

from stream_app.errors import ConfigError, StateLost, Unavailable
from stream_app.kafka.outbox import Relay
from stream_app.kafka.span_reader import SpanReader
from stream_app.kafka.topics import (
    TopicNames,
    co_partitioning_problems,
    committed_offsets,
    joint_problems,
    product_counts,
)
from stream_app.ops.decisions import DecisionLog
from stream_app.ops.freshness import WatchedWire
from stream_app.ops.health import Health, Part
from stream_app.ports import ForecasterSource, Wire
from stream_app.processor import Parts, Processor
from stream_app.settings import Settings
from stream_app.store.connection import connected, examined
from stream_app.store.patience import Patience
from stream_app.store.reader import StateReader
from stream_app.store.redis_store import RedisStore
from stream_app.swap import champion_follower
from stream_app.wire.incoming import incoming_wire
from stream_app.worker.readiness import Outside, Readiness
from stream_app.worker.session import SESSION_ENDS_BY, Session, SessionParts
from stream_app.worker.surroundings import Inputs
from stream_app.worker.upkeep import Sources, Upkeep

FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 10.0
ANSWER_SECONDS = 3.0
"""How long Redis is asked before its absence is told."""
STOP_SECONDS = 20.0
"""How long an orderly end may take; the state is safe at any instant."""

T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Clients:
    """Connections of the process: ``spans`` for runners, ``ends`` for upkeep, since each reads one span at a time."""

    redis: Redis
    spans: SpanReader
    ends: SpanReader

    async def close(self) -> None:
        """Close them all."""
        await self.spans.close()
        await self.ends.close()
        await self.redis.aclose()


class Seen(Protocol):
    """Where a process shows itself."""

    @property
    def health(self) -> Health:
        """What is missing before it is ready."""
        ...

    @property
    def address(self) -> str:
        """Of the page that says so."""
        ...


class RedisSeen:
    """Says once that Redis went away, and once that it is back, however often it is asked meanwhile."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._is_away = False

    def is_away(self, why: str) -> None:
        """It did not answer."""
        self._health.lacks("redis", why)
        if not self._is_away:
            log.warning("redis_away", error=why)
        self._is_away = True

    def is_there(self) -> None:
        """It answered."""
        if self._is_away:
            self._health.has("redis")
            log.info("redis_back")
        self._is_away = False


async def run(settings: Settings, outside: Outside, stop: asyncio.Event, *, is_observing: bool = False) -> None:
    """Work until ``stop`` is set.

    Args:
        settings: Of the worker.
        outside: Where it shows itself.
        stop: Set when the worker is to end.
        is_observing: Whether it forecasts and counts, but requests nothing.

    Raises:
        ConfigError: If settings, topics or stored state do not fit each other.
        RestockError: If the worker cannot go on; the message names the next command.
    """
    serve = partial(_serve, settings, outside, is_observing=is_observing)
    await until_stopped(stop, at_work(settings, outside, serve))


async def until_stopped(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Do some work until it ends or ``stop`` is set; raise what it raises."""
    stopping, working = asyncio.create_task(stop.wait()), asyncio.create_task(work)
    try:
        await asyncio.wait({stopping, working}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        stopping.cancel()
        working.cancel()
        await asyncio.wait({working}, timeout=STOP_SECONDS)


async def at_work(settings: Settings, outside: Seen, serve: Callable[[Clients], Awaitable[None]]) -> None:
    """Connect, wait for Redis, serve; close all connections at the end."""
    names = TopicNames(settings.topic_prefix)
    log.info("starting", kafka=settings.kafka, redis=settings.redis_url, metrics=outside.address)
    clients = Clients(
        connected(settings.redis_address()),
        SpanReader(settings.kafka_access(), names),
        SpanReader(settings.kafka_access(), names),
    )
    try:
        await _wait_for_redis(clients.redis, outside)
        await serve(clients)
    finally:
        await clients.close()


async def _wait_for_redis(client: Redis, outside: Seen) -> None:
    report = await until_available("redis", outside, lambda: examined(client, Patience(ANSWER_SECONDS)))
    for warning in report.warnings:
        log.warning("redis_is_less_than_durable", warning=warning)


async def _wait_for_topics(settings: Settings, names: TopicNames, outside: Outside) -> Mapping[str, int]:
    """Return the partition counts of all topics once Kafka answers; ConfigError if a worker cannot run on them."""
    counts = await until_available(
        "kafka", outside, lambda: asyncio.to_thread(product_counts, settings.kafka_access(), names)
    )
    problems = co_partitioning_problems(counts, names)
    if settings.joint_orders:
        problems += joint_problems(counts, names)
    if problems:
        raise ConfigError(problems)
    return counts


async def until_available(part: Part, outside: Seen, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask a server until it answers, with growing pauses; meanwhile the worker is not ready and says why."""
    for seconds in _growing():
        try:
            answer = await ask()
        except Unavailable as away:
            outside.health.lacks(part, str(away))
            log.warning(f"{part}_waits", seconds=seconds, error=str(away))
            await asyncio.sleep(seconds)
        else:
            outside.health.has(part)
            return answer
    raise AssertionError("waiting has no end")


async def _serve(settings: Settings, outside: Outside, clients: Clients, *, is_observing: bool) -> None:
    health, meter, plan = outside.health, outside.meter, settings.plan()
    names = TopicNames(settings.topic_prefix)
    counts = await _wait_for_topics(settings, names, outside)
    redis = RedisSeen(health)
    patience = Patience(None, redis.is_away, redis.is_there)
    store = RedisStore(clients.redis, settings.state_prefix, patience)
    follower = champion_follower(settings.models, plan, meter.swap_failed)
    await asyncio.to_thread(follower.champion)
    health.has("model")
    reader = StateReader(clients.redis, settings.state_prefix, Patience(ANSWER_SECONDS))
    upkeep = Upkeep(outside, Sources(store, reader, clients.ends, follower), is_observing=is_observing)
    partitions = counts[names.of("orders")]
    await _refuse_lost_state(settings, names, reader, outside, partitions)
    wire = WatchedWire(_wire(settings, partitions), meter)
    relay = Relay(settings.kafka_access(), store, names, counts, meter.published)
    readiness = Readiness(health, meter.released, partial(_about, outside, follower, is_observing))
    owner = f"group {settings.group} on topics {settings.topic_prefix}*"
    parts = Parts(plan, store, wire, DecisionLog(meter), follower, owner, partitions)
    try:
        await upkeep.look_at_switch()
        shell = partial(_shell, settings, parts, upkeep)
        inputs = Inputs(names.inputs)
        session = SessionParts(
            settings, settings.group, inputs, shell, clients.spans, relay, upkeep.keep, readiness.show
        )
        await hold_sessions(lambda: Session(session).hold(), outside)
    finally:
        await relay.close()


def _wire(settings: Settings, partitions: int) -> Wire:
    return incoming_wire(partitions, settings.max_future_seconds, settings.mapping_file, proposes=settings.joint_orders)


def _shell(settings: Settings, parts: Parts, upkeep: Upkeep) -> Processor:
    decide_from = settings.decide_from_at
    first_claim_at = round(time.time() * 1000) if decide_from is None else decide_from
    return Processor(parts, first_claim_at, is_requesting=upkeep.is_requesting)


def _about(outside: Outside, source: ForecasterSource, is_observing: bool) -> Mapping[str, object]:
    champion, rung = source.champion()
    return {"model": champion.version, "rung": rung, "metrics": outside.address, "observing": is_observing}


async def _refuse_lost_state(
    settings: Settings, names: TopicNames, reader: StateReader, outside: Outside, partitions: int
) -> None:
    """Raise StateLost if the group has read orders of which Redis knows nothing."""
    topic = names.of("orders")
    committed = await until_available(
        "kafka", outside, lambda: asyncio.to_thread(committed_offsets, settings.kafka_access(), settings.group, topic)
    )
    known = set(await until_available("redis", outside, reader.partitions))
    lost = {one: offset for one in range(partitions) if one not in known and (offset := committed.get(one, 0))}
    if lost:
        raise StateLost(lost, f"under RESTOCK_STATE_PREFIX={settings.state_prefix} in {settings.redis_url}")


async def hold_sessions(hold: Callable[[], Awaitable[None]], outside: Seen) -> None:
    """Hold one session after the other: a Faust app that ends because Kafka went away is built anew."""
    waits = _growing()
    while True:
        begun = time.monotonic()
        try:
            await hold()
        except SESSION_ENDS_BY as away:
            outside.health.lacks("partitions", "Kafka went away")
            waits = _growing() if time.monotonic() - begun > LONGEST_RETRY_SECONDS else waits
            seconds = next(waits)
            log.warning("session_begins_anew", seconds=seconds, error=str(away) or type(away).__name__)
            await asyncio.sleep(seconds)


def _growing() -> Iterator[float]:
    seconds = FIRST_RETRY_SECONDS
    while True:
        yield seconds
        seconds = min(2 * seconds, LONGEST_RETRY_SECONDS)
