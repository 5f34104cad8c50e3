"""The command `evaluate`: versions scored on the last buckets of a demand, beside the moving average.

TensorFlow is not loaded: what is scored is what would serve.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model_store.cli.main import json_option, models_option
from model_store.cli.source import Source, reported, source_options
from model_store.starter import starter_directory

if TYPE_CHECKING:
    from model_store.artifact import Artifact
    from model_store.training.evaluate import Origins, Scores
    from model_store.training.history import DemandHistory
    from model_store.training.progress import Reporter
    from replenishment.forecaster import Forecaster

STARTER = "starter"


@click.command()
@click.argument("version", nargs=-1)
@source_options
@models_option
@json_option
def evaluate(version: tuple[str, ...], models: Path, as_json: bool, **source: Any) -> None:
    """Score each VERSION, or the champion, beside a moving average on the last buckets of a demand.

    VERSION may also be `starter`. Scored as when training: up to four
    origins, none of which sees what it forecasts. A version that learnt from
    the buckets it is scored on is marked, for it looks better than it is.
    """
    with reported() as reporter:
        rows = _rows(version, models, Source(**source).read(reporter), reporter)
    for row in rows:
        click.echo(json.dumps(row) if as_json else _line(row))


def _rows(
    wanted: tuple[str, ...], models: Path, history: "DemandHistory", reporter: "Reporter"
) -> list[dict[str, Any]]:
    from model_store.kinds.moving_average import fallback
    from model_store.spec import default_grid
    from model_store.training.evaluate import held_out
    from model_store.training.sufficiency import require_long

    origins = held_out(history.buckets, default_grid().horizons_buckets)
    require_long(history, origins)
    scored_from_at = history.width.start_of(history.first_bucket + origins.columns[0])
    artifacts = _artifacts(wanted, models, reporter)
    for found in artifacts:
        found.require_fits(history.width, found.manifest.spec.context_buckets)
    forecasters = [*(found.forecaster() for found in artifacts), fallback(history.width)]
    scores = _scored(forecasters, history, origins, reporter)
    learnt_until_at = {found.version: found.manifest.data_until_at for found in artifacts}
    return [_row(name, scores[name], learnt_until_at.get(name, 0) > scored_from_at) for name in scores]


def _artifacts(wanted: tuple[str, ...], models: Path, reporter: "Reporter") -> "list[Artifact]":
    from model_store import artifact
    from model_store.versions import Versions

    versions = Versions(models)
    champion = versions.champion()
    if not wanted and champion is None:
        reporter.say(f"there is no champion in {models}: the starter is scored")
    names = wanted or (champion or STARTER,)
    return [
        artifact.read(starter_directory(), packaged=True) if name == STARTER else versions.read(name) for name in names
    ]


def _scored(
    forecasters: "list[Forecaster]", history: "DemandHistory", origins: "Origins", reporter: "Reporter"
) -> "dict[str, Scores]":
    from model_store.training.evaluate import evaluate as scored

    stage = reporter.stage("evaluating")
    scores = {}
    for place, forecaster in enumerate(forecasters):
        scores[forecaster.version] = scored(forecaster, history, origins)
        stage(place + 1, len(forecasters), forecaster.version)
    return scores


def _row(name: str, scores: "Scores", is_seen: bool) -> dict[str, Any]:
    from model_store.training.evaluate import mean_spb, rows_of

    forecasts = sum(score.n for score in scores.values())
    return {
        "version": name,
        "learnt_from_scored_buckets": is_seen,
        "forecasts": forecasts,
        "spb": round(mean_spb(scores), 6),
        **rows_of(scores),
    }


def _line(row: dict[str, Any]) -> str:
    figures = [f"{name} {value:.4f}" for name, value in row.items() if name.startswith(("spb", "wpb"))]
    coverage = [f"{name} {row[name]:.3f}" for name in row if name.startswith("coverage") and name.endswith("_95")]
    remark = "  (learnt from these buckets)" if row["learnt_from_scored_buckets"] else ""
    return "  ".join([row["version"], *figures, *coverage]) + remark
