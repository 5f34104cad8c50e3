"""``restock bench``."""

import json
import sys
import tempfile
from pathlib import Path

import click

from stream_app.bench.load import Load
from stream_app.bench.measure import Measured, Speed, measure

ROW = "{:<34} {:>12} {:>16} {:>16}"


@click.command()
@click.option("--lines", type=click.IntRange(10_000), default=2_000_000, show_default=True, help="Order lines.")
@click.option("--skus", type=click.IntRange(1, 999_999), default=20_000, show_default=True, help="Stock keys.")
@click.option("--partitions", type=click.IntRange(1, 64), default=4, show_default=True, help="Of each topic.")
@click.option(
    "--at-least",
    type=click.FloatRange(0, 10),
    default=0.3,
    show_default=True,
    help="Least ratio to the bare consumer; below it the exit code is 1.",
)
@click.option(
    "--json", "report", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures to a file too."
)
def bench(*, lines: int, skus: int, partitions: int, at_least: float, report: Path | None) -> None:
    """Measure order lines per second and core, beside a bare consumer of the same run.

    Starts a Kafka and a Valkey of its own (append-only, fsync with every
    write), fills a topic, and lets one worker apply it: each line decoded,
    checked, added to its bucket, durable. Then an aiokafka consumer that only
    counts reads the same topic. Machines differ and are shared: quote the
    ratio, not the rates.
    """
    with tempfile.TemporaryDirectory(prefix="restock-bench-") as folder:
        made = measure(Path(folder), Load(lines, skus, partitions), _live)
    _live("")
    click.echo(_table(made))
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps(_figures(made), indent=2) + "\n")
    is_enough = made.ratio >= at_least
    click.echo(f"ratio {made.ratio:.2f}, at least {at_least:g}: {'reached' if is_enough else 'NOT reached'}")
    sys.exit(0 if is_enough else 1)


def _live(line: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", err=True, nl=False)


def _table(made: Measured) -> str:
    rows = [ROW.format("", "records", "per second", "per core second")]
    for name, one in (("restock worker, durable state", made.worker), ("bare aiokafka consumer", made.bare_consumer)):
        figures = (f"{one.records:,}", f"{one.per_second:,.0f}", f"{one.per_core_second:,.0f}")
        rows.append(ROW.format(name, *figures))
    return "\n".join(rows)


def _figures(made: Measured) -> dict[str, object]:
    def of(one: Speed) -> dict[str, float]:
        return {
            "records": one.records,
            "seconds": round(one.seconds, 3),
            "cpu_seconds": round(one.cpu_seconds, 3),
            "per_second": round(one.per_second, 1),
            "per_core_second": round(one.per_core_second, 1),
        }

    return {"worker": of(made.worker), "bare_consumer": of(made.bare_consumer), "ratio": round(made.ratio, 3)}
