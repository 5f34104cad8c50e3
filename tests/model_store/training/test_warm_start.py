"""Weights read back from a graph, and fits that go on where a killed process left them."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from model_store.signal_spec import SignalSpec
from model_store.spec import FeatureSpec
from model_store.training.checkpoint import Checkpoint, Checkpoints
from model_store.training.history import DemandHistory
from model_store.training.nets import PRESETS, Net
from model_store.training.plan import RunPlan, Start, Trained, grid_for
from model_store.training.plans import Plans
from model_store.training.progress import Stage
from tests.model_store.training.builders import SILENT, steady

ROOT = Path(__file__).parents[3]
GRID = grid_for((7, 14))


class Killed(BaseException):
    """What a test throws where a process would end."""


class EndsAt:
    """A reporter whose process ends when a fit has taken so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.heard: list[str] = []

    def say(self, text: str) -> None:
        self.heard.append(text)

    def stage(self, name: str) -> Stage:
        taken = 0

        def shown(done: float, total: float, remark: str = "") -> None:
            nonlocal taken
            taken += 1
            if name == "fitting" and taken == self.steps:
                raise Killed

        return shown


@pytest.mark.parametrize(
    ("names", "signals"),
    [
        (["lstm"], msgspec.UNSET),
        (["lstm_2x50"], msgspec.UNSET),
        (["cnn"], msgspec.UNSET),
        (["mlp"], msgspec.UNSET),
        (["lstm", "cnn"], msgspec.UNSET),
        (["lstm"], SignalSpec(("promotion", "price"), ("visits",), GRID.horizons_buckets)),
    ],
    ids=["lstm", "two layers", "cnn", "mlp", "average of two", "with a decoder"],
)
def test_weights_of_every_net_are_read_back_from_its_graph_to_the_bit(
    names: list[str], signals: SignalSpec | msgspec.UnsetType
) -> None:
    from model_store.training.dataset import Standardisation
    from model_store.training.export import net_graph
    from model_store.training.graph_writer import Member
    from model_store.training.network import arrays_of, build
    from model_store.training.warm_start import members_of

    spec, rng, nets = FeatureSpec(signals=signals), np.random.default_rng(0), [PRESETS[name] for name in names]
    scale = Standardisation(*(rng.uniform(1, 2, spec.inputs).astype(np.float32) for _ in "md"))
    members = []
    for net in nets:
        shapes = arrays_of(build(spec, GRID, net).whole).items()
        drawn = {key: rng.normal(size=one.shape).astype(np.float32) for key, one in shapes}
        members.append(Member(net, drawn, scale))
    graph = net_graph(members, spec, GRID)
    found = members_of(graph, nets, spec, GRID)
    assert found is not None
    for read, written in zip(found, members, strict=True):
        assert {key: one.tobytes() for key, one in read.arrays.items()} == {
            key: one.tobytes() for key, one in written.arrays.items()
        }
        assert read.standardisation.mean.tobytes() == scale.mean.tobytes()
    for other in (Net("lstm", (8,), 8), PRESETS["cnn" if names[0] != "cnn" else "mlp"]):
        assert members_of(graph, [other], spec, GRID) is None


def test_fit_that_is_killed_goes_on_with_the_steps_that_are_left_and_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_store.training import checkpoint
    from model_store.training.learned import fitted

    monkeypatch.setattr(checkpoint, "BETWEEN_SECONDS", 0.0)
    plan = RunPlan(epochs=4, grid=GRID, checkpoints=Checkpoints(tmp_path / "fits"))

    def made(plan: RunPlan, reporter: EndsAt) -> bytes:
        nets = [PRESETS["mlp"]]
        return fitted(steady(), plan, reporter, kind="mlp", nets=nets, clock=lambda: 0.0).draft.files["step.onnx"]

    whole = made(replace(plan, checkpoints=None), EndsAt(0))
    with pytest.raises(Killed):
        made(plan, EndsAt(8))
    (kept,) = (tmp_path / "fits").iterdir()
    with np.load(kept, allow_pickle=False) as file:
        assert file["done"] == 7
    assert made(plan, EndsAt(6)) == whole, "five steps were left of twelve, so a sixth never comes"
    kept.write_bytes(b"torn")
    assert made(plan, EndsAt(0)) == whole, "what is damaged counts as none"
    made(replace(plan, seed=1), EndsAt(0))
    assert len(list((tmp_path / "fits").iterdir())) == 2, "another run keeps another file"
    assert plan.checkpoints is not None
    plan.checkpoints.forget()
    assert not list((tmp_path / "fits").iterdir())


def test_nothing_kept_is_a_run_from_its_begin(tmp_path: Path) -> None:
    done, loss = Checkpoint(tmp_path / "fit-0.npz", lambda: 0.0).restored([])
    assert done == 0
    assert np.isnan(loss)


def test_refresh_of_another_net_is_trained_anew_and_says_so() -> None:
    from model_store.training.learned import fitted

    learnt, reporter = steady(), EndsAt(0)
    first = fitted(learnt, RunPlan(epochs=1, grid=GRID), reporter, kind="mlp", nets=[PRESETS["mlp"]], clock=lambda: 0.0)
    start = Start("mlp-20110101-00000000", first.draft.spec, first.draft.files["step.onnx"])
    plan = RunPlan(epochs=3, grid=GRID, start=start, kind="cnn")
    other = fitted(learnt, plan, reporter, kind="cnn", nets=[PRESETS["cnn"]], clock=lambda: 0.0)
    assert other.figures["warm"] == 0
    assert reporter.heard == ["mlp-20110101-00000000 is no such net as --kind cnn names: trained anew, not refreshed"]
    same = fitted(learnt, plan, SILENT, kind="mlp", nets=[PRESETS["mlp"]], clock=lambda: 0.0)
    assert (same.figures["warm"], same.figures["parity"] <= 1e-4) == (1, True)


def test_refresh_goes_on_with_the_plans_it_knows_and_trains_anew_with_others() -> None:
    from model_store.training.learned import fitted

    def made(learnt: DemandHistory, start: Start | None, reporter: EndsAt) -> Trained:
        plan = RunPlan(epochs=1, grid=GRID, start=start, kind="mlp")
        return fitted(learnt, plan, reporter, kind="mlp", nets=[PRESETS["mlp"]], clock=lambda: 0.0)

    def closed_on(*dates: str) -> DemandHistory:
        return replace(steady(), plans=replace(Plans.nothing(GRID.horizons_buckets[-1]), holidays=dates))

    reporter = EndsAt(0)
    first = made(closed_on("2011-04-22"), None, reporter)
    start = Start("mlp-20110101-00000000", first.draft.spec, first.draft.files["step.onnx"])
    later = made(closed_on("2011-04-22", "2011-12-25"), start, reporter)
    assert (later.figures["warm"], reporter.heard) == (1, [])
    assert later.draft.spec.features is not None
    assert later.draft.spec.features.signals.holidays == ("2011-04-22", "2011-12-25")  # type: ignore[union-attr]
    assert made(steady(), start, reporter).figures["warm"] == 0
    assert reporter.heard == [
        "mlp-20110101-00000000 reads other signals than this run has: trained anew, not refreshed"
    ]


def test_command_killed_in_a_fit_publishes_the_version_of_an_uninterrupted_one(tmp_path: Path) -> None:
    import polars as pl

    rng = np.random.default_rng(1)
    units = rng.poisson(2.0, (40, 120))
    rows, columns = np.nonzero(units)
    orders = tmp_path / "orders.parquet"
    times = 1_297_036_800_000 + columns * 86_400_000
    pl.DataFrame(
        {"sku": [f"s-{row}" for row in rows], "quantity": units[rows, columns], "event_time": times}
    ).write_parquet(orders)
    shown = {}
    for name in ("whole", "killed"):
        models = tmp_path / name
        command = [sys.executable, "-c", COMMAND, "train", "--orders", str(orders), "--models", str(models)]
        command += ["--kind", "mlp", "--epochs", "40"]
        if name == "killed":
            with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
                while process.poll() is None and not list(models.glob(".trainer/fits/fit-*.npz")):
                    pass
                os.kill(process.pid, signal.SIGKILL)
            assert list(models.glob(".trainer/fits/fit-*.npz")), "something is kept"
            assert not [one for one in models.iterdir() if one.name != ".trainer"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        shown[name] = done.stdout
        assert not list(models.glob(".trainer/fits/*")), "what is published need not be kept"
    assert shown["whole"] == shown["killed"] != ""


COMMAND = """
from model_store.training import checkpoint
checkpoint.BETWEEN_SECONDS = 0.0
from model_store.cli.main import main
main()
"""
