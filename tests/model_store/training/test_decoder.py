"""Nets that read plans: the served graph is the net, its surface never crosses, and promoted demand is forecast."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_store.artifact import read, write
from model_store.training.backtest import Backtest, Protocol, read_backtest
from model_store.training.comparison import fitted_candidate
from model_store.training.nets import Net
from model_store.training.plan import RunPlan, Trained, grid_for
from model_store.training.scoring import Scores, actuals_of, scores_of
from model_store.training.signals_file import read_signals, with_plans
from model_store.training.trainers import Learned, trainer_of
from replenishment.buckets import BucketWidth
from replenishment.forecaster import KnownAhead
from tests.model_store.training.builders import SILENT
from tests.model_store.training.promoted import START_AT, promoted_shop

WEEK = BucketWidth(7 * 86_400)
SMALL = Learned("lstm", (Net("lstm", (8,), 16),))
LEADS = (1, 3)
PLAN = RunPlan(epochs=100, grid=grid_for(LEADS))


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Backtest:
    """Weekly demand of forty keys, five times as high in promoted weeks, with its plans."""
    orders, signals = promoted_shop(keys=40, buckets=110).written(tmp_path_factory.mktemp("promoted"))
    found = read_backtest(orders, None, WEEK, Protocol(START_AT + 90 * WEEK.seconds * 1000, 2, LEADS))
    return replace(found, seen=with_plans(found.seen, read_signals(signals), LEADS[-1], found.grid))


def without_plans(backtest: Backtest) -> Backtest:
    return replace(backtest, seen=replace(backtest.seen, plans=None))


def trained(backtest: Backtest) -> Trained:
    return SMALL(backtest.learnt, PLAN, SILENT, lambda: 0.0, float("inf"))


@pytest.fixture(scope="module")
def planned_net(promoted: Backtest) -> Trained:
    """A net fitted on demand and plans before the first origin."""
    return trained(promoted)


@pytest.fixture(scope="module")
def plain_net(promoted: Backtest) -> Trained:
    """A net fitted on the same demand without plans."""
    return trained(without_plans(promoted))


def scores(net: Trained, backtest: Backtest) -> Scores:
    rolled = fitted_candidate(lambda *_: net, PLAN)(backtest.seen, backtest.origins, SILENT, lambda: 0.0)
    actuals = actuals_of(backtest.actual, backtest.origins)
    return scores_of(actuals, rolled.forecasts.of_rows(backtest.seen_rows), backtest.origins.leads, actuals.top)


def test_a_net_that_reads_plans_forecasts_promoted_weeks_far_better(
    promoted: Backtest, planned_net: Trained, plain_net: Trained
) -> None:
    reading, blind = scores(planned_net, promoted), scores(plain_net, without_plans(promoted))
    for lead in LEADS:
        assert reading[lead].spb < 0.75 * blind[lead].spb


def test_a_surface_never_crosses_whatever_is_planned(promoted: Backtest, planned_net: Trained) -> None:
    forecaster, history = planned_net.draft.forecaster(), promoted.seen
    memory = np.zeros((len(history.keys), forecaster.memory_floats), dtype=np.float32)
    rng = np.random.default_rng(0)
    for column in range(30):
        closed = history.closed(column)
        values = rng.normal(0, 3, (len(closed.demand_units), 15, 2)).astype(np.float32)
        closed = replace(closed, known_ahead=KnownAhead(("promotion", "price"), values))
        forecast = forecaster.step(closed, memory[: len(values)])
        memory[: len(values)] = forecast.memory
        assert np.isfinite(forecast.quantiles).all()
        assert (forecast.quantiles >= 0).all()
        assert (np.diff(forecast.quantiles, axis=1) >= 0).all()
        assert (np.diff(forecast.quantiles, axis=2) >= 0).all()


def test_a_promotion_raises_the_demand_of_its_own_buckets_only(promoted: Backtest, planned_net: Trained) -> None:
    forecaster, history = planned_net.draft.forecaster(), promoted.seen
    memory = np.zeros((len(history.keys), forecaster.memory_floats), dtype=np.float32)
    for column in range(60):
        memory = forecaster.step(replace(history.closed(column), known_ahead=None), memory).memory
    values = np.full((len(history.keys), 4, 1), np.nan, dtype=np.float32)
    medians = []
    for promoted_bucket in (None, 2):
        known = values.copy()
        if promoted_bucket is not None:
            known[:, promoted_bucket] = 1
        closed = replace(history.closed(60), known_ahead=KnownAhead(("promotion",), known))
        surface = forecaster.step(closed, memory).quantiles[:, :, 4]
        medians.append(np.diff(surface, axis=1, prepend=0).mean(axis=0))
    plain, lifted = medians
    assert lifted[0] == pytest.approx(plain[0])
    assert lifted[1] > 1.5 * plain[1]
    assert lifted[2] == pytest.approx(plain[2], rel=1e-4)


def test_a_version_that_reads_plans_is_published_and_read_back(planned_net: Trained, tmp_path: Path) -> None:
    write(tmp_path, planned_net.draft)
    signals = read(tmp_path).manifest.spec.features
    assert signals is not None
    assert signals.signals
    assert signals.signals.known_ahead == ("promotion", "price")


def test_a_history_without_plans_makes_the_net_that_it_always_made(plain_net: Trained) -> None:
    spec = plain_net.draft.spec
    assert spec.features is not None
    assert not spec.features.signals
    assert spec.features.inputs == spec.features.demand_inputs + spec.features.calendar_inputs


def test_lightgbm_reads_the_same_plans(promoted: Backtest) -> None:
    from model_store.training.peer_lightgbm import LightgbmPeer

    found = []
    for backtest in (promoted, without_plans(promoted)):
        rolled = LightgbmPeer(rounds=40)(backtest.seen, backtest.origins, SILENT, lambda: 0.0)
        actuals = actuals_of(backtest.actual, backtest.origins)
        made = rolled.forecasts.of_rows(backtest.seen_rows)
        found.append(scores_of(actuals, made, backtest.origins.leads, actuals.top)[1].spb)
    assert found[0] < 0.8 * found[1]


def test_classical_models_do_not_mind_plans(promoted: Backtest) -> None:
    trainer = trainer_of("moving_average")
    assert trainer is not None
    made = []
    for backtest in (promoted, without_plans(promoted)):
        rolled = fitted_candidate(trainer, replace(PLAN, kind="moving_average"))(
            backtest.seen, backtest.origins, SILENT, lambda: 0.0
        )
        made.append(rolled.forecasts.quantiles)
    assert np.array_equal(made[0], made[1], equal_nan=True)
