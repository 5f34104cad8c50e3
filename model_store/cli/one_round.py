"""One round of a trainer: read what is new, train, let the gate judge, and remember how it went."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread, Timer
from types import FrameType
from typing import TYPE_CHECKING

from model_store.training.progress import log
from model_store.training.rounds import Outcome, Rounds, alone_in, read_rounds, write_rounds

if TYPE_CHECKING:
    from model_store.training.history import DemandHistory
    from model_store.training.pipeline import Summary
    from model_store.training.plan import RunPlan

STOPPED = 128 + signal.SIGTERM
"""Exit code of a round that was told to end."""
FITS = "fits"
"""Where fits are kept, below the directory that remembers rounds."""
PARTING_SECONDS = 5.0
"""What a round may take to end once it is told."""
Read = Callable[[], "DemandHistory"]
Plan = Callable[[], "RunPlan"]
Train = Callable[["DemandHistory", "RunPlan"], "Summary"]


def run_round(work: Path, plan: Plan, full_every: int, read: Read, train: Train) -> "Summary | None":
    """Return what a round did; None if no bucket is new.

    Args:
        work: Directory that remembers rounds; no other trainer may be at work there.
        plan: Returns how versions are made; whether one is refreshed is decided here.
        full_every: Each so many trained rounds one trains anew.
        read: Returns the demand.
        train: Trains on it.

    Raises:
        ModelStoreError: If the round failed, which is remembered.
    """
    with alone_in(work), _told_to_end():
        rounds = read_rounds(work).began()
        write_rounds(work, rounds)
        try:
            rounds, summary = _rounds_after(rounds, plan, full_every, read, train)
        except (SystemExit, KeyboardInterrupt):
            write_rounds(work, rounds.stopped())
            raise
        except Exception as error:
            rounds = rounds.failed(str(error) or type(error).__name__)
            write_rounds(work, rounds)
            alarm(rounds)
            raise
        write_rounds(work, rounds)
        for path in (work / FITS).glob("fit-*.npz"):  # of rounds that nobody will go on with
            path.unlink(missing_ok=True)
        log("info", "round_ended", outcome=rounds.outcome, why=rounds.why)
        return summary


def _rounds_after(
    rounds: Rounds, plan: Plan, full_every: int, read: Read, train: Train
) -> tuple[Rounds, "Summary | None"]:
    history = read()
    if history.end_at <= rounds.learnt_until_at:
        return rounds.nothing_new(_now_at()), None
    is_refresh = not rounds.wants_full(full_every)
    summary = train(history, replace(plan(), refreshes=is_refresh))
    accepted: Outcome = "promoted" if summary.is_promoted else "published"
    return (
        rounds.trained(
            accepted if summary.verdict.accepted else "refused",
            at=_now_at(),
            learnt_until_at=history.end_at,
            was_refresh=bool(summary.figures.get("warm", is_refresh)),
            why="; ".join(summary.verdict.reasons),
        ),
        summary,
    )


def alarm(rounds: Rounds) -> None:
    """Write the line that somebody has to see, if two rounds in a row failed."""
    if rounds.is_alarming:
        log("error", "training_rounds_failed", failed_in_a_row=rounds.failed_in_a_row, why=rounds.why)


def end_with_stdin() -> None:
    """End this process when whoever started it is gone: its end of stdin closes."""

    def waiting() -> None:
        sys.stdin.buffer.read()
        hard = Timer(PARTING_SECONDS, lambda: os._exit(STOPPED))
        hard.daemon = True
        hard.start()
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=waiting, name="parent watch", daemon=True).start()


@contextmanager
def _told_to_end() -> Iterator[None]:
    """SIGTERM and SIGINT end what is inside at once, by SystemExit."""

    def told(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(STOPPED)

    before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _now_at() -> int:
    return time.time_ns() // 1_000_000
