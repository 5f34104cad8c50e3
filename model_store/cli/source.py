"""Where demand to learn from or to score on comes from: options, reading, and what an operator sees meanwhile.

Progress and errors go to stderr. What is made of the demand is in `train` and `evaluate`.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from model_store.errors import ModelStoreError
from replenishment.buckets import LONGEST_SECONDS, SHORTEST_SECONDS, BucketWidth
from replenishment.cleaning import patterns_of

if TYPE_CHECKING:
    from model_store.training.bucketing import AnchoredGrid
    from model_store.training.history import DemandHistory
    from model_store.training.progress import Reporter

_Command = TypeVar("_Command", bound=Callable[..., None])
_WIDTH = re.compile(r"(\d{1,7})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}


class WidthType(click.ParamType):
    """A bucket width: a number and s, m, h, d or w."""

    name = "width"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return seconds."""
        if isinstance(value, int):
            return value
        match = _WIDTH.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is no width; e.g. 1d, 1h, 15m, 1w", param, ctx)
        seconds = int(match[1]) * _SECONDS[match[2]]
        if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
            self.fail(f"{value} is not within 60 s and 4 weeks", param, ctx)
        return seconds


class PatternsType(click.ParamType):
    """Shell patterns of SKUs with commas between them."""

    name = "patterns"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the patterns."""
        if isinstance(value, tuple):
            return value
        try:
            return patterns_of(value)
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)


non_stock_option = click.option(
    "--non-stock",
    type=PatternsType(),
    default="usual",
    show_default=True,
    metavar="PATTERNS",
    help="SKUs that name no goods, as RESTOCK_NON_STOCK_SKUS names them.",
)


@dataclass(frozen=True, slots=True)
class Source:
    """A topic of closed demand, or a file of order lines; see `source_options`.

    Raises:
        click.UsageError: If none is named, or both are.
    """

    kafka: str | None
    topic: str
    topic_prefix: str
    orders: Path | None
    bucket: int
    bucket_offset_seconds: int
    until: datetime | None
    signals: Path | None
    signals_topic: str | None
    signal_columns: str
    covariate_columns: str
    catalog: Path | None
    holidays: str | None

    def __post_init__(self) -> None:
        if self.orders is None and self.kafka is None:
            raise click.UsageError("name a source: --kafka HOST:PORT (or RESTOCK_KAFKA), or --orders FILE")
        named = click.get_current_context().get_parameter_source("kafka") is ParameterSource.COMMANDLINE
        if self.orders is not None and named:
            raise click.UsageError("--kafka and --orders are two sources; name one")
        if self.signals_topic is not None and (self.signals is not None or self.kafka is None):
            raise click.UsageError("--signals-topic is read on --kafka, and --signals FILE in place of it; name one")

    def read(self, reporter: "Reporter", archive: Path | None = None) -> "DemandHistory":
        """Return the demand, cut at ``until``; that of a topic by way of an archive, if a directory for one is named.

        Raises:
            UnusableHistory: If the source cannot be read or holds no demand.
            click.UsageError: If ``until`` is before all of it.
        """
        history = self._whole(reporter, archive)
        reporter.say(
            f"read {len(history.keys)} stock keys over {history.buckets} buckets of {history.width.seconds} s, "
            f"until {datetime.fromtimestamp(history.end_at / 1000, UTC):%Y-%m-%dT%H:%MZ}"
        )
        if self.until is None:
            return history
        until_at = round(self.until.replace(tzinfo=UTC).timestamp() * 1000)
        columns = history.width.bucket_at(until_at) - history.first_bucket
        if columns < 1:
            raise click.UsageError(f"--until {self.until:%Y-%m-%d} is before the first bucket ends")
        return history.until(min(columns, history.buckets))

    def with_plans(
        self, history: "DemandHistory", grid: "AnchoredGrid", reach_buckets: int, reporter: "Reporter"
    ) -> "DemandHistory":
        """Return a history that knows the plans of a file or topic, up to so many buckets ahead; the same without them.

        Raises:
            UnusableHistory: Naming the rows, if the file cannot be read, or if the topic cannot.
        """
        if self.signals is None and self.signals_topic is None:
            return history
        from model_store.training import signals_file

        ahead, after = (
            [name.strip() for name in named.split(",") if name.strip()]
            for named in (self.signal_columns, self.covariate_columns)
        )
        name = self.signals.name if self.signals else f"{self.topic_prefix}{self.signals_topic}"
        reporter.stage(f"reading {name}")
        if self.signals is not None:
            read: signals_file.SignalsFile | None = signals_file.read_signals(self.signals, ahead, after)
        else:
            from model_store.training.signals_topic import read_signals_topic

            read = read_signals_topic(str(self.kafka), name, ahead, after, lambda _done, _of: None)
        if read is None:
            reporter.say(f"{name}: no plans yet")
            return history
        reporter.say(f"{name}: {read.said_of(history.keys)}")
        return signals_file.with_plans(history, read, reach_buckets, grid)

    def with_holidays(
        self,
        history: "DemandHistory",
        until_column: int,
        grid: "AnchoredGrid",
        reach_buckets: int,
        reporter: "Reporter",
    ) -> "DemandHistory":
        """Return a history that knows public holidays, if they were asked for and came often enough before a column."""
        if self.holidays is None:
            return history
        from model_store.training.public_holidays import with_holidays

        known, said = with_holidays(history, self.holidays, until_column, grid, reach_buckets)
        reporter.say(said)
        return known

    def with_categories(self, history: "DemandHistory", reporter: "Reporter") -> "DemandHistory":
        """Return a history that knows the categories of the catalog, or of the orders file's column; the same without.

        Raises:
            UnusableHistory: If the catalog cannot be read.
        """
        from model_store.training import categories_file

        read = categories_file.read_categories(self.catalog, self.orders)
        if read is None:
            return history
        known = categories_file.with_categories(history, read)
        many = len(set(known.categories.tolist()) - {b""}) if known.categories is not None else 0
        reporter.say(f"{many} categories of {len(history.keys)} stock keys")
        return known

    def _whole(self, reporter: "Reporter", archive: Path | None) -> "DemandHistory":
        if self.orders is not None:
            from model_store.training.orders_file import read_orders

            reporter.stage(f"reading {self.orders.name}")
            return read_orders(self.orders, BucketWidth(self.bucket, self.bucket_offset_seconds))
        topic = self.topic_prefix + self.topic
        stage = reporter.stage(f"reading {topic}")
        if archive is None:
            from model_store.training.demand_reader import read_demand

            return read_demand(self.kafka or "", topic, stage)
        from model_store.training.archive import Archive

        kept = Archive(archive / topic)
        reporter.say(f"{kept.follow(self.kafka or '', topic, stage, reporter.say)} new records of {topic}")
        return kept.history()


class DurationType(click.ParamType):
    """A time between rounds: a number and s, m, h, d or w."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return seconds."""
        if isinstance(value, int):
            return value
        match = _WIDTH.fullmatch(value)
        seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
        if not 1 <= seconds <= LONGEST_SECONDS:
            self.fail(f"{value!r} is no duration from 1 s to 4 weeks; e.g. 30m, 6h, 1d", param, ctx)
        return seconds


SOURCE_FIELDS = tuple(field.name for field in fields(Source))
"""Options that say where demand comes from."""

_OPTIONS = (
    click.option("--kafka", envvar="RESTOCK_KAFKA", show_envvar=True, help="Bootstrap servers to read demand from."),
    click.option("--topic", default="demand", show_default=True, help="Topic of closed demand, without the prefix."),
    click.option("--topic-prefix", envvar="RESTOCK_TOPIC_PREFIX", show_envvar=True, default=""),
    click.option(
        "--orders",
        type=click.Path(exists=True, path_type=Path),
        help="CSV, NDJSON or Parquet file of order lines, or a directory of such files, to read instead of Kafka.",
    ),
    click.option("--bucket", type=WidthType(), default="1d", show_default=True, help="Bucket width for --orders."),
    click.option(
        "--bucket-offset-seconds",
        type=click.IntRange(-86_399, 86_399),
        envvar="RESTOCK_BUCKET_OFFSET_SECONDS",
        default=0,
        show_envvar=True,
        help="Offset of local time from UTC for --orders.",
    ),
    click.option(
        "--until",
        type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
        help="Use no buckets that end later than this (UTC).",
    ),
    click.option(
        "--signals",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File of planned promotions and prices, and other columns that are named below.",
    ),
    click.option(
        "--signals-topic",
        metavar="TOPIC",
        help="Topic of plans, without the prefix, to read beside --kafka instead of a file: signals.",
    ),
    click.option("--signal-columns", default="", help="Columns of numbers that are known ahead, with commas."),
    click.option("--covariate-columns", default="", help="Columns of numbers that are known afterwards, with commas."),
    click.option(
        "--catalog",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File with the category of each SKU: new SKUs lean on what their category sells. Default: the column "
        "category of --orders, if there is one.",
    ),
    click.option(
        "--holidays",
        metavar="COUNTRY[-PART]",
        help="Public holidays as something known ahead, e.g. GB or US-CA. Those that came at least twice are used.",
    ),
)


def source_options(command: _Command) -> _Command:
    """Give a command the options that are the fields of `Source`."""
    return reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), command)


@contextmanager
def reported(*, as_records: bool = False) -> "Iterator[Reporter]":
    """Progress on stderr, perhaps as JSON; an error for the operator is one text there, exit code 1, or 2 for usage."""
    try:
        from model_store.training.progress import on_stderr

        with on_stderr(as_records=as_records) as reporter:
            yield reporter
    except ModelStoreError as error:
        raise click.ClickException("\n".join([str(error), *getattr(error, "__notes__", [])])) from error
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error.name} is not installed. Install what training needs: pip install 'restock[train]'"
        ) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'file'}: {error.strerror}") from error
