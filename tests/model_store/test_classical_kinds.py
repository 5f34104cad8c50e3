"""Classical kinds mean what their sources say: worked out by hand, by plain loops, or by drawing."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.errors import SpecMismatch
from model_store.kinds.counts import surface
from model_store.kinds.exponential_smoothing import ExponentialSmoothing
from model_store.kinds.seasonal_least_squares import build
from model_store.kinds.tsb import Tsb
from replenishment.forecaster import Forecaster
from replenishment.quantiles import QuantileGrid
from tests.contracts.forecaster_contract import bucket_of, demand_history, stepped_through
from tests.model_store import classical

GRID = QuantileGrid((1, 4), (0.1, 0.5, 0.9, 0.99))
EVERY = [
    classical.exponential_smoothing,
    classical.tsb,
    classical.seasonal_naive,
    classical.seasonal_least_squares,
]


@pytest.mark.parametrize(("mean", "ratio"), [(0.3, 1.2), (0.05, 8.0), (3.0, 2.0), (12.0, 30.0), (150.0, 3.0)])
def test_count_quantiles_are_those_of_a_drawn_negative_binomial(mean: float, ratio: float) -> None:
    rng = np.random.default_rng(1)
    shape, scale = mean / (ratio - 1), ratio - 1
    drawn = rng.poisson(rng.gamma(shape, scale, (200_000, 4)))
    found = surface(GRID, np.array([mean]), np.array([mean * ratio]))[0]
    for row, sums in enumerate((drawn[:, 0], drawn.sum(axis=1))):
        for column, level in enumerate(GRID.levels):
            low, high = np.quantile(sums, [level - 0.004, min(level + 0.004, 1)])
            assert low - 0.6 - 0.03 * low <= found[row, column] <= high + 0.6 + 0.03 * high, (row, level)


def test_count_quantiles_of_large_demand_are_normal() -> None:
    found = surface(GRID, np.array([50_000.0]), np.array([5e7]))[0, 0]
    deviation = [(one - 50_000) / 5e7**0.5 for one in found.tolist()]
    wanted = [NormalDist().inv_cdf(level) for level in GRID.levels]
    assert deviation == pytest.approx(wanted, abs=0.25)


@given(
    mean=st.lists(st.floats(0, 1e9), min_size=1, max_size=5),
    ratio=st.floats(0, 1e9),
    horizons=st.sets(st.integers(1, 300), min_size=1, max_size=6),
    levels=st.sets(st.sampled_from([0.01, 0.5, 0.9, 0.995]), min_size=2),
)
def test_count_quantiles_are_finite_and_never_cross(
    mean: list[float], ratio: float, horizons: set[int], levels: set[float]
) -> None:
    grid = QuantileGrid(tuple(sorted(horizons)), tuple(sorted(levels)))
    units = surface(grid, np.array(mean), np.array(mean) * ratio)
    assert np.isfinite(units).all() and (units >= 0).all()
    assert (np.diff(units, axis=1) >= 0).all() and (np.diff(units, axis=2) >= 0).all()


@pytest.mark.parametrize("build_one", EVERY, ids=lambda one: one.__name__)
def test_demand_that_never_changes_is_forecast_as_it_is(build_one: type[Forecaster]) -> None:
    forecast = stepped_through(build_one(), np.full((60, 1), 8, dtype=np.float32))
    median = forecast.quantiles[0, :, 2]
    # A count distribution has at least the spread of Poisson, whose median is within one unit of its mean.
    assert median == pytest.approx([8 * horizon for horizon in range(1, 15)], abs=1.0)


def test_exponential_smoothing_is_the_recursion_of_the_textbook() -> None:
    history = demand_history(2, 80, 6)
    level = history[0].astype(np.float64)
    for place, units in enumerate(history[1:], 2):
        level += max(0.1, 1 / place) * (units - level)
    forecast = stepped_through(classical.exponential_smoothing(0.1), history)
    np.testing.assert_allclose(forecast.quantiles[:, 6, 2], 7 * level, rtol=1e-4, atol=1e-5)


def test_exponential_smoothing_spreads_more_than_independent_buckets() -> None:
    rng = np.random.default_rng(3)
    forecast = stepped_through(classical.exponential_smoothing(0.2), rng.poisson(50, (300, 400)).astype(np.float32))
    spread = forecast.quantiles[:, :, 7] - forecast.quantiles[:, :, 2]
    ratio = float((spread[:, 13] / spread[:, 0]).mean())
    assert ratio == pytest.approx(np.sqrt(14 * (1 + 0.2 * 13 + 0.04 * 13 * 27 / 6)), rel=1e-3)


def test_tsb_is_the_recursion_of_the_paper() -> None:
    history = demand_history(4, 90, 8)
    probability, size, sales = np.zeros(8), np.zeros(8), np.zeros(8)
    for place, units in enumerate(history, 1):
        sold = units > 0
        sales += sold
        probability += max(0.1, 1 / place) * (sold - probability)
        size += sold * np.maximum(0.1, 1 / np.maximum(sales, 1)) * (units - size)
    memory = stepped_through(classical.tsb(0.1), history).memory
    np.testing.assert_allclose(memory[:, 0], probability, rtol=1e-4)
    np.testing.assert_allclose(memory[:, 1], size, rtol=1e-4)


def test_tsb_forgets_a_sku_that_died_and_a_larger_spread_widens_it() -> None:
    died = np.concatenate([np.full((60, 1), 5), np.zeros((120, 1))]).astype(np.float32)
    assert stepped_through(classical.tsb(0.1), died).quantiles[0, 13, -1] == 0
    alive = demand_history(5, 60, 40)
    alive = alive[:, alive.mean(axis=0) > 1]
    narrow, wide = (stepped_through(classical.tsb(0.1, spread), alive).quantiles for spread in (1.0, 4.0))
    assert (wide[:, :, -1] >= narrow[:, :, -1]).all()
    assert (wide[:, 6, -1] > narrow[:, 6, -1]).mean() > 0.8


@pytest.mark.parametrize("seasons", [1, 2])
def test_seasonal_naive_repeats_the_mean_of_the_last_weeks(seasons: int) -> None:
    week = np.array([70, 10, 20, 30, 40, 50, 60], dtype=np.float32)
    history = np.concatenate([week + 10 * number for number in range(6)])[:, None]
    forecast = stepped_through(classical.seasonal_naive(7, seasons), history)
    expected = np.cumsum(np.tile(week + 50 - 5 * (seasons - 1), 2))
    np.testing.assert_allclose(forecast.quantiles[0, :, 2], expected, rtol=0.03)


def test_weights_of_lags_are_iterated_ahead() -> None:
    weights = np.array([0.5, 0.2, 0.3])
    history = np.array([[90], [30], [60]], dtype=np.float32)
    ahead = [90.0, 30.0, 60.0]
    for _ in range(14):
        ahead.append(float(weights @ ahead[-1:-4:-1]))
    forecast = stepped_through(classical.seasonal_least_squares(tuple(weights.tolist()), 0.001), history)
    np.testing.assert_allclose(forecast.quantiles[0, :, 2], np.cumsum(ahead[3:]), rtol=0.01)


def test_bucket_that_could_not_be_sold_in_counts_as_it_was_forecast() -> None:
    week = np.tile(np.array([70, 10, 20, 30, 40, 50, 60], dtype=np.float32), 4)[:, None]
    naive = classical.seasonal_naive(7, 1)
    memory = stepped_through(naive, week).memory
    none = np.zeros(1, dtype=np.float32)
    out = naive.step(bucket_of(none, step=28, available_ratio=none), memory)
    sold = naive.step(bucket_of(none + 70, step=28), memory)
    np.testing.assert_array_equal(out.memory[:, :7], sold.memory[:, :7])


@pytest.mark.parametrize("gain", [0.0, -0.1, 1.1, float("nan")])
def test_gain_outside_of_its_range_is_refused(gain: float) -> None:
    with pytest.raises(SpecMismatch, match="gain is"):
        ExponentialSmoothing("v", classical.spec("exponential_smoothing", 112, gain=gain))
    with pytest.raises(SpecMismatch, match="size_gain is"):
        Tsb("v", classical.spec("tsb", 112, probability_gain=0.1, size_gain=gain, spread=1.0))


def test_weights_that_are_missing_or_do_not_add_up_are_refused() -> None:
    with pytest.raises(SpecMismatch, match="weight_0002 is missing"):
        build("v", classical.spec("seasonal_least_squares", 2, weight_0001=1.0, spread=1.0))
    with pytest.raises(SpecMismatch, match=r"add up to 0\.9"):
        classical.seasonal_least_squares((0.5, 0.4))
