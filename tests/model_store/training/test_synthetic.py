"""Generated demand: repeatable, within the laws of a history, and as mixed as shops are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model_store.training.synthetic import generate
from tests.model_store.training.builders import FIRST_BUCKET


@given(st.integers(1, 90), st.integers(8, 200), st.integers(0, 2**31))
def test_generated_demand_keeps_the_laws_of_a_history(keys: int, buckets: int, seed: int) -> None:
    history = generate(keys, FIRST_BUCKET, buckets, seed)
    units, lines, ratio = history.demand_units, history.order_lines, history.available_ratio
    assert units.shape == (keys, buckets)
    assert len(set(history.keys)) == keys
    assert np.array_equal(units, np.rint(units))
    assert np.array_equal(units > 0, lines > 0)
    assert (units >= lines).all()
    unborn = np.arange(buckets) < history.born[:, None]
    assert not units[unborn].any()
    assert (units[np.arange(keys), history.born] > 0).all(), "a key is born with its first sale"
    assert set(np.unique(ratio)) <= {0.0, 1.0}
    assert not units[ratio == 0].any(), "what is sold out does not sell"
    assert (ratio[unborn] == 1).all()


def test_same_seed_gives_the_same_demand_and_another_seed_another() -> None:
    first, again, other = (generate(50, FIRST_BUCKET, 100, seed) for seed in (4, 4, 5))
    assert np.array_equal(first.demand_units, again.demand_units)
    assert np.array_equal(first.available_ratio, again.available_ratio)
    assert not np.array_equal(first.demand_units, other.demand_units)


def test_generated_shops_are_mixed_from_silent_to_busy_and_from_single_pieces_to_cases() -> None:
    history = generate(1_000, FIRST_BUCKET, 400, 0)
    mean = history.demand_units.mean(axis=1)
    assert np.quantile(mean, 0.1) < 0.2
    assert np.quantile(mean, 0.9) > 5
    assert 0.4 < (history.demand_units == 0).mean() < 0.9
    assert 0.5 < (history.born == 0).mean() < 0.8
    assert 0.0001 < (history.available_ratio == 0).mean() < 0.05
    lots = [np.gcd.reduce(row[row > 0].astype(int)) for row in history.demand_units]
    assert {1, 2, 6, 12, 24} <= set(lots)


def test_some_generated_shops_never_sell_on_a_weekday_and_others_always_do() -> None:
    history = generate(400, FIRST_BUCKET, 210, 1)
    weekday = (FIRST_BUCKET + np.arange(210)) % 7
    # Of a SKU that sells nearly every day, a whole silent weekday is a closed day; the day of birth is always one.
    busy = np.flatnonzero((history.demand_units > 0).mean(axis=1) > 0.6)
    sold = np.stack([(history.demand_units[busy][:, weekday == day] > 0).mean(axis=1) for day in range(7)], axis=1)
    has_closed_day = (sold < 0.05).any(axis=1)
    assert 0.1 < has_closed_day.mean() < 0.9
