"""Hot swap in the engine: another version is warmed from the windows beside the stream, then flipped in."""

import pytest

from replenishment.arrays import Records
from replenishment.engine.advance import advance
from replenishment.engine.plan import Plan
from replenishment.engine.rebuild import begin_rebuild, flip, rebuild_chunk
from replenishment.engine.state import opened
from replenishment.forecaster import Serving
from tests.engine.builders import DAY, HOUR, SERVING, T0, Line, MeanForecaster, fresh, order_columns, play

NEXT = MeanForecaster("mean-2")
KEYS = [f"uk|{number}".encode() for number in range(7)]


def history(days: int, start: int = 0) -> list[Line]:
    """Return one line a day for each key, in log order."""
    pairs = [(day, key) for day in range(days) for key in KEYS]
    return [Line(start + n, key, T0 + day * DAY + HOUR, 2 + n % 5) for n, (day, key) in enumerate(pairs)]


def test_a_rebuilt_version_equals_one_that_stepped_all_along() -> None:
    lines = history(20)
    carried = fresh(serving=Serving(NEXT))
    play(carried, [order_columns(lines, 0, len(lines))], serving=Serving(NEXT))
    swapped = fresh()
    ledger = play(swapped, [order_columns(lines[:70], 0, 70)])
    begin_rebuild(swapped, NEXT)
    both = Serving(SERVING.champion, incoming=NEXT)
    # lines, closings and new chunks in turn
    for start in range(70, len(lines), 35):
        effects = rebuild_chunk(swapped, NEXT, 2)
        assert effects is not None
        ledger.keep(effects)
        play(swapped, [order_columns(lines[start : start + 35], start, start + 35)], ledger, both)
    while (effects := rebuild_chunk(swapped, NEXT, 2)) is not None:
        ledger.keep(effects)
    ledger.keep(flip(swapped))
    assert swapped.progress.model_version == "mean-2"
    count = len(KEYS)
    assert decided(swapped.champion.rows[:count]) == decided(carried.champion.rows[:count])
    assert "forecast:mean-1" not in ledger.rows
    again = ledger.reload(Plan(), Serving(NEXT))
    assert decided(again.champion.rows[:count]) == decided(carried.champion.rows[:count])


def decided(rows: Records) -> list[bytes]:
    """Return what rows say but for forecasts that wait to be scored: a version has only those it made itself."""
    names = [name for name in rows.dtype.names or () if not name.startswith("scored_") and name != "traits"]
    return [rows[name].tobytes() for name in names]


def test_flipping_before_every_row_is_stepped_is_refused() -> None:
    state = fresh()
    lines = history(3)
    play(state, [order_columns(lines, 0, len(lines))])
    begin_rebuild(state, NEXT)
    with pytest.raises(ValueError, match="rows to rebuild"):
        flip(state)


def test_a_lost_version_decides_nothing_until_another_took_over() -> None:
    state = fresh()
    lines = history(5)
    ledger = play(state, [order_columns(lines, 0, len(lines))])
    assert ledger.progress is not None
    lost = opened(0, Plan(), ledger.progress, NEXT)
    assert lost.progress.model_version == "mean-1"
    with pytest.raises(ValueError, match="state is of mean-1"):
        list(advance(lost, order_columns([], len(lines), len(lines)), Serving(NEXT)))


def test_a_version_that_is_overtaken_leaves_no_rows_behind() -> None:
    state = fresh()
    lines = history(5)
    ledger = play(state, [order_columns(lines, 0, len(lines))])
    begin_rebuild(state, NEXT)
    effects = rebuild_chunk(state, NEXT, 3)
    assert effects is not None
    ledger.keep(effects)
    assert "forecast:mean-2" in ledger.rows
    third = MeanForecaster("mean-3")
    begin_rebuild(state, third)
    while (effects := rebuild_chunk(state, third, 3)) is not None:
        ledger.keep(effects)
    ledger.keep(flip(state))
    assert [name for name in ledger.rows if name.startswith("forecast")] == ["forecast:mean-3"]


def test_rebuilding_another_version_than_announced_is_refused() -> None:
    state = fresh()
    begin_rebuild(state, NEXT)
    with pytest.raises(ValueError, match="call begin_rebuild first"):
        rebuild_chunk(state, MeanForecaster("mean-9"), 10)
