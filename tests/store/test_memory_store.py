"""The store in memory keeps the contract of stores."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from stream_app.store.memory_store import MemoryStore
from tests.contracts.store_contract import LAWS, Store, claimed, effects, outgoing


async def kept(law: Callable[[Store], Awaitable[None]]) -> None:
    await law(MemoryStore())


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_store_in_memory_keeps_the_contract(law: Callable[[Store], Awaitable[None]]) -> None:
    asyncio.run(kept(law))


def test_all_that_left_can_be_read_whether_sent_or_not() -> None:
    async def scene() -> None:
        store = MemoryStore()
        fence = (await claimed(store)).fence
        await store.apply(fence, effects(1), [outgoing(1), outgoing(2)])
        await store.mark_sent(fence, "1-1")
        assert store.outgoing(0) == [outgoing(1), outgoing(2)]

    asyncio.run(scene())
