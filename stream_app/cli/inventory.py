"""``restock inventory import``: opening stock from a file of counts."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream_app.errors import ConfigError, RestockError
from stream_app.kafka.topics import TopicNames
from stream_app.settings import Settings, load_settings
from stream_app.wire.times import instant_at

if TYPE_CHECKING:
    from stream_app.feed.check import RefusedRow
    from stream_app.feed.records import FedRow

MOST_LISTED = 50


class CountsRefused(RestockError):
    """Rows of a file of counts are wrong; nothing was written.

    Operator action: correct the rows listed and import the file again.
    """


@click.group()
def inventory() -> None:
    """Load opening stock."""


@inventory.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--at", help="When rows without event_time were counted, RFC 3339; default: now.")
@click.option("--dry-run", is_flag=True, help="Check the whole file, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON object.")
def import_counts(*, file: Path, at: str | None, dry_run: bool, as_json: bool) -> None:
    """Write the counts in FILE (CSV, NDJSON or Parquet) to the topic `inventory`.

    Columns: sku, on_hand; optional location (`main`), event_time, event_id.
    A count sets what is on hand as of its time. The whole file is checked
    before anything is written; importing it again changes nothing, as long as
    its times are the same.
    """
    from stream_app.feed.counts import counted_rows

    settings = load_settings()
    rows = counted_rows(file, _instant(at))
    refused = _refused(settings, rows)
    if refused:
        raise CountsRefused(_listed(file, len(rows), refused))
    if not dry_run:
        _write(settings, rows)
    if as_json:
        click.echo(json.dumps({"rows": len(rows), "written": 0 if dry_run else len(rows)}))
    else:
        done = "are fine; nothing was written (--dry-run)" if dry_run else "written"
        click.echo(f"{len(rows):,} counts {done}")


def _instant(at: str | None) -> int:
    if at is None:
        return round(time.time() * 1000)
    instant = instant_at(at)
    if instant is None:
        raise ConfigError([f"--at {at}: must be RFC 3339, for example 2026-01-31T00:00:00Z"])
    return instant


def _refused(settings: Settings, rows: Sequence["FedRow"]) -> list["RefusedRow"]:
    from stream_app.feed.check import checked
    from stream_app.feed.counts import counted_twice

    refused = [*checked(rows, "inventory", settings.max_future_seconds).refused, *counted_twice(rows)]
    return sorted(refused, key=lambda one: one.row)


def _write(settings: Settings, rows: Sequence["FedRow"]) -> None:
    from stream_app.kafka.sender import write_all

    topic = TopicNames(settings.topic_prefix).of("inventory")
    with click.progressbar(length=len(rows), label="importing", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        write_all(settings.kafka_access(), topic, ((row.key or b"", row.value) for row in rows), bar.update)


def _listed(file: Path, rows: int, refused: Sequence["RefusedRow"]) -> str:
    more = [f"… and {len(refused) - MOST_LISTED} more"] if len(refused) > MOST_LISTED else []
    lines = [str(one) for one in refused[:MOST_LISTED]]
    return "\n    ".join([f"{len(refused)} of {rows} rows of {file} are wrong; nothing was written:", *lines, *more])
