"""What is measured, in which words, and what must come out: ratios to a yardstick of the same run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Tell: TypeAlias = Callable[[str], None]
"""Gets a line of what is going on."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: order lines, stock keys, partitions; for the peers' job also late lines and hours."""

    lines: int
    skus: int
    partitions: int = 4
    late: int = 0
    hours: int = 0

    def divided(self, share: int) -> "Size":
        """Return the same job, a number of times smaller: as many lines of a window, fewer windows.

        Example:
            >>> Size(4_000_000, 100_000, 4, 5_000, 4).divided(40)
            Size(lines=100000, skus=2500, partitions=4, late=125, hours=4)
        """
        return Size(self.lines // share, max(self.skus // share, 1), self.partitions, self.late // share, self.hours)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure in yardsticks, and its bound: at least it, or at most it where less is better."""

    what: str
    value: float
    bound: float
    ambition: float
    is_less_better: bool = False

    @property
    def is_reached(self) -> bool:
        """Whether the bound holds.

        Example:
            >>> Ratio("speed", 0.5, 0.4, 0.6).is_reached, Ratio("delay", 9.0, 8.0, 4.0, is_less_better=True).is_reached
            (True, False)
        """
        return self.value <= self.bound if self.is_less_better else self.value >= self.bound

    @property
    def verdict(self) -> str:
        """In words.

        Example:
            >>> Ratio("speed", 0.3, 0.4, 0.6).verdict
            'speed: 0.30, at least 0.4 (ambition 0.6): NOT reached'
        """
        side = "at most" if self.is_less_better else "at least"
        reached = "reached" if self.is_reached else "NOT reached"
        return f"{self.what}: {self.value:.2f}, {side} {self.bound:g} (ambition {self.ambition:g}): {reached}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a figure came to: a table, ratios, remarks on how it was measured, and what was wrong.

    ``faults`` are wrong answers and runs that did not end: they fail the bench at any size.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    ratios: Sequence[Ratio]
    remarks: Sequence[str] = ()
    faults: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that is measured.

    ``quick`` is a size that shows that it runs: start-up weighs in it, so no bound is applied to it.
    """

    name: str
    about: str
    minutes: int
    usual: Size
    quick: Size
    measure: Callable[[Path, Size, Tell], Outcome]
