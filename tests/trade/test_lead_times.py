"""Lead times as chances: what promises and deliveries say together, and demand over an interval that is not certain."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replenishment.buckets import BucketWidth
from replenishment.closed_loop.suppliers import Suppliers
from replenishment.lead_time import PROMISE_WEIGHT, REMEMBERED_DELIVERIES, LeadTimes, delay_buckets
from replenishment.quantiles import ProtectionDemand, mixed

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)
CURVES = st.lists(
    st.lists(st.integers(0, 40), min_size=len(LEVELS), max_size=len(LEVELS)).map(sorted), min_size=1, max_size=5
)


def certain(curve: list[int]) -> ProtectionDemand:
    return ProtectionDemand(LEVELS, np.array([curve], dtype=np.float64))


@given(CURVES, st.data())
def test_a_mixture_is_exceeded_as_often_as_its_parts_together(curves: list[list[int]], data: st.DataObject) -> None:
    raw = np.array(data.draw(st.lists(st.integers(1, 9), min_size=len(curves), max_size=len(curves))), dtype=float)
    weights = raw / raw.sum()
    parts = [certain(curve) for curve in curves]
    units = mixed(parts, weights[None]).units[0]
    assert np.all(np.diff(units) >= 0)
    for level, at in zip(LEVELS, units, strict=True):
        within = sum(
            w * part.probability_within(np.array([at + 1e-6]))[0] for w, part in zip(weights, parts, strict=True)
        )
        # the tail beyond the highest level is cut into straight pieces
        assert within >= level - 2e-3
        if at > 0:
            before = sum(
                w * part.probability_within(np.array([at - 1e-6]))[0] for w, part in zip(weights, parts, strict=True)
            )
            assert before <= level + 2e-3


@given(CURVES.filter(lambda curves: len(curves) > 1))
def test_a_mixture_lies_between_its_parts(curves: list[list[int]]) -> None:
    parts = [certain(curve) for curve in curves]
    units = mixed(parts, np.full((1, len(parts)), 1 / len(parts))).units[0]
    stacked = np.array(curves, dtype=np.float64)
    assert np.all(units >= stacked.min(axis=0) - 1e-9)
    assert np.all(units <= stacked.max(axis=0) + 1e-9)


def test_a_rare_long_lead_time_raises_the_high_levels_and_hardly_the_middle() -> None:
    short, long = certain([8, 9, 10, 11, 12, 13, 14]), certain([80, 90, 100, 110, 120, 130, 140])
    units = dict(zip(LEVELS, mixed([short, long], np.array([[0.93, 0.07]])).units[0], strict=True))
    assert units[0.5] == pytest.approx(10, abs=0.5)
    assert 12 < units[0.9] < 15
    assert units[0.95] > 80


def test_without_deliveries_the_catalog_is_taken_at_its_word() -> None:
    times = LeadTimes.learnt(np.array([7]), np.zeros((1, 12), dtype=np.int64), np.array([0]))
    assert (times.mean().tolist(), times.deviation().tolist()) == ([7.0], [0.0])


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 200))
def test_the_more_deliveries_the_less_the_promise_counts(promised: int, took: int, observed: int) -> None:
    delivered = np.full((1, REMEMBERED_DELIVERIES), took)
    times = LeadTimes.learnt(np.array([promised]), delivered, np.array([observed]))
    share = PROMISE_WEIGHT / (PROMISE_WEIGHT + observed)
    assert times.weights.sum() == pytest.approx(1)
    assert times.mean()[0] == pytest.approx(share * promised + (1 - share) * took)


def test_the_lead_times_of_a_key_do_not_hang_on_the_keys_beside_it() -> None:
    delivered = np.array([[9, 7, 9, 8], [3, 3, 3, 3]])
    both = LeadTimes.learnt(np.array([7, 3]), delivered, np.array([4, 4]))
    alone = LeadTimes.learnt(np.array([7]), delivered[:1], np.array([4]))
    assert (both.mean()[0], both.deviation()[0]) == (alone.mean()[0], alone.deviation()[0])
    assert both.weights[1].max() == 1.0


def test_goods_that_come_within_the_bucket_of_the_promise_are_on_time() -> None:
    hour, width = 3_600_000, BucketWidth(86_400)
    needed_by = 7 * 24 * hour + 10 * hour
    late = [delay_buckets(needed_by + hours * hour, needed_by, width) for hours in (-24, -1, 0, 15, 20, 38)]
    assert late == [-1, 0, 0, 0, 1, 1]


def test_late_suppliers_take_what_they_are_said_to_in_the_mean_and_the_same_for_everybody() -> None:
    suppliers = Suppliers(ratio=1.4, spread=0.5)
    factors = np.array([suppliers.factor(f"request-{number}") for number in range(20_000)])
    assert factors.mean() == pytest.approx(1.4, rel=0.02)
    assert factors.std() / factors.mean() == pytest.approx(0.5, rel=0.05)
    assert suppliers.factor("request-7") == factors[7]
