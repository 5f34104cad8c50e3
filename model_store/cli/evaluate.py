"""The command `evaluate`: models and versions on the same forecasts of the same demand, with a rolling origin.

TensorFlow is loaded only if a net is to be fitted; versions are scored as they would serve.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from model_store.cli.source import Source, non_stock_option, reported, source_options
from model_store.spec import DEFAULT_HORIZONS_BUCKETS
from model_store.starter import starter_directory

if TYPE_CHECKING:
    from model_store.training.backtest import Backtest, Protocol
    from model_store.training.comparison import Candidate
    from model_store.training.progress import Reporter
    from model_store.training.trainers import Trainer
    from replenishment.buckets import BucketWidth

STARTER, CHAMPION, TEXTBOOK = "starter", "champion", "moving_average"
_STDOUT = "-"


class _ListType(click.ParamType):
    """Values with commas between them; ``of`` makes each."""

    def __init__(self, name: str, of: Callable[[str], Any]) -> None:
        self.name = name
        self._of = of

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(dict.fromkeys(self._of(part.strip()) for part in value.split(",")))
        except ValueError:
            self.fail(f"{value!r} is no list of {self.name}", param, ctx)


def _lead(text: str) -> int:
    lead = int(text)
    if lead < 1:
        raise ValueError(text)
    return lead


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for on the command line; see the options."""

    inventory: Path | None
    first_origin: datetime | None
    origins_every: int | None
    leads: tuple[int, ...] | None
    clean_actuals: bool
    non_stock: tuple[str, ...]


@click.command()
@click.argument("version", nargs=-1)
@source_options
@click.option(
    "--inventory",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File that says in which buckets a key could not be sold (available_fraction empty or 0).",
)
@click.option(
    "--first-origin",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]),
    help="First day (or instant, UTC) that the first origin does not see; an edge of a bucket. Default: the last "
    "buckets are forecast, from up to four origins.",
)
@click.option("--origins-every", type=click.IntRange(1), help="Buckets between origins; default: the shortest lead.")
@click.option("--leads", type=_ListType("leads, such as 7,14", _lead), help="Buckets to forecast; default: 7,14.")
@click.option(
    "--models",
    "wanted",
    type=_ListType("models, such as lstm,moving_average", str),
    help="Models to fit, and versions: starter, champion, or an id. Default: a moving average, beside the champion if "
    "no VERSION is named.",
)
@click.option(
    "--store",
    "store",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var/models"),
    envvar="RESTOCK_MODELS",
    show_default=True,
    show_envvar=True,
    help="Directory of versions.",
)
@click.option(
    "--stock-lead",
    type=click.IntRange(0),
    help="Also simulate stock from the first origin to the end, with this lead time in buckets, and show how much "
    "each model needs for the same fill rate.",
)
@click.option("--refit", is_flag=True, help="Fit anew before each origin instead of once before the first.")
@non_stock_option
@click.option("--clean-actuals", is_flag=True, help="Clean the demand that forecasts are scored on, too.")
@click.option(
    "--epochs",
    type=click.IntRange(1, 1_000),
    help="How often a net is shown each bucket, both ways; default: 4, or more if that is very little.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write all forecasts to this Parquet file (or CSV)."
)
@click.option(
    "--json", "json_file", is_flag=False, flag_value=_STDOUT, metavar="[FILE]", help="Write figures as JSON to FILE."
)
def evaluate(
    *,
    version: tuple[str, ...],
    wanted: tuple[str, ...] | None,
    store: Path,
    refit: bool,
    stock_lead: int | None,
    epochs: int | None,
    seed: int,
    out: Path | None,
    json_file: str | None,
    **options: Any,
) -> None:
    """Score models and VERSIONs on demand that they have not seen, all at the same origins.

    Each model is fitted once on the buckets before the first origin, then only
    advanced, as a worker does. Figures are over keys whose first line is 60
    buckets before the first origin or earlier (if there are none: over all
    that have a lead sum before it).
    """
    begun = time.monotonic()
    wish = _Wish(**{name: options.pop(name) for name in _Wish.__dataclass_fields__})
    with reported() as reporter:
        source = Source(**options)
        backtest = _backtest(source, wish, reporter)
        reach = max(DEFAULT_HORIZONS_BUCKETS[-1], backtest.origins.leads[-1], (stock_lead or 0) + 1)
        seen = source.with_plans(backtest.seen, backtest.grid, reach, reporter)
        seen = source.with_holidays(seen, backtest.origins.columns[0], backtest.grid, reach, reporter)
        backtest = replace(backtest, seen=source.with_categories(seen, reporter))
        beside = wanted if wanted is not None else (TEXTBOOK,) if version else ()
        names = (*version, *beside) or _default_models(store, reporter)
        candidates = _candidates(names, store, backtest, _plan_options(epochs, seed), refits=refit, stock=stock_lead)
        from model_store.training.comparison import compare
        from model_store.training.evaluation_report import as_json, table
        from model_store.training.paired import compared

        found = compare(backtest, candidates, reporter, time.monotonic, stock_lead)
        reporter.stage("comparing")
        pairs = compared(found.actuals, found.forecasts, backtest.origins.leads, seed)
        if out is not None:
            from model_store.training.forecasts_file import write_forecasts

            reporter.say(f"wrote {write_forecasts(out, backtest, found.forecasts)} forecasts to {out}")
        report = as_json(found, pairs, time.monotonic() - begun)
        if json_file not in (None, _STDOUT):
            Path(str(json_file)).write_text(json.dumps(report, indent=2) + "\n")
    for line in [json.dumps(report)] if json_file == _STDOUT else table(report):
        click.echo(line)


def _backtest(source: Source, wish: _Wish, reporter: "Reporter") -> "Backtest":
    from model_store.training.backtest import read_backtest
    from replenishment.buckets import BucketWidth

    width = BucketWidth(source.bucket, source.bucket_offset_seconds)
    if source.orders is None or wish.first_origin is None:
        return _of_history(source, wish, reporter)
    reporter.stage(f"reading {source.orders.name}")
    backtest = read_backtest(source.orders, wish.inventory, width, _protocol(source, wish, width))
    for one in backtest.findings:
        if one.lines:
            reporter.say(f"cleaning: {one.lines} lines ({one.units} units) {one.rule}: {one.meaning}")
    return backtest


def _of_history(source: Source, wish: _Wish, reporter: "Reporter") -> "Backtest":
    """Demand of the topic, or of a file without a first origin: the last buckets are held out, as when training."""
    from model_store.training.backtest import Protocol, backtest_of
    from model_store.training.bucketing import AnchoredGrid
    from model_store.training.evaluate import held_out
    from model_store.training.sufficiency import require_long

    is_asked = click.get_current_context().get_parameter_source("non_stock") is ParameterSource.COMMANDLINE
    for name, is_named in (("--inventory", wish.inventory is not None), ("--non-stock", is_asked)):
        if is_named:
            raise click.UsageError(f"{name} needs --orders and --first-origin")
    history = source.read(reporter)
    if wish.first_origin is not None:
        protocol = _protocol(source, wish, history.width)
        grid = AnchoredGrid.at(history.width, protocol.first_origin_at)
        if grid.moved_ms:
            raise click.UsageError("--first-origin is no edge of the buckets of the topic")
        return backtest_of(history, history, grid, protocol)
    longest = wish.leads[-1] if wish.leads else DEFAULT_HORIZONS_BUCKETS[-1]
    origins = held_out(history.buckets, tuple(range(1, longest + 1)))
    require_long(history, origins)
    leads = wish.leads or origins.leads
    first_at = history.width.start_of(history.first_bucket + origins.columns[0])
    protocol = Protocol(first_at, wish.origins_every or origins.leads[0], leads)
    return backtest_of(history, history, AnchoredGrid(history.width), protocol)


def _protocol(source: Source, wish: _Wish, width: "BucketWidth") -> "Protocol":
    from model_store.training.backtest import Protocol

    if wish.first_origin is None:
        raise click.UsageError("--first-origin is missing")
    first_at = round(wish.first_origin.replace(tzinfo=UTC).timestamp() * 1000)
    if not (wish.first_origin.hour or wish.first_origin.minute or wish.first_origin.second):
        first_at -= width.offset_seconds * 1000  # a day is a local one
    leads = tuple(sorted(wish.leads or (7, 14)))
    until_at = None if source.until is None else round(source.until.replace(tzinfo=UTC).timestamp() * 1000)
    return Protocol(first_at, wish.origins_every or leads[0], leads, wish.clean_actuals, until_at, wish.non_stock)


def _default_models(store: Path, reporter: "Reporter") -> tuple[str, ...]:
    from model_store.versions import Versions

    if Versions(store).champion() is not None:
        return (CHAMPION, TEXTBOOK)
    reporter.say(f"there is no champion in {store}: the starter is scored")
    return (STARTER, TEXTBOOK)


def _plan_options(epochs: int | None, seed: int) -> dict[str, Any]:
    from model_store.training.plan import LEAST_STEPS

    return {"seed": seed, **({"epochs": epochs} if epochs else {"least_steps": LEAST_STEPS})}


def _candidates(
    names: tuple[str, ...],
    store: Path,
    backtest: "Backtest",
    options: dict[str, Any],
    *,
    refits: bool,
    stock: int | None,
) -> "dict[str, Candidate]":
    from model_store.training.comparison import fitted_candidate
    from model_store.training.peer_lightgbm import PEERS, LightgbmPeer
    from model_store.training.plan import RunPlan, grid_for

    grid = grid_for(tuple(sorted({*backtest.origins.leads, *([] if stock is None else [stock + 1])})))
    candidates: dict[str, Candidate] = {}
    for name in names:
        trainer = _trainer(name)
        if name in PEERS:
            candidates[name] = LightgbmPeer(options["seed"], weighs=PEERS[name])
        elif trainer is not None:
            candidates[name] = fitted_candidate(trainer, RunPlan(kind=name, grid=grid, **options), refits=refits)
        else:
            candidates[name] = _version(name, store, backtest)
    return candidates


def _trainer(name: str) -> "Trainer | None":
    from model_store.training.trainers import trainer_of

    try:
        return trainer_of(name)
    except ValueError as error:
        raise click.UsageError(f"{name}: {error}") from error


def _version(name: str, store: Path, backtest: "Backtest") -> "Candidate":
    from model_store import artifact
    from model_store.training.comparison import version_candidate
    from model_store.training.trainers import known_models
    from model_store.versions import Versions

    def begins_at(column: int) -> int:
        return backtest.origin_at(column)

    if name == STARTER:
        return version_candidate(artifact.read(starter_directory(), packaged=True), begins_at)
    versions = Versions(store)
    chosen = versions.champion() if name == CHAMPION else versions.only_of(name) or name
    if chosen is None:
        raise click.UsageError(f"there is no champion in {store}; promote a version: model-store promote")
    if not artifact.VERSION_ID.fullmatch(chosen):
        raise click.UsageError(
            f"{name!r} is no model and no version. Models are {known_models()}; versions are {STARTER}, {CHAMPION} "
            "and what model-store list shows"
        )
    return version_candidate(versions.read(chosen), begins_at)
