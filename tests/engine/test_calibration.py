"""Online calibration: demand comes to stay within decisions as often as targets say, even if quantiles are wrong."""

from collections import deque

import numpy as np
import pytest

from replenishment.arrays import Float32s
from replenishment.engine.plan import Plan
from replenishment.engine.state import PartitionState
from replenishment.forecaster import ClosedBucket, Forecast, Serving
from replenishment.quantiles import QuantileGrid
from tests.engine.builders import DAY, HOUR, SERVING, T0, Ledger, Line, fresh, order_columns, play

KEYS, DAYS = 240, 220
LEVEL = 0.95
GRID = QuantileGrid((1, 7, 8, 14), (0.1, 0.5, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999))


def units(random: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Return lumpy demand: something every sixth day, geometric with a mean of twenty."""
    return (random.random(size) < 1 / 6) * random.geometric(1 / 20, size)


class Factored:
    """The true quantiles of such demand, times a factor."""

    version, grid, memory_floats, context_buckets = "factored", GRID, 1, 1

    def __init__(self, factor: float) -> None:
        draws = units(np.random.default_rng(1), (40_000, 14)).cumsum(axis=1)
        true = np.quantile(draws[:, np.array(GRID.horizons_buckets) - 1], GRID.levels, axis=0).T
        self._surface = (true * factor).astype(np.float32)

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        return Forecast(np.repeat(self._surface[None], len(memory), axis=0), memory)


def lived(factor: float, *, calibrates: bool) -> tuple[PartitionState, float]:
    """Return the state after some months, and how often demand stayed within decisions in the last of them."""
    plan, serving = Plan(calibrates=calibrates, closing_chunk_keys=64), Serving(Factored(factor))
    state, came = fresh(plan, T0 + 10_000 * DAY, serving), units(np.random.default_rng(2), (DAYS, KEYS))
    offset, decided, within = 0, deque[dict[int, float]](maxlen=8), []
    for day in range(DAYS):
        lines = [
            Line(offset + place, b"uk|%03d" % key, T0 + day * DAY + 2 * HOUR, int(came[day, key]))
            for place, key in enumerate(np.flatnonzero((came[day] > 0) | (day == 0)).tolist())
        ]
        lines = [line for line in lines if line.units > 0]
        lines = [Line(offset + place, line.key, line.at, line.units) for place, line in enumerate(lines)]
        play(state, [order_columns(lines, offset, offset + len(lines))], serving=serving)
        offset += len(lines)
        if len(decided) == 8 and day > DAYS - 90:
            keys = {row: int(state.keys.keys[row][3:]) for row in decided[0]}
            within += [came[day - 8 : day, keys[row]].sum() <= quantile for row, quantile in decided[0].items()]
        rows = state.champion.rows[: state.keys.count]
        stepped = np.flatnonzero(rows["protection_buckets"] > 0)
        curve = rows["reorder_units"]
        decided.append({row: float(curve[row]) for row in stepped.tolist()})
    return state, float(np.mean(within))


def test_quantiles_that_are_a_third_too_low_come_to_cover_what_the_target_says() -> None:
    _, before = lived(0.7, calibrates=False)
    state, after = lived(0.7, calibrates=True)
    assert before < 0.91
    assert after == pytest.approx(LEVEL, abs=0.015)
    used = state.champion.rows["used_level"][: state.keys.count]
    assert np.all(used >= LEVEL - 0.1) and np.all(used <= 0.999) and used.mean() > 0.97
    assert np.all(state.champion.rows["service_level"][: state.keys.count] == LEVEL)


def test_quantiles_that_are_right_move_little() -> None:
    state, covered = lived(1.0, calibrates=True)
    assert covered == pytest.approx(LEVEL, abs=0.015)
    assert state.champion.rows["used_level"][: state.keys.count] == pytest.approx(LEVEL, abs=0.02)


def test_without_calibration_every_level_is_the_target() -> None:
    state, _ = lived(0.7, calibrates=False)
    assert np.all(state.champion.rows["used_level"][: state.keys.count] == LEVEL)
    assert not state.champion.account["shift"].any()


def test_calibration_does_not_depend_on_cuts_and_crashes() -> None:
    plan, random = Plan(calibrates=True, closing_chunk_keys=64), np.random.default_rng(3)
    came = units(random, (60, 150))
    lines: list[Line] = []
    for day, key in zip(*np.nonzero(came), strict=True):
        lines.append(Line(len(lines), b"uk|%03d" % key, T0 + int(day) * DAY + HOUR, int(came[day, key])))
    whole, cut = Ledger(), Ledger()
    state = fresh(plan, T0 + 10_000 * DAY)
    play(state, [order_columns(lines, 0, len(lines))], whole)
    assert state.champion.account["shift"].any(), "or the test tests nothing"
    state = fresh(plan, T0 + 10_000 * DAY)
    for start in range(0, len(lines), 61):
        end = min(start + 61, len(lines))
        play(state, [order_columns(lines[start:end], start, end)], cut)
        state = cut.reload(plan, SERVING)
    assert (cut.rows["accuracy"], cut.rows["forecast:mean-1"]) == (
        whole.rows["accuracy"],
        whole.rows["forecast:mean-1"],
    )
