"""``restock doctor``: is everything there that a worker needs, and what mends it if not."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream_app.doctor.finding import Finding, Level, count
from stream_app.settings import load_settings
from stream_app.wire.mapping import MappedRole

if TYPE_CHECKING:
    from stream_app.doctor.sample import Sample

MARKS = {Level.OK: "ok", Level.WARNING: "WARNING", Level.PROBLEM: "PROBLEM"}
COLORS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: findings and their counts.")
@click.option("--sample", "source", metavar="FILE|TOPIC", help="Only say what a worker makes of these records.")
@click.option("--as", "role", type=click.Choice(["orders", "inventory"]), help="What a FILE holds; default: orders.")
def doctor(*, as_json: bool, source: str | None, role: MappedRole | None) -> None:
    """Examine settings, Kafka, topics, Redis, stored state and models; change nothing.

    Each finding says what is the case, what it leads to, and the command that
    mends it. Exit code 1 if there is a problem; warnings alone give 0. Takes a
    few seconds at most, also when servers are away.

    With --sample, show instead what becomes of real records: of a file with one
    JSON object a line, or of the newest in the topic orders or inventory. Where
    no mapping is set and records are refused, a mapping is proposed.
    """
    if source is not None:
        sys.exit(_sample(source, role, as_json=as_json))
    from stream_app.doctor.examination import examine

    findings = examine()
    if as_json:
        click.echo(json.dumps(report(findings), indent=2))
    else:
        for finding in findings:
            _show(finding)
        _conclude(findings)
    sys.exit(1 if count(findings, Level.PROBLEM) else 0)


def _sample(source: str, role: MappedRole | None, *, as_json: bool) -> int:
    from stream_app.doctor.sample import examined_sample, records_of
    from stream_app.printable import dumped

    settings = load_settings()
    if not Path(source).is_file() and source not in ("orders", "inventory"):
        raise click.UsageError(f"--sample {source}: neither a file nor the topic orders or inventory")
    told = role or ("inventory" if source == "inventory" else "orders")
    sample = examined_sample(told, records_of(source, settings), settings)
    if as_json:
        click.echo(dumped(asdict(sample)))
    else:
        _show_sample(sample, told)
    return 0 if sample.records and sample.accepted == sample.records else 1


def _show_sample(sample: "Sample", role: str) -> None:
    from stream_app.printable import dumped

    click.echo(f"{sample.accepted} of {sample.records} records would be accepted as {role}")
    if sample.first is not None:
        click.echo(f"the first, as a worker reads it: {dumped(sample.first)}")
    for code, number in sample.codes.items():
        click.echo(f"{number} refused, {code}: {sample.reasons[code]}")
    if sample.proposal:
        click.echo(f"a mapping under which {sample.would_accept} of {sample.records} would be accepted, to be checked:")
        click.echo(json.dumps({role: sample.proposal}, indent=2))
        click.echo("put it into a file and name that by RESTOCK_MAPPING_FILE", err=True)


def report(findings: Sequence[Finding]) -> dict[str, object]:
    """Return the findings as JSON shows them."""
    counts = {f"{level.value}s" if level is not Level.OK else "ok": count(findings, level) for level in Level}
    return {"findings": [asdict(finding) for finding in findings], **counts}


def _show(finding: Finding) -> None:
    click.echo(f"{click.style(f'{MARKS[finding.level]:8}', fg=COLORS[finding.level])} {finding.what}")
    if finding.mend:
        click.echo(f"{'':8} -> {finding.mend}")


def _conclude(findings: Sequence[Finding]) -> None:
    problems, warnings = count(findings, Level.PROBLEM), count(findings, Level.WARNING)
    if problems:
        click.echo(f"restock doctor: {problems} problems, {warnings} warnings", err=True)
    elif warnings:
        click.echo(f"restock doctor: a worker can run; {warnings} warnings", err=True)
    else:
        click.echo("restock doctor: all is well; start with `restock worker`", err=True)
