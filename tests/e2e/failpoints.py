"""``python -m tests.e2e.failpoints POINT FLAG worker``: a worker that SIGKILL ends at a point once FLAG exists.

The points are put into the product's functions from outside, so that the
product itself knows nothing of them. Chunks of closings and rebuilds are made
small, and the group takes the dead for dead after seconds.
"""

import dataclasses
import inspect
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from faust.transport.drivers import aiokafka as stock

from replenishment.engine.plan import Plan
from stream_app import processor
from stream_app.cli.main import main
from stream_app.kafka.outbox import Relay
from stream_app.kafka.transport import Consumer
from stream_app.settings import Settings
from stream_app.store.redis_store import RedisStore
from stream_app.wire.json_wire import JsonWire
from stream_app.worker import stream
from stream_app.worker.crew import Crew

CHUNK_KEYS = 12
SESSION_SECONDS = 6.0
"""The least that a broker takes."""

Counts = Callable[..., bool]


def always(*_: Any, **__: Any) -> bool:
    """Count every call."""
    return True


def of_orders(_wire: Any, batch: Any) -> bool:
    """Count batches of orders."""
    return bool(batch.topic == "orders")


def inside_a_closing(_store: Any, _fence: Any, effects: Any, _outgoing: Any) -> bool:
    """Count chunks of a closing but for the last."""
    return any(one.kind == "closed" and one.chunk < one.chunks - 1 for one in effects.demand)


@dataclasses.dataclass(frozen=True)
class Point:
    """A call of a function, and whether the process ends before or after it."""

    owner: Any
    function: str
    is_after: bool = False
    counts: Counts = always
    times: int = 1


POINTS: Mapping[str, Point] = {
    "after fetch": Point(Consumer, "_packed", is_after=True),
    "after decode": Point(JsonWire, "decode", is_after=True, counts=of_orders),
    "before apply": Point(RedisStore, "apply"),
    "after apply": Point(RedisStore, "apply", is_after=True),
    "before ack": Point(Crew, "deliver"),
    "in commit": Point(stock.AIOKafkaConsumerThread, "_commit"),
    "after commit": Point(stock.AIOKafkaConsumerThread, "_commit", is_after=True),
    "after publish": Point(Relay, "_send", is_after=True),
    "before trim": Point(RedisStore, "mark_sent"),
    "after trim": Point(RedisStore, "mark_sent", is_after=True),
    "in claim": Point(RedisStore, "claim", is_after=True),
    "while loading": Point(RedisStore, "load", times=3),
    "in a closing chunk": Point(RedisStore, "apply", is_after=True, counts=inside_a_closing, times=2),
    "in a rebuild chunk": Point(processor, "rebuild_chunk", times=3),
    "before the flip": Point(processor, "flip"),
    "after the flip": Point(processor.Processor, "_serve"),
}


def put(point: Point, flag: Path) -> None:
    """Have the process end at a point."""
    guarded = getattr(point.owner, point.function)
    left = point.times

    def passed(*given: Any, **named: Any) -> None:
        nonlocal left
        if flag.exists() and point.counts(*given, **named):
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    @wraps(guarded)
    async def waiting(*given: Any, **named: Any) -> Any:
        if not point.is_after:
            passed(*given, **named)
        answer = await guarded(*given, **named)
        if point.is_after:
            passed(*given, **named)
        return answer

    @wraps(guarded)
    def plain(*given: Any, **named: Any) -> Any:
        if not point.is_after:
            passed(*given, **named)
        answer = guarded(*given, **named)
        if point.is_after:
            passed(*given, **named)
        return answer

    setattr(point.owner, point.function, waiting if inspect.iscoroutinefunction(guarded) else plain)


def put_before_acknowledging(flag: Path) -> None:
    """Have the process end where a batch is durable and about to be acknowledged."""
    guarded = Crew.deliver

    async def deliver(crew: Crew[Any], value: Any, acknowledge: Any) -> None:
        async def ends() -> object:
            if flag.exists():
                os.kill(os.getpid(), signal.SIGKILL)
            return await acknowledge()

        await guarded(crew, value, ends)

    setattr(Crew, "deliver", deliver)  # noqa: B010  a method is replaced on purpose


def in_small_chunks() -> None:
    """Close and rebuild a few keys at a time; notice death early."""
    guarded = Settings.plan

    def plan(settings: Settings) -> Plan:
        return dataclasses.replace(guarded(settings), closing_chunk_keys=CHUNK_KEYS)

    setattr(Settings, "plan", plan)  # noqa: B010
    setattr(processor, "REBUILD_KEYS", CHUNK_KEYS)  # noqa: B010
    setattr(stream, "SESSION_SECONDS", SESSION_SECONDS)  # noqa: B010
    setattr(stream, "HEARTBEAT_SECONDS", 1.0)  # noqa: B010


if __name__ == "__main__":
    name, where, *rest = sys.argv[1:]
    in_small_chunks()
    if name == "before ack":
        put_before_acknowledging(Path(where))
    elif name in POINTS:
        put(POINTS[name], Path(where))
    main(rest)
