"""Everything that can be fitted becomes a version that serves, the same for the same demand."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import numpy as np
import pytest

from model_store.training.history import DemandHistory
from model_store.training.lag_fit import fitted_weights, simplex_least_squares
from model_store.training.plan import RunPlan, grid_for
from model_store.training.trainers import TRAINERS
from model_store.versions import Versions
from replenishment.buckets import BucketWidth
from tests.model_store.training.builders import SILENT, history_from, steady

CLASSICAL = ("exponential_smoothing", "moving_average", "seasonal_least_squares", "seasonal_naive", "tsb")


def trained_files(name: str, history: DemandHistory, folder: Path) -> tuple[str, dict[str, bytes]]:
    plan = RunPlan(kind=name, grid=grid_for((7, 14)), epochs=1)
    draft = TRAINERS[name](history, plan, SILENT, monotonic, float("inf")).draft
    version = Versions(folder).publish(draft)
    return version, {path.name: path.read_bytes() for path in (folder / "versions" / version).glob("*")}


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_model_is_published_the_same_each_time_and_served(name: str, tmp_path: Path) -> None:
    first, again = (trained_files(name, steady(), tmp_path / folder) for folder in ("a", "b"))
    assert first == again
    assert Versions(tmp_path / "a").read(first[0]).forecaster().version == first[0]


@pytest.mark.parametrize("name", ["tsb", "exponential_smoothing"])
def test_classical_model_is_trained_by_the_command_even_from_one_sku(name: str, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from model_store.cli.main import main

    orders, models = tmp_path / "orders.csv", tmp_path / "models"
    lines = [f"a,{3 + day % 4},2011-01-01T00:00:{day % 60:02}Z" for day in range(2)]
    lines += [f"a,{3 + day % 4},{np.datetime64('2011-01-01') + day}" for day in range(80)]
    orders.write_text("\n".join(["sku,quantity,event_time", *lines]) + "\n")
    options = ["--orders", str(orders), "--models", str(models), "--kind", name, "--no-promote"]
    result = CliRunner().invoke(main, ["train", *options])
    assert result.exit_code == 0, result.stderr
    assert Versions(models).read(result.stdout.strip()).manifest.spec.kind == name
    wrong = CliRunner().invoke(main, ["train", *options, "--kind", "prophet"])
    assert wrong.exit_code == 2 and "--kind is one of average, cnn, exponential_smoothing, lstm" in wrong.stderr


def test_least_squares_finds_the_weights_that_made_the_demand() -> None:
    rng = np.random.default_rng(1)
    made = np.zeros((60, 200))
    made[:, :7] = rng.gamma(2, 5, (60, 7))
    for column in range(7, 200):
        made[:, column] = 0.3 * made[:, column - 1] + 0.7 * made[:, column - 7] + rng.normal(0, 0.5, 60)
    weights = fitted_weights(history_from(np.maximum(made, 0).astype(np.float32)), 7, 0)
    assert weights == pytest.approx([0.3, 0, 0, 0, 0, 0, 0.7], abs=0.05)


def test_least_squares_is_the_best_of_all_weights_that_add_up_to_one() -> None:
    rng = np.random.default_rng(2)
    inputs, wanted = rng.normal(size=(400, 4)), rng.normal(size=400)
    found = simplex_least_squares(inputs, wanted)
    assert found.sum() == pytest.approx(1) and (found >= 0).all()
    loss = np.square(inputs @ found - wanted).sum()
    others = rng.dirichlet(np.ones(4), 3_000)
    assert (np.square(inputs @ others.T - wanted[:, None]).sum(axis=0) >= loss - 1e-9).all()


def test_seasons_follow_the_width_of_buckets() -> None:
    from model_store.training.classical import season_of

    rng = np.random.default_rng(3)
    units = rng.poisson(3, (4, 60)).astype(np.float32)
    widths = {3_600: 24, 86_400: 7, 7 * 86_400: 1, 21_600: 4}
    assert {seconds: season_of(history_from(units, width=BucketWidth(seconds))) for seconds in widths} == widths
