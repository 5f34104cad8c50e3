"""Rolling-origin evaluation: an oracle scores zero, a shifted one does not, and nobody sees what it forecasts."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.kinds.moving_average import fallback
from model_store.spec import default_grid
from model_store.training.evaluate import (
    ESTABLISHED_BUCKETS,
    LEVELS,
    Origins,
    evaluate,
    forecasts,
    held_out,
    mean_spb,
    rows_of,
)
from model_store.training.history import DemandHistory
from replenishment.arrays import Float32s
from replenishment.forecaster import ClosedBucket, Forecast, Forecaster
from replenishment.quantiles import QuantileGrid
from tests.model_store.training.builders import DAY, FIRST_BUCKET, generated, history_from, steady

GRID = QuantileGrid((1, 2, 3, 7), (0.1, 0.5, 0.9, 0.99))
ORIGINS = Origins((100, 107, 114), (3, 7))


@dataclass
class Oracle:
    """Knows the demand to come, ``shift_buckets`` too early or late, ``surplus_units`` too high; notes what it is fed.

    ``shift_buckets`` of -1 repeats what just came as if it were still to come.
    """

    history: DemandHistory
    shift_buckets: int = 0
    surplus_units: float = 0.0
    context_buckets: int = 28
    fed: list[int] = field(default_factory=list)
    version: str = "oracle"
    grid: QuantileGrid = GRID
    memory_floats: int = 1

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        """Forecast the demand that comes, at every level."""
        self.fed.append(closed.bucket - FIRST_BUCKET)
        next_column = self.fed[-1] + 1 + self.shift_buckets
        units = self.history.demand_units[: len(memory)]
        sums = [units[:, next_column : next_column + horizon].sum(axis=1) for horizon in self.grid.horizons_buckets]
        surface = np.stack(sums, axis=1)[:, :, None] + self.surplus_units
        return Forecast(np.repeat(surface, len(self.grid.levels), axis=2).astype(np.float32), memory + 1)


def test_perfect_forecaster_scores_zero() -> None:
    history = history_from(steady().demand_units, born=steady().born.tolist())
    for score in evaluate(Oracle(history), history, ORIGINS).values():
        assert (score.spb, score.wpb, score.wape) == (0, 0, 0)
        assert score.bias == pytest.approx(0, abs=1e-6)
        assert score.coverage == dict.fromkeys(LEVELS, 1.0)
        assert score.n == 3 * history.born_by(100 - ESTABLISHED_BUCKETS)


@pytest.mark.parametrize("shift", [-1, 1])
def test_forecast_that_is_one_bucket_off_is_off_by_one_bucket_of_a_rising_demand(shift: int) -> None:
    # Demand is t: shifting the sum over h buckets by one changes it by exactly h.
    history = history_from(np.stack([np.arange(130), np.arange(130)]))
    for lead, score in evaluate(Oracle(history, shift_buckets=shift), history, ORIGINS).items():
        demanded = sum(sum(range(origin, origin + lead)) for origin in ORIGINS.columns)
        assert score.wape == pytest.approx(3 * lead / demanded)
        assert score.bias == pytest.approx(shift * 3 * lead / demanded, rel=1e-4)
        assert score.coverage[0.5] == (1.0 if shift > 0 else 0.0)
        assert score.spb > 0


def test_scores_are_pinball_losses_as_worked_out_by_hand() -> None:
    # Two keys sell 2 and 10 a bucket, and every level is forecast 4 units too high over each lead.
    history = history_from([[2.0] * 130, [10.0] * 130])
    for lead, score in evaluate(Oracle(history, surplus_units=4.0), history, ORIGINS).items():
        losses = np.mean([(1 - level) * 4.0 for level in LEVELS])
        assert score.spb == pytest.approx(losses * (1 / (2 * lead) + 1 / (10 * lead)) / 2)
        assert score.wpb == pytest.approx(losses * 2 / (12 * lead))
        assert score.wape == pytest.approx(8 / (12 * lead))
        assert score.bias == pytest.approx(8 / (12 * lead))
        assert score.n == 6


@given(st.integers(60, 110), st.integers(0, 2**16))
def test_bucket_from_the_origin_on_changes_no_forecast_made_there(origin: int, seed: int) -> None:
    units = steady().demand_units.copy()
    units[:, origin:] = np.random.default_rng(seed).poisson(50, units[:, origin:].shape)
    other = history_from(units, born=steady().born.tolist())
    same = history_from(steady().demand_units, born=steady().born.tolist())
    columns = Origins((origin,), (1,))
    ((_, seen),) = forecasts(fallback(DAY), same, columns)
    ((_, changed),) = forecasts(fallback(DAY), other, columns)
    np.testing.assert_array_equal(seen, changed)


def test_forecaster_is_warmed_by_its_context_and_fed_each_bucket_once_up_to_the_last_origin() -> None:
    oracle = Oracle(steady())
    at = [column for column, _ in forecasts(oracle, steady(), ORIGINS)]
    assert at == list(ORIGINS.columns)
    assert oracle.fed == list(range(100 - 28, 114))


def test_key_without_sixty_buckets_of_history_is_not_scored_unless_there_are_no_others() -> None:
    history = history_from(np.ones((3, 130)), born=[0, 40, 41])
    assert evaluate(Oracle(history), history, ORIGINS)[7].n == 2 * 3
    young = history_from(np.ones((2, 130)), born=[50, 60])
    assert evaluate(Oracle(young), young, ORIGINS)[7].n == 2 * 3


def test_demand_of_which_a_bucket_is_unknown_is_not_scored() -> None:
    # Origin 100 forecasts 100 to 102 and 100 to 106; of key 0 nothing is known in 104.
    history = history_from(np.ones((2, 130)), missing=[(0, 104)])
    scores = evaluate(Oracle(history), history, ORIGINS)
    assert (scores[3].n, scores[7].n) == (6, 5)


def test_quantiles_that_mean_what_they_say_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    history = history_from(rng.poisson(30, (400, 130)).astype(np.float32))
    coverage = evaluate(fallback(DAY), history, ORIGINS)[7].coverage
    for level, share in coverage.items():
        assert share == pytest.approx(level, abs=0.06), level


def test_lead_that_reaches_behind_the_history_is_refused() -> None:
    with pytest.raises(ValueError, match="forecasts reach bucket 121 of 120"):
        evaluate(Oracle(steady()), steady().until(120), ORIGINS)


@pytest.mark.parametrize(("columns", "leads"), [((), (7,)), ((5,), ()), ((7, 7), (7,)), ((0,), (7,)), ((9, 3), (7,))])
def test_origins_that_do_not_rise_from_one_cannot_be_built(columns: tuple[int, ...], leads: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must rise"):
        Origins(columns, leads)


@given(st.integers(42, 5000), st.integers(1, 14))
def test_held_out_buckets_are_the_last_ones_and_at_most_a_quarter(buckets: int, longest: int) -> None:
    origins = held_out(buckets, tuple(range(1, longest + 1)))
    assert origins.end == buckets
    assert origins.leads[-1] == longest
    assert 1 <= len(origins.columns) <= 4
    assert len(origins.columns) == 1 or buckets - origins.columns[0] <= buckets / 4


def test_figures_are_named_by_lead_and_level() -> None:
    figures = rows_of(evaluate(Oracle(steady(), surplus_units=1.0), steady(), ORIGINS))
    assert {"spb_3", "wpb_7", "wape_3", "bias_7", "coverage_7_95", "coverage_3_50"} <= figures.keys()
    assert len(figures) == 2 * (4 + len(LEVELS))


def test_moving_average_beats_a_forecaster_that_says_nothing_will_sell() -> None:
    @dataclass
    class Nothing(Oracle):
        def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
            return Forecast(super().step(closed, memory).quantiles * np.float32(0), memory)

    history = generated(200, 150)
    origins = held_out(150, default_grid().horizons_buckets)
    nothing: Forecaster = Nothing(history)
    assert mean_spb(evaluate(fallback(DAY), history, origins)) < mean_spb(evaluate(nothing, history, origins))
