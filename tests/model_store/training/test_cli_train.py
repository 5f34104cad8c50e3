"""The command train on files: what goes where, what an operator reads when it cannot be done."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from model_store.cli.main import TRAINING_COMMANDS, main
from model_store.versions import Versions
from tests.model_store.builders import moving_average_draft

ROOT = Path(__file__).parents[3]
DAY_MS = 86_400_000
FIRST_AT = 1_297_036_800_000  # 2011-02-07, a Monday


def orders(days: int = 120, skus: int = 40) -> pl.DataFrame:
    """Order lines of a shop that sells mostly on Wednesdays."""
    rng = np.random.default_rng(1)
    units = rng.poisson(np.where(np.arange(days) % 7 == 2, 9.0, 1.0), (skus, days))
    rows, columns = np.nonzero(units)
    times = FIRST_AT + columns * DAY_MS + 9 * 3_600_000
    return pl.DataFrame({"sku": [f"s-{row}" for row in rows], "quantity": units[rows, columns], "event_time": times})


def ran(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "orders.parquet"
    orders().write_parquet(path)
    return path


def test_help_lists_every_command_and_each_has_help_of_its_own() -> None:
    listed = ran("--help")
    assert listed.exit_code == 0
    for command in [*TRAINING_COMMANDS, "list", "show", "verify", "promote", "rollback"]:
        assert f"  {command} " in listed.stdout
        shown = ran(command, "--help")
        assert shown.exit_code == 0, command
        assert shown.stdout.startswith("Usage:")


def test_train_prints_the_version_on_stdout_and_progress_with_reasons_on_stderr(file: Path, models: Path) -> None:
    result = ran("train", "--orders", file, "--models", models, "--epochs", "1")
    assert result.exit_code == 0, result.stderr
    (version,) = Versions(models).ids()
    assert result.stdout == f"{version}\n"
    for said in ("reading orders.parquet", "read 40 stock keys over 120 buckets", "fitting", "evaluating"):
        assert said in result.stderr
    assert f"{version}: p" in result.stderr
    assert "than moving_average_28: pinball loss" in result.stderr
    assert ran("verify", "--models", models).stdout == f"{version}  sound\n"


@pytest.mark.parametrize("to_file", [False, True])
def test_train_tells_what_it_did_as_one_json_object(file: Path, models: Path, tmp_path: Path, to_file: bool) -> None:
    target = tmp_path / "out.json"
    result = ran(
        "train", "--orders", file, "--models", models, "--epochs", "1", "--no-promote", "--until", "2011-05-02",
        "--json", *([target] if to_file else []),
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    told = json.loads(target.read_text() if to_file else result.stdout)
    assert (result.stdout == "") is to_file
    assert told["version"] in Versions(models).ids()
    assert told["promoted"] is False
    assert told["buckets"] == 84
    assert told["epochs"] == 1
    assert told["parity"] <= 1e-4
    assert {"moving_average_28", told["version"]} <= told["scores"].keys()


def broken(name: str) -> pl.DataFrame:
    whole = orders()
    return {
        "too short": orders(days=20),
        "one SKU": whole.filter(pl.col("sku") == "s-1"),
        "no quantity": whole.drop("quantity"),
        "no rows": whole.head(0),
        "zero quantities": whole.with_columns(quantity=pl.lit(0)),
        "all taken back": pl.concat(
            [
                whole.with_columns(type=pl.lit("order_placed"), placed_at="event_time"),
                whole.with_columns(type=pl.lit("order_cancelled"), placed_at="event_time"),
            ]
        ),
        "lists": whole.with_columns(quantity=pl.concat_list("quantity")),
        "records": whole.with_columns(sku=pl.struct("sku")),
        "time of day": whole.with_columns(event_time=pl.from_epoch("event_time", time_unit="ms").dt.time()),
    }[name]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("too short", "the history has 20 buckets of 86400 s"),
        ("one SKU", "there is one stock key"),
        ("no quantity", "orders.parquet has no column quantity; it has sku, event_time"),
        ("no rows", "orders.parquet has no rows"),
        ("zero quantities", "quantity is 0, must be a whole number from 1"),
        ("all taken back", "all demand before 2011-05-"),
        ("lists", "column quantity has type List(Int64), must be text or numbers"),
        ("records", "column sku has type Struct"),
        ("time of day", "column event_time has type Time, must be RFC 3339"),
    ],
)
def test_orders_that_cannot_be_learnt_from_are_one_message_and_exit_code_1(
    tmp_path: Path, models: Path, name: str, message: str
) -> None:
    path = tmp_path / "orders.parquet"
    broken(name).write_parquet(path)
    result = ran("train", "--orders", path, "--models", models)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not models.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a source"),
        (["--orders", "FILE", "--kafka", "localhost:9092"], "two sources; name one"),
        (["--orders", "absent.csv"], "'absent.csv' does not exist"),
        (["--orders", "FILE", "--bucket", "7y"], "'7y' is no width; e.g. 1d"),
        (["--orders", "FILE", "--bucket", "5s"], "not within 60 s and 4 weeks"),
        (["--orders", "FILE", "--until", "2011-01-01"], "is before the first bucket ends"),
    ],
)
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_wrong_source_is_wrong_usage(
    file: Path, models: Path, command: str, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RESTOCK_KAFKA", raising=False)
    named = [str(file) if one == "FILE" else one for one in arguments]
    result = ran(command, *named, "--models", models)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_time_limit_too_short_for_any_run_is_wrong_usage(file: Path, models: Path) -> None:
    result = ran("train", "--orders", file, "--models", models, "--seconds-at-most", "5")
    assert result.exit_code == 2
    assert "20" in result.stderr


def said_by(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stderr is not None
    for line in process.stderr:
        yield line.strip()


def test_training_that_is_killed_leaves_the_champion_and_a_store_that_goes_on(file: Path, models: Path) -> None:
    versions = Versions(models)
    champion = versions.publish(moving_average_draft(2))
    versions.promote(champion, who="ana", why="first", at=1)
    arguments = ("-m", "model_store.cli.main", "train", "--orders", str(file), "--models", str(models))
    with subprocess.Popen(
        [sys.executable, *arguments, "--epochs", "1000"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert "fitting" in said_by(process)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert (versions.champion(), versions.ids()) == (champion, (champion,))
    assert versions.publish(moving_average_draft(3)) in versions.ids()
