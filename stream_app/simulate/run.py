"""Runs of policies and models over one world, and what came of each in money and service."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from replenishment.arrays import Float64s
from replenishment.closed_loop.ledger import KeyOutcome
from replenishment.closed_loop.loop import ClosedLoop, Decision
from replenishment.closed_loop.suppliers import PUNCTUAL, Suppliers
from replenishment.closed_loop.world import Period
from replenishment.engine.plan import Plan
from replenishment.forecaster import Serving
from stream_app.simulate.files import Given
from stream_app.simulate.specs import Facts, PolicySpec

RESAMPLES = 1_000
"""Of stock keys, for intervals."""
INTERVAL = (2.5, 97.5)
"""Percentiles that bound an interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model as it was named, and who forecasts."""

    name: str
    serving: Serving


@dataclass(frozen=True, slots=True)
class Run:
    """One policy with one model: what it decided, and what came of it."""

    policy: str
    model: str
    version: str
    decisions: Sequence[Decision]
    outcome: KeyOutcome
    period: Period

    def as_json(self) -> dict[str, Any]:
        """Return the figures of the run over all stock keys; see the how-to for what each means."""
        sums = {name: int(values.sum()) for name, values in self.outcome.sums.items()}
        asked, buckets, days = sums["asked_units"], self.period.buckets, self.period.days
        holding, shortage, ordering = (
            round(float(one.sum()), 6) for one in (self.outcome.holding, self.outcome.shortage, self.outcome.ordering)
        )
        return {
            "policy": self.policy,
            "model": self.model,
            "model_version": self.version,
            "cost": {
                "holding": holding,
                "shortage": shortage,
                "ordering": ordering,
                "waste": 0.0,
                "total": round(holding + shortage + ordering, 6),
            },
            "fill_rate": sums["served_units"] / asked if asked else 1.0,
            "cycle_service": 1 - sums["short_cycles"] / sums["cycles"] if sums["cycles"] else 1.0,
            "days_of_stock": sums["end_units"] / buckets * days / asked if asked else 0.0,
            "orders": sums["orders"],
            "stock_out_days": sums["empty_buckets"] * days / buckets,
            "bullwhip": self._bullwhip(),
            "asked_units": asked,
            "served_units": sums["served_units"],
            "ordered_units": sums["ordered_units"],
            "unstocked_units": sums["unstocked_units"],
            "stock_keys": int(np.count_nonzero(self.outcome.sums["stocked_buckets"])),
        }

    def by_key(self) -> Iterator[dict[str, Any]]:
        """Yield the figures of each stock key that had stock, in the order of their keys."""
        sums, costs, buckets = self.outcome.sums, self.outcome, self.period.buckets
        for row in sorted(np.flatnonzero(sums["stocked_buckets"]).tolist(), key=lambda row: self.outcome.keys[row]):
            location, _, sku = self.outcome.keys[row].decode().partition("|")
            yield {
                "policy": self.policy,
                "model": self.model,
                "location": location,
                "sku": sku,
                "asked_units": int(sums["asked_units"][row]),
                "served_units": int(sums["served_units"][row]),
                "mean_stock_units": round(float(sums["end_units"][row]) / buckets, 3),
                "orders": int(sums["orders"][row]),
                "ordered_units": int(sums["ordered_units"][row]),
                "stock_out_days": round(float(sums["empty_buckets"][row]) * self.period.days / buckets, 3),
                "holding": round(float(costs.holding[row]), 6),
                "shortage": round(float(costs.shortage[row]), 6),
                "ordering": round(float(costs.ordering[row]), 6),
            }

    def _bullwhip(self) -> float | None:
        """Variance of units ordered per bucket over that of units asked for, both summed over stock keys."""
        buckets, sums, squares = self.period.buckets, self.outcome.sums, self.outcome.squares
        ordered, asked = (
            float((squares[name] - sums[f"{name}_units"].astype(np.float64) ** 2 / buckets).sum())
            for name in ("ordered", "asked")
        )
        return ordered / asked if asked > 0 else None


def played(
    given: Given,
    period: Period,
    plan: Plan,
    specs: Sequence[PolicySpec],
    candidate: Candidate,
    *,
    suppliers: Suppliers = PUNCTUAL,
    advanced: Callable[[int], None] | None = None,
) -> Iterator[Run]:
    """Play each policy with one model and yield what came of it; the history before the period is played once.

    Args:
        given: What the files say.
        period: The buckets that are played.
        plan: Rules of the engine; lateness and grid are the period's.
        specs: The policies, one or more.
        candidate: The model.
        suppliers: How long deliveries take.
        advanced: Told how many buckets were played since it was told last.

    Raises:
        ConfigError: If a stock key has no costs that a policy needs.
    """
    with _uncollected():
        yield from _played(
            given, period, plan, specs, candidate, suppliers=suppliers, advanced=advanced or (lambda _: None)
        )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the cycle collector off: it would walk all decisions kept so far, again and again; none are in cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _played(
    given: Given,
    period: Period,
    plan: Plan,
    specs: Sequence[PolicySpec],
    candidate: Candidate,
    *,
    suppliers: Suppliers,
    advanced: Callable[[int], None],
) -> Iterator[Run]:
    facts = Facts(period.width.seconds / 86_400, given.daily_units(period.start_at))
    rules = replace(
        plan,
        width=period.width,
        allowed_lateness_seconds=0,
        takes_unknown_shipments=True,
        shows_unmet_demand=True,
    )
    worlds = [replace(given.world(spec, facts), suppliers=suppliers) for spec in specs]
    history = ClosedLoop(worlds[0], period, rules, candidate.serving).history()
    for spec, world in zip(specs, worlds, strict=True):
        loop = ClosedLoop(world, period, rules, candidate.serving, history=history)
        for _ in loop.run():
            advanced(1)
        version = candidate.serving.champion.version
        yield Run(spec.text, candidate.name, version, loop.orders, loop.outcome(), period)


def ranked(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return the figures of runs, the cheapest first, each with its distance to the cheapest.

    ``against_best`` is the difference in total cost to the first run, with an
    interval of 95 % from resampling stock keys, the same ones for both runs.
    """
    found = in_order(runs)
    return [{**run.as_json(), "against_best": _against(run, found[0])} for run in found]


def in_order(runs: Sequence[Run]) -> list[Run]:
    """Return runs, the cheapest first; of equally cheap ones the one that serves more, with less stock."""

    def place(run: Run) -> tuple[float, float, float]:
        figures = run.as_json()
        return figures["cost"]["total"], -figures["fill_rate"], figures["days_of_stock"]

    return sorted(runs, key=place)


def _against(run: Run, best: Run) -> dict[str, float]:
    costs = dict(zip(best.outcome.keys, best.outcome.total.tolist(), strict=True))
    own = zip(run.outcome.keys, run.outcome.total.tolist(), strict=True)
    difference = np.array([cost - costs.get(key, 0.0) for key, cost in own])
    low, high = np.percentile(_resampled(difference), INTERVAL).tolist() if len(difference) else (0.0, 0.0)
    return {"cost": round(float(difference.sum()), 6), "low": round(low, 6), "high": round(high, 6)}


def _resampled(difference: Float64s) -> Float64s:
    """Return the sum over as many keys drawn with replacement, once for each resample, (R,)."""
    random = np.random.default_rng(0)  # the same draws for every pair of runs
    keys = len(difference)
    return np.array([difference[random.integers(0, keys, keys)].sum() for _ in range(RESAMPLES)])
