"""What a simulation plays: files, or topics of a running product up to now."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import reduce
from pathlib import Path
from typing import Any

import click

from replenishment.closed_loop.world import Period
from stream_app.cli.catalog import checked, in_force
from stream_app.cli.periods import Edge
from stream_app.cli.replay import INPUT
from stream_app.errors import ConfigError
from stream_app.kafka.topics import TopicNames
from stream_app.replay.catalog_file import entries_of
from stream_app.settings import Settings
from stream_app.simulate.files import Given, given, with_inventory
from stream_app.simulate.topics import Range, told_by_topics

_OPTIONS = (
    click.option("--orders", type=INPUT, help="Order lines: CSV, NDJSON or Parquet."),
    click.option(
        "--topic",
        metavar="NAME",
        help="Read order lines of this topic (`orders`) instead, inventory and terms likewise.",
    ),
    click.option("--since", type=Edge(), help="With --topic: leave out what is before this day; default: nothing."),
    click.option("--catalog", type=INPUT, help="Terms, costs and categories of stock keys, in any of these formats."),
    click.option("--inventory", type=INPUT, help="Counts and goods under way, in any of these formats."),
)


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what is played."""
    return reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), command)


def recorded(
    settings: Settings,
    period: Period,
    *,
    orders: Path | None,
    topic: str | None,
    since_at: int,
    catalog: Path | None,
    inventory: Path | None,
) -> Given:
    """Return what is known: lines of a file or a topic, terms, and inventory; files hold over topics.

    Raises:
        ConfigError: If there are both or neither, or a file cannot be read.
        RestockError: If a topic does not exist or cannot be played.
    """
    if (orders is None) == (topic is None):
        raise ConfigError(["name either --orders FILE or --topic orders"])
    if orders is not None:
        if catalog is None:
            raise ConfigError(["--catalog FILE is missing: with --orders FILE no topic is read"])
        return given(orders, checked(catalog), inventory)
    names = TopicNames(settings.topic_prefix)
    terms = entries_of(checked(catalog)) if catalog else list(in_force(settings).values())
    with ExitStack() as open_bars:

        def begun(name: str, records: int) -> Callable[[int], None]:
            bar = click.progressbar(
                length=records, label=f"reading {name}", file=sys.stderr, hidden=not sys.stderr.isatty()
            )
            return open_bars.enter_context(bar).update

        told = told_by_topics(
            settings,
            names.of("orders") if topic == "orders" else str(topic),
            Range(since_at, period.start_at, period.end_of(period.buckets - 1)),
            terms,
            takes_inventory=inventory is None,
            begun=begun,
        )
    return with_inventory(told, inventory)
