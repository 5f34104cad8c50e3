"""The demonstration as a user runs it: a process of its own, its figures, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

DEMO = (sys.executable, "-m", "stream_app.cli.main", "demo")
TRACEBACK = "Traceback (most recent call last)"


@contextmanager
def demonstration(*options: str) -> Iterator[subprocess.Popen[str]]:
    """A demonstration in a session of its own, killed if a test leaves it running."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("RESTOCK_") or name == "RESTOCK_CACHE"
    }
    with subprocess.Popen(
        [*DEMO, *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """Return what the demonstration writes up to the line that has the pattern."""
    assert process.stdout is not None
    written = ""
    for line in process.stdout:
        written += line
        if re.search(pattern, line):
            return written
    raise AssertionError(f"ended without {pattern!r}:\n{written}")


def eventually(is_true: Callable[[], bool], what: str, patience_seconds: float = 20.0) -> None:
    end = time.monotonic() + patience_seconds
    while not is_true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.timeout(420)
def test_the_whole_story_ends_with_figures_that_add_up(tmp_path: Path) -> None:
    with demonstration("--exit", "--speed", "20", "--json", str(tmp_path / "out" / "demo.json")) as process:
        written, _ = process.communicate()
    assert process.returncode == 0, written
    report = json.loads((tmp_path / "out" / "demo.json").read_text())
    assert report["orders_read"] == 541_909 == report["orders_sent"] + report["orders_skipped"]
    assert report["orders_rejected"] == 0
    assert report["stock_keys"] == 3_790
    assert report["restocks"] > report["receipts"] > 0
    assert report["restocks_duplicated"] == 0
    assert report["swaps"] >= 1 and len(report["model_versions"]) >= 2
    assert report["buckets_closed"] > 0 and report["lines_per_second"] > 0
    for name in ("fill_rate", "min_max_fill_rate"):
        assert 0.5 < report[name] < 1
    for name in ("days_of_stock", "min_max_days_of_stock"):
        assert 1 < report[name] < 100
    assert report["seconds"] < 300
    assert "Daqing Chen" in written and "CC BY 4.0" in written
    assert "That is at or below the reorder point of" in written
    assert TRACEBACK not in written


@pytest.mark.parametrize(
    ("moment", "interrupt"),
    [("Restock demonstration", signal.SIGINT), ("^3 workers", signal.SIGINT), ("^5 history", signal.SIGTERM)],
    ids=["while servers start", "while the catalog is imported", "while the model is trained"],
)
@pytest.mark.timeout(120)
def test_it_can_be_ended_at_any_time_and_leaves_nothing_behind(
    tmp_path: Path, moment: str, interrupt: signal.Signals
) -> None:
    with demonstration("--keep", str(tmp_path / "kept")) as process:
        read_until(process, moment)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(interrupt)
        written, _ = process.communicate(timeout=40)
    assert process.returncode == 130, written
    assert TRACEBACK not in written
    for child in children:
        eventually(lambda child=child: is_gone(child), f"{child} outlives the demonstration")  # type: ignore[misc]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent death signal is Linux's")
@pytest.mark.timeout(120)
def test_killed_it_takes_all_its_processes_with_it(tmp_path: Path) -> None:
    with demonstration("--keep", str(tmp_path / "kept")) as process:
        read_until(process, "^3 workers")
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 4, "two servers and two workers"
        process.kill()
    for child in children:
        eventually(lambda child=child: is_gone(child), f"{child} outlives the demonstration")  # type: ignore[misc]


def test_a_folder_that_holds_something_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep off")
    with demonstration("--keep", str(tmp_path)) as process:
        written, _ = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "the directory is not empty" in written
