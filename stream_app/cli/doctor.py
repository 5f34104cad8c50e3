"""``restock doctor``: is everything there that a worker needs, and what mends it if not."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click

from stream_app.doctor.finding import Finding, Level, count

MARKS = {Level.OK: "ok", Level.WARNING: "WARNING", Level.PROBLEM: "PROBLEM"}
COLORS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: findings and their counts.")
def doctor(*, as_json: bool) -> None:
    """Examine settings, Kafka, topics, Redis, stored state and models; change nothing.

    Each finding says what is the case, what it leads to, and the command that
    mends it. Exit code 1 if there is a problem; warnings alone give 0. Takes a
    few seconds at most, also when servers are away.
    """
    from stream_app.doctor.examination import examine

    findings = examine()
    if as_json:
        click.echo(json.dumps(report(findings), indent=2))
    else:
        for finding in findings:
            _show(finding)
        _conclude(findings)
    sys.exit(1 if count(findings, Level.PROBLEM) else 0)


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
