"""Dense history: births, zeros, what is missing, and what a forecaster is shown of it."""

import numpy as np
import pytest

from model_store.training.errors import UnusableHistory
from model_store.training.history import Cells, assemble
from tests.model_store.training.builders import DAY, FIRST_BUCKET, history_from


def cells(*rows: tuple[int, int, float]) -> Cells:
    row, bucket, units = (np.array(column) for column in zip(*rows, strict=True))
    ones = np.ones(len(row), dtype=np.float32)
    return Cells(row.astype(np.int64), bucket.astype(np.int64), units.astype(np.float32), ones, ones)


def test_bucket_without_a_cell_is_a_zero_after_birth_and_keys_are_in_order_of_birth() -> None:
    # bucket   10  11  12  13
    # b                 5   .
    # a         2   .   .   3
    history = assemble(DAY, [b"b", b"a", b"never"], cells((0, 12, 5), (1, 10, 2), (1, 13, 3)))
    assert history.keys == (b"a", b"b")
    assert history.born.tolist() == [0, 2]
    assert (history.first_bucket, history.buckets) == (10, 4)
    assert history.demand_units.tolist() == [[2, 0, 0, 3], [0, 0, 5, 0]]


def test_of_two_cells_of_a_bucket_the_last_one_holds_and_signed_sums_are_clamped_at_zero() -> None:
    history = assemble(DAY, [b"a"], cells((0, 10, 2), (0, 10, 7), (0, 11, -3)))
    assert history.demand_units.tolist() == [[7, 0]]


def test_buckets_after_the_last_known_one_are_missing_rather_than_zero() -> None:
    history = assemble(DAY, [b"a", b"b"], cells((0, 10, 2), (1, 12, 1)), last_known=np.array([10, 12]))
    assert history.available_ratio.tolist() == [[1, 0, 0], [1, 1, 1]]


def test_closed_bucket_shows_only_keys_born_by_then_with_their_age() -> None:
    history = history_from([[1, 2, 3], [0, 5, 6]], born=[0, 1])
    assert history.closed(0).demand_units.tolist() == [1]
    closed = history.closed(2)
    assert (closed.bucket, closed.age_buckets.tolist()) == (FIRST_BUCKET + 2, [2, 1])


def test_history_until_a_column_knows_neither_later_buckets_nor_keys_born_later() -> None:
    history = history_from([[1, 2, 3], [0, 0, 6]], born=[0, 2])
    earlier = history.until(2)
    assert earlier.keys == history.keys[:1]
    assert earlier.demand_units.tolist() == [[1, 2]]
    assert earlier.end_at == history.end_at - 86_400_000


def test_history_of_rows_keeps_their_order() -> None:
    history = history_from([[1, 2], [3, 4], [5, 6]])
    assert history.of_rows(np.array([0, 2])).demand_units.tolist() == [[1, 2], [5, 6]]


def test_one_wrong_time_among_many_keys_is_refused_with_the_span_instead_of_filling_memory() -> None:
    with pytest.raises(UnusableHistory, match=r"from 2011-.* to 27.*Correct times"):
        assemble(
            DAY, [f"{n}".encode() for n in range(2_000)], cells((0, FIRST_BUCKET, 1), (1, FIRST_BUCKET + 280_000, 1))
        )


def test_no_demand_is_said_so() -> None:
    no_places, no_figures = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    nothing = Cells(no_places, no_places, no_figures, no_figures, no_figures)
    with pytest.raises(UnusableHistory, match="no demand"):
        assemble(DAY, [], nothing)


@pytest.mark.parametrize("broken", [[[float("nan")]], [[-1.0]]])
def test_history_of_negative_or_unreadable_demand_cannot_be_built(broken: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="finite and at least 0"):
        history_from(broken)


def test_history_whose_births_fall_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="births"):
        history_from([[1, 1], [1, 1]], born=[1, 0])
