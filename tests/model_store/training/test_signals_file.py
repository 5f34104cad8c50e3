"""Plans from files: checked by row, cut into buckets, and never seen before they were known."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model_store.training.bucketing import AnchoredGrid
from model_store.training.errors import UnusableHistory
from model_store.training.history import DemandHistory
from model_store.training.signals_file import read_signals, with_plans
from replenishment.arrays import Float32s
from tests.model_store.training.builders import DAY, DAY_MS, history_from

HISTORY = history_from(np.ones((2, 30)))
GRID = AnchoredGrid(DAY)
START_AT = HISTORY.start_at
Row = dict[str, object]
Planned = Callable[..., DemandHistory]


def plan(begin: float, end: float, **changed: object) -> Row:
    """A promotion of sku-0 from one day of the history to another."""
    times = {"starts_at": int(START_AT + begin * DAY_MS), "ends_at": int(START_AT + end * DAY_MS)}
    return {"location": "main", "sku": "sku-0", **times, "promotion": 1.0} | changed


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    """Write rows as a Parquet file and return a history that knows them."""

    def made(rows: list[Row], history: DemandHistory = HISTORY, **options: tuple[str, ...]) -> DemandHistory:
        path = tmp_path / "signals.parquet"
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
        return with_plans(history, read_signals(path, **options), 5, GRID)

    return made


def seen(history: DemandHistory, column: int, channel: str = "promotion", row: int = 0) -> list[float]:
    known = history.closed(column).known_ahead
    assert known is not None
    values: Float32s = known.values[row, :, known.names.index(channel)]
    return [float(value) for value in np.nan_to_num(values, nan=-1).round(3)]


def test_a_promotion_covers_buckets_by_the_share_of_them(planned: Planned) -> None:
    history = planned([plan(11.25, 13.5)])
    assert seen(history, 10) == [0, 0.75, 1, 0.5, 0, 0]
    assert seen(history, 10, row=1) == [0] * 6


def test_overlapping_promotions_are_one_at_most_and_prices_are_averaged(planned: Planned) -> None:
    history = planned([plan(11, 12, price=4.0), plan(11, 12, price=9.0)])
    assert seen(history, 10)[1] == 1
    assert seen(history, 10, "price")[1] == pytest.approx(np.log(6), abs=1e-3)


def test_a_plan_is_not_seen_before_it_is_known(planned: Planned) -> None:
    known_at = START_AT + 10 * DAY_MS
    history = planned([plan(12, 13, event_time=known_at)])
    assert seen(history, 8) == [0] * 6
    assert seen(history, 9) == [0, 0, 0, 1, 0, 0]  # closed at the instant at which it becomes known
    later = planned([plan(12, 13, event_time=known_at + 1)])
    assert seen(later, 9) == [0] * 6
    assert seen(later, 10) == [0, 0, 1, 0, 0, 0]


def test_a_revision_and_a_withdrawal_act_from_the_next_closing_on(planned: Planned) -> None:
    def told(day: int, **changed: object) -> Row:
        return plan(12, 13, signal_id="a", type="planned", event_time=START_AT + day * DAY_MS) | changed

    history = planned([told(2), told(9, promotion=0.5), told(11, type="withdrawn")])
    assert seen(history, 7)[5] == 1
    assert seen(history, 8)[4] == 0.5
    assert seen(history, 9)[3] == 0.5
    assert seen(history, 10) == [0] * 6
    assert seen(planned([told(2), told(9, promotion=0.5), told(11, type="withdrawn", sku="sku-1")]), 10)[2] == 0.5


def test_what_is_measured_is_known_of_closed_buckets_only(planned: Planned) -> None:
    rows = [plan(day, day + 1, visits=float(day)) for day in range(30)]
    history = planned(rows, after=("visits",))
    assert seen(history, 10, "visits") == [10, -1, -1, -1, -1, -1]
    assert seen(planned(rows, ahead=("visits",)), 10, "visits") == [10, 11, 12, 13, 14, 15]


def test_columns_of_numbers_that_nobody_named_are_ignored_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "signals.csv"
    pl.DataFrame([plan(1, 2, pages=3, colour="red")]).write_csv(path)
    assert "2 columns ignored: pages, colour" in read_signals(path).said


@pytest.mark.parametrize("ending", ["csv", "ndjson", "parquet"])
def test_csv_ndjson_and_parquet_mean_the_same(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"signals.{ending}"
    frame = pl.DataFrame([plan(1, 2, promotion=True), plan(3, 4, promotion=False)])
    match ending:
        case "csv":
            frame.write_csv(path)
        case "ndjson":
            frame.write_ndjson(path)
        case _:
            frame.write_parquet(path)
    history = with_plans(HISTORY, read_signals(path), 5, GRID)
    assert seen(history, 0) == [0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"promotion": 1.5}, "row 2: promotion is 1.5, must be false, true or a strength from 0 to 1"),
        ({"price": -1.0}, "row 2: price is -1.0, must be above 0"),
        ({"ends_at": START_AT}, "row 2: ends_at is"),
        ({"type": "cancelled"}, "row 2: type is 'cancelled', must be planned or withdrawn"),
        ({"type": "withdrawn"}, "row 2: signal_id is None"),
        ({"sku": "a b"}, "row 2: sku is 'a b'"),
        ({"event_time": 5}, "row 2: event_time is 5"),
    ],
)
def test_a_wrong_row_is_named(changed: Row, said: str, tmp_path: Path) -> None:
    path = tmp_path / "signals.parquet"
    right = plan(1, 2, price=1.0, type="planned", event_time=None)
    pl.DataFrame([right, plan(4, 5) | changed], infer_schema_length=None).write_parquet(path)
    with pytest.raises(UnusableHistory, match=said.replace("(", r"\(")):
        read_signals(path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "signals.csv"
    pl.DataFrame([plan(1, 2)]).write_csv(path)
    with pytest.raises(UnusableHistory, match="has no column visits"):
        read_signals(path, after=["visits"])


def test_parts_of_a_history_keep_the_plans_of_their_keys(planned: Planned) -> None:
    history = planned([plan(11, 12), plan(12, 13, sku="sku-1", promotion=0.25)])
    alone = history.of_rows(np.array([1]))
    assert seen(alone, 10) == [0, 0, 0.25, 0, 0, 0]
    assert seen(history.until(11), 10) == seen(history, 10)
    assert replace(history, plans=None).closed(3).known_ahead is None
