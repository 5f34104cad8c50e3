"""``restock simulate``: which policy and which model, in money, over files of recorded orders."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from replenishment.closed_loop.suppliers import Suppliers
from replenishment.closed_loop.world import Period
from replenishment.engine.plan import Plan
from replenishment.keys import stock_key
from stream_app.cli.candidates import available_of, candidate_of, planned_of
from stream_app.cli.periods import Edge, Numbers, Width, edge_at, period_of
from stream_app.cli.played import all_played, asked_of, write_report
from stream_app.cli.recorded import recorded, source_options
from stream_app.cli.replay import INPUT, OUTPUT
from stream_app.page.simulation import Simulation
from stream_app.settings import load_settings
from stream_app.simulate.files import Given
from stream_app.simulate.run import Run, in_order, ranked
from stream_app.simulate.specs import CATALOG, POLICIES, parsed
from stream_app.simulate.trade_off import TARGETS, as_json, swept
from stream_app.wire.times import shown

MOST_EXAMPLES = 10
LOST_SALES, BACKORDERS = "lost_sales", "backorders"
DECISIONS = ("policy", "model", "decided_at", "usable_from", "location", "sku", "quantity")


@click.command()
@source_options
@click.option("--signals", type=INPUT, help="Planned promotions and prices, and columns that are named below.")
@click.option("--signal-columns", default="", help="Columns of numbers that are known ahead, with commas.")
@click.option("--covariate-columns", default="", help="Columns of numbers that are known afterwards, with commas.")
@click.option("--bucket", type=Width(), default="1d", show_default=True, help="Width of a bucket: 1d, 7d, 1h, …")
@click.option("--from", "start", type=Edge(), required=True, help="First day that is played; a bucket begins here.")
@click.option("--to", "end", type=Edge(), required=True, help="The day after the last one.")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="SPEC",
    help=f"name:key=value,…; repeat to compare. Names: {', '.join(POLICIES)}. Default: catalog.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="VERSION|KIND",
    help="A version, `starter`, or a model fitted on what precedes --from: `lstm`, `tsb`, …; repeat to compare. "
    "Default: the champion, or who stands in.",
)
@click.option(
    "--shortage",
    type=click.Choice([LOST_SALES, BACKORDERS]),
    default=LOST_SALES,
    show_default=True,
    help="What becomes of demand without stock.",
)
@click.option(
    "--lead-time-ratio",
    type=click.FloatRange(0.01, 100),
    default=1.0,
    show_default=True,
    help="Deliveries take so many times the catalog's lead time in the mean: what if suppliers are late?",
)
@click.option(
    "--lead-time-spread",
    type=click.FloatRange(0, 10),
    default=0.0,
    show_default=True,
    help="Coefficient of variation of the time that deliveries take; 0 = always the same.",
)
@click.option("--calibrate", is_flag=True, help="Let decision levels move until demand stays within them as targeted.")
@click.option("--json", "json_out", type=OUTPUT, help="Write all figures as JSON; - = stdout, in place of the table.")
@click.option("--decisions-out", type=OUTPUT, help="Write each request as a row of CSV; - = stdout likewise.")
@click.option("--keys-out", type=OUTPUT, help="Write the figures of each stock key and run as a row of CSV.")
@click.option("--html", "html_out", type=OUTPUT, help="Write a report for people: one HTML file that loads nothing.")
@click.option(
    "--trade-off",
    "targets",
    type=Numbers(),
    help="Play every policy at these service targets too, for curves of stock against fill rate in --html and --json. "
    f"Default with --html: {','.join(f'{one:g}' for one in TARGETS)}.",
)
def simulate(
    *,
    orders: Path | None,
    topic: str | None,
    since: str | None,
    catalog: Path | None,
    inventory: Path | None,
    signals: Path | None,
    signal_columns: str,
    covariate_columns: str,
    bucket: int,
    start: str,
    end: str,
    policies: tuple[str, ...],
    models: tuple[str, ...],
    shortage: str,
    lead_time_ratio: float,
    lead_time_spread: float,
    calibrate: bool,
    json_out: Path | None,
    decisions_out: Path | None,
    keys_out: Path | None,
    html_out: Path | None,
    targets: tuple[float, ...] | None,
) -> None:
    """Play recorded orders against each policy with each model, and rank them by cost.

    The engine of the worker decides; what it requests arrives its lead time
    later. In a bucket: receipts, demand, then review and costs at its end.
    """
    settings = load_settings(lost_sales=shortage == LOST_SALES, calibrate=calibrate or None)
    specs = [parsed(text) for text in policies or (CATALOG,)]
    sweep = swept(specs, targets or (TARGETS if html_out else ()))
    period = period_of(settings, bucket, start, end)
    since_at = (edge_at(since, settings.bucket_offset_seconds) if since else None) or 0
    files = recorded(
        settings, period, orders=orders, topic=topic, since_at=since_at, catalog=catalog, inventory=inventory
    )
    say_ignored(files)
    planned = planned_of(signals, signal_columns, covariate_columns, files, period)
    if planned is not None:
        files = replace(files, signals=planned.events)
    plan = settings.plan()
    rules = on_grid(plan, period)
    available = available_of(inventory, files, period)
    candidates = [
        candidate_of(name, settings, rules, files, period, planned=planned, available=available)
        for name in models or (None,)
    ]
    suppliers = Suppliers(lead_time_ratio, lead_time_spread)
    runs, found_curves = all_played(files, period, plan, specs, candidates, sweep=sweep, suppliers=suppliers)
    found = ranked(runs)
    if decisions_out is not None:
        _write_decisions(decisions_out, runs)
    if keys_out is not None:
        _write_keys(keys_out, runs)
    if json_out is not None:
        more = {"trade_off": as_json(found_curves)} if sweep else {}
        with click.open_file(str(json_out), "w") as out:
            out.write(json.dumps({"runs": found, **more}, indent=2) + "\n")
    if html_out is not None:
        sources = {
            "Orders": orders or Path(f"topic {topic}"),
            "Catalog": catalog,
            "Inventory": inventory,
            "Signals": signals,
        }
        asked = asked_of(files, sources, period, plan, suppliers)
        by_key = [list(run.by_key()) for run in in_order(runs)]
        write_report(html_out, Simulation(asked, found, by_key, found_curves, _remarks(found)[1:]))
    click.echo(_table(found), err=Path("-") in (json_out, decisions_out, keys_out, html_out))


def on_grid(plan: Plan, period: Period) -> Plan:
    """Return the rules on the period's buckets: what a version must fit."""
    return Plan(width=period.width, allowed_lateness_seconds=0, window_buckets=plan.window_buckets)


def say_ignored(files: Given) -> None:
    """Name on stderr the rows that are refused, and count those that are not used."""
    for one in files.refusals[:MOST_EXAMPLES]:
        click.echo(f"{one.file} row {one.row}: {one.code}: {one.reason}", err=True)
    if len(files.refusals) > MOST_EXAMPLES:
        click.echo(f"… and {len(files.refusals) - MOST_EXAMPLES} more rows refused", err=True)
    for what, count in files.ignored.items():
        click.echo(f"{what}: {count:,} rows are read and not used by this version", err=True)
    ordered = sorted({*files.lines.keys} - {b""})
    if files.catalog and ordered and {*ordered}.isdisjoint(entry.key for entry in files.catalog):
        theirs, ours = files.catalog[0].key.decode(), ordered[0].decode()
        click.echo(
            f"the catalog names no stock key of the orders, whose terms are the defaults: it says {theirs}, they say "
            f"{ours}. Check the column location of both",
            err=True,
        )


def _write_decisions(path: Path, runs: Sequence[Run]) -> None:
    with click.open_file(str(path), "w") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(DECISIONS)
        for run in runs:
            for one in run.decisions:
                key = stock_key(one.request.key)
                parts = ("", "") if key is None else key
                times = (shown(one.request.decided_at), shown(one.usable_from))
                writer.writerow((run.policy, run.model, *times, *parts, one.request.units))


def _write_keys(path: Path, runs: Sequence[Run]) -> None:
    with click.open_file(str(path), "w") as out:
        rows = [row for run in runs for row in run.by_key()]
        writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _table(found: Sequence[dict[str, Any]]) -> str:
    head = ("", "POLICY", "MODEL", "COST", "±", "FILL", "CYCLE", "DAYS OF STOCK", "ORDERS", "OUT DAYS", "BULLWHIP")
    rows = [head, *(_row(place, one) for place, one in enumerate(found, 1))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if 1 <= column <= 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", *_remarks(found)])


def _row(place: int, one: dict[str, Any]) -> tuple[str, ...]:
    bullwhip = "-" if one["bullwhip"] is None else f"{one['bullwhip']:.2f}"
    against = one["against_best"]
    return (
        str(place),
        one["policy"],
        one["model"],
        f"{one['cost']['total']:,.2f}",
        "" if place == 1 else f"{against['low']:+,.0f} to {against['high']:+,.0f}",
        f"{one['fill_rate']:.2%}",
        f"{one['cycle_service']:.2%}",
        f"{one['days_of_stock']:.2f}",
        f"{one['orders']:,}",
        f"{one['stock_out_days']:,.0f}",
        bullwhip,
    )


def _remarks(found: Sequence[dict[str, Any]]) -> list[str]:
    remarks = [f"{found[0]['stock_keys']:,} stock keys. ±: cost against the first row, 95 % of resampled keys."]
    if not any(one["cost"]["total"] for one in found):
        remarks.append("The catalog has no costs: ranked by fill rate.")
    unstocked = max(one["unstocked_units"] for one in found)
    if unstocked:
        remarks.append(f"{unstocked:,} units were asked for before the stock of their key was known; not counted.")
    return remarks
