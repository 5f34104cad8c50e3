"""Demand both ways: the same courses backwards, weeks that fit, and nothing known before the first sale."""

import numpy as np
import pytest

from model_store.spec import FeatureSpec, default_features
from model_store.training.history import DemandHistory
from model_store.training.mirror import both_ways
from replenishment.arrays import Int64s
from replenishment.buckets import BucketWidth
from tests.model_store.training.builders import DAY, history_from, steady

WEEK = BucketWidth(7 * 86_400)


def backwards(both: DemandHistory) -> DemandHistory:
    """The part of both ways that is read backwards."""
    return both.of_rows(np.flatnonzero([key.endswith(b"|backwards") for key in both.keys]))


def weekdays(history: DemandHistory) -> Int64s:
    return np.asarray((history.first_bucket + np.arange(history.buckets)) % 7)


def test_backwards_a_key_begins_with_its_last_sale_and_ends_unknown_before_its_first() -> None:
    # forwards     .  3  0  5  0      born in column 1
    # backwards    0  5  0  3  ?      born in column 1
    both = both_ways(history_from([[0, 3, 0, 5, 0]], born=[1], width=WEEK), FeatureSpec())
    turned = backwards(both)
    assert len(both.keys) == 2
    assert turned.demand_units.tolist() == [[0, 5, 0, 3, 0]]
    assert turned.born.tolist() == [1]
    assert turned.available_ratio.tolist() == [[1, 1, 1, 1, 0]]


def test_shown_forwards_demand_is_as_it_was() -> None:
    history = steady()
    both = both_ways(history, default_features(DAY))
    ahead = history.first_bucket - both.first_bucket
    rows = [both.keys.index(key) for key in history.keys]
    assert 0 <= ahead < 7
    np.testing.assert_array_equal(both.demand_units[rows, ahead:], history.demand_units)
    np.testing.assert_array_equal(both.born[rows], history.born + ahead)


@pytest.mark.parametrize("closed", [(), (5,), (5, 6), (0, 2)])
def test_closed_weekdays_stay_closed_backwards(closed: tuple[int, ...]) -> None:
    days = np.ones((2, 72))
    forwards = history_from(days)
    days[:, np.isin(weekdays(forwards), closed)] = 0
    turned = backwards(both_ways(history_from(days), default_features(DAY, closed)))
    sold = turned.demand_units[0, turned.born[0] :] > 0
    known = turned.available_ratio[0, turned.born[0] :] > 0
    np.testing.assert_array_equal(sold[known], ~np.isin(weekdays(turned)[turned.born[0] :], closed)[known])


def test_best_weekday_stays_the_best_backwards() -> None:
    forwards = history_from(np.ones((1, 71)))
    turned = backwards(both_ways(history_from(1 + 4.0 * (weekdays(forwards) == 3)[None]), default_features(DAY)))
    assert set(weekdays(turned)[turned.demand_units[0] == 5].tolist()) == {3}


@pytest.mark.parametrize(
    ("width", "closed"), [(DAY, (0, 1, 3)), (BucketWidth(3_600), ())], ids=["no mirror of closed days", "hours"]
)
def test_week_or_day_that_has_no_mirror_is_shown_forwards_only(width: BucketWidth, closed: tuple[int, ...]) -> None:
    history = history_from(np.ones((2, 60)), width=width)
    assert both_ways(history, default_features(width, closed)) is history


def test_key_that_never_sold_is_not_shown_backwards() -> None:
    both = both_ways(history_from([[1] * 60, [0] * 60]), FeatureSpec())
    assert len(both.keys) == 3


def test_of_the_latest_buckets_alone_the_rest_is_not_read_backwards() -> None:
    # forwards     7  0  3  0  5
    # backwards    .  .  5  0  3      in the place of the last three
    both = both_ways(history_from([[7, 0, 3, 0, 5]], width=WEEK), FeatureSpec(), 3)
    turned = backwards(both)
    assert both.demand_units[both.keys.index(b"main|sku-0")].tolist() == [7, 0, 3, 0, 5]
    assert turned.demand_units.tolist() == [[0, 0, 5, 0, 3]]
    assert turned.born.tolist() == [2]


def test_best_weekday_stays_the_best_in_the_latest_buckets_backwards() -> None:
    forwards = history_from(np.ones((1, 71)))
    units = 1 + 4.0 * (weekdays(forwards) == 3)[None]
    turned = backwards(both_ways(history_from(units), default_features(DAY), 30))
    assert set(weekdays(turned)[turned.demand_units[0] == 5].tolist()) == {3}
