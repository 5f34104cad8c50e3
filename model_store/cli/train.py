"""Commands that train: `train` for a shop's own demand, `starter` for the version that the package carries.

Loaded only when one of them is named. The result is one JSON object with
``--json``; progress and sentences go to stderr.
"""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model_store.cli.main import models_option
from model_store.cli.source import Source, reported, source_options
from model_store.spec import DEFAULT_HORIZONS_BUCKETS
from model_store.starter import starter_directory

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


@click.command()
@source_options
@models_option
@click.option("--no-promote", is_flag=True, help="Publish only, whatever the gate says.")
@click.option("--kind", default="lstm", show_default=True, help="What to train; model-store evaluate compares them.")
@click.option(
    "--epochs",
    type=click.IntRange(1, 1_000),
    help="How often each bucket is shown, both ways; default: 4, or more if that is very little.",
)
@click.option(
    "--seconds-at-most",
    type=click.FloatRange(min=20),
    help="End within about so many seconds, with fewer epochs if need be.",
)
@seed_option
@json_option
def train(
    *,
    models: Path,
    no_promote: bool,
    kind: str,
    epochs: int | None,
    seconds_at_most: float | None,
    seed: int,
    json_file: str | None,
    **source: Any,
) -> None:
    """Train a version on closed demand, publish it, and promote it if it forecasts better than what serves now.

    Reads the topic demand on Kafka, or a file of order lines. The last buckets
    are held out: on them the new version is compared with the champion (or
    the starter) and with a moving average. Exit code 0 also if it was not promoted.
    """
    begun = time.monotonic()
    with reported() as reporter:
        _require_known(kind)
        named = Source(**source)
        history = named.read(reporter)
        from model_store.training.bucketing import AnchoredGrid

        grid, reach = AnchoredGrid(history.width), DEFAULT_HORIZONS_BUCKETS[-1]
        history = named.with_plans(history, grid, reach, reporter)
        history = named.with_holidays(history, history.buckets, grid, reach, reporter)
        history = named.with_categories(history, reporter)
        # TensorFlow takes seconds to load: only now that there is something to learn from.
        from model_store.training.pipeline import DEFAULT_EPOCHS, RunPlan
        from model_store.training.pipeline import train as run
        from model_store.training.plan import LEAST_STEPS
        from model_store.versions import Versions

        plan = RunPlan(
            epochs=epochs or DEFAULT_EPOCHS,
            least_steps=1 if epochs else LEAST_STEPS,
            seed=seed,
            kind=kind,
            ends_by=begun + seconds_at_most if seconds_at_most else float("inf"),
            promotes=not no_promote,
        )
        now_at = time.time_ns() // 1_000_000
        summary = run(history, Versions(models), plan, reporter, clock=time.monotonic, now_at=now_at)
    _show(summary, json_file)


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
    _show(made.summary, json_file)


def _require_known(kind: str) -> None:
    from model_store.training.trainers import known_models, trainer_of

    try:
        is_known = trainer_of(kind) is not None
    except ValueError as error:
        raise click.UsageError(f"{kind}: {error}") from error
    if not is_known:
        raise click.UsageError(f"{kind!r} cannot be trained; --kind is one of {known_models()}")


def _show(summary: "Summary", json_file: str | None) -> None:
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
