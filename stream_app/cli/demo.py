"""``restock demo``."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--speed",
    type=click.FloatRange(0.02, 1_000),
    default=0.5,
    show_default=True,
    help="Days of the shop played in a second.",
)
@click.option("--exit", "ends", is_flag=True, help="End by itself after the summary.")
@click.option(
    "--json",
    "report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the figures of the summary to a file.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep logs, models and the servers' data in this directory; else all is gone at the end.",
)
@click.option("--partitions", type=click.IntRange(1, 64), default=3, show_default=True, help="Of each topic.")
def demo(*, speed: float, ends: bool, report: Path | None, keep: Path | None, partitions: int) -> None:
    """Watch a year of real orders turn into restock requests, with a model that is refreshed on the way.

    Starts its own Kafka and Valkey, two workers and a simulated warehouse on
    this machine; Ctrl-C ends them all.
    """
    from stream_app.demo.performance import Choices, perform

    perform(Choices(speed, ends, report, keep, partitions))
