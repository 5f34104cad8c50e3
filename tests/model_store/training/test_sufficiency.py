"""What is too little to learn from, said in one sentence with what to do."""

import numpy as np
import pytest

from model_store.spec import default_grid
from model_store.training.errors import UnusableHistory
from model_store.training.evaluate import held_out
from model_store.training.history import DemandHistory
from model_store.training.sufficiency import require_enough
from tests.model_store.training.builders import history_from, steady


def require(history: DemandHistory) -> None:
    require_enough(history, held_out(history.buckets, default_grid().horizons_buckets))


@pytest.mark.parametrize(
    ("history", "message"),
    [
        (history_from(np.ones((9, 41))), "has 41 buckets of 86400 s.*needs 42.*Train again from 2011-03-13T00:00Z on"),
        (
            history_from(np.zeros((9, 60))),
            "all demand before .* is zero .9 stock keys, 46 buckets.*Check the quantities",
        ),
        (history_from([[3.0] * 200]), "there is one stock key before .*, main.sku-0, .*Read more SKUs"),
        (history_from(np.eye(60, 80)), "only 60 buckets before .* have demand, 100 are needed.*Read more SKUs"),
    ],
    ids=["too short", "all zeros", "one SKU", "hardly any sales"],
)
def test_history_that_is_too_little_is_refused_with_what_to_do(history: DemandHistory, message: str) -> None:
    with pytest.raises(UnusableHistory, match=message):
        require(history)


def test_demand_that_begins_only_in_the_buckets_held_out_is_none_to_learn_from() -> None:
    units = np.zeros((9, 60), dtype=np.float32)
    units[:, 46:] = 5
    with pytest.raises(UnusableHistory, match="all demand before"):
        require(history_from(units))


def test_three_horizons_of_a_few_steady_keys_are_enough() -> None:
    require(history_from(np.ones((4, 42))))
    require(steady())
