"""What commands that train have in common: their seed, and how they tell what they did."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from model_store.training.pipeline import Summary

_STDOUT = "-"

json_option = click.option(
    "--json",
    "json_file",
    is_flag=False,
    flag_value=_STDOUT,
    metavar="[FILE]",
    help="Write what was done as one JSON object to FILE, or to stdout.",
)
seed_option = click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)


def show(summary: "Summary", json_file: str | None) -> None:
    """Print the version on stdout, or all of it as JSON; what became of it goes to stderr."""
    did = "promoted" if summary.is_promoted else "published, not promoted"
    click.echo(f"{summary.version}: {did}", err=True)
    for reason in summary.verdict.reasons:
        click.echo(f"  {reason}", err=True)
    if json_file == _STDOUT:
        click.echo(json.dumps(summary.as_json()))
    elif json_file is not None:
        Path(json_file).write_text(json.dumps(summary.as_json()) + "\n")
    else:
        click.echo(summary.version)
