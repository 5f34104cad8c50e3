"""Stock by fill rate: a simulation that is worked out by hand, and forecasts that are worth what they should be."""

import numpy as np
import pytest

from model_store.training.scoring import TABLE_LEVELS, LeadForecasts
from model_store.training.stock_value import FILL_RATES, simulated, stock_value
from replenishment.arrays import Float64s
from tests.model_store.training.builders import history_from

LEAD = 3


def test_stock_is_worked_out_by_hand() -> None:
    # lead 2, target 5: starts with 5; demand 4, 0, 3, 9
    # bucket     0         1         2              3
    # ordered    0         4         0              3 (arrives in 5)
    # on hand    5 - 4 = 1 1 - 0 = 1 1 - 1 = 0      0 + 4 - 4 = 0
    point = simulated(np.array([[4.0, 0, 3, 9]]), np.full((1, 4), 5.0), 2)
    assert point.fill_rate == pytest.approx((4 + 0 + 1 + 4) / 16)
    assert point.stock_buckets == pytest.approx((1 + 1 + 0 + 0) / 16)


def test_order_arrives_before_the_demand_of_its_bucket_and_not_earlier() -> None:
    # What bucket 0 takes is ordered at its end and here again 2 or 3 buckets later.
    demand = np.array([[2.0, 0, 0, 2.0]])
    late, early = (simulated(demand, np.full((1, 4), 2.0), lead) for lead in (3, 2))
    assert (late.fill_rate, early.fill_rate) == (0.5, 1.0)


def forecasts_of(demand: Float64s, first: int, noise: float) -> LeadForecasts:
    """Quantiles of demand over the next buckets: the truth times a spread, ``noise`` times as wide as it need be."""
    buckets = demand.shape[1]
    padded = np.pad(demand, ((0, 0), (0, LEAD + 1)), mode="edge")
    ahead = np.stack([padded[:, at : at + LEAD + 1].sum(axis=1) for at in range(first, buckets)], axis=1)
    widths = np.array([(level - 0.5) * noise for level in TABLE_LEVELS])
    surface = ahead[:, :, None, None] * (1 + widths)
    return LeadForecasts(surface.astype(np.float32), ahead[:, :, None])


def test_sharper_forecast_needs_less_stock_at_each_fill_rate() -> None:
    rng = np.random.default_rng(1)
    history = history_from(rng.poisson(40, (50, 120)).astype(np.float32))
    rows, found = np.ones(50, dtype=np.bool_), []
    for noise in (0.3, 1.2):
        rough = np.round(rng.lognormal(0, noise, (50, 120)) * history.demand_units)
        made = forecasts_of(rough, 60, noise)
        found.append(stock_value(history, made, 60, lead_place=0, lead_buckets=LEAD, rows=rows))
    sharp, blunt = (one.at_fill[0.98] for one in found)
    assert sharp is not None and blunt is not None
    assert sharp < 0.8 * blunt
    curve = [point.stock_buckets for point in found[1].curve]
    assert curve == sorted(curve), "a higher target never holds less"


def test_fill_rate_that_no_target_reaches_has_no_stock() -> None:
    history = history_from(np.full((3, 80), 5, dtype=np.float32))
    nothing = LeadForecasts(np.zeros((3, 20, 1, len(TABLE_LEVELS)), dtype=np.float32), np.zeros((3, 20, 1)))
    rows = np.ones(3, dtype=np.bool_)
    value = stock_value(history, nothing, 60, lead_place=0, lead_buckets=LEAD, rows=rows)
    assert value.at_fill == dict.fromkeys(FILL_RATES)
