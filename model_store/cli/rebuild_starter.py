"""The command `starter`: the version that the package carries, trained again."""

import time
from pathlib import Path

import click

from model_store.cli.outcome import json_option, seed_option, show
from model_store.cli.source import reported
from model_store.starter import starter_directory


@click.command()
@click.option(
    "--orders",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="Online Retail as Parquet, with the columns of the original.",
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=starter_directory,
    help="Directory to replace; default: the package's own.",
)
@seed_option
@json_option
def starter(orders: Path, into: Path, seed: int, json_file: str | None) -> None:
    """Train the starter version again, on generated demand and Online Retail before 2011-06-01."""
    with reported() as reporter:
        from model_store.training.starter import rebuild  # loads TensorFlow

        made = rebuild(orders, into, seed, reporter, clock=time.monotonic)
    show(made.summary, json_file)
