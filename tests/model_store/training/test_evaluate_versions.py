"""`model-store evaluate` of versions: advanced as they would serve, never fitted, marked where they have peeked."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from model_store import artifact
from model_store.cli.main import main
from model_store.starter import starter_directory
from model_store.versions import Versions
from tests.model_store.builders import lstm_draft, moving_average_draft

ROOT = Path(__file__).parents[3]


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """Ten SKUs that sell on most of 120 days from 2011-01-01 on."""
    rng = np.random.default_rng(1)
    lines = [
        f"sku-{key},{units},{np.datetime64('2011-01-01') + day}"
        for key in range(10)
        for day, units in enumerate(rng.poisson(3, 120).tolist())
        if units
    ]
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(["sku,quantity,event_time", *lines]) + "\n")
    return path


@pytest.fixture
def store(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "models")


def ran(orders: Path, store: Versions, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["evaluate", *arguments, "--orders", str(orders), "--store", str(store.root)])


def figures(orders: Path, store: Versions, *arguments: str) -> dict[str, Any]:
    result = ran(orders, store, *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_champion_is_scored_beside_a_moving_average_on_the_last_buckets(orders: Path, store: Versions) -> None:
    champion = store.publish(moving_average_draft(7))
    store.promote(champion, who="ana", why="first", at=1)
    found = figures(orders, store)
    assert list(found["models"]) == ["champion", "moving_average"]
    assert found["leads"] == [7, 14]
    assert found["origins"] == ["2011-04-03", "2011-04-10", "2011-04-17"], (
        "half a lead apart, the last as late as may be"
    )
    assert {one["n"] for model in found["models"].values() for one in model.values()} == {3 * 10}


def test_version_of_the_same_window_scores_what_the_fitted_textbook_does(orders: Path, store: Versions) -> None:
    version = store.publish(moving_average_draft(28))
    found = figures(orders, store, version, "--first-origin", "2011-03-12")
    assert found["models"][version] == found["models"]["moving_average"]


def test_version_that_learnt_from_the_buckets_it_is_scored_on_is_marked(orders: Path, store: Versions) -> None:
    version = store.publish(lstm_draft())  # its demand ends in October 2011, after the file
    found = figures(orders, store, version, "starter")
    assert found["learnt_from_scored_buckets"] == [version, "starter"]
    early = figures(orders, store, "starter", "--first-origin", "2011-03-12")
    assert early["learnt_from_scored_buckets"] == ["starter"]
    assert f"{version} learnt from buckets that it is scored on" in ran(orders, store, version).stdout


def test_without_a_champion_the_starter_is_scored_and_said(orders: Path, store: Versions) -> None:
    assert list(figures(orders, store)["models"]) == ["starter", "moving_average"]
    assert f"there is no champion in {store.root}: the starter is scored" in ran(orders, store).stderr
    no_champion = ran(orders, store, "--models", "champion")
    assert (no_champion.exit_code, no_champion.stdout) == (2, "")
    assert "promote a version" in no_champion.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lstm-20111008-00000000"], "there is no version"),
        (["--models", "starter", "--bucket", "12h"], "serves buckets of 86400 s"),
        (["starter", "--until", "2011-02-01"], "forecasting 14 ahead needs 42"),
    ],
)
def test_evaluation_that_cannot_be_made_is_one_message(
    orders: Path, store: Versions, arguments: list[str], message: str
) -> None:
    result = ran(orders, store, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr


def test_versions_and_classical_models_are_evaluated_without_tensorflow(orders: Path, store: Versions) -> None:
    program = "import sys; from model_store.cli.main import main; main({}, standalone_mode=False); print(*sys.modules)"
    arguments = ["evaluate", "starter", "--models", "tsb", "--orders", str(orders), "--store", str(store.root)]
    ended = subprocess.run(
        [sys.executable, "-c", program.format(arguments)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert artifact.read(starter_directory(), packaged=True).version not in ended.stdout, "it is shown by its name"
    assert "tsb" in ended.stdout
    assert not {"tensorflow", "keras"} & set(ended.stdout.split())
