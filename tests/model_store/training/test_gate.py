"""The gate: better than what would serve without the challenger, at dear levels and on the shelf, and why."""

from dataclasses import replace

import numpy as np
import pytest

from model_store.kinds.moving_average import fallback
from model_store.training.evaluate import held_out
from model_store.training.gate import Contest, verdict
from model_store.training.paired import Change
from model_store.training.scoring import TABLE_LEVELS, LeadForecasts
from model_store.training.stock_cost import stock_costs
from model_store.training.trial import Trial
from replenishment.arrays import Float64s
from tests.model_store.training.builders import DAY, history_from, steady

LOWER = Change(-0.2, -0.3, -0.1)


def contest(
    loss: float = 0.4, other: float = 0.5, change: Change | None = LOWER, cost: Change | None = LOWER
) -> Contest:
    return Contest("champion", loss, other, change, cost)


def test_challenger_better_than_all_incumbents_is_accepted_with_a_reason_for_each() -> None:
    decided = verdict([contest(), replace(contest(), incumbent="moving_average_28", change=None, cost=None)])
    assert decided.accepted
    assert decided.reasons == (
        "better than champion: pinball loss 0.4000 against 0.5000 (-20.0 %, 95 % interval -30.0 to -10.0); "
        "simulated cost of stock -20.0 %, 95 % interval -30.0 to -10.0",
        "better than moving_average_28: pinball loss 0.4000 against 0.5000 (-20.0 %)",
    )


def test_challenger_worse_than_one_incumbent_is_refused_and_the_reason_names_it() -> None:
    decided = verdict([contest(0.45, 0.4, Change(0.125, 0.1, 0.2)), replace(contest(), incumbent="moving_average_28")])
    assert not decided.accepted
    assert decided.reasons[0].startswith("not better than champion: pinball loss 0.4500 against 0.4000 (+12.5 %")
    assert decided.reasons[1].startswith("better than moving_average_28")


@pytest.mark.parametrize(("high", "accepted"), [(-0.01, True), (0.01, False), (0.0, False)])
def test_a_loss_that_may_as_well_be_higher_is_refused(high: float, accepted: bool) -> None:
    decided = verdict([contest(change=Change(-0.2, -0.3, high))])
    assert decided.accepted is accepted
    assert decided.reasons[0].startswith("better than" if accepted else "not certainly better than")


@pytest.mark.parametrize(
    ("cost", "accepted"),
    [
        (Change(-0.01, -0.03, 0.015), True),  # perhaps a little dearer
        (Change(0.01, 0.005, 0.015), False),  # a little dearer for certain
        (Change(-0.01, -0.06, 0.04), True),  # few keys: nobody knows
        (Change(0.03, -0.02, 0.08), False),  # dearer, if not for certain
        (Change(0.3, 0.2, 0.4), False),
    ],
)
def test_better_forecasts_that_make_stock_dearer_are_refused(cost: Change, accepted: bool) -> None:
    decided = verdict([contest(cost=cost)])
    assert decided.accepted is accepted
    assert decided.reasons[0].startswith("better than" if accepted else "better forecasts, but dearer stock, than")


def test_challenger_as_good_as_the_champion_is_refused() -> None:
    assert not verdict([contest(0.5, 0.5, None)]).accepted


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_incumbent_without_any_loss_is_never_beaten(loss: float) -> None:
    assert not verdict([contest(loss, 0.0, None, None)]).accepted


def test_challenger_whose_loss_is_no_number_is_refused() -> None:
    assert not verdict([contest(float("nan"), 0.5, None)]).accepted


def test_nobody_is_accepted_without_a_contest() -> None:
    assert not verdict([]).accepted


def says(units: Float64s) -> LeadForecasts:
    """Forecasts (K, T) that are the same at every level."""
    quantiles = np.repeat(units[:, :, None, None], len(TABLE_LEVELS), axis=3)
    return LeadForecasts(quantiles.astype(np.float32), units[:, :, None])


def test_cost_of_stock_is_worked_out_by_hand() -> None:
    # Demand 2, 4 over a lead of one bucket; target 3: one unit is left, then one is lost.
    history = history_from([[9, 2, 4]])
    costs = stock_costs(history, says(np.full((1, 2), 3.0)), 1, lead_place=0, lead_buckets=1, levels=(0.9, 0.95))
    assert costs.tolist() == pytest.approx([((0.1 + 0.9) + (0.05 + 0.95)) / 2])


def test_key_without_a_forecast_has_no_cost() -> None:
    history = history_from([[1, 1, 1], [1, 1, 1]])
    made = says(np.array([[1.0, 1], [np.nan, 1]]))
    costs = stock_costs(history, made, 1, lead_place=0, lead_buckets=1, levels=(0.9,))
    assert np.isnan(costs).tolist() == [False, True]


def test_a_forecaster_against_itself_is_neither_better_nor_dearer() -> None:
    history = steady()
    trial = Trial.of(history, held_out(history.buckets, tuple(range(1, 15))), 0)
    tried = trial.tried(fallback(DAY))
    same = trial.contest(tried, tried)
    assert same.loss == same.incumbent_loss > 0
    assert same.change == same.cost == Change(0, 0, 0)
    assert not verdict([same]).accepted


def test_scores_of_other_forecasts_are_not_comparable() -> None:
    history = steady()
    trial = Trial.of(history, held_out(history.buckets, tuple(range(1, 15))), 0)
    tried = trial.tried(fallback(DAY))
    fewer = replace(tried, forecasts=LeadForecasts(tried.forecasts.quantiles * np.nan, tried.forecasts.mean))
    with pytest.raises(ValueError, match="was not scored on the buckets of the challenger"):
        trial.contest(fewer, tried)
