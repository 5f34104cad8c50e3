"""What the doctor says: a level, what was found and why it matters, and the command that mends it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters: a worker runs well, runs with a risk, or cannot run."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    ``check`` is a stable name for machines, ``what`` a sentence with its
    cause, ``mend`` the next command; empty where there is nothing to mend.
    """

    check: str
    level: Level
    what: str
    mend: str = ""


def fine(check: str, what: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Level.OK, what)


def warning(check: str, what: str, mend: str) -> Finding:
    """Return a risk."""
    return Finding(check, Level.WARNING, what, mend)


def problem(check: str, what: str, mend: str) -> Finding:
    """Return what keeps a worker from running, or makes it run wrongly."""
    return Finding(check, Level.PROBLEM, what, mend)


def count(findings: Sequence[Finding], level: Level) -> int:
    """Return how many findings are of a level.

    Example:
        >>> count([fine("a", "x"), problem("b", "y", "z")], Level.PROBLEM)
        1
    """
    return sum(finding.level is level for finding in findings)
