"""Public holidays as something known ahead: found by country, off where they came once, and carried by the version."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from model_store.training.bucketing import AnchoredGrid
from model_store.training.errors import UnusableHistory
from model_store.training.inputs import features_of, inputs_of
from model_store.training.plan import grid_for
from model_store.training.public_holidays import chosen, holidays_of, with_holidays
from replenishment.buckets import BucketWidth
from tests.model_store.training.builders import history_from

DAY = BucketWidth(86_400)
GRID = AnchoredGrid(DAY)
LONG = history_from(np.ones((2, 800)))


def test_holidays_of_a_country_and_of_a_part_of_it() -> None:
    whole = holidays_of("GB", date(2011, 1, 1), date(2012, 12, 31))
    assert whole["Christmas Day"] == [date(2011, 12, 25), date(2012, 12, 25)]
    assert "Saint Andrew's Day" in holidays_of("GB-SCT", date(2011, 1, 1), date(2011, 12, 31))


@pytest.mark.parametrize("code", ["XX", "GB-ZZZ", "", "-"])
def test_a_country_that_is_not_known_is_refused_in_a_sentence(code: str) -> None:
    with pytest.raises(UnusableHistory, match="ISO 3166"):
        holidays_of(code, date(2011, 1, 1), date(2012, 1, 1))


def test_a_holiday_that_came_once_is_off_and_the_reason_is_told() -> None:
    dates = {"often": [date(2011, 5, 1), date(2012, 5, 1), date(2013, 5, 1)], "once": [date(2011, 12, 25)]}
    found = chosen(dates, "XY", date(2011, 1, 1), date(2012, 12, 31))
    assert found.dates == tuple(dates["often"])
    assert found.said == "holidays of XY: 1 are used; 1 are off since they came once only: once"
    assert "off: none came twice" in chosen(dates, "XY", date(2011, 1, 1), date(2011, 12, 31)).said


def test_a_short_history_reads_no_holidays() -> None:
    short = history_from(np.ones((2, 200)))
    history, said = with_holidays(short, "GB", 200, GRID, 14)
    assert history.plans is None
    assert "Learn from a longer history" in said


def test_a_net_is_shown_the_holidays_ahead_of_it() -> None:
    history, _ = with_holidays(LONG, "GB", 800, GRID, 14)
    spec = features_of(history, grid_for((2,)))
    assert spec.signals
    assert spec.signals.known_ahead == ("holiday",)
    christmas = DAY.bucket_at(1_324_771_200_000) - history.first_bucket
    shown = inputs_of(history, spec).signals[0]
    assert shown[christmas - 1, -2] == 1
    assert shown[christmas - 2, -1] == 1
    assert shown[christmas - 9, -2:].tolist() == [0, 0]


def test_a_moved_grid_finds_the_same_holidays() -> None:
    week = BucketWidth(7 * 86_400)
    found = set()
    for moved_days in (0, 5):
        grid = AnchoredGrid(week, moved_days * 86_400_000)
        history = replace(history_from(np.ones((2, 120)), width=week), first_bucket=2_100)  # spring of 2010
        known, _ = with_holidays(history, "GB", 120, grid, 4)
        assert known.plans is not None
        found |= {date.fromisoformat(text) + timedelta(days=moved_days) for text in known.plans.holidays}
    assert date(2011, 12, 25) in found
    assert date(2011, 12, 20) not in found
