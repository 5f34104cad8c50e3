"""Virtual time, and processes that can die or fall asleep in it."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

T = TypeVar("T")
PROCESS: ContextVar["Process | None"] = ContextVar("process", default=None)
"""Whose task runs; tasks inherit it from who creates them."""


class _NeverWaits(selectors.BaseSelector):
    """A selector for which nothing ever happens outside: waiting only moves the clock."""

    def __init__(self, passes: Callable[[float], None]) -> None:
        self._passes = passes

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, 0, None)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits for somebody else")
        self._passes(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that sleeps in no time; work for threads is done at once."""

    def __init__(self) -> None:
        self._virtual_seconds = 0.0
        super().__init__(_NeverWaits(self._pass))
        self.set_task_factory(_owned)

    def time(self) -> float:
        return self._virtual_seconds

    def run_in_executor(self, executor: object, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as wrong:
            done.set_exception(wrong)
        return done

    def _pass(self, seconds: float) -> None:
        self._virtual_seconds += seconds


class Process:
    """A process of the cluster: all tasks that were begun in it end when it dies."""

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.sleeps_until = 0.0
        self._loop = loop
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def begin(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run its main task."""
        inside = copy_context()
        inside.run(PROCESS.set, self)
        return self._loop.create_task(work, context=inside)

    def own(self, task: "asyncio.Task[Any]") -> None:
        """Take a task for one of its own."""
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    def sleep(self, seconds: float) -> None:
        """Stand still from its next word with a server on, as after SIGSTOP."""
        self.sleeps_until = max(self.sleeps_until, self._loop.time() + seconds)

    def die(self) -> None:
        """End as by SIGKILL: whatever its tasks still do on their way out reaches nobody."""
        self.is_dead = True
        for task in list(self._tasks):
            task.cancel()

    async def stand(self, seconds: float = 0.0) -> None:
        """Let time pass, and longer if it sleeps meanwhile; the dead do not come back from here."""
        await asyncio.sleep(seconds)
        while not self.is_dead and self._loop.time() < self.sleeps_until:
            await asyncio.sleep(self.sleeps_until - self._loop.time())
        if self.is_dead:
            raise asyncio.CancelledError


def _owned(loop: asyncio.AbstractEventLoop, coro: Any, context: Any = None, **named: Any) -> "asyncio.Task[Any]":
    task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, context=context, **named)
    process = PROCESS.get() if context is None else context.get(PROCESS)
    if process is not None:
        process.own(task)
    return task
