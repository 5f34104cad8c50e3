"""The command `promotions`: who made which version champion or shadow, when and why; which served at some instant."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from model_store.cli.main import json_option, models_option, opened, promotion_row, reported_errors


@click.command()
@models_option
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S"]),
    help="Show only what was decided up to this instant (UTC); the last promotion or rollback made the champion then.",
)
@json_option
def promotions(models: Path, as_of: datetime | None, as_json: bool) -> None:
    """Show every promotion, rollback and change of the shadow, oldest first."""
    until = float("inf") if as_of is None else as_of.replace(tzinfo=UTC).timestamp() * 1000
    with reported_errors():
        moves = [one for one in opened(models).decisions() if one.at <= until]
    for one in moves:
        row = promotion_row(one)
        nobody = "starter" if one.moves_champion else "nobody"
        line = f"{row['at']}  {row['version'] or nobody}  {row['action']} by {row['who']}: {row['why']}"
        click.echo(json.dumps(row) if as_json else line)
    if not moves:
        then = "" if as_of is None else f" up to {as_of:%Y-%m-%dT%H:%M:%SZ}"
        click.echo(f"nothing was promoted in {models}{then}: the starter serves", err=True)
