"""A simulation as one HTML file for people: ranked, as curves, by part of the cost, and its dearest stock keys.

The file loads nothing: its only style is named by its hash in its own content
security policy, there is no script, and charts are inline SVG.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

from stream_app.page.shapes import WIDTH, Box, Scale
from stream_app.page.trade_off import TradeOff, trade_off
from stream_app.page.writing import document
from stream_app.simulate.trade_off import Curve

MOST_KEYS = 15
"""Stock keys that are shown of each run."""
MOST_DETAILED = 6
"""Runs whose stock keys are shown."""
_BAR_HEIGHT = 26.0
Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Simulation:
    """What is reported.

    Attributes:
        asked: What was asked, as names and texts.
        runs: Figures of each run, the cheapest first, as ``ranked`` returns them.
        keys: Of each run, the figures of its stock keys as ``Run.by_key`` has them.
        curves: Policies at several targets.
        remarks: What a reader must know of these figures, in sentences.
    """

    asked: Sequence[tuple[str, str]]
    runs: Sequence[Figures]
    keys: Sequence[Sequence[Figures]]
    curves: Sequence[Curve]
    remarks: Sequence[str] = ()

    @property
    def has_costs(self) -> bool:
        """Whether anything cost anything."""
        return any(run["cost"]["total"] for run in self.runs)

    @property
    def parts(self) -> list[str]:
        """Return the parts of the cost that are not 0 in every run."""
        names = [name for name in self.runs[0]["cost"] if name != "total"]
        return [name for name in names if any(run["cost"][name] for run in self.runs)]


@dataclass(frozen=True, slots=True)
class _Chapter:
    """The stock keys of one run that cost most, or without costs miss most units."""

    rank: int
    run: Figures
    rows: Sequence[Figures]
    others: int


def report(simulation: Simulation) -> str:
    """Return the HTML of a simulation; same figures, same bytes."""
    style = _style()
    return document(
        "simulation.html",
        style=style,
        style_hash=b64encode(sha256(style.encode()).digest()).decode(),
        simulation=simulation,
        verdict=verdict(simulation),
        bars=_bars(simulation),
        drawn=_drawn(simulation),
        curves={(one.policy, one.model): one.points for one in simulation.curves},
        chapters=_chapters(simulation),
    )


def verdict(simulation: Simulation) -> str:
    """Return in a sentence which run is best, and whether the next one may be as good."""
    best, *others = simulation.runs
    served = f"{best['fill_rate']:.2%} of the units served with {best['days_of_stock']:.1f} days of stock"
    if not simulation.has_costs:
        return f"Most served: {best['policy']} with {best['model']}, {served}. The catalog has no costs."
    found = f"Least cost: {best['policy']} with {best['model']}, {best['cost']['total']:,.2f}, {served}."
    if not others:
        return found
    against = others[0]["against_best"]
    low, high = against["low"], against["high"]
    sure = "the order of the two may be chance" if low <= 0 else "a few stock keys do not make that order"
    return (
        f"{found} Next: {others[0]['policy']} with {others[0]['model']}, {against['cost']:,.2f} more "
        f"(95 %: {low:+,.2f} to {high:+,.2f}); {sure}."
    )


def _style() -> str:
    static = files("stream_app.page") / "static"
    return "".join((static / name).read_text(encoding="utf-8") for name in ("page.css", "simulation.css"))


def _drawn(simulation: Simulation) -> TradeOff:
    return trade_off(simulation.runs, simulation.curves)


def _bars(simulation: Simulation) -> list[list[Box]]:
    """Return the parts of each run's cost as boxes on one line, all to one scale."""
    x = Scale(0.0, max([run["cost"]["total"] for run in simulation.runs] + [1e-9]), 0.0, WIDTH)
    found = []
    for run in simulation.runs:
        begun, boxes = 0.0, []
        for name in simulation.parts:
            cost = run["cost"][name]
            boxes.append(
                Box(
                    x.at(begun),
                    0,
                    round(x.at(begun + cost) - x.at(begun), 1),
                    _BAR_HEIGHT,
                    name,
                    f"{name}: {cost:,.2f}",
                )
            )
            begun += cost
        found.append(boxes)
    return found


def _chapters(simulation: Simulation) -> list[_Chapter]:
    found = []
    for rank, (run, keys) in enumerate(zip(simulation.runs, simulation.keys, strict=True), 1):
        worst = sorted(keys, key=lambda one: _badness(one, simulation), reverse=True)[:MOST_KEYS]
        found.append(_Chapter(rank, run, worst, len(keys) - len(worst)))
    return found[:MOST_DETAILED]


def _badness(row: Figures, simulation: Simulation) -> tuple[float, int]:
    return sum(row.get(part, 0.0) for part in simulation.parts), row["asked_units"] - row["served_units"]
