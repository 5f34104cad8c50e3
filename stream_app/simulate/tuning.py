"""Which terms cost least: every trial is played for all keys, then each category takes its own.

The cheapest choice at a stated fill rate is that of a Lagrangian: a unit that
is not served costs a price on top, the same for all categories, and the price
is the lowest at which together they serve enough (Everett, Generalized
Lagrange Multiplier Method for Solving Problems of Optimum Allocation of
Resources, Operations Research 11(3), 1963).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from replenishment.arrays import Float64s, Int64s
from replenishment.closed_loop.ledger import KeyOutcome
from replenishment.events import CatalogEntry
from stream_app.simulate.specs import Facts, PolicySpec

_HALVINGS = 60
_HIGHEST_PRICE = 1e9


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one policy for each group, (G,): cost, units asked for and units served."""

    spec: PolicySpec
    cost: Float64s
    asked_units: Float64s
    served_units: Float64s

    @classmethod
    def of(cls, spec: PolicySpec, outcome: KeyOutcome, groups: Mapping[bytes, int], count: int) -> "Trial":
        """Return the sums over the keys of each group."""
        group = np.array([groups[key] for key in outcome.keys], dtype=np.int64)

        def sums(values: Float64s | Int64s) -> Float64s:
            return np.bincount(group, values.astype(np.float64), minlength=count).astype(np.float64)

        served = {name: sums(outcome.sums[name]) for name in ("asked_units", "served_units")}
        return cls(spec, sums(outcome.total), **served)


@dataclass(frozen=True, slots=True)
class Tuned:
    """The trial that each group takes, (G,), and whether together they serve what was asked for."""

    trial: Int64s
    is_reached: bool


def tuned(trials: Sequence[Trial], fill_rate: float) -> Tuned:
    """Return the cheapest trial of each group with which all groups together reach a fill rate.

    Of equally cheap trials the earlier one is taken. If no choice reaches the
    rate, each group takes the trial that serves most.

    Args:
        trials: At least one, each of the same groups.
        fill_rate: Units served over units asked for, 0 to 1; 0 = whatever costs least.
    """
    cost = np.array([trial.cost for trial in trials])
    served = np.array([trial.served_units for trial in trials])
    asked = np.array([trial.asked_units for trial in trials])

    def choice(price: float) -> Int64s:
        return np.asarray((cost + price * (asked - served)).round(6).argmin(axis=0), dtype=np.int64)

    def reached(trial: Int64s) -> bool:
        group = np.arange(cost.shape[1])
        return bool(served[trial, group].sum() >= fill_rate * asked[trial, group].sum())

    low, high = 0.0, 1.0
    if reached(choice(low)):
        return Tuned(choice(low), is_reached=True)
    while high < _HIGHEST_PRICE and not reached(choice(high)):
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(choice(middle)) else (middle, high)
    found = choice(high)
    return Tuned(found, is_reached=reached(found))


def proposal(
    entries: Sequence[CatalogEntry],
    specs: Sequence[PolicySpec],
    chosen: Mapping[str, int],
    facts: Facts,
) -> list[CatalogEntry]:
    """Return terms with each category's choice applied; ``chosen`` is the place of its spec."""
    return [specs[chosen[entry.category]].applied(entry, facts) for entry in entries]
