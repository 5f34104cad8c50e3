"""The command `shadow`: which version steps beside the champion, to be compared with it, and who decided so."""

import json
from pathlib import Path

import click

from model_store.cli.main import (
    json_option,
    models_option,
    now_at,
    opened,
    promotion_row,
    reported_errors,
    who_option,
    why_option,
)


@click.command()
@click.argument("version", required=False)
@click.option("--end", "is_end", is_flag=True, help="Have no version beside the champion any more.")
@models_option
@who_option
@why_option
@json_option
def shadow(version: str | None, models: Path, who: str, why: str, *, is_end: bool, as_json: bool) -> None:
    """Have VERSION step beside the champion in running workers: its decisions are compared and logged, never sent."""
    if is_end == (version is not None):
        raise click.UsageError("name a VERSION to begin, or --end to end; not both")
    with reported_errors():
        versions = opened(models)
        if version is None:
            decided = versions.end_shadow(who=who, why=why, at=now_at())
        else:
            decided = versions.begin_shadow(version, who=who, why=why, at=now_at())
    before = decided.previous or "nobody"
    click.echo(
        json.dumps(promotion_row(decided))
        if as_json
        else f"shadow is {decided.version or 'nobody'}, before it {before}"
    )
