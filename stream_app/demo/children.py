"""The processes of the demonstration: the commands a user would start, each with its log, ended with us."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stream_app.embedded.bound_process import WATCHDOG
from stream_app.errors import RestockError

STOP_SECONDS = 12.0
"""A little longer than the watchdog gives a process before it kills it."""
LAST_LINES = 15
RESTOCK = (sys.executable, "-m", "stream_app.cli.main")
MODEL_STORE = (sys.executable, "-m", "model_store.cli.main")
WAREHOUSE = (sys.executable, "-m", "stream_app.demo.warehouse")
WATCHED = (sys.executable, "-I", "-S", str(WATCHDOG))


class PartFailed(RestockError):
    """A part of the demonstration ended although it was still needed.

    Operator action: read the last lines of its log, below the message; the whole log is named.
    """

    def __init__(self, name: str, what: str, log: Path) -> None:
        lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:] if log.exists() else []
        shown = "\n    ".join(lines or ["(nothing was logged)"])
        super().__init__(f"{name} {what}\n    {shown}\n  the whole log: {log}")


@dataclass
class Child:
    """One process, its name and where it logs.

    Its standard input is a pipe that only we hold: when it closes, however we
    ended, the process is to end.
    """

    name: str
    log: Path
    process: asyncio.subprocess.Process

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.process.returncode is None

    def check(self) -> None:
        """Raise PartFailed if the process has ended."""
        if not self.is_running:
            raise PartFailed(self.name, f"ended with exit code {self.process.returncode}; its log says:", self.log)

    async def tell(self, line: str) -> dict[str, Any]:
        """Write a line to the process and return the JSON line it answers with.

        Raises:
            PartFailed: If it ends instead.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.process.stdin.write(f"{line}\n".encode())
            await self.process.stdin.drain()
        line_told = await self.process.stdout.readline()
        if not line_told:
            await self.process.wait()
            self.check()
        answer: dict[str, Any] = json.loads(line_told)
        return answer

    async def stop(self) -> None:
        """Tell the process to end; kill it if it does not."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        except TimeoutError:
            os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()


@dataclass
class Children:
    """All processes of a demonstration, ended when the context is left.

    ``folder`` keeps their logs, ``environment`` is what they get.
    """

    folder: Path
    environment: Mapping[str, str]
    running: list[Child] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(child.stop() for child in self.running), return_exceptions=True)
        self.running.clear()

    async def start(self, name: str, *command: str) -> Child:
        """Start a process that runs until the end and logs what it prints."""
        return await self._started(name, (*WATCHED, *command), is_logged=True)

    async def converse(self, name: str, *command: str) -> Child:
        """Start a process that answers what it is told and ends with its input."""
        return await self._started(name, command, is_logged=False)

    async def run(self, name: str, *command: str) -> str:
        """Run a command to its end and return what it printed.

        Raises:
            PartFailed: If its exit code is not 0.
        """
        child = await self._started(name, (*WATCHED, *command), is_logged=False)
        assert child.process.stdout is not None
        printed = await child.process.stdout.read()
        code = await child.process.wait()
        self.running.remove(child)
        if code:
            raise PartFailed(name, f"failed with exit code {code}; its log says:", child.log)
        return printed.decode()

    def check(self) -> None:
        """Raise PartFailed if a process has ended that should run."""
        for child in self.running:
            child.check()

    async def _started(self, name: str, command: tuple[str, ...], *, is_logged: bool) -> Child:
        log = self.folder / f"{name.replace(' ', '-')}.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=self.environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=output if is_logged else asyncio.subprocess.PIPE,
                stderr=output,
                start_new_session=True,  # Ctrl-C in the terminal is for us alone
            )
        child = Child(name, log, process)
        self.running.append(child)
        return child
