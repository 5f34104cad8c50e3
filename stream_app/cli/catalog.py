"""``restock catalog import``: terms of stock keys from a file to the topic."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from stream_app.errors import RestockError
from stream_app.kafka.sender import write_all
from stream_app.kafka.topics import TopicNames
from stream_app.replay.sequence import FileRecord, sequenced
from stream_app.settings import load_settings
from stream_app.wire.json_wire import JsonWire

MOST_PROBLEMS = 50


class CatalogRefused(RestockError):
    """Rows of a catalog file are wrong; nothing was written.

    Operator action: correct the rows listed and import the file again.
    """


@click.group()
def catalog() -> None:
    """Load terms of SKUs."""


@catalog.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check the whole file, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON object.")
def import_catalog(*, file: Path, dry_run: bool, as_json: bool) -> None:
    """Write the terms in FILE (CSV, NDJSON or Parquet) to the topic `catalog`.

    Columns are those of the topic: sku and, where they differ from the
    defaults, location, supplier, lead_time_days, … The whole file is checked
    before anything is written. A row replaces all terms of its stock key;
    keys that are not in the file keep theirs.
    """
    settings = load_settings()
    records = checked(file)
    if not dry_run:
        with click.progressbar(
            length=len(records), label="importing", file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            topic = TopicNames(settings.topic_prefix).of("catalog")
            write_all(settings.kafka, topic, ((one.key or b"", one.value) for one in records), bar.update)
    if as_json:
        click.echo(json.dumps({"rows": len(records), "written": 0 if dry_run else len(records)}))
    else:
        done = "are fine; nothing was written (--dry-run)" if dry_run else "written"
        click.echo(f"{len(records):,} stock keys {done}")


def checked(file: Path) -> Sequence[FileRecord]:
    """Return the rows of a catalog file as records, one for each stock key.

    Raises:
        ConfigError: If the file cannot be read or has unknown columns.
        CatalogRefused: If a row is wrong or two rows contradict each other; lists all of them with row numbers.
    """
    files = sequenced({"catalog": file})
    wire = JsonWire(1, None)  # partitions are the broker's business here
    problems = {}
    for batch in files.batches():
        problems.update({one.offset: f"{one.code}: {one.reason}" for one in wire.decode(batch).rejections})  # type: ignore[union-attr]
    kept: dict[bytes | None, FileRecord] = {}
    for record in files.records:
        before = kept.setdefault(record.key, record)
        if before is not record and before.value != record.value and record.offset not in problems:
            problems[record.offset] = f"contradicts row {before.row}, which has other terms for the same stock key"
    if problems:
        raise CatalogRefused(_listed(file, files.records, problems))
    return list(kept.values())


def _listed(file: Path, records: Sequence[FileRecord], problems: dict[int, str]) -> str:
    lines = [f"row {record.row}: {problems[record.offset]}" for record in records if record.offset in problems]
    more = [f"… and {len(lines) - MOST_PROBLEMS} more"] if len(lines) > MOST_PROBLEMS else []
    head = f"{len(lines)} of {len(records)} rows of {file} are wrong; nothing was written:"
    return "\n    ".join([head, *lines[:MOST_PROBLEMS], *more])
