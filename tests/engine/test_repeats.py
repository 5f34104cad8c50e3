"""A line that comes again is recognised while the bucket of the first one is open."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from replenishment.engine.plan import Plan
from replenishment.engine.repeats import SeenLines, repeated
from tests.engine.builders import DAY, HOUR, SERVING, T0, Line, fresh, order_columns, play, time_passed

KEY = b"uk|A"
lists_of_prints = st.lists(st.integers(1, 2**64 - 1), max_size=40)


def test_the_first_of_equal_lines_wins() -> None:
    lines = [Line(0, KEY, T0, 3, identity=7), Line(1, KEY, T0 + HOUR, 9, identity=7), Line(2, KEY, T0, 1, identity=8)]
    state = fresh()
    ledger = play(state, [order_columns(lines, 0, 3)])
    assert state.hot["open_units"][0].sum() == 4
    assert ledger.progress is not None and ledger.progress.repeated == 1


def test_the_same_line_number_of_another_key_is_another_line() -> None:
    state = fresh()
    lines = [Line(0, KEY, T0, 3, identity=7), Line(1, b"uk|B", T0, 3, identity=7)]
    assert play(state, [order_columns(lines, 0, 2)]).progress.repeated == 0  # type: ignore[union-attr]


def test_a_repeat_is_recognised_after_a_crash_and_forgotten_with_its_bucket() -> None:
    ledger = play(fresh(), [order_columns([Line(0, KEY, T0, 3, identity=7)], 0, 1)])
    assert "seen:15000" in ledger.rows
    state = ledger.reload(Plan(), SERVING)
    play(state, [order_columns([Line(1, KEY, T0, 3, identity=7), time_passed(2, T0 + 2 * DAY)], 1, 3)], ledger)
    assert ledger.progress is not None and ledger.progress.repeated == 1
    assert "seen:15000" not in ledger.rows and not state.seen
    play(state, [order_columns([Line(3, KEY, T0, 3, identity=7)], 3, 4)], ledger)
    assert (ledger.progress.repeated, ledger.progress.late_corrected) == (1, 1)


@given(parts=st.lists(lists_of_prints, max_size=12))
def test_all_that_was_added_is_known_and_nothing_else(parts: list[list[int]]) -> None:
    seen, added = SeenLines(), set[int]()
    for part in parts:
        seen.add(np.array(part, dtype=np.uint64))
        added |= set(part)
    asked = sorted({*added, *(one ^ 1 for one in added), 5})
    assert seen.have(np.array(asked, dtype=np.uint64)).tolist() == [one in added for one in asked]
    assert sum(map(len, seen.runs)) == seen.count == sum(map(len, parts))


@given(parts=st.lists(lists_of_prints, max_size=12), ask_after=st.sets(st.integers(0, 12)))
def test_rows_hold_the_log_whenever_they_are_stored(parts: list[list[int]], ask_after: set[int]) -> None:
    seen, stored = SeenLines(), dict[bytes, list[int]]()
    for place, part in enumerate([*parts, []]):
        seen.add(np.array(part, dtype=np.uint64))
        if place in ask_after or place == len(parts):
            names, records = seen.unstored(0)
            stored.update(zip(names, records["fingerprints"].tolist(), strict=True))
    in_order = [one for name in sorted(stored, key=int) for one in stored[name] if one]
    assert in_order == [one for part in parts for one in part]


@given(prints=st.lists(st.integers(0, 5), max_size=30), opens=st.lists(st.booleans(), min_size=30, max_size=30))
def test_repeats_of_a_batch_are_those_that_a_set_finds(prints: list[int], opens: list[bool]) -> None:
    known, expected = {5}, []
    for one, is_open in zip(prints, opens, strict=False):
        expected.append(bool(one) and one in known)
        known |= {one} if is_open else set()
    seen = SeenLines()
    seen.add(np.array([5], dtype=np.uint64))
    found = repeated({1: seen}, np.array(prints, dtype=np.uint64), np.array(opens[: len(prints)], dtype=np.bool_))
    assert found.tolist() == expected
