"""The command `train`: a version on a shop's own demand.

Loaded only when it is named. The result is one JSON object with
``--json``; progress and sentences go to stderr.
"""

import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model_store.cli.along import fit_along, machines_of
from model_store.cli.main import models_option, reported_errors
from model_store.cli.outcome import json_option, seed_option, show
from model_store.cli.source import SOURCE_FIELDS, DurationType, Source, reported, source_options
from model_store.cli.suppliers import SupplierSource
from model_store.spec import DEFAULT_HORIZONS_BUCKETS

if TYPE_CHECKING:
    from model_store.training.history import DemandHistory
    from model_store.training.machines import Machines
    from model_store.training.pipeline import Summary
    from model_store.training.plan import RunPlan
    from model_store.training.progress import Reporter

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_LEVELS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
"""Those that forecasts are read at."""


class LevelsType(click.ParamType):
    """Service levels, separated by commas."""

    name = "levels"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """Return them, rising."""
        if isinstance(value, tuple):
            return value
        try:
            levels = tuple(sorted({float(one) for one in value.split(",")}))
        except ValueError:
            levels = ()
        if not levels or not set(levels) <= set(_LEVELS):
            self.fail(f"{value!r} must be some of {', '.join(f'{level:g}' for level in _LEVELS)}", param, ctx)
        return levels


@click.command()
@source_options
@models_option
@click.option("--no-promote", is_flag=True, help="Publish only, whatever the gate says.")
@click.option("--kind", default="lstm", show_default=True, help="What to train; model-store evaluate compares them.")
@click.option("--layers", type=click.IntRange(1, 16), help="Layers of a net; with --units.")
@click.option("--units", type=click.IntRange(1, 4096), help="Units of each layer of a net; with --layers.")
@click.option(
    "--precision",
    type=click.Choice(["float32", "mixed_bfloat16"]),
    default="float32",
    show_default=True,
    help="Of the multiplications while a net is fitted; it is served in float32.",
)
@click.option(
    "--refresh", is_flag=True, help="Go on from the champion's weights, on recent buckets: a third of the epochs."
)
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
@click.option(
    "--memory-gb",
    type=click.FloatRange(min=0.01),
    default=1.0,
    show_default=True,
    help="What the inputs of a net may take beside TensorFlow; of more SKUs a sample is drawn.",
)
@click.option(
    "--disk-gb",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="What more of them may take in a file below --work while a net is fitted, instead of a sample.",
)
@click.option(
    "--decision-levels",
    type=LevelsType(),
    default="0.9,0.95,0.99",
    show_default=True,
    help="Service levels at which the gate measures: those of your catalog.",
)
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where fits and the archive are kept between runs; default: .trainer in the directory of versions.",
)
@click.option("--every", type=DurationType(), help="Stay, and train each 30m, 6h, 1d…; see also --metrics-port.")
@click.option("--once", is_flag=True, help="One round as --every makes them, then end: for cron.")
@click.option(
    "--full-every",
    type=click.IntRange(1, 1_000),
    default=8,
    show_default=True,
    help="Of rounds, each so many that trained one trains anew; the others refresh.",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65_535),
    default=9465,
    show_default=True,
    help="Loopback port of /metrics, /live and /ready with --every; 0 takes any free one.",
)
@click.option("--lead-times", is_flag=True, help="Learn what suppliers take from the topics restock and inventory.")
@click.option("--restocks", type=FILE, help="Learn it from this file of requests, with --inventory, instead of topics.")
@click.option("--inventory", type=FILE, help="File of inventory events, with --restocks.")
@click.option("--ends-with-stdin", is_flag=True, hidden=True)
@seed_option
@json_option
@click.pass_context
def train(
    ctx: click.Context,
    /,
    *,
    models: Path,
    work: Path | None,
    every: int | None,
    once: bool,
    full_every: int,
    metrics_port: int,
    ends_with_stdin: bool,
    kind: str,
    layers: int | None,
    units: int | None,
    json_file: str | None,
    lead_times: bool,
    restocks: Path | None,
    inventory: Path | None,
    **options: Any,
) -> None:
    """Train a version on closed demand, publish it, and promote it if it forecasts better than what serves now.

    Reads the topic demand on Kafka, or a file of order lines. The last buckets
    are held out: on them the new version is compared with the champion (or
    the starter) and with a moving average. Exit code 0 also if it was not promoted.

    A run that was killed goes on where it was when the same command is given again.
    """
    begun = time.monotonic()
    kind = _sized(kind, layers, units)
    kept = work or models / ".trainer"
    source = Source(**{name: options.pop(name) for name in SOURCE_FIELDS})
    suppliers = SupplierSource(lead_times, restocks, inventory, source.kafka, source.topic_prefix)
    if every is not None:
        if once or json_file:
            raise click.UsageError("--every stays and writes no result; leave out --once and --json")
        from model_store.cli.every import stay

        with reported_errors():
            stay(ctx, every, metrics_port, kept)
        return
    from model_store.cli.one_round import end_with_stdin, run_round

    if ends_with_stdin:
        end_with_stdin()
    with reported(as_records=once) as reporter:
        _require_known(kind)
        machines = None if once else machines_of(os.environ, reporter)
        plan = partial(_plan, begun=begun, kept=kept, kind=kind, machines=machines, **options)
        run = partial(_train, models=models, reporter=reporter, suppliers=suppliers)
        if once:
            read = partial(_read, source, reporter, kept / "archive")
            summary = run_round(kept, plan, full_every, read, run)
        elif machines is None or machines.is_first:
            summary = run(_read(source, reporter), plan())
        else:
            fit_along(machines, _read(source, reporter), plan(), models, reporter)
            return
    if summary is None:
        click.echo("no bucket is new: nothing was trained", err=True)
    else:
        show(summary, json_file)


def _read(source: Source, reporter: "Reporter", archive: Path | None = None) -> "DemandHistory":
    """Return the demand with all that a version may know beside it: plans, holidays, categories."""
    from model_store.training.bucketing import AnchoredGrid

    history = source.read(reporter, archive)
    grid, reach = AnchoredGrid(history.width), DEFAULT_HORIZONS_BUCKETS[-1]
    history = source.with_plans(history, grid, reach, reporter)
    history = source.with_holidays(history, history.buckets, grid, reach, reporter)
    return source.with_categories(history, reporter)


def _plan(
    *,
    begun: float,
    kept: Path,
    kind: str,
    precision: str,
    refresh: bool,
    no_promote: bool,
    epochs: int | None,
    seconds_at_most: float | None,
    memory_gb: float,
    disk_gb: float,
    decision_levels: tuple[float, ...],
    seed: int,
    machines: "Machines | None",
) -> "RunPlan":
    from model_store.cli.one_round import FITS
    from model_store.training.checkpoint import Checkpoints
    from model_store.training.plan import DEFAULT_EPOCHS, LEAST_STEPS, RunPlan
    from model_store.training.room import Room

    return RunPlan(
        epochs=epochs or DEFAULT_EPOCHS,
        least_steps=1 if epochs else LEAST_STEPS,
        seed=seed,
        kind=kind,
        precision=precision,
        ends_by=begun + seconds_at_most if seconds_at_most else float("inf"),
        promotes=not no_promote,
        refreshes=refresh,
        decision_levels=decision_levels,
        room=Room(round(memory_gb * 2**30), round(disk_gb * 2**30), kept),
        checkpoints=Checkpoints(kept / FITS) if machines is None or machines.is_first else None,
        machines=machines,
    )


def _train(
    history: "DemandHistory", plan: "RunPlan", *, models: Path, reporter: "Reporter", suppliers: SupplierSource
) -> "Summary":
    plan = replace(plan, lead_times=suppliers.lead_times(history, reporter))
    # Loaded only now that there is something to learn from: TensorFlow takes seconds.
    from model_store.training.pipeline import train as run
    from model_store.versions import Versions

    now_at = time.time_ns() // 1_000_000
    return run(history, Versions(models), plan, reporter, clock=time.monotonic, now_at=now_at)


def _sized(kind: str, layers: int | None, units: int | None) -> str:
    """The name of a net of these sizes: lstm with 4 layers of 512 is lstm_4x512."""
    if (layers is None) != (units is None):
        raise click.UsageError("--layers and --units go together, such as --kind lstm --layers 2 --units 128")
    return kind if layers is None else f"{kind}_{layers}x{units}"


def _require_known(kind: str) -> None:
    from model_store.training.trainers import known_models, trainer_of

    try:
        is_known = trainer_of(kind) is not None
    except ValueError as error:
        raise click.UsageError(f"{kind}: {error}") from error
    if not is_known:
        raise click.UsageError(f"{kind!r} cannot be trained; --kind is one of {known_models()}")
