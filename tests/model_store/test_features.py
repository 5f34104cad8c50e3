"""Streaming features against their definition over the whole history, in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.features import FeatureState, calendar, features, fresh_memory, input_names, observe
from model_store.spec import FeatureSpec
from replenishment.arrays import Float32s, Float64s
from replenishment.forecaster import ClosedBucket
from tests.contracts.forecaster_contract import demand_history

SPEC = FeatureSpec(buckets_per_day=1, closed_weekdays=(5,))


def replayed(
    history: Float32s, available: Float32s | None = None, spec: FeatureSpec = SPEC, first: int = 0
) -> tuple[Float32s, dict[str, Float32s]]:
    """Memory and named inputs after all buckets of (T, B); order lines are two where there is demand."""
    memory = fresh_memory(spec, history.shape[1])
    seen = np.ones_like(history) if available is None else available
    for step, units in enumerate(history, first):
        age = np.full(len(units), step, dtype=np.int32)
        closed = ClosedBucket(step, units, 2 * np.sign(units), seen[step - first], age)
        observe(spec, FeatureState.view(spec, memory), closed)
    inputs = features(spec, FeatureState.view(spec, memory), closed)
    return memory, dict(zip(input_names(spec), inputs.T, strict=True))


def weighted(values: Float64s, half_life: float) -> Float64s:
    """Mean over time (T, B) with weights halving every half-life into the past."""
    weight = 0.5 ** (np.arange(len(values))[::-1] / half_life)
    return np.asarray((weight[:, None] * values).sum(axis=0) / weight.sum())


def long_mean(values: Float64s, buckets: int) -> Float64s:
    """Plain mean of the first buckets; each later one replaces one part in as many."""
    mean = values[:buckets].mean(axis=0)
    for later in values[buckets:]:
        mean = mean + (later - mean) / buckets
    return np.asarray(mean)


def deviation(values: Float64s, half_life: float) -> Float64s:
    return np.sqrt(weighted((values - weighted(values, half_life)) ** 2, half_life))


@pytest.mark.parametrize("buckets", [1, 2, 9, 112])
def test_inputs_follow_their_definition_over_the_whole_history(buckets: int) -> None:
    history = demand_history(1, buckets, 40)
    _, inputs = replayed(history)
    units = history.astype(np.float64)
    scale = np.maximum(0.5 * weighted(units, 24) + 0.5 * long_mean(units, 28), 1 / 14)
    expected = {"log_scale": np.log(scale), "log_demand": np.log1p(units[-1] / scale), "is_sold": units[-1] > 0}
    for life in (2, 6, 12, 24):
        expected[f"log_level_{life}"] = np.log1p(weighted(units, life) / scale)
        expected[f"sold_{life}"] = weighted((units > 0).astype(float), life)
    for life in (6, 12, 24):
        expected[f"log_spread_{life}"] = np.log1p(deviation(units, life) / scale)
    for life in (6, 12):
        expected[f"lines_{life}"] = weighted(np.log1p(2 * np.sign(units)), life)
    gap = [next((back for back, sold in enumerate(key[::-1]) if sold), buckets) for key in units.T]
    expected |= {"log_gap": np.log1p(gap), "log_age": np.full(40, np.log1p(buckets - 1))}
    expected["log_lines"] = np.log1p(2 * np.sign(units[-1]))
    for name, values in expected.items():
        np.testing.assert_allclose(inputs[name], values, rtol=3e-4, atol=3e-5, err_msg=name)
    assert set(input_names(SPEC)[: SPEC.demand_inputs]) == {*expected, "is_missing"}


def test_bucket_without_stock_enters_no_statistic() -> None:
    history = demand_history(2, 60, 30)
    available = np.ones_like(history)
    available[20:35] = 0
    skipped = np.delete(history, np.s_[20:35], axis=0)
    np.testing.assert_array_equal(replayed(history, available)[0], replayed(skipped)[0])


def test_bucket_without_stock_is_shown_as_missing_not_as_zero() -> None:
    history = demand_history(3, 10, 5) + 1
    available = np.ones_like(history)
    available[-1] = 0
    inputs = replayed(history, available)[1]
    assert inputs["is_missing"].all()
    assert not inputs["is_sold"].any()
    assert not inputs["log_demand"].any()
    assert not inputs["log_lines"].any()


def test_key_without_demand_has_the_floor_as_scale() -> None:
    memory, inputs = replayed(np.zeros((30, 2), np.float32))
    assert FeatureState.view(SPEC, memory).scale == pytest.approx(1 / 14)
    assert inputs["log_gap"] == pytest.approx(np.log1p(30))


def test_gap_and_age_stop_where_a_window_stops_seeing() -> None:
    history = np.zeros((300, 1), np.float32)
    history[5] = 3
    carried, warmed = replayed(history)[1], replayed(history[-112:], first=188)[1]
    for name in ("log_gap", "log_age"):
        assert carried[name] == warmed[name] == pytest.approx(np.log1p(112))


def test_memory_warmed_from_a_window_is_close_to_the_carried_one() -> None:
    history = demand_history(4, 374, 300)
    carried, warmed = replayed(history)[1], replayed(history[-112:], first=262)[1]
    ratio = np.exp(warmed["log_scale"] - carried["log_scale"])
    assert np.median(np.abs(ratio - 1)) < 0.02
    for name in input_names(SPEC)[: SPEC.demand_inputs]:
        assert np.median(np.abs(warmed[name] - carried[name])) < 0.02, name


def test_memory_order_changes_no_number() -> None:
    history = demand_history(5, 30, 40)
    rows_first = np.zeros((40, FeatureState.width(SPEC) + 7), dtype=np.float32)
    columns_first = np.asfortranarray(rows_first)
    for step, units in enumerate(history):
        closed = ClosedBucket(step, units, units, np.ones_like(units), np.full(40, step, np.int32))
        for memory in (rows_first, columns_first):
            observe(SPEC, FeatureState.view(SPEC, memory), closed)
    np.testing.assert_array_equal(rows_first, columns_first)
    assert not rows_first[:, FeatureState.width(SPEC) :].any()


def test_state_covers_its_width_without_overlap() -> None:
    memory = np.zeros((1, FeatureState.width(SPEC)), dtype=np.float32)
    state = FeatureState.view(SPEC, memory)
    parts = (state.observed_buckets, state.gap_buckets, state.scale, state.demand_mean)
    for part in (*parts, state.sold_mean, state.demand_variance, state.lines_mean):
        np.add(part, 1, out=part)
    np.testing.assert_array_equal(memory, 1)


@given(
    st.lists(
        st.tuples(st.floats(0, 1e9, width=32), st.floats(0, 1e6, width=32), st.sampled_from([0.0, 0.25, 1.0])),
        min_size=1,
        max_size=60,
    )
)
def test_inputs_and_memory_are_finite_whatever_is_sold(buckets: list[tuple[float, float, float]]) -> None:
    memory = fresh_memory(SPEC, 1)
    state = FeatureState.view(SPEC, memory)
    for step, (units, lines, available) in enumerate(buckets):
        demand, placed, seen = (np.array([value], dtype=np.float32) for value in (units, lines, available))
        closed = ClosedBucket(step, demand, placed, seen, np.array([step], dtype=np.int32))
        observe(SPEC, state, closed)
        assert np.isfinite(features(SPEC, state, closed)).all()
    assert np.isfinite(memory).all()
    assert (state.demand_variance >= 0).all()
    assert ((state.sold_mean >= 0) & (state.sold_mean <= 1)).all()


def test_ten_thousand_buckets_leave_means_of_a_steady_key_exact() -> None:
    memory, _ = replayed(np.full((10_000, 1), 7, np.float32))
    state = FeatureState.view(SPEC, memory)
    np.testing.assert_array_equal(state.demand_mean, 7)
    np.testing.assert_array_equal(state.demand_variance, 0)


@pytest.mark.parametrize("per_day", [0, 1, 24, 1440])
def test_every_input_has_a_name(per_day: int) -> None:
    spec = FeatureSpec(buckets_per_day=per_day)
    assert len(set(input_names(spec))) == len(input_names(spec)) == spec.inputs
    assert calendar(spec, 17).shape == (spec.calendar_inputs,)


def test_saturday_closing_is_seen_on_friday_for_tomorrow_and_in_a_week() -> None:
    # day       Thu Fri Sat Sun      bucket 0 is a Monday
    # bucket     3   4   5   6
    friday = dict(zip(input_names(SPEC)[SPEC.demand_inputs :], calendar(SPEC, 4), strict=True))
    assert [name for name, value in friday.items() if value] == ["weekday_4", "closed_in_0", "closed_in_7"]
    saturday = dict(zip(input_names(SPEC)[SPEC.demand_inputs :], calendar(SPEC, 5), strict=True))
    assert [name for name, value in saturday.items() if value] == [
        "weekday_5",
        "is_closed",
        "closed_in_6",
        "closed_in_13",
    ]


def test_last_hour_of_friday_sees_the_closed_day_that_begins() -> None:
    spec = FeatureSpec(buckets_per_day=24, closed_weekdays=(5,))
    names = input_names(spec)[spec.demand_inputs :]
    noon, last = (dict(zip(names, calendar(spec, 4 * 24 + hour), strict=True)) for hour in (12, 23))
    assert (noon["closed_in_0"], noon["closed_in_1"], last["closed_in_0"]) == (0, 1, 1)
    assert noon["hour_cos_1"] == pytest.approx(-1)
    assert noon["hour_sin_1"] == pytest.approx(0, abs=1e-6)
