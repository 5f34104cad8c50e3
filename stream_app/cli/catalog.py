"""``restock catalog``: terms of stock keys from a file to the topic, back, and what differs between them."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import click

from replenishment.buckets import BucketWidth
from replenishment.engine.columns import CatalogBatch
from replenishment.events import CatalogEntry
from replenishment.order_days import unserved
from stream_app.cli.successors import Inherited, inherited
from stream_app.errors import RestockError
from stream_app.kafka.sender import write_all
from stream_app.kafka.topics import TopicNames
from stream_app.ports import RecordBatch
from stream_app.replay.catalog_file import differences, entries_of, write_catalog
from stream_app.replay.sequence import FileRecord, Sequenced, sequenced, sequenced_for_many
from stream_app.settings import Settings, load_settings
from stream_app.topic_reader import reading
from stream_app.wire.json_wire import JsonWire
from stream_app.wire.refusals import Code

MOST_PROBLEMS = 50
MOST_CHANGES = 200
"""Stock keys whose changes are listed; the rest is a number. --json lists all."""
_WIRE = JsonWire(1, None)  # partitions are the broker's business here


class CatalogRefused(RestockError):
    """Rows of a catalog file are wrong; nothing was written.

    Operator action: correct the rows listed and import the file again.
    """


@click.group()
def catalog() -> None:
    """Load, export and compare terms of SKUs."""


@catalog.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check the whole file, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON object.")
def import_catalog(*, file: Path, dry_run: bool, as_json: bool) -> None:
    """Write the terms in FILE (CSV, NDJSON or Parquet) to the topic `catalog`.

    Columns are those of the topic: sku and, where they differ from the
    defaults, location, supplier, lead_time_days, … The whole file is checked
    before anything is written. A row replaces all terms of its stock key;
    keys that are not in the file keep theirs. A row whose sku is * holds for
    all rows, or for those of its category and location, that say nothing else.
    """
    settings = load_settings()
    records = checked(file, settings.plan().width)
    found = with_predecessors(file, records, settings)
    if not dry_run:
        with click.progressbar(
            length=len(records), label="importing", file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            topic = TopicNames(settings.topic_prefix).of("catalog")
            write_all(settings.kafka_access(), topic, ((one.key or b"", one.value) for one in records), bar.update)
    if as_json:
        successors = [asdict(one) for one in found]
        told = {"rows": len(records), "written": 0 if dry_run else len(records), "successors": successors}
        click.echo(json.dumps(told))
    else:
        for one in found[:MOST_CHANGES]:
            click.echo(str(one))
        done = "are fine; nothing was written (--dry-run)" if dry_run else "written"
        click.echo(f"{len(records):,} stock keys {done}")


@catalog.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
def export_catalog(*, file: Path) -> None:
    """Write the terms in force to FILE (CSV; - = stdout): every term in a column, by location and SKU."""
    terms = in_force(load_settings())
    with click.open_file(str(file), "w", encoding="utf-8") as out:
        count = write_catalog(out, [terms[key] for key in sorted(terms)])
    click.echo(f"{count:,} stock keys exported", err=True)


@catalog.command("diff")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print each change as a JSON object a line.")
def diff_catalog(*, file: Path, as_json: bool) -> None:
    """Say what `restock catalog import FILE` would change; nothing is written.

    Keys that are not in the file keep their terms and are not listed.
    """
    settings = load_settings()
    records = checked(file, settings.plan().width)
    with_predecessors(file, records, settings)
    proposed = entries_of(records)
    terms = in_force(settings)
    changes = []
    for entry in proposed:
        before = terms.get(entry.key) or CatalogEntry(key=entry.key)
        changed = differences(before, entry)
        if changed or entry.key not in terms:
            changes.append((entry.key.decode(), entry.key not in terms, changed))
    if as_json:
        for key, is_new, changed in changes:
            by_term = {name: {"from": old, "to": new} for name, (old, new) in changed.items()}
            click.echo(json.dumps({"key": key, "is_new": is_new, "changes": by_term}))
        return
    for key, is_new, changed in changes[:MOST_CHANGES]:
        told = ", ".join(f"{name} {_shown(old)} → {_shown(new)}" for name, (old, new) in changed.items())
        click.echo(f"{key}  {'new: ' if is_new else ''}{told or 'all defaults'}")
    if len(changes) > MOST_CHANGES:
        click.echo(f"… and {len(changes) - MOST_CHANGES:,} more")
    click.echo(f"{len(changes):,} of {len(proposed):,} stock keys of the file would change")


def _shown(value: object) -> str:
    return "none" if value is None or value == "" else str(value)


def in_force(settings: Settings) -> Mapping[bytes, CatalogEntry]:
    """Return the terms that the topic holds now, by stock key; refused records and tombstones are none.

    Raises:
        Unavailable: If Kafka does not answer.
        RestockError: If the topic does not exist.
    """
    terms: dict[bytes, CatalogEntry] = {}
    with reading(settings.kafka_access(), TopicNames(settings.topic_prefix).of("catalog")) as topic:
        for _, some in groupby(topic.read(topic.starts(), topic.ends()), key=attrgetter("partition")):
            records = list(some)
            batch = RecordBatch("catalog", "catalog", 0, records[0].offset, records[-1].offset + 1, records)
            decoded = _WIRE.decode(batch)
            if isinstance(decoded, CatalogBatch):
                for key, entry in zip(decoded.keys, decoded.entries, strict=True):
                    terms.pop(key, None)
                    if entry is not None:
                        terms[key] = entry
    return terms


def checked(file: Path, width: BucketWidth) -> Sequence[FileRecord]:
    """Return the rows of a catalog file as records, one for each stock key.

    Args:
        file: CSV, NDJSON or Parquet.
        width: Of the buckets; rows whose order days no bucket serves are wrong.

    Raises:
        ConfigError: If the file cannot be read or has unknown columns.
        CatalogRefused: If a row is wrong or two rows contradict each other; lists all of them with row numbers.
    """
    many = sequenced_for_many(file)
    # first: what is wrong in a row for many would be wrong in each of them
    wrong = _problems(many, width)
    if wrong:
        raise CatalogRefused(_listed(file, many.records, wrong))
    files = sequenced({"catalog": file})
    problems = _problems(files, width)
    kept: dict[bytes | None, FileRecord] = {}
    for record in files.records:
        before = kept.setdefault(record.key, record)
        if before is not record and before.value != record.value and record.offset not in problems:
            problems[record.offset] = f"contradicts row {before.row}, which has other terms for the same stock key"
    if problems:
        raise CatalogRefused(_listed(file, files.records, problems))
    return list(kept.values())


def _problems(files: Sequenced, width: BucketWidth) -> dict[int, str]:
    """Return by offset what is wrong with records of a catalog, each by itself."""
    problems = {}
    for batch in files.batches():
        decoded = _WIRE.decode(batch)
        if isinstance(decoded, CatalogBatch):
            problems.update({one.offset: f"{one.code}: {one.reason}" for one in decoded.rejections})
            problems.update(_unserved(decoded, width))
    return problems


def with_predecessors(file: Path, records: Sequence[FileRecord], settings: Settings) -> Sequence[Inherited]:
    """Write what predecessors sold into the rows of their successors; return what was written.

    Raises:
        CatalogRefused: If nothing is known of a predecessor, or a key comes to succeed itself.
        Unavailable: If there are successors and Redis does not answer in time.
    """
    found, problems = inherited(records, settings)
    if problems:
        raise CatalogRefused(
            _listed(file, records, {at: f"{Code.OUT_OF_RANGE}: {why}" for at, why in problems.items()})
        )
    return found


def _unserved(batch: CatalogBatch, width: BucketWidth) -> dict[int, str]:
    """Return by offset why entries can never be ordered on the days of their suppliers."""
    found = {
        offset: unserved(width, entry.order_days, 0)
        for offset, entry in zip(batch.offsets, batch.entries, strict=True)
        if entry is not None
    }
    return {offset: f"{Code.OUT_OF_RANGE}: order_days: {why}" for offset, why in found.items() if why is not None}


def _listed(file: Path, records: Sequence[FileRecord], problems: dict[int, str]) -> str:
    lines = [f"row {record.row}: {problems[record.offset]}" for record in records if record.offset in problems]
    more = [f"… and {len(lines) - MOST_PROBLEMS} more"] if len(lines) > MOST_PROBLEMS else []
    head = f"{len(lines)} of {len(records)} rows of {file} are wrong; nothing was written:"
    return "\n    ".join([head, *lines[:MOST_PROBLEMS], *more])
