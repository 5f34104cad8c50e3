"""Drift: a lasting change of demand asks for retraining once, chance does not, and another version begins anew."""

import numpy as np

from replenishment.drift import DRIFT_DEVIATIONS, Watch
from replenishment.engine.advance import advance
from replenishment.engine.plan import Plan
from replenishment.engine.rebuild import begin_rebuild, flip, rebuild_chunk
from replenishment.engine.state import PartitionState
from replenishment.forecaster import Serving
from tests.engine.builders import DAY, HOUR, T0, Line, MeanForecaster, fresh, order_columns

KEYS, DAYS, CHANGE = 40, 90, 60


def lived(factor_after: float) -> tuple[PartitionState, list[int]]:
    """Return the state after a change of demand, and on which days drift was found."""
    random = np.random.default_rng(5)
    state, serving = fresh(Plan(), T0 + 10_000 * DAY), Serving(MeanForecaster())
    offset, found = 0, []
    for day in range(DAYS):
        came = random.poisson(20 * (factor_after if day >= CHANGE else 1.0), KEYS)
        lines = [Line(offset + key, b"uk|%02d" % key, T0 + day * DAY + 2 * HOUR, int(came[key])) for key in range(KEYS)]
        for effects in advance(state, order_columns(lines, offset, offset + KEYS), serving):
            found += [day] * len(effects.drifted)
        offset += KEYS
    return state, found


def test_a_lasting_change_is_found_within_a_few_buckets_and_told_once() -> None:
    _, found = lived(1.6)
    assert len(found) == 1
    assert CHANGE < found[0] <= CHANGE + 10


def test_chance_is_no_drift() -> None:
    state, found = lived(1.0)
    assert not found
    assert Watch(*state.champion.account["watch"][0].tolist()).ratio < 0.7


def test_another_version_begins_without_drift() -> None:
    state, found = lived(1.6)
    assert found and state.champion.account["drifted_bucket"][0]
    incoming = MeanForecaster("mean-2")
    begin_rebuild(state, incoming)
    while rebuild_chunk(state, incoming, 1_000) is not None:
        pass
    effects = flip(state)
    assert not state.champion.account["drifted_bucket"][0]
    assert [(one.role, one.version) for one in effects.accuracy] == [("champion", "mean-2")]
    accounts = next(one for one in effects.writes if one.table == "accuracy")
    assert (list(accounts.keys), list(accounts.gone)) == ([b"mean-2"], [b"mean-1"])


def test_false_alarms_are_rare() -> None:
    random = np.random.default_rng(7)
    alarms = 0
    for _ in range(100):
        watch = Watch()
        for figure in random.normal(size=365).tolist():
            watch = watch.after(figure)
            if watch.ratio > 1:
                alarms += 1
                break
    assert alarms <= 5, f"of 100 years of daily buckets; λ is {DRIFT_DEVIATIONS}"
