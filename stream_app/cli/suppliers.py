"""``restock suppliers``: how suppliers are ordered from, from a file to the topic and back; word of short supply."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from replenishment.joint.proposals import MONEY, SupplierTerms
from stream_app.errors import ConfigError, RestockError
from stream_app.kafka.sender import write_all
from stream_app.kafka.topics import TopicNames
from stream_app.ports import RecordBatch
from stream_app.settings import Settings, load_settings
from stream_app.topic_reader import Message, reading
from stream_app.wire.admission import Admission
from stream_app.wire.supplier_terms import decode_suppliers
from stream_app.wire.times import instant_at, shown

COLUMNS = SupplierTerms.__struct_fields__
_MONEY = ("minimum_order_value", "budget")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_ANYWHERE = Admission(1, None)  # partitions are the broker's business here


class SuppliersRefused(RestockError):
    """Rows of a file of suppliers are wrong; nothing was written.

    Operator action: correct the rows listed and import the file again.
    """


@click.group()
def suppliers() -> None:
    """Say how suppliers are ordered from, and what they are short of."""


@suppliers.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check the whole file, write nothing.")
def import_suppliers(*, file: Path, dry_run: bool) -> None:
    """Write the terms in FILE (CSV) to the topic `suppliers`.

    Columns: supplier and, where they differ from the defaults,
    minimum_order_value, minimum_order_units, budget, budget_days,
    gather_minutes, longest_wait_hours, below_minimum. The whole file is
    checked before anything is written. A row replaces all terms of its
    supplier; suppliers that are not in the file keep theirs.
    """
    settings = load_settings()
    rows = checked(file)
    if not dry_run:
        _write(settings, "suppliers", [(str(row["supplier"]).encode(), msgspec.json.encode(row)) for row in rows])
    done = "are fine; nothing was written (--dry-run)" if dry_run else "written"
    click.echo(f"{len(rows):,} suppliers {done}")


@suppliers.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
def export_suppliers(*, file: Path) -> None:
    """Write the terms in force to FILE (CSV; - = stdout)."""
    terms = in_force(load_settings())
    with click.open_file(str(file), "w", encoding="utf-8") as out:
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_fields_of(terms[name]) for name in sorted(terms))
    click.echo(f"{len(terms):,} suppliers exported", err=True)


@suppliers.command("remove")
@click.argument("supplier")
def remove_supplier(*, supplier: str) -> None:
    """Take back the terms of SUPPLIER: its proposals are ordered one by one, as they come."""
    _write(load_settings(), "suppliers", [(supplier.encode(), None)])
    click.echo(f"terms of {supplier} removed")


@suppliers.command("short")
@click.argument("supplier")
@click.argument("sku")
@click.option("--units", type=click.IntRange(0, 1_000_000_000), required=True, help="What it has for all locations.")
@click.option("--until", required=True, help="Until when this holds: RFC 3339, for example 2026-01-31T00:00:00Z.")
def short_supply(*, supplier: str, sku: str, units: int, until: str) -> None:
    """Say that SUPPLIER has only so many units of SKU: the buyer shares them over locations."""
    if instant_at(until) is None:
        raise ConfigError([f"--until {until}: must be RFC 3339 with an offset, for example 2026-01-31T00:00:00Z"])
    now = shown(round(datetime.now().astimezone().timestamp() * 1000))
    event = {"type": "supply_limited", "supplier": supplier, "sku": sku, "units": units, "until": until}
    _write(load_settings(), "proposals", [(supplier.encode(), msgspec.json.encode({**event, "event_time": now}))])
    click.echo(f"{supplier} has {units:,} units of {sku} until {until}")


def checked(file: Path) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a file of suppliers as fields of their records.

    Raises:
        ConfigError: If the file cannot be read or has unknown columns.
        SuppliersRefused: If a row is wrong or a supplier is there twice; lists all of them with row numbers.
    """
    rows = [*_rows(file)]
    records = [
        Message(0, number, -1, str(row.get("supplier", "")).encode(), msgspec.json.encode(row))
        for number, row in enumerate(rows, 1)
    ]
    batch = RecordBatch("suppliers", "suppliers", 0, 1, len(rows) + 1, records)
    problems = {one.offset: f"{one.code}: {one.reason}" for one in decode_suppliers(batch, _ANYWHERE).rejections}
    first: dict[Any, int] = {}
    for number, row in enumerate(rows, 1):
        before = first.setdefault(row.get("supplier"), number)
        if before != number:
            problems.setdefault(number, f"supplier {row.get('supplier')} is in row {before} already")
    if problems:
        listed = "\n    ".join(f"row {number}: {problem}" for number, problem in sorted(problems.items()))
        raise SuppliersRefused(f"{len(problems)} of {len(rows)} rows of {file} are wrong:\n    {listed}")
    return rows


def in_force(settings: Settings) -> Mapping[str, SupplierTerms]:
    """Return the terms that the topic holds now, by supplier.

    Raises:
        Unavailable: If Kafka does not answer.
        RestockError: If the topic does not exist.
    """
    terms: dict[str, SupplierTerms] = {}
    with reading(settings.kafka, TopicNames(settings.topic_prefix).of("suppliers")) as topic:
        for one in topic.read(topic.starts(), topic.ends()):
            batch = RecordBatch("suppliers", "suppliers", 0, one.offset, one.offset + 1, [one])
            for supplier, agreed in decode_suppliers(batch, _ANYWHERE).terms:
                terms.pop(supplier, None)
                if agreed is not None:
                    terms[supplier] = agreed
    return terms


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            unknown = [name for name in reader.fieldnames or ["(nothing)"] if name not in COLUMNS]
            if unknown:
                known = ", ".join(COLUMNS)
                raise ConfigError([f"{file} has a column {name!r}; it may have {known}" for name in unknown])
            for number, row in enumerate(reader, 1):
                if None in row:
                    raise ConfigError([f"{file}: row {number} has more cells than columns"])
                yield {name: _cell(name, cell) for name, cell in row.items() if cell}
    except (OSError, UnicodeDecodeError, csv.Error) as wrong:
        raise ConfigError([f"{file} cannot be read: {wrong}"]) from wrong


def _cell(name: str, cell: str) -> Any:
    if name == "supplier" or not _NUMBER.fullmatch(cell):
        return cell
    return int(cell) if cell.lstrip("-").isdecimal() else float(cell)


def _fields_of(terms: SupplierTerms) -> dict[str, Any]:
    fields = msgspec.structs.asdict(terms)
    for name in _MONEY:
        fields[name] = None if fields[name] is None else f"{fields[name] / MONEY:.15g}"
    return {name: f"{value:.15g}" if isinstance(value, float) else value for name, value in fields.items()}


def _write(settings: Settings, role: str, records: Sequence[tuple[bytes, bytes | None]]) -> None:
    write_all(settings.kafka, TopicNames(settings.topic_prefix).of(role), records)
