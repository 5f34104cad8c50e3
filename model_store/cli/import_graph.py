"""The command `import`: a graph from elsewhere, examined, becomes a version like any other."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model_store.cli.main import models_option, opened, reported_errors
from model_store.cli.source import WidthType

if TYPE_CHECKING:
    from model_store.artifact import Draft
    from model_store.importing.wish import Examined, Vectors, Wish

_LARGEST_VECTORS_BYTES = 64 * 2**20
_DAY_MS = 86_400_000
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _NumbersType(click.ParamType):
    """Numbers with commas between them."""

    def __init__(self, name: str, of: type[int] | type[float]) -> None:
        self.name = name
        self._of = of

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        try:
            return tuple(self._of(part) for part in value.split(","))
        except ValueError:
            self.fail(
                f"{value!r} is no list of {self.name} such as {'7,14' if self._of is int else '.5,.9'}", param, ctx
            )


class _PairType(click.ParamType):
    """A documented name and a name in the graph."""

    name = "name=its name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        documented, separator, own = value.partition("=")
        if not separator or not own:
            self.fail(f"{value!r} is no pair such as features=x", param, ctx)
        return documented, own


@click.command("import")
@click.argument("graph", type=_FILE)
@click.option("--kind-name", required=True, help="Name of the model, the first part of its version ids.")
@click.option("--bucket", type=WidthType(), required=True, help="Bucket width that it was made for, e.g. 1d.")
@click.option(
    "--bucket-offset-seconds",
    type=click.IntRange(-86_399, 86_399),
    envvar="RESTOCK_BUCKET_OFFSET_SECONDS",
    default=0,
    show_envvar=True,
    help="Offset of local time from UTC.",
)
@click.option("--levels", type=_NumbersType("levels", float), help="Quantile levels; default: the usual eleven.")
@click.option("--horizons", type=_NumbersType("horizons", int), help="Horizons in buckets; default: 1 to 14.")
@click.option(
    "--context-buckets", type=click.IntRange(1, 4096), help="Buckets that warm the memory of a step; default: 112."
)
@click.option("--form", type=click.Choice(["step", "window"]), help="Default: a window has one output, a step has two.")
@click.option(
    "--scale",
    type=click.Choice(["none", "mean"]),
    default="none",
    show_default=True,
    help="mean: a window is divided by its mean, and the quantiles are multiplied by it.",
)
@click.option(
    "--closed-weekdays",
    type=_NumbersType("weekdays", int),
    help="Weekdays (0 = Monday) on which the shop never sells, for the calendar inputs.",
)
@click.option(
    "--input", "inputs", type=_PairType(), multiple=True, help="features=NAME: which input of the graph it is."
)
@click.option("--output", "outputs", type=_PairType(), multiple=True, help="quantiles=NAME: likewise an output.")
@click.option("--vectors", type=_FILE, help="JSON of inputs and the outputs they must give: {inputs, outputs}.")
@click.option(
    "--trained-until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Day after the last one it learnt from; default: today, so that evaluations mark what it may have seen.",
)
@models_option
@click.option("--dry-run", is_flag=True, help="Examine only; store nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def import_(
    *, graph: Path, trained_until: datetime | None, models: Path, dry_run: bool, as_json: bool, **options: Any
) -> None:
    """Make a version of GRAPH, an ONNX step graph or one that reads a window, e.g. exported from PyTorch.

    It is examined in a process of its own: operators, shapes, weights,
    parity on vectors, and the laws of every forecaster on made-up demand.
    It serves only once it is promoted.
    """
    with reported_errors():
        wish = _wish(**options)
        from model_store.importing.bounded import examined_apart

        raw = _read(graph)
        found = examined_apart(raw, wish)
        draft = _draft(found, graph, raw, trained_until)
        version = None if dry_run else opened(models).publish(draft)
    row = {"version": version, "kind": found.spec.kind, **_sizes(found), "figures": found.figures}
    click.echo(json.dumps(row) if as_json else "\n".join(_lines(row)))


def _wish(
    *,
    kind_name: str,
    bucket: int,
    bucket_offset_seconds: int,
    levels: tuple[float, ...] | None,
    horizons: tuple[int, ...] | None,
    closed_weekdays: tuple[int, ...] | None,
    inputs: tuple[tuple[str, str], ...],
    outputs: tuple[tuple[str, str], ...],
    vectors: Path | None,
    **rest: Any,
) -> "Wish":
    from model_store.importing.wish import Wish
    from model_store.spec import DEFAULT_HORIZONS_BUCKETS, DEFAULT_LEVELS
    from replenishment.buckets import BucketWidth
    from replenishment.quantiles import QuantileGrid

    return Wish(
        kind=kind_name,
        width=BucketWidth(bucket, bucket_offset_seconds),
        grid=QuantileGrid(horizons or DEFAULT_HORIZONS_BUCKETS, levels or DEFAULT_LEVELS),
        closed_weekdays=closed_weekdays or (),
        inputs=dict(inputs),
        outputs=dict(outputs),
        vectors=None if vectors is None else _vectors(vectors),
        **rest,
    )


def _vectors(path: Path) -> "Vectors":
    import msgspec

    from model_store.importing.wish import Vectors

    if path.stat().st_size > _LARGEST_VECTORS_BYTES:
        raise ValueError(f"{path} has more than {_LARGEST_VECTORS_BYTES} bytes; a few rows are enough")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Vectors)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} holds no vectors ({error}); see docs/how-to/bring-your-own-model.md") from error


def _read(path: Path) -> bytes:
    from model_store.onnx_graph import LARGEST_GRAPH_BYTES

    with path.open("rb") as file:
        return file.read(LARGEST_GRAPH_BYTES + 1)


def _draft(found: "Examined", graph: Path, raw: bytes, trained_until: datetime | None) -> "Draft":
    import hashlib

    from model_store.artifact import Draft

    until = trained_until.replace(tzinfo=UTC).timestamp() * 1000 if trained_until else time.time() * 1000
    name = "".join(letter for letter in graph.name if letter.isprintable())[-64:]
    made_of = {"imported_from": name, "imported_sha256": hashlib.sha256(raw).hexdigest()}
    return Draft(
        found.spec,
        found.files,
        data_from_at=0,
        data_until_at=int(until // _DAY_MS) * _DAY_MS,
        metrics=found.figures,
        created_by=made_of,
    )


def _sizes(found: "Examined") -> dict[str, Any]:
    from model_store.kinds.imported import FORM

    spec = found.spec
    return {
        **json.loads(found.files[FORM]),
        "reads": "features" if spec.features else "demand",
        "context_buckets": spec.context_buckets,
        "horizons": len(spec.grid.horizons_buckets),
        "levels": len(spec.grid.levels),
    }


def _lines(row: dict[str, Any]) -> list[str]:
    figures = row["figures"]
    lines = [
        f"{row['form']} on {row['reads']}, {row['horizons']} horizons, {row['levels']} levels, context of "
        f"{row['context_buckets']} buckets: finite, repeatable, each row on its own",
    ]
    if "parity" in figures:
        lines.append(f"parity on the vectors: largest difference {figures['parity']:.1g} relative")
    names = {
        "negative_share": "were below zero",
        "crossing_levels_share": "crossed between levels",
        "crossing_horizons_share": "fell with the horizon",
    }
    mended = [f"{figures[name]:.1%} {what}" for name, what in names.items() if figures[name]]
    if mended:
        lines.append(f"of the forecasts that were tried {', '.join(mended)}; they are put in order when it serves")
    lines.append(
        f"{row['version']}: published, not promoted" if row["version"] else "nothing was stored: this was a dry run"
    )
    return lines
