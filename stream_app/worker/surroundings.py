"""What a partition's runner needs of its neighbours, and how far it is."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

from replenishment.engine.columns import Role
from replenishment.forecaster import Forecaster
from stream_app.ports import Claim, Fence, Outcome, RecordBatch


class PartitionShell(Protocol):
    """What a runner needs of the shell of a partition."""

    async def claim(self, partition: int, generation: int) -> Claim:
        """Take the partition over and load it."""
        ...

    async def accept(self, batch: RecordBatch) -> Outcome:
        """Make a batch durable, or say that the partition must be claimed again."""
        ...

    async def tick(self, elapsed_seconds: float) -> Outcome:
        """The same for silence."""
        ...


ShellT = TypeVar("ShellT", bound=PartitionShell)


class Shell(PartitionShell, Protocol):
    """What a worker needs of a ``Processor``."""

    is_requesting: bool

    @property
    def serves(self) -> tuple[str, str] | None:
        """Model version and rung of the fallback; None without a claim."""
        ...

    @property
    def rebuild_pending_keys(self) -> int:
        """Keys that an incoming version must still be stepped for."""
        ...

    async def use(self, forecaster: Forecaster, rung: str) -> bool:
        """Rebuild a version beside the stream and let it serve; whether it does."""
        ...

    async def shadow(self, forecaster: Forecaster | None) -> bool:
        """Step a version beside the champion, None = no version; whether it is another one than before."""
        ...


class SpanSource(Protocol):
    """What a runner needs of a ``SpanReader``."""

    async def end(self, role: Role, partition: int) -> int:
        """Return the position after the last record."""
        ...

    def read(self, role: Role, partition: int, start: int, end: int) -> AsyncGenerator[RecordBatch, None]:
        """Yield the records of a span in batches that join."""
        ...


class Announcer(Protocol):
    """What a runner needs of a ``Relay``."""

    def own(self, fence: Fence) -> None:
        """Publish for a partition from now on."""
        ...

    def disown(self, partition: int) -> None:
        """Publish for it no longer."""
        ...

    def wake(self, partition: int) -> None:
        """Look into its outbox now."""
        ...


class Stage(Enum):
    """How far a partition is."""

    IDLE = "not assigned"
    CLAIMING = "being claimed"
    WORKING = "at work"
    FENCED = "owned by another worker"
    STOPPED = "stopped: its stored state does not decode"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a stage reads: ``roles`` by real name, of which some are read to their ends first.

    Silence of the topic ``clock`` is time that passes.
    """

    roles: Mapping[str, Role]
    read_first: Sequence[Role] = ("catalog", "signals")
    clock: Role = "orders"


@dataclass(frozen=True, slots=True)
class Surroundings(Generic[ShellT]):
    """What all runners of a process share.

    ``inputs`` is what they read; ``shell`` builds the processor of a fresh claim; ``seek`` has the consumer
    read a partition again and returns the era that begins; ``changed`` is told
    of every new stage, ``failed`` of what nobody expected. ``fills_gaps`` is for
    transports whose batches may begin after the position.
    """

    inputs: Inputs
    shell: Callable[[], ShellT]
    spans: SpanSource
    relay: Announcer
    seek: Callable[[int, Mapping[Role, int]], int]
    changed: Callable[[], None]
    failed: Callable[[BaseException], None]
    tick_seconds: float
    fills_gaps: bool = False
    clock: Callable[[], float] = time.monotonic
