"""Plans in the engine: they move levels before they begin, not after they end, however they come to be known."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replenishment.arrays import Float32s
from replenishment.engine.columns import Entry
from replenishment.engine.plan import Plan
from replenishment.engine.rebuild import begin_rebuild, flip, rebuild_chunk
from replenishment.engine.signals import MOST_WORDS
from replenishment.engine.state import PartitionState
from replenishment.events import CatalogEntry, Rejection, SignalEvent, SignalPlanned, SignalWithdrawn
from replenishment.forecaster import ClosedBucket, Forecast, KnownAhead, Serving
from tests.engine.builders import (
    DAY,
    HOUR,
    T0,
    Ledger,
    Line,
    MeanForecaster,
    PlanReader,
    catalog_batch,
    fresh,
    order_columns,
    play,
    signal_batch,
)

Told = Mapping[int, Sequence[SignalEvent]]
"""Signals by the day before whose line they come."""
KEYS = [b"uk|A", b"uk|B", b"uk|C"]
PLAN = Plan(window_buckets=20, closing_chunk_keys=2, allowed_lateness_seconds=0)
READER = Serving(PlanReader())


def planned(
    first: float,
    last: float,
    signal: str = "sale",
    key: bytes = b"uk|A",
    said: float | None = None,
    strength: float = 1.0,
) -> SignalPlanned:
    """A promotion from one day to another, said on a day, or nobody knows when."""
    said_at = None if said is None else round(T0 + said * DAY)
    values = (("promotion", strength),)
    return SignalPlanned(key, signal, said_at, round(T0 + first * DAY), round(T0 + last * DAY), values)


def withdrawn(signal: str = "sale", key: bytes = b"uk|A", said: float | None = None) -> SignalWithdrawn:
    return SignalWithdrawn(key, signal, None if said is None else round(T0 + said * DAY))


def day(number: int) -> Entry:
    """One line of two units for each key on a day; it closes the day before."""
    start = number * len(KEYS)
    lines = [Line(start + place, key, T0 + number * DAY + HOUR, 2) for place, key in enumerate(KEYS)]
    return order_columns(lines, start, start + len(KEYS))


def sequence(days: int, told: Told) -> list[Entry]:
    """Days of demand, with signals that come before the line of a day."""
    entries, offset = list[Entry](), 0
    for number in range(days):
        if number in told:
            entries.append(signal_batch(told[number], offset))
            offset += len(told[number])
        entries.append(day(number))
    return entries


def levels(told: Told, days: int = 30) -> list[int]:
    """Order-up-to level of uk|A after each day's line, from the second day on."""
    terms = [CatalogEntry(key, lead_time_days=2, cover_days=2) for key in KEYS]
    state = fresh(PLAN, serving=READER)
    play(state, [catalog_batch(terms)], serving=READER)
    found = []
    for entry in sequence(days, told):
        play(state, [entry], serving=READER)
        if entry.span.topic == "orders":  # type: ignore[union-attr]  # no ticks here
            found.append(int(state.champion.rows["order_up_to_level"][state.keys.rows[b"uk|A"]]))
    return found[1:]


def test_a_promotion_raises_levels_before_it_begins_and_not_after_it_ends() -> None:
    without, told = levels({}), levels({5: [planned(20, 23)]})
    raised = [number for number, (one, other) in enumerate(zip(without, told, strict=True), 1) if other > one]
    # read between the horizons of 1 and 7 buckets: in sight from the closing of day 13 to that of day 21
    assert raised == list(range(14, 23))
    assert all(other == one for number, (one, other) in enumerate(zip(without, told, strict=True), 1) if number >= 23)


def test_a_late_plan_counts_from_the_next_closing_on() -> None:
    without, told = levels({}), levels({21: [planned(20, 24, said=3)]})
    raised = [number for number, (one, other) in enumerate(zip(without, told, strict=True), 1) if other > one]
    assert raised == [21, 22, 23]


def test_a_plan_is_taken_back_and_a_younger_word_on_it_takes_its_place() -> None:
    without = levels({})
    assert levels({5: [planned(20, 23, said=5)], 17: [withdrawn(said=17)]})[16:] == without[16:]
    moved = levels({5: [planned(20, 23, said=5), planned(26, 27, said=5.5)]})
    assert moved == levels({5: [planned(26, 27, "other")]})


def test_a_word_that_comes_twice_or_after_a_younger_one_changes_nothing() -> None:
    once: Told = {5: [planned(20, 23, said=4)], 7: [withdrawn(said=7)]}
    again: Told = {5: [planned(20, 23, said=4)] * 2, 7: [withdrawn(said=7)] * 2, 8: [planned(20, 23, said=4)]}
    one, other = fresh(PLAN, serving=READER), fresh(PLAN, serving=READER)
    first = play(one, sequence(15, once), serving=READER)
    second = play(other, sequence(15, again), serving=READER)
    assert first.rows == second.rows
    assert one.signals == other.signals


def test_what_nobody_needs_any_more_is_forgotten() -> None:
    told: Told = {2: [planned(3, 5), planned(4, 30, "long"), planned(10, 12, "never")], 6: [withdrawn("never")]}
    state = fresh(PLAN, serving=READER)
    ledger = play(state, sequence(28, told), serving=READER)
    assert [(word.serial, word.ends_at) for word in state.signals.of(0)] == [(1, T0 + 30 * DAY)]
    assert [*ledger.rows["signals"]] == [b"0.1.promotion"]
    play(state, [day(number) for number in range(28, 54)], ledger, READER)
    assert not state.signals.words
    assert not ledger.rows["signals"]


def test_more_plans_of_a_key_than_are_kept_are_refused_and_past_ones_make_room() -> None:
    state = fresh(PLAN, serving=READER)
    plans = [planned(20, 21, f"plan-{number}") for number in range(MOST_WORDS + 1)]
    ledger = play(state, [signal_batch(plans)], serving=READER)
    (refused,) = [one for one in ledger.said if isinstance(one, Rejection)]
    assert (refused.offset, refused.code) == (MOST_WORDS, "out_of_range")
    assert "uk|A" in refused.reason
    play(state, [signal_batch([withdrawn("plan-0"), plans[-1]], len(plans))], ledger, READER)
    assert len(state.signals.of(0)) == MOST_WORDS
    assert sum(isinstance(one, Rejection) for one in ledger.said) == 1


SIGNALS = st.builds(
    planned,
    first=st.integers(0, 14),
    last=st.integers(15, 20),
    signal=st.sampled_from(["a", "b"]),
    key=st.sampled_from(KEYS),
    said=st.one_of(st.none(), st.integers(0, 10).map(float), st.floats(0, 10)),
    strength=st.sampled_from([0.25, 0.5, 1.0]),
) | st.builds(
    withdrawn,
    signal=st.sampled_from(["a", "b"]),
    key=st.sampled_from(KEYS),
    said=st.one_of(st.none(), st.floats(0, 10)),
)
TOLD = st.dictionaries(st.integers(0, 12), st.lists(SIGNALS, min_size=1, max_size=4), max_size=8)


@settings(max_examples=25)
@given(TOLD, st.integers(1, 12))
def test_signals_one_by_one_or_together_and_a_crash_between_make_the_same(
    told: dict[int, list[SignalEvent]], crash: int
) -> None:
    together = fresh(PLAN, serving=READER)
    whole = play(together, sequence(13, told), serving=READER)
    state = fresh(PLAN, serving=READER)
    ledger, offset = Ledger(), 0
    for number in range(13):
        for one in told.get(number, ()):
            play(state, [signal_batch([one], offset)], ledger, READER)
            offset += 1
        if number == crash and ledger.progress is not None:
            state = ledger.reload(PLAN, READER)
        play(state, [day(number)], ledger, READER)
    assert state.signals.words == together.signals.words
    assert ledger.rows == whole.rows
    assert ledger.reload(PLAN, READER).signals.words == state.signals.words


@settings(max_examples=25)
@given(TOLD)
def test_a_memory_rebuilt_from_the_window_was_told_what_a_carried_one_was(told: dict[int, list[SignalEvent]]) -> None:
    following = PlanReader("plans-2")
    following.context_buckets = PLAN.window_buckets
    carried, swapped = fresh(PLAN, serving=Serving(following)), fresh(PLAN, serving=READER)
    entries = sequence(13, told)
    play(carried, entries, serving=Serving(following))
    play(swapped, entries, serving=READER)
    begin_rebuild(swapped, following)
    while rebuild_chunk(swapped, following, 2) is not None:
        pass
    flip(swapped)
    for name in ("memory", "curve", "order_up_to_level", "planned_units"):
        assert of_keys(swapped, name) == of_keys(carried, name), name


def of_keys(state: PartitionState, name: str) -> list[float]:
    rows = [state.keys.rows[key] for key in KEYS]
    return [float(one) for one in state.champion.rows[name][rows].ravel()]


class Listener(MeanForecaster):
    """Keeps what it was told at each step."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self.seen: list[tuple[KnownAhead | None, int]] = []

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        self.seen.append((closed.known_ahead, len(memory)))
        return super().step(closed, memory)


def test_keys_without_plans_are_told_nothing_and_stepped_once() -> None:
    told = Listener("told")
    state = fresh(PLAN, serving=Serving(told))
    play(state, sequence(3, {1: [planned(2, 3, key=b"uk|C")]}), serving=Serving(told))
    # chunks of two keys: A and B, then C and, once more as if nothing were planned, C alone
    assert [(known is not None, keys) for known, keys in told.seen[:3]] == [(False, 2), (True, 1), (True, 1)]


def test_the_part_of_plans_in_expected_demand_is_told_apart() -> None:
    terms = [CatalogEntry(key, lead_time_days=2, cover_days=2) for key in KEYS]
    state = fresh(PLAN, serving=READER)
    play(state, [catalog_batch(terms), *sequence(11, {5: [planned(10, 12)]})], serving=READER)
    rows = state.champion.rows
    row, other = state.keys.rows[b"uk|A"], state.keys.rows[b"uk|B"]
    # day 9 has closed: three buckets of two units, of which two are five times as high
    extra = rows["curve"][row] - rows["curve"][other]
    assert rows["planned_units"][other] == 0
    assert rows["planned_units"][row] == pytest.approx(float(extra.mean()), rel=0.3)
    assert rows["planned_units"][row] > 0
