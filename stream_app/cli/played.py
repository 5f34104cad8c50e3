"""Policies played with models as the user asked, with progress, and what is said of it in a report."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from replenishment.closed_loop.suppliers import Suppliers
from replenishment.closed_loop.world import Period
from replenishment.engine.plan import Plan
from stream_app.page.simulation import Simulation, report
from stream_app.simulate.files import Given
from stream_app.simulate.run import Candidate, Run, played
from stream_app.simulate.specs import PolicySpec
from stream_app.simulate.trade_off import Curve, Point, Swept, curves
from stream_app.wire.times import shown


def all_played(
    files: Given,
    period: Period,
    plan: Plan,
    specs: Sequence[PolicySpec],
    candidates: Sequence[Candidate],
    *,
    sweep: Sequence[Swept],
    suppliers: Suppliers,
) -> tuple[list[Run], list[Curve]]:
    """Return every policy with every model as asked, and the curves of a sweep; the history is played once a model."""
    wanted = [*specs, *(one.played for one in sweep)]
    runs: list[Run] = []
    points: list[tuple[Swept, str, Point]] = []
    length = len(wanted) * len(candidates) * period.buckets
    with click.progressbar(length=length, label="simulating", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        for candidate in candidates:
            found = played(files, period, plan, wanted, candidate, suppliers=suppliers, advanced=bar.update)
            for place, run in enumerate(found):
                if place < len(specs):
                    runs.append(run)
                else:
                    # of a run of the sweep only its point is kept: its decisions are nobody's
                    one = sweep[place - len(specs)]
                    points.append((one, run.model, Point.of(one.service, run)))
    return runs, curves(points)


def write_report(path: Path, simulation: Simulation) -> None:
    """Write the HTML report of runs."""
    html = report(simulation)
    with click.open_file(str(path), "w", encoding="utf-8") as out:
        out.write(html)


def asked_of(
    files: Given, sources: Mapping[str, Path | None], period: Period, plan: Plan, suppliers: Suppliers
) -> list[tuple[str, str]]:
    """Return what was asked as names and texts, for a reader who was not there."""
    named = [(what, path.name) for what, path in sources.items() if path is not None]
    refused = [("Rows refused", f"{len(files.refusals):,}")] if files.refusals else []
    ratio, spread = suppliers.ratio, suppliers.spread
    taken = "as the catalog says" if (ratio, spread) == (1.0, 0.0) else f"{ratio:g} × the catalog's, spread {spread:g}"
    return [
        *named,
        ("Order lines", f"{len(files.lines):,}"),
        *refused,
        ("Stock keys", f"{len(files.keys):,}"),
        ("Played", f"{_day(period.start_at)} to {_day(period.end_of(period.buckets - 1))} (the day after the last)"),
        ("Buckets", f"{period.buckets:,} of {_width(period.width.seconds)}"),
        ("Demand without stock", "is lost" if plan.lost_sales else "is owed until goods arrive"),
        ("Deliveries take", taken),
    ]


def _day(at: int) -> str:
    return shown(at).removesuffix("T00:00:00.000Z")


def _width(seconds: int) -> str:
    for name, size in (("day", 86_400), ("hour", 3_600)):
        if seconds % size == 0:
            return f"{seconds // size} {name}{'s' if seconds > size else ''}"
    return f"{seconds:,} s"
