"""``restock config``: every setting, its value and its source."""

import json
import os

import click

from stream_app.server_settings import variable
from stream_app.settings import Settings, load_settings, shown


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object by variable.")
def config(*, as_json: bool) -> None:
    """Show every setting, its value and where it comes from.

    Secrets are never shown: settings name the files that hold them.
    """
    settings = load_settings()
    rows = {variable(name): (shown(getattr(settings, name)), source_of(name)) for name in Settings.model_fields}
    if as_json:
        click.echo(json.dumps({name: {"value": value, "source": source} for name, (value, source) in rows.items()}))
        return
    widest_name, widest_value = max(map(len, rows)), max(len(value) for value, _ in rows.values())
    for name, (value, source) in rows.items():
        click.echo(f"{name:{widest_name}}  {value:{widest_value}}  {source}")


def source_of(name: str) -> str:
    """Return where the value of a setting comes from: ``environment`` or ``default``."""
    return "environment" if os.environ.get(variable(name)) else "default"
