"""Laws of every Forecaster: parametrise a test over `LAWS` and call each with the forecaster."""

from collections.abc import Callable

import numpy as np

from replenishment.arrays import Float32s
from replenishment.forecaster import ClosedBucket, Forecast, Forecaster

FIRST_BUCKET = 15_284


def bucket_of(
    demand_units: Float32s,
    *,
    step: int = 0,
    order_lines: Float32s | None = None,
    available_ratio: Float32s | None = None,
) -> ClosedBucket:
    """A closed bucket, the ``step``-th of its keys; by default one line where there is demand, all available."""
    units = np.asarray(demand_units, dtype=np.float32)
    lines = np.sign(units) if order_lines is None else order_lines
    available = np.ones_like(units) if available_ratio is None else available_ratio
    return ClosedBucket(FIRST_BUCKET + step, units, lines, available, np.full(len(units), step, dtype=np.int32))


def demand_history(seed: int, buckets: int, keys: int) -> Float32s:
    """Intermittent demand (buckets, keys): from hardly ever to hundreds a bucket."""
    rng = np.random.default_rng(seed)
    rate = np.exp(rng.uniform(np.log(0.02), np.log(300), keys))
    return (rng.poisson(rate, (buckets, keys)) * (rng.random((buckets, keys)) < 0.6)).astype(np.float32)


def stepped_through(forecaster: Forecaster, history: Float32s, first: int = 0) -> Forecast:
    """Forecast after all buckets of a history (T, B), from a memory of zeros."""
    memory = np.zeros((history.shape[1], forecaster.memory_floats), dtype=np.float32)
    forecast = Forecast(np.zeros(0, np.float32), memory)
    for step, units in enumerate(history, first):
        forecast = forecaster.step(bucket_of(units, step=step), forecast.memory)
    return forecast


def step_changes_none_of_its_arguments(forecaster: Forecaster) -> None:
    history = demand_history(1, 12, 70)
    memory = stepped_through(forecaster, history[:-1]).memory
    closed = bucket_of(history[-1], step=11)
    kept = [array.copy() for array in (memory, closed.demand_units, closed.order_lines, closed.available_ratio)]
    stepped = forecaster.step(closed, memory)
    for array, copy in zip(
        (memory, closed.demand_units, closed.order_lines, closed.available_ratio), kept, strict=True
    ):
        np.testing.assert_array_equal(array, copy)
    assert not np.shares_memory(stepped.memory, memory)


def row_does_not_depend_on_its_neighbours(forecaster: Forecaster) -> None:
    history = demand_history(2, 6, 1100)
    memory = stepped_through(forecaster, history[:-1]).memory
    whole = forecaster.step(bucket_of(history[-1], step=5), memory)
    for count in (1, 2, 3, 7, 63, 64, 65, 127, 130, 509, 1023, 1024, 1025):
        for start in {0, 1, 1100 - count, (1100 - count) // 3}:
            rows = slice(start, start + count)
            part = forecaster.step(bucket_of(history[-1, rows], step=5), memory[rows])
            np.testing.assert_array_equal(part.quantiles, whole.quantiles[rows])
            np.testing.assert_array_equal(part.memory, whole.memory[rows])


def order_of_memory_in_ram_does_not_matter(forecaster: Forecaster) -> None:
    history = demand_history(3, 9, 33)
    memory = stepped_through(forecaster, history[:-1]).memory
    closed = bucket_of(history[-1], step=8)
    rows_first = forecaster.step(closed, np.ascontiguousarray(memory))
    columns_first = forecaster.step(closed, np.asfortranarray(memory))
    np.testing.assert_array_equal(rows_first.quantiles, columns_first.quantiles)
    np.testing.assert_array_equal(rows_first.memory, columns_first.memory)


def quantiles_are_finite_not_negative_and_never_cross(forecaster: Forecaster) -> None:
    history = demand_history(4, 40, 60)
    history[:, 0] = 0
    history[7, 1] = 1e9
    history[:, 2] = 1e9
    history[-1, 3] = 1e9
    memory = np.zeros((60, forecaster.memory_floats), dtype=np.float32)
    for step, units in enumerate(history):
        forecast = forecaster.step(bucket_of(units, step=step), memory)
        memory = forecast.memory
        assert np.isfinite(forecast.quantiles).all()
        assert np.isfinite(memory).all()
        assert (forecast.quantiles >= 0).all()
        assert (np.diff(forecast.quantiles, axis=1) >= 0).all()
        assert (np.diff(forecast.quantiles, axis=2) >= 0).all()


def shapes_and_types_are_those_of_the_grid(forecaster: Forecaster) -> None:
    forecast = stepped_through(forecaster, demand_history(5, 2, 5))
    assert forecast.quantiles.shape == (5, len(forecaster.grid.horizons_buckets), len(forecaster.grid.levels))
    assert forecast.memory.shape == (5, forecaster.memory_floats)
    assert forecast.quantiles.dtype == forecast.memory.dtype == np.float32


def no_keys_give_no_forecasts(forecaster: Forecaster) -> None:
    forecast = stepped_through(forecaster, np.zeros((3, 0), dtype=np.float32))
    assert forecast.quantiles.shape[0] == 0
    assert forecast.memory.shape == (0, forecaster.memory_floats)


def window_from_birth_makes_the_carried_memory(forecaster: Forecaster) -> None:
    history = demand_history(6, min(forecaster.context_buckets, 112), 90)
    carried = stepped_through(forecaster, history)
    warmed = stepped_through(forecaster, history[:, 10:20])
    np.testing.assert_array_equal(warmed.memory, carried.memory[10:20])
    np.testing.assert_array_equal(warmed.quantiles, carried.quantiles[10:20])


def units_of_a_bucket_without_stock_are_not_demand(forecaster: Forecaster) -> None:
    memory = stepped_through(forecaster, demand_history(7, 15, 20)).memory
    none = np.zeros(20, dtype=np.float32)
    silent = forecaster.step(bucket_of(none, step=15, available_ratio=none), memory)
    busy = forecaster.step(bucket_of(none + 500, step=15, available_ratio=none), memory)
    np.testing.assert_array_equal(silent.memory, busy.memory)
    np.testing.assert_array_equal(silent.quantiles, busy.quantiles)


LAWS: tuple[Callable[[Forecaster], None], ...] = (
    step_changes_none_of_its_arguments,
    row_does_not_depend_on_its_neighbours,
    order_of_memory_in_ram_does_not_matter,
    quantiles_are_finite_not_negative_and_never_cross,
    shapes_and_types_are_those_of_the_grid,
    no_keys_give_no_forecasts,
    window_from_birth_makes_the_carried_memory,
    units_of_a_bucket_without_stock_are_not_demand,
)
