"""The command `diff`: in what two versions differ, field by field of their manifests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from model_store.cli.main import json_option, models_option, opened, reported_errors


@click.command()
@click.argument("old")
@click.argument("new")
@models_option
@json_option
def diff(old: str, new: str, models: Path, as_json: bool) -> None:
    """Show in what the versions OLD and NEW differ: kind, features, data, metrics, files."""
    import msgspec

    with reported_errors():
        versions = opened(models)
        manifests = [msgspec.to_builtins(versions.read(version).manifest) for version in (old, new)]
    for row in differences(*manifests):
        if as_json:
            click.echo(json.dumps(row))
        else:
            click.echo(f"{row['field']}: {_shown(row['old'])} -> {_shown(row['new'])}{_change(row)}")


def differences(old: Any, new: Any, field: str = "") -> Iterator[dict[str, Any]]:
    """Yield the fields that differ, by path, as ``field``, ``old`` and ``new``; null where one has none.

    Example:
        >>> list(differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}}))
        [{'field': 'b.c', 'old': 2, 'new': 3}]
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            yield from differences(old.get(name), new.get(name), f"{field}.{name}" if field else name)
    elif old != new:
        yield {"field": field, "old": old, "new": new}


def _shown(value: Any) -> str:
    return "none" if value is None else json.dumps(value)


def _change(row: dict[str, Any]) -> str:
    """Change of a metric in percent."""
    old, new = row["old"], row["new"]
    if not row["field"].startswith("metrics.") or not isinstance(old, float) or not isinstance(new, float) or not old:
        return ""
    return f"  ({100 * (new / old - 1):+.1f} %)"
