"""What service costs in stock: each policy played again at several targets, as points of a curve."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stream_app.errors import ConfigError
from stream_app.simulate.run import Run
from stream_app.simulate.specs import POLICIES, PolicySpec, parsed

TARGETS = (0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Service targets that are played where nobody names others."""
_FIGURES = ("fill_rate", "cycle_service", "days_of_stock", "orders", "stock_out_days")


@dataclass(frozen=True, slots=True)
class Swept:
    """A policy at one service target, for the curve of the policy as it was written."""

    written: PolicySpec
    service: float
    played: PolicySpec


def swept(specs: Sequence[PolicySpec], targets: Sequence[float]) -> list[Swept]:
    """Return each policy that has a service target at each of some targets, rising; none of the others.

    Raises:
        ConfigError: If a target is out of range.

    Example:
        >>> [one.played.text for one in swept([parsed("RS:kind=fill,service=0.8"), parsed("cost")], [0.95, 0.9])]
        ['RS:kind=fill,service=0.9', 'RS:kind=fill,service=0.95']
    """
    return [
        Swept(spec, target, _at(spec, target))
        for spec in specs
        if "service" in POLICIES[spec.name].keys
        for target in sorted(set(targets))
    ]


def _at(spec: PolicySpec, target: float) -> PolicySpec:
    values = {**spec.values, "service": target}
    text = ",".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in values.items()
    )
    try:
        return parsed(f"{spec.name}:{text}")
    except ConfigError as wrong:
        raise ConfigError([f"--trade-off {target:g}: {problem}" for problem in wrong.problems]) from None


@dataclass(frozen=True, slots=True)
class Point:
    """What came of one target: ``cost`` in total, and the figures of the run."""

    service: float
    cost: float
    fill_rate: float
    cycle_service: float
    days_of_stock: float
    orders: int
    stock_out_days: float

    @classmethod
    def of(cls, service: float, run: Run) -> "Point":
        """Return the point of a run."""
        figures = run.as_json()
        return cls(service, figures["cost"]["total"], **{name: figures[name] for name in _FIGURES})


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of one policy with one model, by rising target."""

    policy: str
    model: str
    points: Sequence[Point]


def curves(played: Iterable[tuple[Swept, str, Point]]) -> list[Curve]:
    """Return what came of policies at their targets, by model, as curves in the order in which policies come first."""
    found: dict[tuple[str, str], Curve] = {}
    for one, model, point in played:
        name = (one.written.text, model)
        known = found.get(name, Curve(*name, ()))
        found[name] = replace(known, points=[*known.points, point])
    return list(found.values())


def as_json(found: Sequence[Curve]) -> list[dict[str, Any]]:
    """Return curves as JSON: policy, model and the figures at each target."""
    return [
        {
            "policy": one.policy,
            "model": one.model,
            "points": [
                {"service": p.service, "cost": p.cost, **{f: getattr(p, f) for f in _FIGURES}} for p in one.points
            ],
        }
        for one in found
    ]
