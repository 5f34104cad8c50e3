"""``restock tune``: service levels and order sizes per category for the least cost at a fill rate, as a proposal."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import click

from replenishment.closed_loop.world import Period
from replenishment.engine.plan import Plan
from replenishment.events import CatalogEntry
from stream_app.cli.candidates import available_of, candidate_of
from stream_app.cli.periods import Edge, Numbers, Width, edge_at, period_of
from stream_app.cli.recorded import recorded, source_options
from stream_app.cli.replay import OUTPUT
from stream_app.cli.simulate import BACKORDERS, LOST_SALES, on_grid, say_ignored
from stream_app.errors import ConfigError
from stream_app.replay.catalog_file import write_catalog_file
from stream_app.settings import load_settings
from stream_app.simulate.files import Given
from stream_app.simulate.run import Candidate, played
from stream_app.simulate.specs import CATALOG, Facts, PolicySpec, parsed
from stream_app.simulate.tuning import Trial, Tuned, proposal, tuned

LEVELS = "0.5,0.7,0.8,0.85,0.9,0.93,0.95,0.97,0.98,0.99,0.995"
LEARNT_SHARE = 2 / 3
"""Of the buckets: terms are chosen on these, their effect is measured on the others."""
FIGURES = ("cost", "fill_rate", "cycle_service", "days_of_stock", "orders", "stock_out_days")


@click.command()
@source_options
@click.option("--bucket", type=Width(), default="1d", show_default=True, help="Width of a bucket: 1d, 7d, 1h, …")
@click.option("--from", "start", type=Edge(), required=True, help="First day that is played; a bucket begins here.")
@click.option("--to", "end", type=Edge(), required=True, help="The day after the last one.")
@click.option("--model", metavar="VERSION|KIND", help="Who forecasts; default: the champion, or who stands in.")
@click.option(
    "--fill-rate",
    type=click.FloatRange(0, 1),
    default=0.95,
    show_default=True,
    help="Units served over units asked for that all categories together must reach; 0 = whatever costs least.",
)
@click.option("--levels", type=Numbers(), default=LEVELS, show_default=True, help="Service targets to try.")
@click.option("--cover-days", type=Numbers(), help="Order sizes to try, in days of demand; default: the catalog's.")
@click.option("--shortage", type=click.Choice([LOST_SALES, BACKORDERS]), default=LOST_SALES, show_default=True)
@click.option("--out", type=OUTPUT, help="Write the proposal as a catalog file (CSV); nothing else is changed.")
@click.option(
    "--json", "json_out", type=OUTPUT, help="Write what was found as JSON; - = stdout, in place of the table."
)
def tune(
    *,
    orders: Path | None,
    topic: str | None,
    since: str | None,
    catalog: Path | None,
    inventory: Path | None,
    bucket: int,
    start: str,
    end: str,
    model: str | None,
    fill_rate: float,
    levels: tuple[float, ...],
    cover_days: tuple[float, ...] | None,
    shortage: str,
    out: Path | None,
    json_out: Path | None,
) -> None:
    """Search service levels, and order sizes, per category for the least cost at a fill rate.

    Every choice is played for all stock keys over the first two thirds of the
    period; the proposal and the catalog are then compared over the last
    third, which no choice has seen. Nothing is changed by itself: look at the
    proposal, then `restock catalog import` it.
    """
    settings = load_settings(lost_sales=shortage == LOST_SALES)
    specs = _specs(levels, cover_days)
    period = period_of(settings, bucket, start, end)
    learnt, measured = _parts(period)
    since_at = edge_at(since, settings.bucket_offset_seconds) if since else None
    files = recorded(
        settings, period, orders=orders, topic=topic, since_at=since_at or 0, catalog=catalog, inventory=inventory
    )
    say_ignored(files)
    files = replace(files, catalog=_all_terms(files))
    _require_costs(files.catalog)
    available = available_of(inventory, files, learnt)
    candidate = candidate_of(model, settings, on_grid(settings.plan(), learnt), files, learnt, available=available)
    buckets = len(specs) * learnt.buckets + 2 * measured.buckets
    with click.progressbar(length=buckets, label="tuning", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        stage = _Stage(files, settings.plan(), candidate, bar.update)
        categories = sorted({entry.category for entry in files.catalog})
        trials = stage.trials(learnt, specs, categories)
        found = tuned(trials, fill_rate)
        chosen = dict(zip(categories, found.trial.tolist(), strict=True))
        facts = Facts(bucket / 86_400, files.daily_units(learnt.start_at))
        proposed = proposal(files.catalog, specs, chosen, facts)
        effect = {"catalog": stage.effect(measured, files.catalog), "proposal": stage.effect(measured, proposed)}
    if out is not None:
        write_catalog_file(out, proposed)
    rows = [_category(name, group, found, trials, files.catalog) for group, name in enumerate(categories)]
    report = {"is_reached": found.is_reached, "categories": rows, "effect": effect}
    if json_out is not None:
        with click.open_file(str(json_out), "w") as file:
            file.write(json.dumps(report, indent=2) + "\n")
    click.echo(_table(report, fill_rate, out), err=json_out == Path("-"))


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where choices are played: one world, one model."""

    files: Given
    plan: Plan
    candidate: Candidate
    advanced: Callable[[int], None]

    def trials(self, period: Period, specs: Sequence[PolicySpec], categories: Sequence[str]) -> list[Trial]:
        """Play every choice for all keys."""
        place = {category: number for number, category in enumerate(categories)}
        groups = {entry.key: place[entry.category] for entry in self.files.catalog}
        runs = played(self.files, period, self.plan, specs, self.candidate, advanced=self.advanced)
        return [Trial.of(spec, run.outcome, groups, len(place)) for spec, run in zip(specs, runs, strict=True)]

    def effect(self, period: Period, terms: Sequence[CatalogEntry]) -> dict[str, Any]:
        """Play terms as they are, and return the figures that count."""
        files, as_they_are = replace(self.files, catalog=terms), [parsed(CATALOG)]
        (run,) = played(files, period, self.plan, as_they_are, self.candidate, advanced=self.advanced)
        figures = run.as_json()
        return {name: figures[name] for name in FIGURES}


def _specs(levels: Sequence[float], cover_days: Sequence[float] | None) -> list[PolicySpec]:
    """Return each choice as a policy of the catalog's kind.

    Raises:
        ConfigError: If a number is out of its range.
    """
    covers = [f",cover_days={days:g}" for days in cover_days] if cover_days else [""]
    try:
        return [parsed(f"{CATALOG}:service={level:g}{cover}") for level, cover in product(levels, covers)]
    except ConfigError as wrong:
        raise ConfigError([f"--levels or --cover-days: {problem}" for problem in wrong.problems]) from None


def _all_terms(files: Given) -> list[CatalogEntry]:
    terms = {entry.key: entry for entry in files.catalog}
    return [terms.get(key) or CatalogEntry(key=key) for key in files.keys]


def _require_costs(entries: Sequence[CatalogEntry]) -> None:
    if not any(entry.holding_cost_per_unit_day for entry in entries):
        raise ConfigError(
            ["the catalog has no holding_cost_per_unit_day: without it most stock is always best; add it and try again"]
        )


def _parts(period: Period) -> tuple[Period, Period]:
    """Return the buckets on which terms are chosen, and those on which their effect is measured."""
    learnt = round(period.buckets * LEARNT_SHARE)
    if not 0 < learnt < period.buckets:
        raise ConfigError([f"--from and --to hold {period.buckets} bucket: two or more are needed, better 60"])
    middle = period.end_of(learnt - 1)
    return replace(period, buckets=learnt), replace(period, start_at=middle, buckets=period.buckets - learnt)


def _category(
    name: str, group: int, found: Tuned, trials: Sequence[Trial], terms: Sequence[CatalogEntry]
) -> dict[str, Any]:
    one, own = trials[int(found.trial[group])], [entry for entry in terms if entry.category == name]
    asked, served = float(one.asked_units[group]), float(one.served_units[group])
    return {
        "category": name,
        "stock_keys": len(own),
        "service_targets": sorted({entry.service_target for entry in own}),
        "proposed": dict(one.spec.values),
        "cost": round(float(one.cost[group]), 6),
        "fill_rate": served / asked if asked else 1.0,
    }


def _table(report: dict[str, Any], fill_rate: float, out: Path | None) -> str:
    lines = [f"{'CATEGORY':<24} {'KEYS':>7}  {'NOW':<16} {'PROPOSED':<34} {'COST':>12} {'FILL':>8}"]
    for row in report["categories"]:
        now = ", ".join(f"{one:g}" for one in row["service_targets"][:3])
        chosen = ", ".join(f"{name} {value:g}" for name, value in row["proposed"].items())
        lines.append(
            f"{row['category'] or '(none)':<24} {row['stock_keys']:>7,}  {now:<16} {chosen:<34}"
            f" {row['cost']:>12,.2f} {row['fill_rate']:>8.2%}"
        )
    if not report["is_reached"]:
        lines.append(f"\nNo choice reaches a fill rate of {fill_rate:.2%}: each category serves as much as it can.")
    lines.append("\nOver the last third, which no choice has seen:")
    for name, one in report["effect"].items():
        lines.append(
            f"  {name:<9} cost {one['cost']['total']:>14,.2f}   fill rate {one['fill_rate']:.2%}"
            f"   days of stock {one['days_of_stock']:.2f}   orders {one['orders']:,}"
        )
    lines.append(
        f"Nothing was changed. The proposal is in {out}; bring it in with: restock catalog import {out}"
        if out
        else "Nothing was changed. --out FILE writes the proposal as a catalog file."
    )
    return "\n".join(lines)
