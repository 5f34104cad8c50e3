"""Order lines far ahead of the clock: held until a second order agrees, released, refused; the same in any batches."""

import random
from itertools import islice, pairwise
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replenishment.engine import hold as engine_hold
from replenishment.engine.advance import advance
from replenishment.engine.columns import LineKind, Tick
from replenishment.engine.hold import HOLD_BUCKETS, MOST_HELD, TOO_FAR_AHEAD
from replenishment.engine.plan import Plan
from replenishment.engine.state import PartitionState
from replenishment.events import Rejection
from tests.engine.builders import DAY, HOUR, SERVING, T0, Ledger, Line, fresh, order_columns, play, time_passed
from tests.engine.test_laws import comparable

PLAN = Plan(window_buckets=60, closing_chunk_keys=3, turn_keys=3)
FAR = T0 + (HOLD_BUCKETS + 1) * DAY


def line(offset: int, at: int, order: int, key: bytes = b"main|A", units: int = 1) -> Line:
    """Return a line of an order."""
    return Line(offset, key, at, units, order=order, identity=offset + 1)


def taken(*lines: Line) -> tuple[PartitionState, Ledger]:
    """Return a partition after lines in one batch."""
    state = fresh(PLAN)
    return state, play(state, [order_columns(lines, 0, len(lines))])


def sold(state: PartitionState, key: bytes = b"main|A") -> int:
    """Return the units of a key in open and closed buckets."""
    row = state.keys.rows.get(key)
    return 0 if row is None else int(state.hot["open_units"][row].sum() + state.window["units"][row].sum())


def test_the_first_order_of_a_partition_sets_its_clock() -> None:
    state, _ = taken(line(0, FAR + 4_000 * DAY, 1))
    assert state.progress.clock == FAR + 4_000 * DAY
    assert not state.held


def test_an_order_31_buckets_ahead_counts_and_one_beyond_is_held() -> None:
    state, _ = taken(line(0, T0, 1), line(1, T0 + HOLD_BUCKETS * DAY, 2))
    assert state.progress.clock == T0 + HOLD_BUCKETS * DAY
    state, _ = taken(line(0, T0, 1), line(1, T0 + HOLD_BUCKETS * DAY + 1, 2))
    assert (state.progress.clock, state.progress.held, sold(state)) == (T0, 1, 1)


def test_a_later_normal_line_leaves_it_held() -> None:
    state, _ = taken(line(0, T0, 1), line(1, FAR, 2, units=5), line(2, T0 + HOUR, 3))
    assert (state.progress.clock, state.progress.held, sold(state)) == (T0 + HOUR, 1, 2)
    assert state.progress.positions == {"orders": 3}


def test_another_line_of_the_same_order_is_held_beside_it() -> None:
    state, _ = taken(line(0, T0, 1), line(1, FAR, 2), line(2, FAR + HOUR, 2, b"main|B"))
    assert (state.progress.clock, state.progress.held) == (T0, 2)


def test_a_second_order_confirms_the_time_on_which_both_agree() -> None:
    state, _ = taken(line(0, T0, 1), line(1, FAR, 2, units=5), line(2, FAR + HOUR, 3, units=7))
    assert (state.progress.clock, state.progress.held, sold(state)) == (FAR + HOUR, 0, 13)


def test_a_blunder_is_not_confirmed_by_orders_that_are_behind_it() -> None:
    blunder = line(1, FAR + 4_000 * DAY, 2, units=100)
    state, _ = taken(line(0, T0, 1), blunder, line(2, FAR, 3, units=5), line(3, FAR + HOUR, 4, units=7))
    assert (state.progress.clock, state.progress.held, sold(state)) == (FAR + HOUR, 1, 13)
    state, _ = taken(line(0, T0, 1), line(1, FAR, 3, units=5), line(2, FAR + 4_000 * DAY, 2, units=100))
    assert (state.progress.clock, state.progress.held, sold(state)) == (FAR, 1, 6)


def test_time_passed_moves_the_clock_by_itself_and_releases_what_it_passes() -> None:
    state, _ = taken(line(0, T0, 1), line(1, FAR, 2, units=5), time_passed(2, FAR + 20 * DAY))
    assert (state.progress.clock, state.progress.held, sold(state)) == (FAR + 20 * DAY, 0, 6)


def test_silence_does_not_make_usual_orders_look_far() -> None:
    state, ledger = taken(line(0, T0, 1))
    for effects in advance(state, Tick(20 * DAY / 1000), SERVING):
        ledger.keep(effects)
    play(state, [order_columns([line(1, T0 + 50 * DAY, 2)], 1, 2)], ledger)
    assert (state.progress.clock, state.progress.held) == (T0 + 50 * DAY, 0)


def test_a_shop_with_hourly_buckets_goes_on_by_itself_after_a_weekend() -> None:
    hourly = Plan(width=type(PLAN.width)(3_600), window_buckets=100)
    state = fresh(hourly)
    lines = [line(0, T0, 1), line(1, T0 + 62 * HOUR, 2), line(2, T0 + 62 * HOUR + 60_000, 3)]
    play(state, [order_columns(lines, 0, 3)])
    assert (state.progress.clock, state.progress.held, sold(state)) == (T0 + 62 * HOUR + 60_000, 0, 3)


def test_lines_without_an_order_are_orders_of_their_own() -> None:
    state, _ = taken(line(0, T0, 0), line(1, FAR, 0), line(2, FAR, 0))
    assert (state.progress.clock, state.progress.held) == (FAR, 0)


def test_what_finds_no_room_is_refused_with_a_way_out() -> None:
    lines = [line(0, T0, 1), *(line(1 + one, FAR, 2) for one in range(MOST_HELD + 3))]
    state, ledger = taken(*lines)
    assert state.progress.held == MOST_HELD
    refused = [one for one in ledger.said if isinstance(one, Rejection)]
    assert [one.offset for one in refused] == [MOST_HELD + 1, MOST_HELD + 2, MOST_HELD + 3]
    assert {one.code for one in refused} == {TOO_FAR_AHEAD}
    assert "time_passed" in refused[0].reason
    assert state.progress.rejected == 3


def log_of(seed: int) -> list[Line]:
    """Return lines of which many are far ahead, some confirmed, some not."""
    rng, now, lines = random.Random(seed), T0, []
    for offset in range(14):
        now += rng.choice([0, HOUR, DAY])
        ahead = rng.choice([0, 0, 0, 2, 4, 4, 5, 9]) * DAY
        if rng.random() < 0.06:
            lines.append(time_passed(offset, now + ahead // 4))
            continue
        key = rng.choice([b"main|A", b"main|B", b"main|C", b"main|D"])
        lines.append(line(offset, now + ahead, rng.choice([0, *range(1, 6)]), key, rng.randrange(1, 9)))
    return lines


def content(ledger: Ledger) -> tuple[object, ...]:
    """Return all that must not depend on cuts and crashes; a table that was emptied is like none."""
    rows, said, fields = comparable(ledger)
    assert isinstance(rows, dict)
    return {name: table for name, table in rows.items() if table}, said, fields


@patch.object(engine_hold, "HOLD_BUCKETS", 3)
@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sets(st.integers(1, 13), max_size=5))
def test_any_cut_into_batches_gives_the_same(seed: int, cuts: set[int]) -> None:
    lines = log_of(seed)
    whole, ledger = taken(*lines)
    edges = [0, *sorted(cuts), len(lines)]
    batches = [order_columns(lines[a:b], a, b) for a, b in pairwise(edges)]
    assert content(play(fresh(PLAN), batches)) == content(ledger)
    counted = sum(one.units for one in lines if one.kind == LineKind.PLACED)
    assert counted - sum(one.units for one in whole.held.values()) >= sum(sold(whole, key) for key in whole.keys.keys)


@patch.object(engine_hold, "HOLD_BUCKETS", 3)
@settings(max_examples=30)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 40), max_size=4))
def test_a_crash_between_any_two_turns_changes_nothing(seed: int, deaths: list[int]) -> None:
    lines = log_of(seed)
    _, undisturbed = taken(*lines)
    state, ledger = fresh(PLAN), Ledger()
    for turns in [*deaths, 10**6]:
        start = ledger.progress.positions.get("orders", 0) if ledger.progress else 0
        rest = [one for one in lines if one.offset >= start]
        if not rest:
            break
        for effects in islice(advance(state, order_columns(rest, start, len(lines)), SERVING), turns):
            ledger.keep(effects)
        if ledger.progress:
            state = ledger.reload(PLAN, SERVING)
    assert content(ledger) == content(undisturbed)


@pytest.mark.parametrize("order", [1, 2])
def test_a_line_that_comes_twice_confirms_nothing_of_its_own_order(order: int) -> None:
    state, _ = taken(line(0, T0, 3), line(1, FAR, 1), line(2, FAR, order))
    assert state.progress.held == (2 if order == 1 else 0)
