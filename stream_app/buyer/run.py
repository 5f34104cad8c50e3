"""The composition root of a buyer: a worker's session over other topics, with another shell and its own state."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import structlog

from stream_app.buyer.shell import BuyerParts, BuyerShell
from stream_app.errors import ConfigError
from stream_app.kafka.groups import BUYER
from stream_app.kafka.outbox import Relay
from stream_app.kafka.topics import TopicNames, co_partitioning_problems, joint_problems, product_counts
from stream_app.ops.health import Health
from stream_app.ops.joint import JointMeter
from stream_app.settings import Settings
from stream_app.store.patience import Patience
from stream_app.store.redis_store import RedisStore
from stream_app.wire.joint_orders import BuyerWire
from stream_app.worker.crew import Crew
from stream_app.worker.readiness import Readiness
from stream_app.worker.run import Clients, RedisSeen, at_work, hold_sessions, until_available, until_stopped
from stream_app.worker.session import Session, SessionParts
from stream_app.worker.surroundings import Inputs

BEAT_SECONDS = 1.0

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """Where a buyer shows itself."""

    health: Health
    meter: JointMeter
    address: str


async def run(settings: Settings, shown: Shown, stop: asyncio.Event) -> None:
    """Buy until ``stop`` is set.

    Raises:
        ConfigError: If settings, topics or stored state do not fit each other.
        RestockError: If the buyer cannot go on; the message names the next command.
    """
    if not settings.joint_orders:
        raise ConfigError(
            [
                "RESTOCK_JOINT_ORDERS=false: workers request without a buyer; set it to true for workers and buyer, "
                "or start no buyer"
            ]
        )
    await until_stopped(stop, at_work(settings, shown, partial(_serve, settings, shown)))


async def _serve(settings: Settings, shown: Shown, clients: Clients) -> None:
    names = TopicNames(settings.topic_prefix)
    counts = await _wait_for_topics(settings, names, shown)
    redis = RedisSeen(shown.health)
    store = RedisStore(clients.redis, settings.state_prefix + BUYER, Patience(None, redis.is_away, redis.is_there))
    partitions = counts[names.of("proposals")]
    wire = BuyerWire(partitions, settings.max_future_seconds)
    owner = f"buyer of group {settings.group} on topics {settings.topic_prefix}*"
    parts = BuyerParts(store, wire, shown.meter, owner, partitions)
    relay = Relay(settings.kafka_access(), store, names, counts, shown.meter.published)
    shown.health.has("model")  # a buyer forecasts nothing
    session = SessionParts(
        settings=settings,
        group=settings.group + BUYER,
        inputs=Inputs(names.buyer_inputs, read_first=("suppliers",), clock="proposals"),
        shell=lambda: BuyerShell(parts),
        spans=clients.spans,
        relay=relay,
        keep=partial(_keep, shown.health),
        show=Readiness(shown.health, shown.meter.released, lambda: {"metrics": shown.address}).show,
    )
    try:
        await hold_sessions(lambda: Session(session).hold(), shown)
    finally:
        await relay.close()


async def _wait_for_topics(settings: Settings, names: TopicNames, shown: Shown) -> Mapping[str, int]:
    counts = await until_available(
        "kafka", shown, lambda: asyncio.to_thread(product_counts, settings.kafka_access(), names)
    )
    problems = [*co_partitioning_problems(counts, names), *joint_problems(counts, names)]
    if problems:
        raise ConfigError(problems)
    return counts


async def _keep(health: Health, crew: Crew[BuyerShell]) -> None:  # noqa: ARG001  nothing but the beat
    while True:
        health.beat()
        await asyncio.sleep(BEAT_SECONDS)
