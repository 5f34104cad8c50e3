"""What batching is, apart from Faust's machinery: the app that asks for it, the values it gets, what it refuses."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol

import faust
from faust.types import TP

from replenishment.engine.columns import Role
from stream_app.errors import ConfigError, RestockError
from stream_app.ports import RecordBatch

BATCH_RECORDS = 50_000
BATCH_BYTES = 16 * 2**20


class PositionsLost(RestockError):
    """Kafka no longer holds, or does not yet hold, the records at which the stored state stands.

    Operator action: bring the records back, or start afresh with another RESTOCK_STATE_PREFIX and RESTOCK_GROUP.
    """


@dataclass(frozen=True, slots=True)
class Fetched:
    """A batch and the era it was fetched in: a seek begins a new era, and what an older one fetched is void."""

    batch: RecordBatch
    era: int


class Batching(Protocol):
    """What the transport asks of the app."""

    @property
    def roles(self) -> Mapping[str, Role]:
        """Role of each topic to batch, by its real name."""
        ...

    async def restore(
        self, partitions: AbstractSet[int], generation: int, era: int
    ) -> Mapping[int, Mapping[Role, int]]:
        """Claim partitions and return their positions; those left out are read, but not wanted yet.

        May be called several times in a generation and may be cancelled.
        """
        ...

    async def release(self, partitions: AbstractSet[int]) -> None:
        """Finish the batch in hand of each partition and forget the rest, within seconds."""
        ...


class BatchApp(faust.App):
    """A Faust app that says which topics are batched; without ``batching`` the transport behaves as the stock one."""

    batching: Batching | None = None

    async def on_first_start(self) -> None:
        """Make no directories: there are no tables to keep in them."""


class BatchSchema(faust.Schema[Any, Any]):
    """Hands the ``Fetched`` over as it is."""

    def compile(
        self,
        app: Any,
        *,
        on_key_decode_error: Any = None,  # noqa: ARG002 - nothing is decoded here
        on_value_decode_error: Any = None,  # noqa: ARG002
        default_propagate: bool = False,  # noqa: ARG002
    ) -> Callable[..., Awaitable[Any]]:
        """Return the function that makes an event of a message."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:  # noqa: ARG001 - called by keyword
            return create_event(None, message.value, None, message)

        return decode


def chunks(records: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Cut a fetch into pieces of at most BATCH_RECORDS and, unless a single record is larger, BATCH_BYTES."""
    if len(records) > BATCH_RECORDS or (len(records) > 1 and _bytes_of(records) > BATCH_BYTES):
        middle = len(records) // 2
        yield from chunks(records[:middle])
        yield from chunks(records[middle:])
    else:
        yield records


def _bytes_of(records: Sequence[Any]) -> int:
    return sum([len(record.value or b"") for record in records])


def refuse_split(assigned: AbstractSet[TP], roles: Mapping[str, Role]) -> None:
    """Raise ConfigError if of some partition number not every topic is assigned to us.

    Example:
        >>> refuse_split({TP("orders", 0)}, {"orders": "orders", "catalog": "catalog"})
        Traceback (most recent call last):
        ...
        stream_app.errors.ConfigError: 1 problem:
            partition 0 of topic catalog is not assigned to this worker, though others of that number are: ...
    """
    problems = [
        f"partition {number} of topic {topic} is not assigned to this worker, though others of that number are: "
        "give all input topics the same number of partitions and all workers of the group the same settings"
        for number in sorted({tp.partition for tp in assigned})
        for topic in sorted(roles)
        if TP(topic, number) not in assigned
    ]
    if problems:
        raise ConfigError(problems)


def refuse_lost(
    positions: Mapping[TP, int], earliest: Mapping[TP, int], ends: Mapping[TP, int], roles: Mapping[str, Role]
) -> None:
    """Raise PositionsLost where records between the state and Kafka's log are missing.

    A position of 0 is a first start: it takes what is there. A compacted
    catalog loses nothing when its head goes.
    """
    problems = [
        f"partition {tp.partition} of topic {tp.topic} holds offsets {earliest[tp]} to {ends[tp]}, "
        f"but the state stands at {position}"
        for tp, position in sorted(positions.items())
        if position > ends[tp] or (0 < position < earliest[tp] and roles[tp.topic] != "catalog")
    ]
    if problems:
        raise PositionsLost(
            "; ".join(problems) + ": was the topic created anew, or did retention delete records before they were "
            "applied? Bring them back, or start afresh with another RESTOCK_STATE_PREFIX and RESTOCK_GROUP"
        )
