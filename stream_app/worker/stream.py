"""The Faust app of the worker: one agent over the input topics, nothing else.

No tables, no web server, no leader topic, no topic is ever created. The agent
only hands batches over; runners acknowledge them once they are durable.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import faust
import mode
from faust.types import TP

from replenishment.engine.columns import Role
from stream_app.kafka.batching import BatchApp, BatchSchema, Fetched
from stream_app.kafka.faust_credentials import faust_credentials
from stream_app.kafka.transport import Consumer
from stream_app.ports import Headers, RecordBatch
from stream_app.settings import Settings
from stream_app.worker.crew import Crew

FETCH_RECORDS = 50_000
FETCH_BYTES = 8 * 2**20
SESSION_SECONDS = 30.0
"""A worker that is silent for longer loses its partitions; Faust's default of 60 s delays take-over."""
HEARTBEAT_SECONDS = 3.0
REBALANCE_SECONDS = 60.0
QUEUED_BATCHES = 2
QUEUED_RECORDS = 2_000


@dataclass(frozen=True, slots=True)
class SingleRecord:
    """One record of the stock transport, as the wire wants it."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Headers


def build_app(settings: Settings, group: str, fetch_records: int = FETCH_RECORDS) -> BatchApp:
    """Return the app without its agent; ``attach`` adds it once the crew is there."""
    kafka = settings.kafka_access()
    return BatchApp(
        group,
        broker=[f"{settings.transport}://{server}" for server in kafka.servers],
        broker_credentials=faust_credentials(kafka),
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        broker_max_poll_records=fetch_records,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        broker_rebalance_timeout=REBALANCE_SECONDS,
        stream_wait_empty=False,
        stream_ack_exceptions=False,
        stream_ack_cancelled_tasks=False,
        worker_redirect_stdouts=False,
        consumer_group_instance_id=settings.group_instance or None,
        broker_client_id=f"restock-{settings.topic_prefix or 'worker'}",
    )


def attach(app: BatchApp, crew: Crew[Any], settings: Settings) -> None:
    """Let the crew have what the app reads."""
    if settings.transport == "kafkabatch":
        app.batching = crew
        _attach_agent(app, crew, QUEUED_BATCHES, _deliver_fetched)
    else:
        _attach_agent(app, crew, QUEUED_RECORDS, _deliver_single)
        _follow_assignments(app, crew)


def batch_consumer(app: BatchApp) -> Consumer:
    """Return the consumer of an app on ``kafkabatch://``."""
    return cast(Consumer, app.consumer)


Deliver = Callable[[Crew[Any], Any, Callable[[], Awaitable[object]]], Awaitable[None]]


def _attach_agent(app: BatchApp, crew: Crew[Any], maxsize: int, deliver: Deliver) -> None:
    topic = app.topic(*crew.roles, schema=BatchSchema(), maxsize=maxsize)

    async def hand_over(stream: Any) -> None:
        async for event in stream.noack().events():
            await deliver(crew, event, partial(stream.ack, event))

    app.agent(topic, name="hand_over", concurrency=1, supervisor_strategy=mode.CrashingSupervisor)(hand_over)


async def _deliver_fetched(
    crew: Crew[Any], event: faust.EventT[Any], acknowledge: Callable[[], Awaitable[object]]
) -> None:
    await crew.deliver(cast(Fetched, event.value), acknowledge)


async def _deliver_single(
    crew: Crew[Any], event: faust.EventT[Any], acknowledge: Callable[[], Awaitable[object]]
) -> None:
    message = event.message
    record = SingleRecord(
        message.offset,
        message.key,
        message.value,
        -1 if message.timestamp is None else round(message.timestamp * 1000),
        header_pairs(message.headers),
    )
    role: Role = crew.roles[message.topic]
    batch = RecordBatch(role, message.topic, message.partition, record.offset, record.offset + 1, [record])
    await crew.deliver_single(batch, acknowledge)


def header_pairs(headers: Any) -> Headers:
    """Return headers as pairs, whether Faust kept them as pairs or as a mapping.

    Example:
        >>> header_pairs({"a": b"1"}), header_pairs([("a", b"1")]), header_pairs(None)
        ((('a', b'1'),), (('a', b'1'),), ())
    """
    return tuple(headers.items() if isinstance(headers, Mapping) else headers or ())


def _follow_assignments(app: BatchApp, crew: Crew[Any]) -> None:
    """Claim and let go with the stock consumer, whose positions come from Kafka; runners fill what is missing."""

    def ours(partitions: set[TP]) -> set[int]:
        return {tp.partition for tp in partitions if tp.topic in crew.roles}

    @app.on_partitions_assigned.connect(weak=False)
    async def assigned(_app: object, *arguments: Any, **_signal: object) -> None:
        await crew.restore(ours(arguments[0]), app.consumer_generation_id, era=0)

    @app.on_partitions_revoked.connect(weak=False)
    async def revoked(_app: object, *arguments: Any, **_signal: object) -> None:
        await crew.release(ours(arguments[0]))
