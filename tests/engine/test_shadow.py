"""A version beside the champion changes nothing that the champion decides; what it would decide is compared."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from replenishment.arrays import Float32s
from replenishment.engine.effects import Effects, ShadowDecisions
from replenishment.engine.plan import Plan
from replenishment.engine.rebuild import begin_rebuild, dismiss, rebuild_chunk
from replenishment.engine.rows import forecast_table
from replenishment.events import Rejection
from replenishment.forecaster import ClosedBucket, Forecast, Serving
from tests.engine.builders import DAY, HOUR, SERVING, T0, Ledger, Line, MeanForecaster, fresh, order_columns, play
from tests.engine.test_laws import PLAN, batches, comparable, order_logs


class Cautious(MeanForecaster):
    """Expects three times what the mean forecaster does."""

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        forecast = super().step(closed, memory)
        return Forecast(forecast.quantiles * np.float32(3), forecast.memory)


SHADOW = Cautious("shadow-1")
BESIDE = Serving(SERVING.champion, incoming=SHADOW)


@dataclass
class Comparing(Ledger):
    """A ledger that keeps comparisons as well."""

    compared: list[ShadowDecisions] = field(default_factory=list)

    def keep(self, effects: Effects) -> None:
        super().keep(effects)
        self.compared += [] if effects.shadow is None else [effects.shadow]


def shadowed(log: Sequence[Line | Rejection], cuts: set[int], plan: Plan = PLAN, decide_from: int = 0) -> Comparing:
    state = fresh(plan, decide_from)
    begin_rebuild(state, SHADOW)
    ledger = Comparing()
    play(state, batches(log, cuts), ledger, BESIDE)
    return ledger


def without_shadow(ledger: Ledger) -> tuple[object, ...]:
    """Return all of a ledger but what is the shadow's own."""
    rows, *rest = comparable(ledger)
    assert isinstance(rows, dict)
    kept = {name: dict(table) for name, table in rows.items() if name != "forecast:shadow-1"}
    kept.get("accuracy", {}).pop(b"shadow-1", None)
    return kept, *rest


@settings(max_examples=30)
@given(log=order_logs(), cuts=st.sets(st.integers(0, 40)), decide_after=st.sampled_from([0, 3, 1_000]))
def test_with_a_shadow_the_partition_says_and_stores_the_same_bytes(
    log: list[Line | Rejection], cuts: set[int], decide_after: int
) -> None:
    decide_from = T0 + decide_after * DAY
    alone = play(fresh(PLAN, decide_from), batches(log, cuts))
    assert without_shadow(shadowed(log, cuts, decide_from=decide_from)) == comparable(alone)


@settings(max_examples=30)
@given(log=order_logs(), cuts=st.sets(st.integers(0, 40)))
def test_any_cut_gives_the_same_shadow_and_the_same_comparisons(log: list[Line | Rejection], cuts: set[int]) -> None:
    whole, cut = shadowed(log, set()), shadowed(log, cuts)
    assert comparable(cut) == comparable(whole)
    assert cut.compared == whole.compared


def daily(days: int, keys: int = 5) -> list[Line]:
    pairs = [(day, key) for day in range(days) for key in range(keys)]
    return [Line(n, f"uk|{key}".encode(), T0 + day * DAY + HOUR, 4) for n, (day, key) in enumerate(pairs)]


def test_each_closing_is_compared_once_over_all_chunks() -> None:
    ledger = shadowed(daily(12), set(), Plan(closing_chunk_keys=2))
    starts = [one.bucket_start for one in ledger.compared]
    assert starts == sorted(set(starts)) and len(starts) >= 10
    last = ledger.compared[-1]
    assert (last.version, last.keys) == ("shadow-1", 5)
    assert last.shadow_order_up_to_units > 2 * last.champion_order_up_to_units > 0
    assert last.shadow_reorder_units > last.champion_reorder_units


def test_a_shadow_that_expects_more_finds_keys_due_that_the_champion_does_not() -> None:
    ledger = shadowed(daily(12), set())
    assert sum(one.shadow_due_keys for one in ledger.compared) > 0
    assert sum(one.champion_due_keys for one in ledger.compared) == 0
    assert all(one.both_due_keys + one.shadow_due_keys <= one.keys for one in ledger.compared)


def test_a_shadow_rebuilt_from_windows_is_compared_from_the_next_closing_on() -> None:
    lines = daily(12)
    state, ledger = fresh(), Comparing()
    play(state, [order_columns(lines[:30], 0, 30)], ledger)
    assert not ledger.compared
    begin_rebuild(state, SHADOW)
    while (effects := rebuild_chunk(state, SHADOW, 2)) is not None:
        ledger.keep(effects)
    play(state, [order_columns(lines[30:], 30, 60)], ledger, BESIDE)
    assert {one.keys for one in ledger.compared} == {5}


def test_a_dismissed_shadow_leaves_neither_rows_nor_scores() -> None:
    lines = daily(12)
    state, ledger = fresh(), Ledger()
    begin_rebuild(state, SHADOW)
    play(state, [order_columns(lines, 0, len(lines))], ledger, BESIDE)
    assert b"shadow-1" in ledger.rows["accuracy"]
    assert forecast_table("shadow-1", 2, 5).name in ledger.rows
    ledger.keep(dismiss(state))
    assert without_shadow(ledger)[0] == ledger.rows
    assert state.incoming is None and not state.accounts
