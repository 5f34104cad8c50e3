"""A trainer that stays: a round of its own process every so often, a page of metrics, a quick end.

Rounds are processes, so that what a round uses up or breaks ends with it, and
the page answers while TensorFlow is busy.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Any

import click
from click.core import ParameterSource

from model_store.cli.one_round import PARTING_SECONDS, alarm
from model_store.cli.source import WidthType
from model_store.training.errors import TrainingFailed
from model_store.training.progress import log
from model_store.training.rounds import Rounds, alone_in, read_rounds, write_rounds
from model_store.training.trainer_page import TrainerMeter, TrainerPage

OF_THE_STAY = frozenset({"every", "metrics_port", "once", "ends_with_stdin"})
"""Options that a round is not given."""


class Stay:
    """Rounds one after the other until SIGTERM or SIGINT."""

    def __init__(self, command: list[str], work: Path, meter: TrainerMeter) -> None:
        self._command, self._work, self._meter = command, work, meter
        self._ended = Event()
        self._round: subprocess.Popen[bytes] | None = None

    def end(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """End after telling the round that is going on to end."""
        self._ended.set()
        if self._round is not None:
            self._round.terminate()

    def run(self, every_seconds: int) -> None:
        """Begin a round every so many seconds, or as soon as the one before is over, until told to end."""
        while not self._ended.is_set():
            begun = time.monotonic()
            self._one_round(begun)
            self._ended.wait(max(0.0, begun + every_seconds - time.monotonic()))

    def _one_round(self, begun: float) -> None:
        before = read_rounds(self._work)
        self._meter.begins()
        log("info", "round_began", rounds=before.count)
        # stdin is a pipe that closes with us: a round does not outlive its trainer.
        with subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as going_on:
            self._round = going_on
            if self._ended.is_set():  # told in between
                going_on.terminate()
            code = self._waited(going_on)
            self._round = None
        if not self._ended.is_set():
            self._meter.ended(_settled(self._work, before, code), time.monotonic() - begun)

    def _waited(self, going_on: subprocess.Popen[bytes]) -> int:
        while True:
            try:
                return going_on.wait(PARTING_SECONDS)
            except subprocess.TimeoutExpired:
                if self._ended.is_set():
                    going_on.kill()


def stay(ctx: click.Context, every_seconds: int, port: int, work: Path) -> None:
    """Run rounds until told to end.

    Raises:
        OSError: If the port is taken.
    """
    meter = TrainerMeter()
    meter.shows(read_rounds(work))
    command = [sys.executable, "-m", "model_store.cli.main", "train", *arguments_of(ctx, OF_THE_STAY)]
    trainer = Stay([*command, "--once", "--ends-with-stdin"], work, meter)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, trainer.end)
    with TrainerPage(meter, port) as page:
        log("info", "trainer_ready", every_seconds=every_seconds, address=page.address, work=str(work))
        trainer.run(every_seconds)
    log("info", "trainer_stopped")


def _settled(work: Path, before: Rounds, code: int) -> Rounds:
    """Return how rounds went after one ended with an exit code; one that could not say so itself failed."""
    try:
        with alone_in(work):
            rounds = read_rounds(work)
            if rounds.is_running or (code and rounds.count == before.count):
                rounds = rounds.failed(f"the round ended with exit code {code}; the log before says more")
                write_rounds(work, rounds)
                alarm(rounds)
    except TrainingFailed as error:  # somebody else's round; ours could not begin
        return before.failed(str(error))
    return rounds


def arguments_of(ctx: click.Context, without: frozenset[str]) -> list[str]:
    """Return the options that a command line named, written out again, but for some."""
    found: list[str] = []
    for option in ctx.command.params:
        name = option.name or ""
        is_named = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if not isinstance(option, click.Option) or name in without or not is_named:
            continue
        value = ctx.params[name]
        if option.is_flag and isinstance(value, bool):
            found.append(option.opts[0])
        elif isinstance(option.type, WidthType):
            found.append(f"{option.opts[0]}={value}s")
        else:
            found.append(f"{option.opts[0]}={_written(value)}")
    return found


def _written(value: Any) -> str:
    if hasattr(value, "strftime"):
        return str(value.strftime("%Y-%m-%dT%H:%M:%SZ"))
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)
