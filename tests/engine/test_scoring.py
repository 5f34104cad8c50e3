"""Live accuracy: what an account says of earlier forecasts is what came, whatever was in between."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from replenishment.accuracy import FORGETTING, MEASURES, SCORED_LEVELS, Accuracy, measured
from replenishment.arrays import Float64s
from replenishment.engine.effects import VersionAccuracy
from replenishment.engine.plan import Plan
from replenishment.engine.rows import FIXED_LEADS, LEAD_NAMES, forecast_table
from replenishment.engine.state import PartitionState
from replenishment.events import CatalogEntry
from replenishment.quantiles import ProtectionDemand
from replenishment.segments import SEGMENTS, Traits
from tests.engine.builders import (
    DAY,
    HOUR,
    SERVING,
    T0,
    Ledger,
    Line,
    MeanForecaster,
    catalog_batch,
    fresh,
    order_columns,
    play,
    time_passed,
)

KEYS = [b"uk|%02d" % number for number in range(9)]
DAYS = 80
FIRST_BUCKET = 15_000
PLAN = Plan(window_buckets=30, closing_chunk_keys=4)
LEAD_DAYS = {KEYS[2]: 3.0, KEYS[5]: 12.0, KEYS[7]: 60.0}


def demand(place: int, day: int) -> int:
    """Return units of a key and day: the first sell much every day, the others now and then; the last comes late."""
    if place == len(KEYS) - 1 and day < 50:
        return 0
    return 40 + (7 * day + place) % 23 if place < 2 else ((day * (place + 3)) % 11 == 0) * (1 + day % 4)


def log(days: int = DAYS) -> list[Line]:
    lines: list[Line] = []
    for day in range(days):
        for place, key in enumerate(KEYS):
            if demand(place, day):
                lines.append(Line(len(lines), key, T0 + day * DAY + place * HOUR, demand(place, day)))
    return [*lines, time_passed(len(lines), T0 + days * DAY + 2 * HOUR)]


def ran(lines: Sequence[Line], cuts: Sequence[int] = (), plan: Plan = PLAN) -> tuple[PartitionState, Ledger]:
    state = fresh(plan, T0 + 10_000 * DAY)
    terms = [CatalogEntry(key, lead_time_days=days) for key, days in LEAD_DAYS.items()]
    ledger = play(state, [catalog_batch(terms)])
    edges = [0, *cuts, len(lines)]
    for start, end in pairwise(edges):
        play(state, [order_columns(lines[start:end], start, end)], ledger)
    return state, ledger


def by_hand() -> dict[tuple[str, bytes], list[Float64s]]:
    """Return the measures of every forecast that can be scored, lead by lead and key by key, with plain loops."""
    grid, found = MeanForecaster.grid, dict[tuple[str, bytes], list[Float64s]]()
    rows = {key: row for row, key in enumerate(ran(log())[0].keys.keys)}
    for place, key in enumerate(KEYS):
        born = next(day for day in range(DAYS) if demand(place, day))
        own = round(LEAD_DAYS.get(key, 7.0)) + 1
        for name, lead in zip(LEAD_NAMES, (own, *FIXED_LEADS), strict=True):
            for origin in range(born, DAYS):
                if (FIRST_BUCKET + origin + rows[key]) % max(lead, 7) or origin + lead >= DAYS or lead > 30:
                    continue
                mean = np.mean([demand(place, day) for day in range(born, origin + 1)])
                curve = ProtectionDemand(grid.levels, np.array([[mean * lead * (0.5 + q) for q in grid.levels]]))
                came = sum(demand(place, day) for day in range(origin + 1, origin + lead + 1))
                facts = measured(np.array([float(came)]), curve.read_at(SCORED_LEVELS), curve.mean())[0]
                found.setdefault((name, key), []).append(facts * FORGETTING ** (DAYS - origin - lead))
    return found


def test_every_forecast_is_scored_once_against_what_came() -> None:
    state, _ = ran(log())
    sums = state.champion.account["sums"][0].sum(axis=1)
    for slot, name in enumerate(LEAD_NAMES):
        expected = np.sum([one for (lead, _), all_of in by_hand().items() for one in all_of if lead == name], axis=0)
        # beyond the horizons a mean of this forecaster is not linear in the lead: those of 13 buckets are within
        assert sums[slot] == pytest.approx(expected, rel=1e-4), name
    assert Accuracy(sums[0]).scored > 20


def test_any_cut_gives_the_same_account_to_the_last_bit() -> None:
    lines = log(40)
    (whole, one), (cut, other) = ran(lines), ran(lines, cuts=range(3, len(lines), 5))
    assert whole.champion.account.tobytes() == cut.champion.account.tobytes()
    assert one.rows["accuracy"] == other.rows["accuracy"]


def test_a_crash_in_the_middle_of_a_closing_counts_no_forecast_twice() -> None:
    lines = log(24)
    _, whole = ran(lines)
    state = fresh(PLAN, T0 + 10_000 * DAY)
    terms = [CatalogEntry(key, lead_time_days=days) for key, days in LEAD_DAYS.items()]
    ledger = play(state, [catalog_batch(terms)])
    for line in lines:
        # every record is a fetch, after each of which the process ends
        state = ledger.reload(PLAN, SERVING)
        play(state, [order_columns([line], line.offset, line.offset + 1)], ledger)
    assert ledger.rows["accuracy"] == whole.rows["accuracy"]
    assert ledger.rows["forecast:mean-1"] == whole.rows["forecast:mean-1"]


def test_a_key_belongs_to_the_segments_that_its_window_says() -> None:
    state, _ = ran(log())
    traits = dict(zip(state.keys.keys, state.champion.rows["traits"].tolist(), strict=False))
    assert traits[KEYS[0]] == traits[KEYS[1]] == Traits.ESTABLISHED | Traits.FAST
    assert traits[KEYS[3]] == Traits.ESTABLISHED | Traits.INTERMITTENT
    assert not traits[KEYS[8]] & Traits.ESTABLISHED, "it came 30 buckets ago"
    cells = [set(SEGMENTS[name]) for name in ("established", "new")]
    assert cells[0] | cells[1] == set(SEGMENTS["all"]) and not cells[0] & cells[1]


def test_a_late_line_is_part_of_what_came() -> None:
    key = b"uk|late"
    lines = [Line(day, key, T0 + day * DAY, 10) for day in range(18)]
    late = Line(18, key, T0 + 15 * DAY + HOUR, 500)
    on_time, _ = ran([*lines, time_passed(18, T0 + 30 * DAY)])
    corrected, _ = ran([*lines, late, time_passed(19, T0 + 30 * DAY)])
    units = [Accuracy(state.champion.account["sums"][0, 0].sum(axis=0)).demand_units for state in (on_time, corrected)]
    assert units[1] > units[0] + 100


def test_demand_records_tell_of_the_forecasts_over_protection_intervals() -> None:
    _, ledger = ran(log(40))
    closed = [one for one in ledger.said if isinstance(one, tuple) and one[0] == "closed"]
    scored = [(demand_of[6][place], lead, units, (demand_of[1] - T0) // DAY)
              for demand_of in closed
              for place, lead, units in zip(
                  demand_of[11].places.tolist(),
                  demand_of[11].lead_buckets.tolist(),
                  demand_of[11].actual_units.tolist(),
                  strict=True,
              )]  # fmt: skip
    assert len(scored) > 20
    for key, lead, units, day in scored:
        place = KEYS.index(key)
        assert lead == round(LEAD_DAYS.get(key, 7.0)) + 1
        assert units == sum(demand(place, one) for one in range(day - lead + 1, day + 1))


def test_a_waiting_forecast_costs_a_key_little() -> None:
    names = ("scored_lead", "scored_due", "scored_units", "traits")
    row = forecast_table("v", 0, 5).row
    assert sum(row[name].itemsize for name in names) <= 200


def test_figures_of_nothing_are_none() -> None:
    nothing = Accuracy(np.zeros(MEASURES))
    assert (nothing.wape, nothing.bias, nothing.tracking_signal) == (None, None, None)
    assert set(nothing.coverage.values()) == {None}


def test_turns_tell_the_account_of_the_champion() -> None:
    state, _ = ran(log(20))
    told: list[VersionAccuracy] = []

    class Listening(Ledger):
        def keep(self, effects: object) -> None:
            told.extend(effects.accuracy)  # type: ignore[attr-defined]

    play(
        state,
        [order_columns([time_passed(10_000, T0 + 21 * DAY + 2 * HOUR)], state.progress.positions["orders"], 10_001)],
        Listening(),
    )
    assert {(one.role, one.version) for one in told} == {("champion", "mean-1")}
    assert told[-1].account.tobytes() == state.champion.account[0].tobytes()
