"""Sequences: inputs of the past only, targets summed over the next buckets, and where there is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.features import FeatureState, features, fresh_memory, observe
from model_store.spec import FeatureSpec, default_features
from model_store.training.dataset import (
    CLIP,
    SCORED_PLACES,
    SETTLING_BUCKETS,
    UNSCORED_BUCKETS,
    Batch,
    Sequences,
    sequences,
)
from model_store.training.history import DemandHistory
from model_store.training.inputs import closed_weekdays
from replenishment.arrays import Bools, Float32s, Float64s, Int64s
from replenishment.buckets import BucketWidth
from replenishment.quantiles import QuantileGrid
from tests.model_store.training.builders import DAY, FIRST_BUCKET, generated, history_from, steady

GRID = QuantileGrid((1, 2, 7, 14), (0.1, 0.5, 0.9))
SPEC = default_features(DAY, (5,))


def made(history: DemandHistory, spec: FeatureSpec = SPEC, seed: int = 0) -> Sequences:
    return sequences(history, spec, GRID, seed)


def whole(history: DemandHistory) -> Batch:
    """One window of each key, from birth on."""
    one = made(history)
    return one.batch(np.arange(len(history.keys)), history.born, np.arange(one.window_buckets))


def unclipped(one: Sequences) -> tuple[Float64s, Bools]:
    """Raw own inputs (K, T, O), and where clipping left them as they were."""
    own = SPEC.demand_inputs
    inverse = one.standardisation.inverse_deviation[:own].astype(np.float64)
    raw = one.own / np.where(inverse > 0, inverse, 1) + one.standardisation.mean[:own]
    return raw, (np.abs(one.own) < CLIP) & (inverse > 0)


def with_other_future(history: DemandHistory, column: int, seed: int) -> DemandHistory:
    """The same demand before a column, and another one from it on."""
    units = history.demand_units.copy()
    units[:, column:] = np.random.default_rng(seed).poisson(9, units[:, column:].shape)
    units[np.arange(units.shape[1]) < history.born[:, None]] = 0
    return history_from(units, born=history.born.tolist())


@given(st.integers(30, 120), st.integers(0, 2**16))
def test_no_bucket_to_come_changes_an_input_a_scale_or_a_target_that_ended_before(column: int, seed: int) -> None:
    # bucket   0 ... column - 1 | column ... T - 1
    # demand   the same         | another
    history = history_from(steady().demand_units, born=steady().born.tolist())
    other = with_other_future(history, column, seed)
    one, changed = made(history), made(other)
    assert not np.array_equal(one.own, changed.own)
    np.testing.assert_array_equal(one.scale[:, :column], changed.scale[:, :column])
    (raw, is_plain), (changed_raw, is_plain_too) = unclipped(one), unclipped(changed)
    compared = (is_plain & is_plain_too)[:, :column] & (np.arange(column) >= history.born[:, None])[..., None]
    assert compared.mean() > 0.4
    np.testing.assert_allclose(raw[:, :column][compared], changed_raw[:, :column][compared], atol=2e-4)
    rows = history.born == 0
    places = np.arange(one.window_buckets)
    batch, changed_batch = (seen.batch(np.flatnonzero(rows), history.born[rows], places) for seen in (one, changed))
    for place, horizon in enumerate(GRID.horizons_buckets):
        ended = slice(0, column - horizon)
        np.testing.assert_array_equal(batch.targets[:, ended, place], changed_batch.targets[:, ended, place])
        np.testing.assert_array_equal(batch.weights[:, ended, place], changed_batch.weights[:, ended, place])


def test_inputs_are_those_that_serving_makes_from_birth_on_and_zero_before() -> None:
    history = steady()
    one = made(history)
    late = int(np.flatnonzero(history.born > 20)[0])
    born = int(history.born[late])
    memory = fresh_memory(SPEC, late + 1)
    for column in range(born + 5):
        closed = history.closed(column)
        rows = min(len(closed.demand_units), late + 1)
        served = history.of_rows(np.arange(rows)).closed(column)
        state = FeatureState.view(SPEC, memory[:rows])
        observe(SPEC, state, served)
        inputs = one.standardisation.applied(features(SPEC, state, served))
    np.testing.assert_allclose(one.own[late, born + 4], inputs[late, : SPEC.demand_inputs], atol=1e-5)
    np.testing.assert_allclose(one.calendar[born + 4], inputs[late, SPEC.demand_inputs :], atol=1e-5)
    assert one.scale[late, born + 4] == state.scale[late]
    assert not one.own[late, :born].any()


def test_target_is_demand_summed_over_the_next_buckets_in_units_of_scale_per_bucket() -> None:
    # bucket    0  1  2  3  4 ...
    # demand    0  1  2  3  4 ...
    # target of horizon 2 at bucket 3:  ^-^ the two after it = 4 + 5
    history = history_from(np.stack([np.arange(60), np.arange(60) % 5]))
    batch, scale = whole(history), made(history).scale
    for place, horizon in enumerate(GRID.horizons_buckets):
        for column in range(60 - horizon):
            summed = history.demand_units[:, column + 1 : column + 1 + horizon].sum(axis=1)
            np.testing.assert_allclose(
                batch.targets[:, column, place], summed / (scale[:, column] * horizon), rtol=1e-6
            )


def test_target_weighs_its_horizon_times_the_root_of_the_scale_from_the_end_of_settling_to_the_last_whole_target() -> (
    None
):
    history = history_from([[3.0] * 50, [0.0] * 10 + [40.0] * 40], born=[0, 10])
    one = made(history)
    batch = one.batch(np.array([0, 1]), history.born, np.arange(one.window_buckets))
    for row, born in enumerate((0, 10)):
        for place, horizon in enumerate(GRID.horizons_buckets):
            columns = born + np.arange(one.window_buckets)
            scored = (columns >= born + SETTLING_BUCKETS) & (columns + horizon <= 49)
            wanted = np.where(scored, horizon * np.sqrt(one.scale[row, np.minimum(columns, 49)]), 0)
            np.testing.assert_allclose(batch.weights[row, :, place], wanted, rtol=1e-6)


def test_window_that_begins_in_the_middle_of_a_life_is_not_scored_before_its_state_has_settled() -> None:
    history = generated(4, 230)
    one = made(history)
    row = int(np.flatnonzero(history.born == 0)[0])
    every = np.arange(one.window_buckets)
    scored = one.batch(np.array([row]), np.array([40]), every).weights[0].any(axis=1)
    assert not scored[:UNSCORED_BUCKETS].any()
    assert scored[UNSCORED_BUCKETS : one.window_buckets].all()


def test_target_over_a_bucket_of_which_nothing_is_known_is_not_scored() -> None:
    history = history_from([[2.0] * 60], missing=[(0, 30)])
    batch = whole(history)
    for place, horizon in enumerate(GRID.horizons_buckets):
        unscored = np.flatnonzero(batch.weights[0, SETTLING_BUCKETS : 60 - horizon, place] == 0) + SETTLING_BUCKETS
        assert unscored.tolist() == list(range(30 - horizon, 30))


def test_input_that_never_varies_is_zero_rather_than_infinite() -> None:
    one = made(history_from([[2.0] * 60] * 3))
    assert np.isfinite(one.own).all()
    assert one.standardisation.inverse_deviation.min() == 0
    assert np.abs(one.own).max() <= CLIP


def test_batches_of_a_seed_are_repeatable_and_those_of_another_seed_differ() -> None:
    one = made(steady())
    first, again, other = (next(one.batches(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.own, again.own)
    np.testing.assert_array_equal(first.targets, again.targets)
    assert not np.array_equal(first.own, other.own)


def test_windows_show_birth_and_the_latest_buckets_at_least_about_half_as_often_as_the_mean() -> None:
    history = generated(60, 400, seed=1).of_rows(np.arange(20))
    one = made(history)
    length = one.window_buckets
    rows: Int64s = np.zeros(2_000, dtype=np.int64)
    starts = one._starts(rows, np.random.default_rng(0))
    shown = np.bincount((starts[:, None] + np.arange(length)).reshape(-1), minlength=400)
    assert starts.min() == 0
    assert starts.max() == 400 - length
    assert shown.min() > 0.45 * shown.mean()
    assert shown.max() < 1.7 * shown.mean()


def test_batches_are_scored_at_places_evenly_apart_that_show_every_bucket_in_time() -> None:
    one = made(generated(4, 230))
    batches = one.batches(0)
    drawn = [next(batches).places for _ in range(40)]
    assert {len(places) for places in drawn} == {SCORED_PLACES}
    assert {gap for places in drawn for gap in np.diff(places).tolist()} == {one.window_buckets // SCORED_PLACES}
    assert set(np.concatenate(drawn).tolist()) == set(range(one.window_buckets))


def test_batch_at_some_places_is_the_one_at_all_of_them_there() -> None:
    history = steady()
    one, rows, places = made(history), np.arange(5), np.array([16, 24, 32])
    some, every = one.batch(rows, history.born[rows], places), whole(history)
    np.testing.assert_array_equal(some.own, every.own[rows])
    np.testing.assert_array_equal(some.targets, every.targets[rows][:, places])
    np.testing.assert_array_equal(some.weights, every.weights[rows][:, places])
    np.testing.assert_array_equal(some.calendar, every.calendar[rows][:, places])


def test_key_too_young_for_any_target_is_never_shown() -> None:
    history = history_from([[1.0] * 60, [0.0] * 50 + [1.0] * 10], born=[0, 50])
    assert made(history).trainable.tolist() == [0]


def shop_closed_on(weekday: int, days: int) -> Float32s:
    demand = np.full((2, days), 3, dtype=np.float32)
    demand[:, (FIRST_BUCKET + np.arange(days)) % 7 == weekday] = 0
    return demand


@pytest.mark.parametrize(
    ("days", "width", "learnt"),
    [(70, DAY, (5,)), (20, DAY, ()), (70, BucketWidth(7 * 86_400), ())],
    ids=["ten weeks", "less than four weeks", "no days in these buckets"],
)
def test_weekday_on_which_nobody_ever_ordered_is_learnt_as_closed(
    days: int, width: BucketWidth, learnt: tuple[int, ...]
) -> None:
    assert closed_weekdays(history_from(shop_closed_on(5, days), width=width)) == learnt


def test_shop_that_never_sold_has_no_closed_weekday() -> None:
    assert closed_weekdays(history_from(np.zeros((2, 70), dtype=np.float32))) == ()
