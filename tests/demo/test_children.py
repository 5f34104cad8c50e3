"""Processes of the demonstration: what they print, how they fail, and that none outlives it."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from stream_app.demo.children import Children, PartFailed

T = TypeVar("T")
PYTHON = sys.executable
UP_FOR_EVER = "import time\nprint('up', flush=True)\nwhile True: time.sleep(60)"


def in_context(folder: Path, play: Callable[[Children], Awaitable[T]]) -> T:
    """Return what comes of ``play`` with children that are ended afterwards."""

    async def played() -> T:
        async with Children(folder, os.environ) as children:
            return await play(children)

    return asyncio.run(played())


def test_a_command_runs_to_its_end_and_returns_what_it_printed(tmp_path: Path) -> None:
    async def greet(children: Children) -> str:
        return await children.run("greeting", PYTHON, "-c", "print('good morning')")

    assert in_context(tmp_path, greet) == "good morning\n"


def test_a_command_that_fails_shows_the_last_lines_of_its_log_and_where_it_is(tmp_path: Path) -> None:
    script = "import sys\nfor n in range(40): print('line', n, file=sys.stderr)\nsys.exit(3)"

    async def fail(children: Children) -> str:
        return await children.run("the import", PYTHON, "-c", script)

    with pytest.raises(PartFailed) as failed:
        in_context(tmp_path, fail)
    message = str(failed.value)
    assert message.startswith("the import failed with exit code 3")
    assert "line 39" in message and "line 20" not in message
    assert message.endswith(f"the whole log: {tmp_path / 'the-import.log'}")


def test_a_process_that_ends_although_it_is_needed_is_noticed(tmp_path: Path) -> None:
    async def end(children: Children) -> None:
        child = await children.start("worker 1", PYTHON, "-c", "print('out of memory')")
        await child.process.wait()
        children.check()

    with pytest.raises(PartFailed, match=r"worker 1 ended with exit code 0[^$]*out of memory"):
        in_context(tmp_path, end)


def test_a_process_that_is_asked_and_ends_instead_is_noticed(tmp_path: Path) -> None:
    async def ask(children: Children) -> dict[str, Any]:
        child = await children.converse("warehouse", PYTHON, "-c", "input(); raise SystemExit(4)")
        return await child.tell("2011-11-11T00:00:00Z")

    with pytest.raises(PartFailed, match="warehouse ended with exit code 4"):
        in_context(tmp_path, ask)


def test_a_process_answers_what_it_is_told(tmp_path: Path) -> None:
    script = "print('{\"told\": ' + input() + '}', flush=True)"

    async def ask(children: Children) -> dict[str, Any]:
        return await (await children.converse("echo", PYTHON, "-c", script)).tell("7")

    assert in_context(tmp_path, ask) == {"told": 7}


def test_processes_end_with_the_context_and_those_that_will_not_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_app.demo.children.STOP_SECONDS", 0.5)
    deaf = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{UP_FOR_EVER}"

    # the servers of the session run beside
    before = set(psutil.Process().children(recursive=True))

    async def start(children: Children) -> set[psutil.Process]:
        for name, script in (("polite", UP_FOR_EVER), ("deaf", deaf)):
            await children.start(name, PYTHON, "-c", script)
            await asyncio.to_thread(eventually, lambda name=name: "up" in (tmp_path / f"{name}.log").read_text())  # type: ignore[misc]
        return set(psutil.Process().children(recursive=True)) - before

    started = in_context(tmp_path, start)
    assert len(started) == 4, "two processes, each behind its watchdog"
    for process in started:
        eventually(lambda process=process: is_gone(process))  # type: ignore[misc]


PARENT = """
import asyncio, os, pathlib, sys
from stream_app.demo.children import Children

async def main():
    children = Children(pathlib.Path(sys.argv[1]), os.environ)
    await children.start("worker", sys.executable, "-c", sys.argv[2])
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_processes_end_when_the_demonstration_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([PYTHON, "-c", PARENT, str(tmp_path), UP_FOR_EVER]) as parent:
        log = tmp_path / "worker.log"
        eventually(lambda: log.exists() and log.read_text() == "up\n")
        started = psutil.Process(parent.pid).children(recursive=True)
        parent.kill()
    assert started
    for process in started:
        eventually(lambda process=process: is_gone(process))  # type: ignore[misc]


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def eventually(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.02)
