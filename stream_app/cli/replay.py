"""``restock replay``: files of events through the engine, without servers."""

import asyncio
import dataclasses
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from replenishment.engine.columns import Role
from stream_app.replay.run import MOST_EXAMPLES, Replayed, replayed
from stream_app.replay.sequence import sequenced
from stream_app.settings import load_settings
from stream_app.swap import source_of
from stream_app.wire.times import instant_at

INPUT = click.Path(exists=True, dir_okay=False, path_type=Path)
OUTPUT = click.Path(dir_okay=False, allow_dash=True, path_type=Path)
STDOUT = Path("-")


class EventTime(click.ParamType):
    """RFC 3339 with an offset, as epoch milliseconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the instant, or fail with an example."""
        if isinstance(value, int):
            return value
        at = instant_at(str(value))
        if at is None:
            self.fail(f"{value!r} is not RFC 3339, for example 2026-01-31T00:00:00Z", param, ctx)
        return at


@click.command()
@click.option("--orders", type=INPUT, required=True, help="Order lines: CSV, NDJSON or Parquet.")
@click.option("--inventory", type=INPUT, help="Inventory events, in any of these formats.")
@click.option("--catalog", type=INPUT, help="Terms of stock keys, in any of these formats.")
@click.option("--signals", type=INPUT, help="Promotions, prices and other plans, in any of these formats.")
@click.option(
    "--decide-from", type=EventTime(), help="From when stock moves and restocks are requested; default: first order."
)
@click.option(
    "--model",
    metavar="VERSION",
    help="A version, `starter` or `moving_average`; default: the champion, or who stands in.",
)
@click.option("--restocks-out", type=OUTPUT, help="Write requests, one JSON object a line; - = stdout.")
@click.option("--demand-out", type=OUTPUT, help="Write demand of closed buckets likewise.")
@click.option("--dead-letters-out", type=OUTPUT, help="Write refused rows likewise, each with code and reason.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def replay(
    *,
    orders: Path,
    inventory: Path | None,
    catalog: Path | None,
    signals: Path | None,
    decide_from: int | None,
    model: str | None,
    restocks_out: Path | None,
    demand_out: Path | None,
    dead_letters_out: Path | None,
    as_json: bool,
) -> None:
    """Run files of events through the engine, as one partition, without servers.

    Rows are taken in the order of event time; at the same time the catalog
    comes before signals, those before inventory events, and those before
    orders. Column names are the field names of the topics; a row without
    location is in `main`, a signal without event_time was always known.
    """
    settings = load_settings()
    given: dict[Role, Path | None] = {
        "orders": orders,
        "inventory": inventory,
        "catalog": catalog,
        "signals": signals,
    }
    files = sequenced({role: path for role, path in given.items() if path is not None})
    plan = dataclasses.replace(settings.plan(), takes_unknown_shipments=True)
    source = source_of(model, settings.models, plan)
    begin = files.first_at if decide_from is None else decide_from
    with click.progressbar(
        length=len(files.records), label="replaying", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        done = asyncio.run(replayed(files, plan, source, begin, bar.update))
    _write(restocks_out, done.values("restock"))
    _write(demand_out, done.values("demand"))
    _write(dead_letters_out, (json.dumps(asdict(one)).encode() for one in done.refusals))
    _say_refusals(done)
    # what goes to stdout is one thing: records if they were asked for there, else the summary
    is_taken = STDOUT in (restocks_out, demand_out, dead_letters_out)
    click.echo(json.dumps(done.summary) if as_json else _table(done.summary), err=is_taken)


def _write(path: Path | None, lines: Iterable[bytes]) -> None:
    if path is None:
        return
    with click.open_file(str(path), "wb") as out:
        for line in lines:
            out.write(line + b"\n")


def _say_refusals(done: Replayed) -> None:
    for one in done.refusals[:MOST_EXAMPLES]:
        click.echo(f"{one.file} row {one.row}: {one.code}: {one.reason}", err=True)
    if len(done.refusals) > MOST_EXAMPLES:
        more = len(done.refusals) - MOST_EXAMPLES
        click.echo(f"… and {more} more rows refused; --dead-letters-out FILE has them all", err=True)


def _table(summary: dict[str, object]) -> str:
    rows = [(name.replace("_", " "), _cell(value)) for name, value in summary.items()]
    widest = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{widest}}  {value}" for name, value in rows)


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count:,}" for name, count in value.items()) or "none"
    if isinstance(value, int):
        return f"{value:,}"
    return "-" if value is None else str(value)
