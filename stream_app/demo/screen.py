"""The only place that writes to the terminal: lines that stay, and one line that is updated in place.

Without a terminal nothing moves: the line is written anew every few seconds.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

PLAIN_SECONDS = 10.0
REFRESHES_PER_SECOND = 10
NAME_WIDTH, TIME_WIDTH, WIDEST = 8, 7, 104
PLAIN_WIDTH = 104
"""Of lines where there is no terminal to ask for its width."""


def console() -> Console:
    """Return standard output as wide as its terminal, or as wide as lines are meant to be."""
    found = Console()
    return found if found.is_terminal else Console(width=PLAIN_WIDTH)


class Screen:
    """What the demonstration says; open while used as a context."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._said_at = clock()
        self._live = Live(console=console, transient=True, refresh_per_second=REFRESHES_PER_SECOND)
        self._is_moving = console.is_terminal
        self._spinner = Spinner("dots")
        self._line = ""

    def __enter__(self) -> Self:
        if self._is_moving:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    @property
    def width(self) -> int:
        """Characters of a line."""
        return self._console.width

    def say(self, text: RenderableType = "") -> None:
        """Write text that stays; markup in it is rich's."""
        self._console.print(text, highlight=False)
        self._said_at = self._clock()

    def now(self, line: str) -> None:
        """Show the present state of things, over what was shown before."""
        if self._is_moving:
            self._spinner.update(text=Text.from_markup(line))
            self._live.update(self._spinner if line else Text(""))
        elif line and line != self._line and self._clock() - self._said_at >= PLAIN_SECONDS:
            self.say(f"   {line}")
        self._line = line


class Steps:
    """The numbered story of a start: one line for each step, with the time it took."""

    def __init__(self, screen: Screen, clock: Callable[[], float] = time.monotonic) -> None:
        self._screen = screen
        self._clock = clock
        self._begun_at = clock()
        self._name = ""
        self.number = 0

    def begin(self, name: str, doing: str) -> None:
        """Begin the next step; ``doing`` says what is going on."""
        self.number += 1
        self._name, self._begun_at = name, self._clock()
        self._screen.now(f"[bold]{self.number} {name}[/]  {doing}")

    def going_on(self, doing: str) -> None:
        """Say how far the step is."""
        self._screen.now(f"[bold]{self.number} {self._name}[/]  {doing}  {self.seconds:.0f} s")

    @property
    def seconds(self) -> float:
        """How long the step has taken."""
        return self._clock() - self._begun_at

    @property
    def name(self) -> str:
        """Name of the step."""
        return self._name

    def done(self, what: str) -> None:
        """End the step and say what there is now."""
        self._screen.now("")
        row = Table.grid(padding=(0, 1), expand=True)
        row.width = min(WIDEST, self._screen.width)
        row.add_column(width=1)
        row.add_column(width=NAME_WIDTH, no_wrap=True)
        row.add_column(ratio=1)
        row.add_column(width=TIME_WIDTH, justify="right", no_wrap=True)
        row.add_row(f"[green]{self.number}[/]", f"[bold]{self._name}[/]", what, f"[dim]{self.seconds:.1f} s[/]")
        self._screen.say(row)
