"""Every kind passes the contract; each means what its source says."""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.errors import SpecMismatch
from model_store.features import FeatureState, features, fresh_memory, observe
from model_store.kinds.learned import Learned
from model_store.kinds.moving_average import MovingAverage, fallback
from model_store.onnx_step import OnnxStep
from model_store.spec import ModelSpec, default_grid
from replenishment.buckets import BucketWidth
from replenishment.forecaster import Forecaster
from replenishment.quantiles import QuantileGrid
from tests.contracts.forecaster_contract import LAWS, bucket_of, demand_history, stepped_through
from tests.model_store import classical, numpy_lstm
from tests.model_store.builders import DAY, lstm, lstm_spec
from tests.model_store.graphs import lstm_bytes, lstm_model

FORECASTERS: dict[str, Callable[[], Forecaster]] = {
    "lstm_daily": lstm,
    "lstm_hourly": lambda: lstm(width=BucketWidth(3_600)),
    "lstm_weekly": lambda: lstm(width=BucketWidth(7 * 86_400)),
    "lstm_64": lambda: lstm(units=64),
    "moving_average": lambda: fallback(DAY),
    "exponential_smoothing": classical.exponential_smoothing,
    "tsb": classical.tsb,
    "seasonal_naive": classical.seasonal_naive,
    "seasonal_least_squares": classical.seasonal_least_squares,
}


@pytest.mark.parametrize("kind", FORECASTERS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_forecaster_keeps_the_contract(kind: str, law: Callable[[Forecaster], None]) -> None:
    law(FORECASTERS[kind]())


def test_lstm_forecasts_the_scaled_oracle_step() -> None:
    spec = lstm_spec().features
    assert spec is not None
    weights = numpy_lstm.LstmWeights.random(3, spec.inputs, 16, 14 * 11)
    net = OnnxStep.from_bytes(lstm_model(weights, 14, 11).SerializeToString())
    history = demand_history(8, 30, 50)
    forecast = stepped_through(Learned("oracle", lstm_spec(), net), history)
    statistics, recurrent = fresh_memory(spec, 50), np.zeros((50, 32))
    state = FeatureState.view(spec, statistics)
    for step, units in enumerate(history):
        closed = bucket_of(units, step=step)
        observe(spec, state, closed)
        scaled, recurrent = numpy_lstm.step(weights, features(spec, state, closed), recurrent.astype(np.float32), 11)
    np.testing.assert_allclose(forecast.quantiles, scaled * state.scale[:, None, None], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(forecast.memory[:, statistics.shape[1] :], recurrent, rtol=1e-4, atol=1e-6)


def test_graph_of_other_sizes_than_its_spec_is_a_mismatch() -> None:
    with pytest.raises(SpecMismatch, match="inputs, horizons and levels"):
        Learned("v", lstm_spec(), OnnxStep.from_bytes(lstm_bytes(inputs=41)))


def test_moving_average_is_mean_and_normal_spread_of_the_last_buckets() -> None:
    history = demand_history(9, 45, 8)
    forecast = stepped_through(fallback(DAY, 28), history)
    last = history[-28:].astype(np.float64)
    mean, deviation = last.mean(axis=0), last.std(axis=0, ddof=1)
    z = NormalDist().inv_cdf(0.95)
    for horizon in (1, 7, 14):
        expected = np.maximum(horizon * mean + z * np.sqrt(horizon) * deviation, 0)
        np.testing.assert_allclose(forecast.quantiles[:, horizon - 1, 7], expected, rtol=1e-6)


def test_moving_average_of_a_young_key_averages_what_there_is() -> None:
    forecast = stepped_through(fallback(DAY, 28), np.array([[4], [6]], dtype=np.float32))
    assert forecast.quantiles[0, 6, 2] == pytest.approx(7 * 5)


def test_moving_average_of_one_bucket_spreads_like_poisson() -> None:
    forecast = stepped_through(fallback(DAY, 28), np.array([[9]], dtype=np.float32))
    assert forecast.quantiles[0, 0, 7] == pytest.approx(9 + 3 * NormalDist().inv_cdf(0.95))


def test_moving_average_warmed_from_its_context_is_the_carried_one() -> None:
    history = demand_history(10, 200, 25)
    carried = stepped_through(fallback(DAY, 28), history)
    warmed = stepped_through(fallback(DAY, 28), history[-28:], first=172)
    np.testing.assert_array_equal(carried.memory, warmed.memory)
    np.testing.assert_array_equal(carried.quantiles, warmed.quantiles)


def test_bucket_without_stock_leaves_a_moving_average_as_it_was() -> None:
    average = fallback(DAY, 28)
    before = stepped_through(average, demand_history(11, 40, 5))
    none = np.zeros(5, dtype=np.float32)
    after = average.step(bucket_of(none, step=40, available_ratio=none), before.memory)
    np.testing.assert_array_equal(after.memory, before.memory)
    np.testing.assert_array_equal(after.quantiles, before.quantiles)


@pytest.mark.parametrize("window", [0.0, 1.0, 27.0, float("nan")])
def test_moving_average_whose_window_is_not_its_context_is_refused(window: float) -> None:
    spec = ModelSpec("moving_average", DAY, default_grid(), 28, None, {"window_buckets": window})
    with pytest.raises(SpecMismatch, match="window_buckets"):
        MovingAverage("v", spec)


@given(
    horizons=st.sets(st.integers(1, 200), min_size=1, max_size=8),
    levels=st.sets(st.floats(0.001, 0.999), min_size=2, max_size=8),
    demand=st.lists(st.floats(0, 1e9, width=32), min_size=1, max_size=12),
)
def test_moving_average_never_crosses_on_any_grid(horizons: set[int], levels: set[float], demand: list[float]) -> None:
    grid = QuantileGrid(tuple(sorted(horizons)), tuple(sorted(levels)))
    average = MovingAverage("v", ModelSpec("moving_average", DAY, grid, 6, None, {"window_buckets": 6.0}))
    units = stepped_through(average, np.array(demand, dtype=np.float32)[:, None]).quantiles[0]
    assert (units >= 0).all()
    assert (np.diff(units, axis=0) >= 0).all()
    assert (np.diff(units, axis=1) >= 0).all()
