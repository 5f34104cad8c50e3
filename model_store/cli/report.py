"""The command `report`: what a file of orders holds, and what cleaning does to it, before anything learns from it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_store.cli.source import WidthType, non_stock_option, reported

if TYPE_CHECKING:
    from model_store.training.data_report import DataReport

_STDOUT = "-"


@click.command()
@click.argument("orders", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--inventory",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File that says in which buckets a key could not be sold.",
)
@click.option("--bucket", type=WidthType(), default="1d", show_default=True, help="Bucket width.")
@click.option(
    "--bucket-offset-seconds",
    type=click.IntRange(-86_399, 86_399),
    envvar="RESTOCK_BUCKET_OFFSET_SECONDS",
    default=0,
    show_envvar=True,
    help="Offset of local time from UTC.",
)
@non_stock_option
@click.option(
    "--json",
    "json_file",
    is_flag=False,
    flag_value=_STDOUT,
    metavar="[FILE]",
    help="Write the figures as JSON to FILE.",
)
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write one page with plots, which loads nothing."
)
def report(
    *,
    orders: Path,
    inventory: Path | None,
    bucket: int,
    bucket_offset_seconds: int,
    non_stock: tuple[str, ...],
    json_file: str | None,
    html: Path | None,
) -> None:
    """Report what the file ORDERS holds: span, keys, patterns, and each cleaning rule with what it found."""
    from replenishment.buckets import BucketWidth

    with reported() as reporter:
        from model_store.training.data_report import report_of
        from model_store.training.report_page import page

        reporter.stage(f"reading {orders.name}")
        found = report_of(orders, inventory, BucketWidth(bucket, bucket_offset_seconds), non_stock)
        if html is not None:
            html.write_text(page(found), encoding="utf-8")
            reporter.say(f"wrote {html}")
        if json_file not in (None, _STDOUT):
            Path(str(json_file)).write_text(json.dumps(found.as_json(), indent=2) + "\n")
    click.echo(json.dumps(found.as_json()) if json_file == _STDOUT else "\n".join(_lines(found)))


def _lines(found: "DataReport") -> list[str]:
    from model_store.training.report_page import facts

    said = [f"{name}: {text}" for name, text in facts(found)]
    for one in found.findings:
        said.append(f"{one.rule}: {one.lines} lines, {one.units} units, {one.keys} keys – {one.meaning}")
        said += [f"  {example}" for example in one.examples]
    return said
