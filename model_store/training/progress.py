"""What an operator sees of a long run: on a terminal a moving bar, else one line per stage and a few in between.

Everything goes to stderr; stdout belongs to results.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, Protocol, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_SILENT_SECONDS = 10.0


class Stage(Protocol):
    """Is told how far one stage of a run is."""

    def __call__(self, done: float, total: float, remark: str = "") -> None:
        """Show ``done`` of ``total`` with a remark."""
        ...


class Reporter(Protocol):
    """Who shows stages and messages."""

    def say(self, text: str) -> None:
        """Show one line that stays."""
        ...

    def stage(self, name: str) -> Stage:
        """Begin a stage; the one before is over."""
        ...


class Silent:
    """Shows nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""

    def stage(self, name: str) -> Stage:  # noqa: ARG002 - the protocol's
        """Return a stage that shows nothing."""

        def shown(done: float, total: float, remark: str = "") -> None:
            """Show nothing."""

        return shown


class Lines:
    """A line per stage, and one in ten seconds of a long one; for logs."""

    def say(self, text: str) -> None:
        """Print one line."""
        click.echo(text, err=True)

    def stage(self, name: str) -> Stage:
        """Print the name, and at times how far it is and how long it will still take."""
        self.say(name)
        begun = last = time.monotonic()

        def shown(done: float, total: float, remark: str = "") -> None:
            nonlocal last
            now = time.monotonic()
            if now - last < _SILENT_SECONDS or not done:
                return
            last = now
            left = (now - begun) * (total - done) / done
            self.say(f"  {done / max(total, 1):4.0%}  {left:.0f} s left  {remark}".rstrip())

        return shown


class Records:
    """The same as `Lines`, a JSON object each; for machines."""

    def say(self, text: str) -> None:
        """Write one line."""
        log("info", "training_says", text=text)

    def stage(self, name: str) -> Stage:
        """Write the name, and at times how far it is and how long it will still take."""
        log("info", "training_stage", stage=name)
        begun = last = time.monotonic()

        def shown(done: float, total: float, remark: str = "") -> None:
            nonlocal last
            now = time.monotonic()
            if now - last < _SILENT_SECONDS or not done:
                return
            last = now
            left, share = round((now - begun) * (total - done) / done), round(done / max(total, 1), 3)
            log("info", "training_progress", stage=name, share=share, left_seconds=left, remark=remark)

        return shown


def log(level: Literal["info", "error"], event: str, **fields: object) -> None:
    """Write one line to stderr: JSON in the form of the worker's log, or a sentence if people read it."""
    if sys.stderr.isatty():
        click.echo(
            "  ".join([event.replace("_", " "), *(f"{name}: {value}" for name, value in fields.items())]), err=True
        )
        return
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    click.echo(json.dumps({"event": event, **fields, "level": level, "timestamp": now}), err=True)


class Bars:
    """A moving bar for the stage that is going on; for people."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description:<12}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        self._bars = Progress(
            *columns,
            TimeRemainingColumn(),
            TextColumn("{task.fields[remark]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """Print one line above the bar."""
        self._bars.console.print(text, highlight=False, markup=False)

    def stage(self, name: str) -> Stage:
        """Replace the bar by that of another stage."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        task = self._task = self._bars.add_task(name, total=None, remark="")

        def shown(done: float, total: float, remark: str = "") -> None:
            self._bars.update(task, completed=done, total=total, remark=remark)

        return shown


@contextmanager
def on_stderr(*, as_records: bool = False) -> Iterator[Reporter]:
    """Bars if stderr is a terminal, lines if not, which may be JSON."""
    if not sys.stderr.isatty():
        yield Records() if as_records else Lines()
        return
    with Bars() as bars:
        yield bars
