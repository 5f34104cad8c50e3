"""Machines that fit together: two processes come to what one comes to, and say why if they cannot."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from model_store.training.cluster import cluster_of
from model_store.training.dataset import Batch
from model_store.training.errors import TrainingFailed
from model_store.training.machines import Machines
from stream_app.embedded.kafka import free_ports
from tests.model_store.training.test_cli_train import orders

PATIENCE_SECONDS = 240


def train(
    folder: Path, file: Path, cluster: Sequence[str] = (), place: int = 0, epochs: int = 2
) -> "subprocess.Popen[str]":
    """Start a training run of one machine."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    if cluster:
        task = {"cluster": {"worker": list(cluster)}, "task": {"type": "worker", "index": place}}
        environment["TF_CONFIG"] = json.dumps(task)
    program = [sys.executable, "-m", "model_store.cli.main", "train", "--orders", str(file), "--no-promote", "--json"]
    program += ["--epochs", str(epochs), "--models", str(folder / f"models-{place}")]
    return subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(run: "subprocess.Popen[str]") -> tuple[int, str, str]:
    told, said = run.communicate(timeout=PATIENCE_SECONDS)
    return run.returncode, told, said


def addresses(count: int) -> list[str]:
    return [f"127.0.0.1:{port}" for port in free_ports(count)]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("orders") / "orders.parquet"
    orders(days=90, skus=20).write_parquet(path)
    return path


@pytest.mark.timeout(2 * PATIENCE_SECONDS)
def test_two_machines_come_to_what_one_comes_to_and_the_first_publishes(file: Path, tmp_path: Path) -> None:
    cluster = addresses(2)
    both = [train(tmp_path / "two", file, cluster, place) for place in range(2)]
    (code, told, said), (other_code, other_told, other_said) = (ended(one) for one in both)
    assert (code, other_code) == (0, 0), said + other_said
    alone_code, alone_told, alone_said = ended(train(tmp_path / "one", file))
    assert alone_code == 0, alone_said
    together, alone = json.loads(told), json.loads(alone_told)
    assert together["steps"] == alone["steps"]
    assert together["loss"] == pytest.approx(alone["loss"], rel=0.01)
    scores = [one["scores"][one["version"]] for one in (together, alone)]
    assert scores[0] == pytest.approx(scores[1], rel=0.02, abs=0.01)
    assert other_told == ""
    assert "machine 0 judges and publishes" in other_said
    assert not list((tmp_path / "two" / "models-1").glob("*"))


@pytest.mark.timeout(2 * PATIENCE_SECONDS)
def test_machines_with_other_demand_refuse_to_fit_together(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    orders(days=91, skus=20).write_parquet(other)
    cluster = addresses(2)
    both = [train(tmp_path, path, cluster, place) for place, path in enumerate([file, other])]
    (code, _, said), (other_code, _, other_said) = (ended(one) for one in both)
    assert (code, other_code) == (1, 1)
    assert "another machine has other demand" in said
    assert "this machine has other demand" in other_said
    assert "Traceback" not in said + other_said


@pytest.mark.timeout(2 * PATIENCE_SECONDS)
def test_a_machine_that_goes_away_ends_the_run_of_the_others_with_a_sentence(file: Path, tmp_path: Path) -> None:
    cluster = addresses(2)
    first, second = (train(tmp_path, file, cluster, place, epochs=500) for place in range(2))
    assert second.stderr is not None
    while second.stderr.readline().strip() != "fitting":
        assert second.poll() is None
    second.kill()
    code, _, said = ended(first)
    second.communicate(timeout=PATIENCE_SECONDS)
    assert code == 1
    assert "another machine of TF_CONFIG went away" in said
    assert "Give the command again on all of them" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "told",
    [
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1", "b:1"]}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_config_that_names_no_machine_is_refused_with_an_example(told: str) -> None:
    with pytest.raises(TrainingFailed, match=r'TF_CONFIG names no machine .* such as {"cluster"'):
        cluster_of({"TF_CONFIG": told})


def test_one_machine_alone_needs_no_others() -> None:
    assert cluster_of({}) is None
    assert cluster_of({"TF_CONFIG": '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}'}) is None


@pytest.mark.parametrize("count", [2, 3, 5])
def test_shares_of_a_batch_are_the_whole_batch(count: int) -> None:
    rng = np.random.default_rng(count)
    shapes = {"own": (64, 9, 3), "calendar": (64, 4, 2), "targets": (64, 4, 2), "weights": (64, 4, 2)}
    batch = Batch(np.arange(4), **{name: rng.random(shape, dtype=np.float32) for name, shape in shapes.items()})
    shares = [Machines(count, place, None).share(batch) for place in range(count)]
    assert sum(part for _, part in shares) == pytest.approx(1)
    keys = np.sort(np.concatenate([one.own[:, 0, 0] for one, _ in shares]))
    assert keys.tolist() == np.sort(batch.own[:, 0, 0]).tolist()
