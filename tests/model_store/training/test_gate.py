"""The gate: better than everything that would serve without the challenger, and why."""

from dataclasses import replace

import pytest

from model_store.training.evaluate import LeadScore, Scores
from model_store.training.gate import verdict


def scores(spb_7: float, spb_14: float, n: int = 100) -> Scores:
    one = LeadScore(spb=spb_7, wpb=0.2, wape=0.5, bias=0.0, coverage={0.95: 0.95}, n=n)
    return {7: one, 14: replace(one, spb=spb_14)}


def test_challenger_better_than_all_incumbents_is_accepted_with_a_reason_for_each() -> None:
    decided = verdict(scores(0.4, 0.5), {"champion": scores(0.5, 0.5), "moving_average_28": scores(0.6, 0.6)})
    assert decided.accepted
    assert decided.reasons == (
        "better than champion: scaled pinball loss 0.4500 against 0.5000 (-10.0 %)",
        "better than moving_average_28: scaled pinball loss 0.4500 against 0.6000 (-25.0 %)",
    )


def test_challenger_worse_than_one_incumbent_is_refused_and_the_reason_names_it() -> None:
    decided = verdict(scores(0.4, 0.5), {"champion": scores(0.4, 0.4), "moving_average_28": scores(0.6, 0.6)})
    assert not decided.accepted
    assert decided.reasons[0] == "not better than champion: scaled pinball loss 0.4500 against 0.4000 (+12.5 %)"
    assert decided.reasons[1].startswith("better than moving_average_28")


def test_challenger_as_good_as_the_champion_is_refused() -> None:
    assert not verdict(scores(0.4, 0.5), {"champion": scores(0.5, 0.4)}).accepted


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_incumbent_without_any_loss_is_never_beaten(loss: float) -> None:
    assert not verdict(scores(loss, loss), {"oracle": scores(0, 0)}).accepted


def test_challenger_whose_loss_is_no_number_is_refused() -> None:
    assert not verdict(scores(float("nan"), 0.5), {"champion": scores(0.5, 0.4)}).accepted


def test_scores_of_other_forecasts_are_not_comparable() -> None:
    with pytest.raises(ValueError, match="champion was not scored on the buckets of the challenger"):
        verdict(scores(0.4, 0.5), {"champion": scores(0.5, 0.5, n=99)})
