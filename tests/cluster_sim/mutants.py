"""Guards taken away one at a time: what a simulation that cannot find them would be worth nothing for."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import numpy as np

from replenishment.engine import advance
from replenishment.engine.state import PartitionState
from stream_app.errors import FencedClaim
from stream_app.kafka.outbox import Relay
from stream_app.ports import Claim, Fence, Opening, Outcome
from stream_app.store import memory_store
from stream_app.store.memory_store import MemoryStore
from stream_app.worker.runner import PartitionRunner

Mutant = Callable[[], AbstractContextManager[Any]]


def no_epoch_fence() -> AbstractContextManager[Any]:
    """A turn of a claim that is no longer valid is taken."""
    guarded = memory_store._refusal

    def refusal(kept: memory_store.Partition, fence: Fence, progress: Any) -> Outcome | None:
        return guarded(kept, Fence(fence.partition, kept.epoch), progress)

    return patch.object(memory_store, "_refusal", refusal)


def no_turn_check() -> AbstractContextManager[Any]:
    """A turn is taken whatever the store stands at."""

    def refusal(kept: memory_store.Partition, fence: Fence, progress: Any) -> Outcome | None:
        return Outcome.FENCED if kept.epoch != fence.epoch else None

    return patch.object(memory_store, "_refusal", refusal)


def no_generation_fence() -> AbstractContextManager[Any]:
    """A claim of an older generation takes the partition back."""
    guarded = MemoryStore.claim

    async def claim(store: MemoryStore, partition: int, generation: int, opening: Opening) -> Claim:
        try:
            return await guarded(store, partition, generation, opening)
        except FencedClaim:
            return await guarded(store, partition, store.partitions[partition].generation, opening)

    return patch.object(MemoryStore, "claim", claim)


def no_position_check() -> AbstractContextManager[Any]:
    """A batch is taken wherever it begins."""
    guarded = advance.advance

    def taken(state: PartitionState, entry: Any, serving: Any) -> Any:
        span = getattr(entry, "span", None)
        if span is not None:
            state.move(positions={**state.progress.positions, span.topic: span.start})
        return guarded(state, entry, serving)

    return patch("stream_app.processor.advance", taken)


def closings_begin_anew() -> AbstractContextManager[Any]:
    """A closing that was interrupted closes again what is closed."""

    def unclosed(state: PartitionState, bucket: int, chunk: int) -> Any:
        first = chunk * state.plan.closing_chunk_keys
        rows = np.arange(first, min(first + state.plan.closing_chunk_keys, state.keys.count))
        return rows[state.window["born_bucket"][rows] <= bucket]

    return patch.object(advance, "unclosed", unclosed)


def sent_before_it_is() -> AbstractContextManager[Any]:
    """The outbox is trimmed before the broker has what was in it."""

    async def publish_all(relay: Any, fence: Fence) -> bool:
        while entries := await relay._outbox.unsent(fence.partition, 128):
            if not await relay._outbox.mark_sent(fence, entries[-1][0]):
                return False
            await relay._send([record for _, record in entries])
        return True

    return patch.object(Relay, "_publish_all", publish_all)


def acknowledged_before_it_is_durable() -> AbstractContextManager[Any]:
    """A batch is acknowledged before the store has it."""
    guarded = PartitionRunner._accepted

    async def accepted(runner: PartitionRunner[Any], standing: Any, delivery: Any) -> Outcome:
        await delivery.acknowledge()
        return await guarded(runner, standing, delivery)

    return patch.object(PartitionRunner, "_accepted", accepted)


MUTANTS: Mapping[str, Mutant] = {
    mutant.__name__: mutant
    for mutant in (
        no_epoch_fence,
        no_turn_check,
        no_generation_fence,
        no_position_check,
        closings_begin_anew,
        sent_before_it_is,
        acknowledged_before_it_is_durable,
    )
}
