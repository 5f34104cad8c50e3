"""The quantile surface: read at a horizon, beyond it, between levels and above them."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replenishment.quantiles import ProtectionDemand, QuantileGrid, over

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)


def surface(grid: QuantileGrid, mean: float, deviation: float) -> np.ndarray:
    """Return independent normal buckets as a surface (1, H, Q)."""
    rows = [
        [max(NormalDist(mean * h, deviation * h**0.5).inv_cdf(level), 0) for level in grid.levels]
        for h in grid.horizons_buckets
    ]
    return np.array([rows], dtype=np.float32)


def test_a_grid_horizon_is_read_as_it_is() -> None:
    grid = QuantileGrid((1, 7, 14), LEVELS)
    cumulative = surface(grid, 10, 3)
    assert over(grid, cumulative, np.array([7])).units.tolist() == cumulative[:, 1].tolist()


def test_beyond_the_grid_independent_buckets_stay_independent() -> None:
    grid = QuantileGrid((1, 7, 14), LEVELS)
    far = over(grid, surface(grid, 10, 3), np.array([56])).units[0]
    truth = [NormalDist(560, 3 * 56**0.5).inv_cdf(level) for level in LEVELS]
    assert far == pytest.approx(truth, rel=0.01)


def test_mean_of_a_curve_is_the_mean_of_its_distribution() -> None:
    demand = ProtectionDemand(LEVELS, np.array([[NormalDist(100, 20).inv_cdf(p) for p in LEVELS]]))
    assert demand.mean()[0] == pytest.approx(100, rel=0.01)
    exponential = ProtectionDemand(LEVELS, np.array([[-50 * np.log(1 - p) for p in LEVELS]]))
    assert exponential.mean()[0] == pytest.approx(50, rel=0.03)


def test_the_tail_above_the_highest_level_is_exponential() -> None:
    exponential = ProtectionDemand(LEVELS, np.array([[-50 * np.log(1 - p) for p in LEVELS]]))
    assert exponential.quantile(np.array([0.9999]))[0] == pytest.approx(-50 * np.log(1e-4), rel=1e-6)


@st.composite
def surfaces(draw: st.DrawFn) -> tuple[QuantileGrid, np.ndarray]:
    """Return a grid and a surface that rises in horizon and level."""
    horizons = tuple(sorted(draw(st.sets(st.integers(1, 30), min_size=1, max_size=5))))
    grid = QuantileGrid(horizons, (0.1, 0.5, 0.9, 0.99))
    steps = draw(st.lists(st.floats(0, 100, width=32), min_size=4 * len(horizons), max_size=4 * len(horizons)))
    increments = np.array(steps, dtype=np.float32).reshape(1, len(horizons), 4)
    return grid, increments.cumsum(axis=1).cumsum(axis=2)


@given(made=surfaces(), near=st.integers(1, 60), further=st.integers(0, 30))
def test_quantiles_never_cross_and_never_fall_with_the_horizon(
    made: tuple[QuantileGrid, np.ndarray], near: int, further: int
) -> None:
    grid, cumulative = made
    first = over(grid, cumulative, np.array([near])).units[0]
    second = over(grid, cumulative, np.array([near + further])).units[0]
    slack = 1e-6 * (1 + abs(second).max())
    assert np.all(np.diff(first) >= -slack)
    assert np.all(first >= 0)
    if grid.horizons_buckets[0] <= near and near + further <= grid.horizons_buckets[-1]:
        assert np.all(second >= first - slack)


@given(made=surfaces(), levels=st.lists(st.floats(0.001, 0.9999), min_size=2, max_size=2).map(sorted))
def test_a_higher_level_never_has_a_smaller_quantile(
    made: tuple[QuantileGrid, np.ndarray], levels: list[float]
) -> None:
    grid, cumulative = made
    demand = over(grid, cumulative, np.array([grid.horizons_buckets[0]]))
    low, high = (demand.quantile(np.array([level]))[0] for level in levels)
    assert low <= high + 1e-9


@pytest.mark.parametrize(
    ("horizons", "levels"), [((), (0.1, 0.9)), ((2, 1), (0.1, 0.9)), ((1,), (0.9, 0.1)), ((1,), (0.5, 1.0))]
)
def test_a_grid_that_does_not_rise_cannot_be_built(horizons: tuple[int, ...], levels: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"must|needed"):
        QuantileGrid(horizons, levels)
