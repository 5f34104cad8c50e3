"""Rounds of a trainer that runs again and again: what kind the next one is, and how the last ones went.

The state is one small file, replaced as a whole before a round and after it,
so that a round that was killed is known as one that failed. Time is an argument.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from model_store.errors import ModelStoreError
from model_store.files import read_small, replace_durably
from model_store.training.errors import TrainingFailed

REFUSALS_BEFORE_FULL = 2
FAILURES_BEFORE_ALARM = 2
Outcome: TypeAlias = Literal["promoted", "published", "refused", "nothing_new", "failed", "stopped"]
_STATE, _LOCK = "rounds.json", ".lock"
_LARGEST_STATE_BYTES = 65_536
LONGEST_WHY = 2_000


class Rounds(msgspec.Struct, frozen=True, kw_only=True):
    """How rounds went so far.

    Attributes:
        count: Rounds that ended.
        failed_in_a_row: Of the last ones, how many failed.
        refused_in_a_row: How many of the last trained ones the gate refused, since the last one in full.
        refreshed_in_a_row: How many of the last trained ones went on from the champion.
        is_running: Whether one has begun and not ended.
        learnt_until_at: End of the demand that the last trained one had, epoch milliseconds.
        succeeded_at: When the last one ended that did not fail, epoch milliseconds; 0: none did.
        outcome: Of the last one.
        why: Of the last one, in a sentence.

    Example:
        >>> once = Rounds().began().trained("refused", at=1, learnt_until_at=1, was_refresh=True)
        >>> twice = once.began().trained("refused", at=2, learnt_until_at=2, was_refresh=True)
        >>> twice.count, twice.refused_in_a_row, twice.wants_full(every=10)
        (2, 2, True)
    """

    count: int = 0
    failed_in_a_row: int = 0
    refused_in_a_row: int = 0
    refreshed_in_a_row: int = 0
    is_running: bool = False
    learnt_until_at: int = 0
    succeeded_at: int = 0
    outcome: Outcome | None = None
    why: str = ""

    def began(self) -> "Rounds":
        """Return it at the begin of a round; one that never ended was killed, which is a failure."""
        before = self.failed("the round was killed") if self.is_running else self
        return msgspec.structs.replace(before, is_running=True)

    def trained(self, outcome: Outcome, *, at: int, learnt_until_at: int, was_refresh: bool, why: str = "") -> "Rounds":
        """Return it after a round that trained a version."""
        refused = self.refused_in_a_row + 1 if outcome == "refused" and was_refresh else 0
        return msgspec.structs.replace(
            self.nothing_new(at),
            refused_in_a_row=refused,
            refreshed_in_a_row=self.refreshed_in_a_row + 1 if was_refresh else 0,
            learnt_until_at=learnt_until_at,
            outcome=outcome,
            why=why[:LONGEST_WHY],
        )

    def nothing_new(self, at: int) -> "Rounds":
        """Return it after a round that found no bucket that the one before had not."""
        return msgspec.structs.replace(
            self,
            count=self.count + 1,
            failed_in_a_row=0,
            is_running=False,
            succeeded_at=at,
            outcome="nothing_new",
            why="",
        )

    def failed(self, why: str) -> "Rounds":
        """Return it after a round that failed."""
        return msgspec.structs.replace(
            self,
            count=self.count + 1,
            failed_in_a_row=self.failed_in_a_row + 1,
            is_running=False,
            outcome="failed",
            why=why[:LONGEST_WHY],
        )

    def stopped(self) -> "Rounds":
        """Return it after a round that somebody stopped: neither a success nor a failure."""
        return msgspec.structs.replace(self, is_running=False, outcome="stopped", why="")

    def wants_full(self, every: int) -> bool:
        """Return whether the next round trains anew: each ``every``-th, and after two refusals."""
        return self.refreshed_in_a_row + 1 >= every or self.refused_in_a_row >= REFUSALS_BEFORE_FULL

    @property
    def is_alarming(self) -> bool:
        """Whether two rounds in a row failed."""
        return self.failed_in_a_row >= FAILURES_BEFORE_ALARM


def read_rounds(work: Path) -> Rounds:
    """Return the state in a directory; that of a trainer that never ran if there is none, or it is damaged."""
    try:
        raw = read_small(work / _STATE, _LARGEST_STATE_BYTES)
        return Rounds() if raw is None else msgspec.json.decode(raw, type=Rounds)
    except (ModelStoreError, ValueError):  # it says what to do next, nothing that is not measured again
        return Rounds()


def write_rounds(work: Path, rounds: Rounds) -> None:
    """Replace the state in a directory."""
    work.mkdir(parents=True, exist_ok=True)
    replace_durably(work / _STATE, msgspec.json.encode(rounds) + b"\n")


@contextmanager
def alone_in(work: Path) -> Iterator[None]:
    """Hold a directory against other trainers; the lock ends with the process, however it ends.

    Raises:
        TrainingFailed: If another trainer is at work there.
    """
    work.mkdir(parents=True, exist_ok=True)
    opened = os.open(work / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TrainingFailed(
                f"another trainer is at work in {work}. Wait for it, or name another --work"
            ) from error
        yield
    finally:
        os.close(opened)
