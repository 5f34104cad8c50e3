"""The fit: a loss that is the pinball loss, a run that ends in time, the same seed the same net."""

from dataclasses import astuple, replace
from itertools import count

import numpy as np
import pytest

from model_store.spec import default_features
from model_store.training.dataset import Batch, Sequences, sequences
from model_store.training.errors import TrainingFailed
from tests.model_store.training.builders import DAY, SILENT, steady
from tests.model_store.training.conftest import TINY_GRID, Net, fitted_net


def whole_batch(shown: Sequences) -> Batch:
    """One window of each key, from birth on, scored everywhere."""
    return shown.batch(shown.trainable, shown.history.born[shown.trainable], np.arange(shown.window_buckets))


def loss_of(net: Net) -> float:
    """Pinball loss of a net over all keys from birth on, worked out in NumPy."""
    batch = whole_batch(net.shown)
    quantiles = net.fitted.forward(batch.own, batch.calendar)
    levels = np.array(TINY_GRID.levels)
    level_weights = (levels * (1 - levels)) ** -0.25
    short = batch.targets[..., None] - quantiles / np.array(TINY_GRID.horizons_buckets)[:, None]
    losses = np.maximum(levels * short, (levels - 1) * short) @ (level_weights / level_weights.sum())
    return float((losses * batch.weights).sum() / batch.weights.sum())


def test_loss_is_the_weighted_pinball_loss_of_the_definition(net: Net) -> None:
    from model_store.training.backend import tf
    from model_store.training.fit import pinball_loss

    batch = whole_batch(net.shown)
    quantiles = net.fitted.forward(batch.own, batch.calendar)
    given = [tf.constant(one, tf.float32) for one in (quantiles, batch.targets, batch.weights)]
    found = pinball_loss(given[0], given[1], given[2], net.shown)
    assert float(found) == pytest.approx(loss_of(net), rel=1e-4)


def test_more_steps_forecast_the_training_demand_better(net: Net) -> None:
    assert loss_of(net) < 0.97 * loss_of(fitted_net(1))


def test_same_seed_gives_the_same_weights_to_the_bit_and_another_seed_others() -> None:
    first, again, other = (fitted_net(3, seed).fitted.weights for seed in (1, 1, 2))
    assert [one.tobytes() for one in astuple(first)] == [one.tobytes() for one in astuple(again)]
    assert first.kernel.tobytes() != other.kernel.tobytes()


def test_run_whose_time_is_over_ends_at_the_low_end_of_the_learning_rate() -> None:
    from model_store.training.fit import Schedule, fit

    spec = default_features(DAY)
    seconds = count()  # each step takes a second
    told: list[float] = []
    fitted = fit(
        sequences(steady(), spec, TINY_GRID, 0),
        spec,
        Schedule(steps=1_000, seconds=4.0),
        0,
        clock=lambda: float(next(seconds)),
        stage=lambda done, total, remark="": told.append(done / total),
    )
    assert fitted.steps == 4
    assert told == [0.25, 0.5, 0.75, 1.0]


def test_run_that_diverges_is_refused_before_anything_is_made_of_it(net: Net) -> None:
    from model_store.training.fit import Schedule, fit

    broken = replace(net.shown, own=np.full_like(net.shown.own, np.nan))
    with pytest.raises(TrainingFailed, match=r"the loss is nan after 0 steps.*--seed"):
        fit(broken, net.spec, Schedule(3), 0, clock=lambda: 0.0, stage=SILENT.stage("fitting"))


@pytest.mark.parametrize(("steps", "seconds"), [(0, 1.0), (1, 0.0), (1, float("nan"))])
def test_run_without_steps_or_time_cannot_be_planned(steps: int, seconds: float) -> None:
    from model_store.training.fit import Schedule

    with pytest.raises(ValueError, match="is none"):
        Schedule(steps, seconds)
