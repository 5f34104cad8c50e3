"""``restock bench``."""

import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from stream_app.bench.figures import Figure, Outcome, Size


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--quick", is_flag=True, help="Small sizes that show that it runs; no bound of a ratio is applied.")
@click.option("--lines", type=click.IntRange(10_000), help="Order lines, instead of the figure's own.")
@click.option("--skus", type=click.IntRange(100, 999_999), help="Stock keys, instead of the figure's own.")
@click.option("--partitions", type=click.IntRange(1, 64), help="Of each topic, instead of 4.")
@click.option("--late", type=click.IntRange(0), help="Late lines of the peers' job.")
@click.option("--hours", type=click.IntRange(1, 24), help="Hours that close in the peers' job.")
@click.option("--json", "report", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures to a file.")
@click.option("--results", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with the machine too.")
def bench(
    *, names: tuple[str, ...], quick: bool, report: Path | None, results: Path | None, **sizes: int | None
) -> None:
    r"""Measure speed beside yardsticks of the same run; without NAME everything.

    \b
    lines    order lines per second and core, to a bare consumer of the same topic
    job      units per SKU and hour, to Faust and Quix Streams; wrong answers are told
    closing  one bucket of 100,000 keys, to the bare net and a bare HSET of the same bytes
    keys     memory of a key, and a worker's start, to HGETALL of the same rows
    workers  CPU seconds of a line, two workers to one

    Each starts a Kafka and a Valkey of its own (append-only, fsync with every
    write). Machines differ and are shared: quote ratios, not rates. The exit
    code is 1 if a ratio misses its bound or an answer is wrong.
    """
    from stream_app.bench.results import as_json, page, table

    for library in ("aiokafka", "kafka"):  # what they say of topics that are still being made
        logging.getLogger(library).setLevel(logging.ERROR)
    chosen = _chosen(names)
    given = {name: value for name, value in sizes.items() if value is not None}
    minutes = sum(one.minutes for one in chosen)
    click.echo(f"{', '.join(one.name for one in chosen)}: {'a minute each' if quick else f'about {minutes} minutes'}")
    outcomes: dict[str, tuple[Figure, Size, Outcome]] = {}
    for one in chosen:
        size = replace(one.quick if quick else one.usual, **given)
        click.echo(f"\n{one.name}: {one.about}")
        with tempfile.TemporaryDirectory(prefix="restock-bench-") as folder:
            outcome = one.measure(Path(folder), size, _live)
        _live("")
        outcomes[one.name] = (one, size, outcome)
        click.echo("\n".join([table(outcome), *_sentences(outcome, is_judged=not quick)]))
    _write(report, json.dumps(as_json(outcomes), indent=2) + "\n")
    _write(results, page(outcomes))
    sys.exit(0 if all(_is_good(outcome, is_judged=not quick) for _, _, outcome in outcomes.values()) else 1)


def _chosen(names: Sequence[str]) -> "Sequence[Figure]":
    from stream_app.bench.catalogue import FIGURES

    unknown = sorted(set(names) - {one.name for one in FIGURES})
    if unknown:
        raise click.UsageError(f"no figure {', '.join(unknown)}; there are {', '.join(one.name for one in FIGURES)}")
    return [one for one in FIGURES if not names or one.name in names]


def _sentences(outcome: "Outcome", *, is_judged: bool) -> list[str]:
    ratios = [one.verdict if is_judged else f"{one.what}: {one.value:.2f}, not judged" for one in outcome.ratios]
    return [*ratios, *outcome.remarks, *(f"WRONG: {fault}" for fault in outcome.faults)]


def _is_good(outcome: "Outcome", *, is_judged: bool) -> bool:
    return not outcome.faults and (not is_judged or all(one.is_reached for one in outcome.ratios))


def _write(path: Path | None, text: str) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _live(line: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", err=True, nl=False)
