"""Intervals between models: they hold the truth as often as they say."""

import numpy as np
import pytest

from model_store.training.paired import change_of, compared
from model_store.training.scoring import TABLE_LEVELS, Actuals, LeadForecasts, scores_of
from replenishment.arrays import Float64s


def actuals_of_ones(demand: Float64s) -> Actuals:
    keys, origins = demand.shape
    return Actuals(
        units=demand[:, :, None],
        is_scored=np.ones((keys, origins, 1), dtype=np.bool_),
        scale=np.ones((keys, 1)),
        has_sum=np.ones((keys, 1), dtype=np.bool_),
        is_established=np.ones(keys, dtype=np.bool_),
    )


def level(value: Float64s) -> LeadForecasts:
    """A model that says the same at every level, (K, O)."""
    quantiles = np.repeat(value[:, :, None, None], len(TABLE_LEVELS), axis=3)
    return LeadForecasts(quantiles.astype(np.float32), value[:, :, None])


def test_change_is_the_ratio_of_losses_worked_out_by_hand() -> None:
    # Demand 10; forecasts 12 and 14 are too high by 2 and 4 units: half the loss.
    actuals = actuals_of_ones(np.full((5, 2), 10.0))
    (found,) = compared(actuals, {"a": level(np.full((5, 2), 12.0)), "b": level(np.full((5, 2), 14.0))}, (7,), 0)
    assert (found.change, found.low, found.high) == pytest.approx((-0.5, -0.5, -0.5))
    assert (found.model, found.against, found.lead, found.keys) == ("a", "b", 7, 5)


def test_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(4), 0
    for seed in range(150):
        demand = rng.gamma(2, 5, (60, 1)) * np.ones((1, 3))
        # Both miss by as much in the mean, each key by its own amount.
        one, other = (level(demand * (1 + rng.exponential(0.3, (60, 1)))) for _ in "ab")
        found = change_of(actuals_of_ones(demand), one, other, seed)
        assert found is not None
        held += found.low <= 0 <= found.high
    assert 0.88 <= held / 150 <= 0.995


def test_keys_are_drawn_whole_so_more_origins_of_a_key_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(5)
    demand = np.full((40, 1), 10.0)
    off = rng.exponential(2, (40, 2))
    widths = []
    for origins in (1, 20):
        came = np.repeat(demand, origins, axis=1)
        one, other = (level(came + off[:, place, None]) for place in (0, 1))
        found = change_of(actuals_of_ones(came), one, other, 0)
        assert found is not None
        widths.append(found.high - found.low)
    assert widths[1] == pytest.approx(widths[0])


def test_forecasts_that_one_model_lacks_are_left_out_of_the_pair() -> None:
    demand = np.full((4, 1), 10.0)
    one, other = level(demand + 1), level(demand + 2)
    other.quantiles[0] = np.nan
    one.quantiles[0] = 1e6
    found = change_of(actuals_of_ones(demand), one, other, 0)
    assert found is not None and found.change == pytest.approx(-0.5)
    scores = scores_of(actuals_of_ones(demand), other, (7,), np.ones((4, 1), dtype=np.bool_))
    assert (scores[7].n, scores[7].missing) == (3, 1)


def test_one_key_has_no_interval() -> None:
    demand = np.full((1, 3), 10.0)
    assert change_of(actuals_of_ones(demand), level(demand + 1), level(demand + 2), 0) is None
