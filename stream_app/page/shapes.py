"""The shapes that charts are made of, and the scales that place them.

A chart is ``WIDTH`` wide; y grows downwards as in SVG.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

WIDTH, HEIGHT = 1000.0, 260.0
TICKS = 4


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, what kind of thing it shows, and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and the text beside it."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A line from one point to another, its kind and its text at the end."""

    x1: float
    y1: float
    x2: float
    y2: float
    kind: str
    text: str = ""

    @property
    def anchor(self) -> str:
        """Which end of the text is at the line, so that it stays within the chart."""
        return "start" if self.x1 < WIDTH * 0.15 else "end" if self.x1 > WIDTH * 0.85 else "middle"


@dataclass(frozen=True, slots=True)
class Wedge:
    """A polygon as SVG takes its points."""

    points: str
    kind: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All shapes of one chart."""

    boxes: Sequence[Box] = ()
    rules: Sequence[Rule] = ()
    wedges: Sequence[Wedge] = ()
    y_ticks: Sequence[Tick] = ()
    x_ticks: Sequence[Tick] = ()
    width: float = WIDTH
    height: float = HEIGHT


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps numbers from ``low`` to ``high`` on pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def at(self, number: float) -> float:
        """Return the pixel of a number, to a tenth.

        Example:
            >>> Scale(0, 10, 100, 0).at(4)
            60.0
        """
        share = (number - self.low) / ((self.high - self.low) or 1.0)
        return round(self.start + share * (self.end - self.start), 1)


def steps(low: float, high: float) -> list[float]:
    """Return round numbers that divide a range into a few parts.

    Example:
        >>> steps(0, 37), steps(-5, 12), steps(0, 0)
        ([0.0, 10.0, 20.0, 30.0], [-5.0, 0.0, 5.0, 10.0], [0.0, 1.0])
    """
    if high <= low:
        return [float(low), float(low) + 1.0]
    least = (high - low) / TICKS
    power = 10.0 ** floor(log10(least))
    width = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)
    first = -floor(-low / width)
    return [number * width for number in range(first, floor(high / width) + 1)]
