"""Plans in a simulation: what closings are told is what an evaluation knows there, and nothing before it is known."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from model_store.kinds.learned import Learned
from model_store.onnx_step import OnnxStep
from model_store.signal_spec import SignalSpec
from model_store.spec import ModelSpec, default_features, default_grid
from model_store.training.backtest import Protocol, read_backtest
from model_store.training.evaluate import Origins, forecasts
from model_store.training.signals_file import read_signals, with_plans
from replenishment.arrays import Float32s
from replenishment.buckets import BucketWidth
from replenishment.closed_loop.world import Period
from replenishment.engine.plan import Plan
from replenishment.forecaster import ClosedBucket, Forecast, Serving
from stream_app.errors import ConfigError
from stream_app.simulate.files import Given, given
from stream_app.simulate.planned import planned
from stream_app.simulate.run import Candidate, Run, played
from stream_app.simulate.specs import parsed
from tests.model_store.graphs import lstm_bytes
from tests.model_store.training.promoted import DAY_MS, START_AT, PromotedShop, promoted_shop
from tests.simulate.test_command import simulate, written

DAY = BucketWidth(86_400)
FIRST, LAST = 60, 80
PERIOD = Period(START_AT + FIRST * DAY_MS, DAY, LAST - FIRST)
Forecasts = dict[int, Float32s]


class Kept:
    """A random net that reads plans and visits, and keeps every forecast by bucket; keys must close in one chunk."""

    def __init__(self) -> None:
        wanted = SignalSpec(("promotion", "price"), ("visits",), default_grid().horizons_buckets)
        features = replace(default_features(DAY), signals=wanted)
        spec = ModelSpec("lstm", DAY, default_grid(), 112, features)
        self._net = Learned("reader", spec, OnnxStep.from_bytes(lstm_bytes(1, features.inputs)))
        self.version, self.grid, self.context_buckets = "reader", spec.grid, spec.context_buckets
        self.memory_floats = self._net.memory_floats
        self.made: Forecasts = {}

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        forecast = self._net.step(closed, memory)
        # keys with plans are stepped once more, as if nothing were planned
        self.made.setdefault(closed.bucket, forecast.quantiles)
        return forecast


def shop() -> PromotedShop:
    """A daily shop of eight SKUs with promotions, prices and visits on some days."""
    made = promoted_shop(keys=8, buckets=LAST, days=1)
    return replace(made, signals=made.signals.with_columns(visits=pl.int_range(pl.len()) % 7))


def files_of(shop: PromotedShop, folder: Path) -> tuple[Given, Path, Path]:
    orders, signals = shop.written(folder)
    return given(orders, []), orders, signals


def told(shop: PromotedShop, folder: Path) -> Forecasts:
    """What a reader of plans forecast at each closing of a simulation."""
    files, _, signals = files_of(shop, folder)
    reader = Kept()
    plans = planned(signals, (), ("visits",), files=files, period=PERIOD)
    ran(replace(files, signals=plans.events), Candidate("reader", Serving(reader)))
    return reader.made


def ran(files: Given, candidate: Candidate) -> list[Run]:
    return list(played(files, PERIOD, Plan(), [parsed("RS")], candidate))


def test_a_closing_forecasts_what_an_evaluation_does_at_that_origin(tmp_path: Path) -> None:
    simulated = told(shop(), tmp_path)
    files, orders, signals = files_of(shop(), tmp_path)
    backtest = read_backtest(orders, None, DAY, Protocol(PERIOD.start_at, 1, (1,)))
    read = read_signals(signals, (), ("visits",))
    reader = Kept()
    history = with_plans(backtest.seen, read, reader.grid.horizons_buckets[-1], backtest.grid)
    first_seen = dict.fromkeys(files.lines.keys)  # the engine's rows are in the order of first lines
    origins = Origins(tuple(range(1, history.buckets + 1)), (1,))
    for column, surface in forecasts(reader, history, origins):
        row_of = {key: row for row, key in enumerate(history.keys[: len(surface)])}
        rows = [row_of[key] for key in first_seen if key in row_of]
        assert np.array_equal(simulated[history.first_bucket + column - 1], surface[rows])
    blind = Kept()
    ran(files, Candidate("reader", Serving(blind)))
    assert all(not np.array_equal(blind.made[bucket], simulated[bucket]) for bucket in range(*bounds(FIRST, LAST)))


def bounds(first: int, last: int) -> tuple[int, int]:
    """Absolute buckets of days since the shop opened."""
    opened = DAY.bucket_at(START_AT)
    return opened + first, opened + last


def with_plan(plan: Sequence[dict[str, Any]], folder: Path) -> Forecasts:
    """Forecasts of the shop whose only plans are these."""
    nothing = {"signal_id": "none", "type": "planned", "sku": "nobody", "promotion": "true", "price": 8.0, "visits": 1}
    rows = [{**nothing, "starts_at": START_AT, "ends_at": START_AT + DAY_MS, "event_time": None}]
    rows += [{**rows[0], "signal_id": "one", "sku": "sku-1", **one} for one in plan]
    made = replace(shop(), signals=pl.DataFrame(rows, infer_schema_length=None))
    return told(made, folder)


def differing(one: Forecasts, other: Forecasts) -> list[int]:
    """Days, since the shop opened, at whose end two simulations forecast differently."""
    opened = DAY.bucket_at(START_AT)
    return [bucket - opened for bucket in sorted(one) if not np.array_equal(one[bucket], other[bucket])]


def promotion(first: int, last: int, **changed: Any) -> dict[str, Any]:
    return {"starts_at": START_AT + first * DAY_MS, "ends_at": START_AT + last * DAY_MS, "price": None} | changed


def test_a_plan_changes_nothing_before_it_is_known(tmp_path: Path) -> None:
    nothing = with_plan([], tmp_path)
    assert min(differing(with_plan([promotion(70, 72)], tmp_path), nothing)) == 70 - 1 - 13
    late = promotion(70, 72, event_time=START_AT + 67 * DAY_MS)
    # known when day 66 has closed, at that very instant
    assert min(differing(with_plan([late], tmp_path), nothing)) == 66
    later = promotion(70, 72, event_time=START_AT + 67 * DAY_MS + 1)
    assert min(differing(with_plan([later], tmp_path), nothing)) == 67


def test_a_withdrawn_plan_is_told_no_longer(tmp_path: Path) -> None:
    plan = promotion(70, 72, event_time=START_AT + 60 * DAY_MS)
    withdrawn = {**plan, "type": "withdrawn", "event_time": START_AT + 65 * DAY_MS}
    kept, gone = with_plan([plan], tmp_path), with_plan([plan, withdrawn], tmp_path)
    assert differing(kept, gone)[0] == 64
    # a net carries what it read in its memory; of the days with the plan it reads nothing more
    never = with_plan([{**plan, "type": "withdrawn"}], tmp_path)
    assert not differing(never, with_plan([], tmp_path))
    assert differing(gone, never)[0] == 59


def plan_of(sku: str, **changed: Any) -> dict[str, Any]:
    return {"sku": sku, "starts_at": "2011-02-01", "ends_at": "2011-02-03", "promotion": "true"} | changed


def test_what_is_used_of_the_file_is_said_and_a_wrong_row_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "signals.csv", [plan_of("A", pages=2, visits=3), plan_of("other", pages=1, visits=2)])
    ran = simulate(tmp_path, "--signals", str(path), "--covariate-columns", "visits", "--signal-columns", "pages")
    assert ran.exit_code == 0, ran.output
    assert "known ahead: promotion, pages; known afterwards: visits; 1 stock keys without orders" in ran.stderr
    assert "not used" not in ran.stderr
    wrong = simulate(tmp_path, "--signals", str(written(path, [plan_of("A", promotion=3)])))
    assert isinstance(wrong.exception, ConfigError)
    assert "row 1: promotion is '3', must be false, true or a strength from 0 to 1" in str(wrong.exception)


def test_columns_without_their_file_are_refused(tmp_path: Path) -> None:
    refused = simulate(tmp_path, "--signal-columns", "pages")
    assert isinstance(refused.exception, ConfigError)
    assert "name columns of --signals FILE" in str(refused.exception)


def test_a_shop_with_promotions_is_served_better_and_cheaper_by_a_model_that_knows_them(tmp_path: Path) -> None:
    orders, signals = promoted_shop(keys=60, buckets=300, days=1).written(tmp_path)
    costs = {"holding_cost_per_unit_day": 0.1, "shortage_cost_per_unit": 4.0, "ordering_cost": 1.0}
    terms = [{"sku": f"sku-{key}", "lead_time_days": 1, "review_period_days": 1, **costs} for key in range(60)]
    catalog = written(tmp_path / "catalog.csv", terms)
    blind, reading = (figures_of(tmp_path, orders, catalog, *more) for more in ((), ("--signals", str(signals))))
    assert blind["asked_units"] == reading["asked_units"]
    assert reading["fill_rate"] > blind["fill_rate"]
    assert reading["cost"]["total"] < 0.75 * blind["cost"]["total"]


def figures_of(folder: Path, orders: Path, catalog: Path, *more: str) -> dict[str, Any]:
    """Figures of an LSTM fitted before the last thirty days; in a process of its own, as TensorFlow wants it."""
    files = ("--orders", str(orders), "--catalog", str(catalog), "--json", str(folder / "out.json"), *more)
    times = ("--from", "2014-10-03", "--to", "2014-11-02", "--model", "lstm", "--policy", "RS:service=0.95")
    done = subprocess.run(
        [sys.executable, "-m", "stream_app.cli.main", "simulate", *files, *times],
        capture_output=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    (found,) = json.loads((folder / "out.json").read_text())["runs"]
    return dict(found)


@pytest.mark.parametrize("first_day", [0, FIRST - 1])
def test_plans_of_the_history_are_told_too(first_day: int, tmp_path: Path) -> None:
    past = promotion(first_day, first_day + 1)
    assert differing(with_plan([past], tmp_path), with_plan([], tmp_path))[0] == max(first_day - 14, 0)
