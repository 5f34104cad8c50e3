"""``restock feed``: rows of a file into an input topic."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from replenishment.engine.columns import ROLES, Role
from stream_app.errors import RestockError
from stream_app.kafka.topics import TopicNames
from stream_app.settings import Settings, load_settings

if TYPE_CHECKING:
    from stream_app.feed.check import Checked
    from stream_app.feed.run import Feeding

MOST_LISTED = 20


class FeedRefused(RestockError):
    """Rows of a file would be refused; nothing was sent.

    Operator action: correct the rows, or give --send-refused and look into the dead letters.
    """


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--topic", "role", type=click.Choice(ROLES), required=True, help="Input topic, by its role.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Rows a second; default: as fast as it goes.")
@click.option("--skip", type=click.IntRange(0), help="Leave out so many rows at the beginning; forgets progress.")
@click.option("--again", is_flag=True, help="Feed the file once more from its beginning.")
@click.option("--send-refused", is_flag=True, help="Send rows that a worker will refuse: they become dead letters.")
@click.option("--dry-run", is_flag=True, help="Check the whole file, send nothing.")
@click.option("--progress", type=click.Path(dir_okay=False, path_type=Path), help="Default: FILE.fed.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON object.")
def feed(
    *,
    file: Path,
    role: Role,
    rate: float | None,
    skip: int | None,
    again: bool,
    send_refused: bool,
    dry_run: bool,
    progress: Path | None,
    as_json: bool,
) -> None:
    """Send the rows of FILE (CSV, NDJSON or Parquet) to an input topic, in their order.

    The whole file is checked by what a worker decodes with before anything is
    sent. Interrupted, the same command goes on where it was left: no row is
    sent twice. Columns are the fields of the topic; location is `main` and
    ids are made from the row where they are left out.
    """
    from stream_app.feed.progress import begin, progress_file
    from stream_app.feed.run import Feeding

    settings = load_settings()
    found = _checked(settings, file, role, may_send=send_refused)
    sent = 0
    if not dry_run:
        topic, kept = TopicNames(settings.topic_prefix).of(role), progress_file(file, progress)
        begun = begin(file, topic, kept, skip=skip, again=again)
        if begun.is_complete:
            click.echo(f"{file} is in {topic} already, says {kept}; --again sends it once more", err=True)
        elif begun.ends:
            click.echo(f"going on after row {begun.row:,}, says {kept}", err=True)
        sent = (
            0
            if begun.is_complete
            else _fed(Feeding(settings.kafka_access(), begun, kept, rate), file, role, found.rows)
        )
    if as_json:
        click.echo(json.dumps({"rows": found.rows, "refused": len(found.refused), "sent": sent}))
    else:
        done = "are fine; nothing was sent (--dry-run)" if dry_run else f"in {role}; this run sent {sent:,} records"
        click.echo(f"{found.rows:,} rows {done}")


def _checked(settings: Settings, file: Path, role: Role, *, may_send: bool) -> "Checked":
    from stream_app.feed.check import checked
    from stream_app.feed.records import fed_rows

    found = checked(fed_rows(file, role), role, settings.max_future_seconds)
    if not found.refused:
        return found
    lines = [str(one) for one in found.refused[:MOST_LISTED]]
    lines += [f"… and {len(found.refused) - MOST_LISTED} more"] if len(found.refused) > MOST_LISTED else []
    head = f"{len(found.refused)} of {found.rows} rows of {file} are wrong"
    if not may_send:
        way_out = "correct them, or give --send-refused to make dead letters of them"
        raise FeedRefused("\n    ".join([f"{head}; nothing was sent:", *lines, way_out]))
    click.echo("\n    ".join([f"{head} and will be dead letters:", *lines]), err=True)
    return found


def _fed(feeding: "Feeding", file: Path, role: Role, rows: int) -> int:
    from stream_app.feed.records import fed_rows
    from stream_app.feed.run import fed

    with click.progressbar(length=rows, label="feeding", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        return fed(replace(feeding, sent=bar.update), fed_rows(file, role))
