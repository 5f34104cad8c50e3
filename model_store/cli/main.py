"""Commands on versions: list, show, verify, promote, rollback. Other commands are loaded when asked for.

Data goes to stdout, messages to stderr; exit code 0 done, 1 failed, 2 wrong
usage. Importing this loads neither TensorFlow nor ONNX Runtime.
"""

import getpass
import importlib
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model_store.errors import ModelStoreError

if TYPE_CHECKING:
    from model_store.artifact import Manifest
    from model_store.promotions import Promotion
    from model_store.versions import Versions

TRAINING_COMMANDS = {
    "diff": "model_store.cli.diff",
    "evaluate": "model_store.cli.evaluate",
    "import": "model_store.cli.import_graph",
    "promotions": "model_store.cli.promotions",
    "report": "model_store.cli.report",
    "shadow": "model_store.cli.shadow",
    "starter": "model_store.cli.rebuild_starter",
    "train": "model_store.cli.train",
}


class _WithTraining(click.Group):
    """A group whose training commands live in modules that are imported when one of them is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *TRAINING_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in TRAINING_COMMANDS:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(
            importlib.import_module(TRAINING_COMMANDS[cmd_name]), f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        )
        return found


@click.group(cls=_WithTraining)
def main() -> None:
    """Versions of the forecasting model: train, evaluate, publish, promote, roll back."""


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return f"uid {os.getuid()}"


models_option = click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var/models"),
    envvar="RESTOCK_MODELS",
    show_default=True,
    show_envvar=True,
    help="Directory of versions.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
who_option = click.option("--who", default=_login, help="Who decides, for the log; default: your login.")
why_option = click.option("--why", required=True, help="Reason, for the log.")


@main.command("list")
@models_option
@json_option
def list_versions(models: Path, as_json: bool) -> None:
    """List all versions, the champion marked with a star, its shadow with a plus; damaged ones are shown as such."""
    with reported_errors():
        versions = opened(models)
        champion, shadow = versions.champion(), versions.shadow()
        for version in versions.ids():
            roles = {"champion": version == champion, "shadow": version == shadow != champion}
            row = {"version": version, **roles, **_summary(versions, version)}
            click.echo(json.dumps(row) if as_json else _line(row))
    if not versions.ids():
        click.echo(f"no versions in {models}; make one: model-store train", err=True)


@main.command()
@click.argument("version")
@models_option
@json_option
def show(version: str, models: Path, as_json: bool) -> None:
    """Show the manifest of VERSION and when it was promoted or a shadow."""
    with reported_errors():
        versions = opened(models)
        manifest = versions.read(version).manifest
        promotions = [promotion_row(one) for one in versions.decisions() if one.version == version]
    if as_json:
        click.echo(json.dumps({"version": version, "manifest": _builtins(manifest), "promotions": promotions}))
        return
    click.echo(json.dumps(_builtins(manifest), indent=2))
    for row in promotions:
        click.echo(f"{row['at']}  {row['action']} by {row['who']}: {row['why']}")


@main.command()
@click.argument("version", nargs=-1)
@models_option
@json_option
def verify(version: tuple[str, ...], models: Path, as_json: bool) -> None:
    """Verify digests, graph and self-test of each VERSION, or of all; exit 1 if one fails."""
    with reported_errors():
        versions = opened(models)
        wanted = version or versions.ids()
    faults = {one: _fault(versions, one) for one in wanted}
    for one, fault in faults.items():
        row = {"version": one, "sound": fault is None, "fault": fault}
        click.echo(json.dumps(row) if as_json else f"{one}  {'sound' if fault is None else fault}")
    if any(faults.values()):
        sys.exit(1)


@main.command()
@click.argument("version")
@models_option
@who_option
@why_option
@json_option
def promote(version: str, models: Path, who: str, why: str, as_json: bool) -> None:
    """Make VERSION the champion; running workers swap to it by themselves."""
    with reported_errors():
        moved = opened(models).promote(version, who=who, why=why, at=now_at())
    _show_move(moved, as_json)


@main.command()
@models_option
@who_option
@why_option
@json_option
def rollback(models: Path, who: str, why: str, as_json: bool) -> None:
    """Go back to the champion before the current one; again goes back further, at last to the packaged starter."""
    with reported_errors():
        moved = opened(models).rollback(who=who, why=why, at=now_at())
    _show_move(moved, as_json)


def opened(models: Path) -> "Versions":
    """Return the versions in a directory."""
    from model_store.versions import Versions  # loads ONNX Runtime

    return Versions(models)


@contextmanager
def reported_errors() -> Iterator[None]:
    """Errors for the operator: one text on stderr, exit code 1, or 2 for a wrong argument."""
    try:
        yield
    except ModelStoreError as error:
        raise click.ClickException("\n".join([str(error), *getattr(error, "__notes__", [])])) from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'file'}: {error.strerror}") from error


def now_at() -> int:
    """Return the time of a decision, epoch milliseconds."""
    return time.time_ns() // 1_000_000


def _fault(versions: "Versions", version: str) -> str | None:
    try:
        versions.read(version).forecaster()
    except ModelStoreError as error:
        return str(error)
    return None


def _summary(versions: "Versions", version: str) -> dict[str, Any]:
    try:
        manifest = versions.read(version).manifest
    except ModelStoreError as error:
        return {"fault": str(error)}
    return {
        "kind": manifest.spec.kind,
        "bucket_seconds": manifest.spec.width.seconds,
        "data_from": _utc(manifest.data_from_at),
        "data_until": _utc(manifest.data_until_at),
        "parent": manifest.parent,
        "metrics": manifest.metrics,
    }


def _line(row: dict[str, Any]) -> str:
    star = "*" if row["champion"] else "+" if row["shadow"] else " "
    if "fault" in row:
        return f"{star} {row['version']}  damaged: {row['fault']}"
    figures = "  ".join(f"{name} {value:.4g}" for name, value in sorted(row["metrics"].items()))
    span = f"{row['data_from'][:10]} to {row['data_until'][:10]}"
    return f"{star} {row['version']}  buckets of {row['bucket_seconds']} s  {span}  {figures}".rstrip()


def _show_move(moved: "Promotion", as_json: bool) -> None:
    row = promotion_row(moved)
    now = moved.version or "nobody, the packaged starter serves"
    click.echo(json.dumps(row) if as_json else f"champion is {now}, before it {moved.previous or 'nobody'}")


def promotion_row(moved: "Promotion") -> dict[str, Any]:
    """Return a promotion as JSON values, its time as text."""
    return {**_builtins(moved), "at": _utc(moved.at)}


def _builtins(value: "Manifest | Promotion") -> dict[str, Any]:
    import msgspec  # not needed for --help

    found: dict[str, Any] = msgspec.to_builtins(value)
    return found


def _utc(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    main()
