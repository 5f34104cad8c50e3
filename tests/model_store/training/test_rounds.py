"""Rounds of a trainer that stays: what is remembered, when it trains anew, who is told of failures."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from prometheus_client import generate_latest

from model_store.training.errors import TrainingFailed
from model_store.training.rounds import Rounds, alone_in, read_rounds, write_rounds
from model_store.training.trainer_page import TrainerMeter, TrainerPage
from model_store.versions import Versions

ROOT = Path(__file__).parents[3]
FIRST_AT = 1_297_036_800_000  # 2011-02-07, a Monday


def trained(rounds: Rounds, outcome: str, *, was_refresh: bool = True) -> Rounds:
    return rounds.began().trained(outcome, at=5, learnt_until_at=4, was_refresh=was_refresh)  # type: ignore[arg-type]


def test_every_nth_round_trains_anew_and_so_does_the_one_after_two_refusals() -> None:
    rounds = Rounds()
    for _ in range(7):
        assert not rounds.wants_full(8)
        rounds = trained(rounds, "promoted")
    assert rounds.wants_full(8)
    assert not trained(rounds, "promoted", was_refresh=False).wants_full(8)
    refused = trained(trained(Rounds(), "refused"), "refused")
    assert refused.wants_full(100)
    assert not trained(refused, "refused", was_refresh=False).wants_full(100)
    assert not trained(trained(Rounds(), "refused"), "promoted").wants_full(100)


def test_round_that_never_ended_is_one_that_failed() -> None:
    killed = Rounds().began()
    assert killed.began().failed_in_a_row == 1
    assert killed.began().failed("Kafka is away").is_alarming
    assert killed.stopped().began().failed_in_a_row == 0
    assert trained(killed.began(), "refused").failed_in_a_row == 0
    assert killed.nothing_new(9).failed_in_a_row == 0


def test_state_survives_and_a_damaged_one_is_that_of_a_new_trainer(tmp_path: Path) -> None:
    assert read_rounds(tmp_path / "work") == Rounds()
    rounds = trained(Rounds(), "refused").began()
    write_rounds(tmp_path / "work", rounds)
    assert read_rounds(tmp_path / "work") == rounds
    (tmp_path / "work" / "rounds.json").write_text("{")
    assert read_rounds(tmp_path / "work") == Rounds()


def test_second_trainer_in_a_directory_is_told_to_wait(tmp_path: Path) -> None:
    with alone_in(tmp_path), pytest.raises(TrainingFailed, match="another trainer is at work"), alone_in(tmp_path):
        pass
    with alone_in(tmp_path):
        pass


def test_page_shows_metrics_and_is_not_ready_after_two_failures() -> None:
    meter = TrainerMeter()
    with TrainerPage(meter, 0) as page:
        assert fetched(page.address + "/live") == (200, {"live": True})
        assert fetched(page.address + "/ready")[0] == 200
        meter.begins()
        meter.ended(Rounds().failed("a").failed("Kafka is away"), 3.0)
        assert fetched(page.address + "/ready") == (
            503,
            {"ready": False, "missing": {"rounds": "2 rounds in a row failed: Kafka is away"}},
        )
        assert fetched(page.address + "/elsewhere")[0] == 404
    text = generate_latest(meter.registry).decode()
    assert 'restock_trainer_rounds_total{outcome="failed"} 1.0' in text
    assert "restock_trainer_failed_rounds_in_a_row 2.0" in text


def fetched(address: str) -> tuple[int, object]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def shop(path: Path, days: int) -> Path:
    """Order lines of a shop that sells on Wednesdays, which a seasonal naive forecast sees and an average does not."""
    rng = np.random.default_rng(1)
    units = rng.poisson(np.where(np.arange(150) % 7 == 2, 12.0, 1.0), (30, 150))[:, :days]
    rows, columns = np.nonzero(units)
    times = FIRST_AT + columns * 86_400_000
    frame = pl.DataFrame({"sku": [f"s-{row}" for row in rows], "quantity": units[rows, columns], "event_time": times})
    frame.write_parquet(path.with_suffix(".new"))
    path.with_suffix(".new").rename(path)
    return path


def command(orders: Path, models: Path, *more: str) -> list[str]:
    named = ["--orders", str(orders), "--models", str(models), "--kind", "seasonal_naive", *more]
    return [sys.executable, "-m", "model_store.cli.main", "train", *named]


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)


def logged(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_one_round_promotes_and_the_next_has_nothing_new(tmp_path: Path) -> None:
    orders, models = shop(tmp_path / "orders.parquet", 120), tmp_path / "models"
    first = ran(*command(orders, models, "--once"))
    assert first.returncode == 0, first.stderr
    assert Versions(models).champion() == first.stdout.strip()
    again = ran(*command(orders, models, "--once"))
    assert (again.returncode, again.stdout) == (0, "")
    assert "no bucket is new" in again.stderr
    assert [one["outcome"] for one in logged(first.stderr + again.stderr) if one["event"] == "round_ended"] == [
        "promoted",
        "nothing_new",
    ]


def test_two_rounds_that_fail_are_an_error_in_the_log(tmp_path: Path) -> None:
    orders, models = shop(tmp_path / "orders.parquet", 20), tmp_path / "models"
    done = [ran(*command(orders, models, "--once")) for _ in range(2)]
    assert [one.returncode for one in done] == [1, 1]
    alarms = [one for one in logged(done[1].stderr) if one["event"] == "training_rounds_failed"]
    assert [(one["level"], one["failed_in_a_row"]) for one in alarms] == [("error", 2)]
    assert "the history has 20 buckets" in str(alarms[0]["why"])
    assert "Traceback" not in done[1].stderr


def test_trainer_that_stays_trains_shows_metrics_and_ends_at_sigterm(tmp_path: Path) -> None:
    orders, models = shop(tmp_path / "orders.parquet", 120), tmp_path / "models"
    with subprocess.Popen(
        command(orders, models, "--every", "1s", "--metrics-port", "0"), cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        told = (json.loads(line) for line in process.stderr if line.startswith("{"))
        address = next(str(one["address"]) for one in told if one["event"] == "trainer_ready")
        outcomes = [next(one["outcome"] for one in told if one["event"] == "round_ended")]
        outcomes.append(next(one["outcome"] for one in told if one["event"] == "round_ended"))
        with urllib.request.urlopen(address + "/metrics", timeout=10) as answer:
            metrics = answer.read().decode()
        process.send_signal(signal.SIGTERM)
        assert [one["event"] for one in told][-1] == "trainer_stopped"
    assert process.returncode == 0
    assert outcomes == ["promoted", "nothing_new"]
    assert 'restock_trainer_rounds_total{outcome="promoted"} 1.0' in metrics
    assert "restock_trainer_failed_rounds_in_a_row 0.0" in metrics
    assert not read_rounds(models / ".trainer").is_running


def test_trainer_that_is_killed_anywhere_never_leaves_a_half_written_version(tmp_path: Path) -> None:
    orders, models = tmp_path / "orders.parquet", tmp_path / "models"
    rng = np.random.default_rng(0)
    for days in range(110, 114):
        shop(orders, days)
        with subprocess.Popen(
            command(orders, models, "--once"), cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stderr is not None
            for _line in zip(range(int(rng.integers(1, 10))), process.stderr, strict=False):
                pass
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
        versions = Versions(models)
        for version in versions.ids():
            versions.read(version).forecaster()
        champion = versions.champion()
        assert champion is None or champion in versions.ids()
    last = ran(*command(shop(orders, 120), models, "--once"))
    assert last.returncode == 0, last.stderr
    assert read_rounds(models / ".trainer").failed_in_a_row == 0
