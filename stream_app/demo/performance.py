"""The whole demonstration from the banner to the end: servers around it, the story in it, the summary after it."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from stream_app.demo.children import Children
from stream_app.demo.page_link import page_link
from stream_app.demo.play import LIVE_FROM
from stream_app.demo.report import Report
from stream_app.demo.screen import Screen, Steps, console
from stream_app.demo.story import Played, Stage, Story
from stream_app.demo.summary import Summary, comparison_lines, summarised
from stream_app.demo.watch import LiveLine, Snapshot
from stream_app.demo.watcher import Watcher
from stream_app.embedded import Servers, servers
from stream_app.errors import ConfigError

IDLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Choices:
    """What was chosen on the command line."""

    days_per_second: float
    ends: bool
    report: Path | None
    keep: Path | None
    partitions: int


def perform(choices: Choices) -> None:
    """Run the demonstration until its end or Ctrl-C.

    Raises:
        ConfigError: If the folder to keep is not empty.
        RestockError: If a part failed; its message has the last lines of the log and where it is.
        KeyboardInterrupt: If it was stopped.
    """
    # whoever ends us politely gets the same clean end as with Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _folder(choices.keep) as folder, Screen(console()) as screen:
        Performance(choices, folder, screen).run()


class Performance:
    """One demonstration in a folder of its own."""

    def __init__(self, choices: Choices, folder: Path, screen: Screen) -> None:
        self._choices = choices
        self._folder = folder
        self._screen = screen
        self._steps = Steps(screen)
        self._begun = time.monotonic()

    def run(self) -> None:
        """Start the servers, play, and end or idle."""
        self._banner()
        self._steps.begin("servers", "starting Kafka and Valkey; the first run fetches them")
        with servers(self._folder, self._steps.going_on) as running:
            self._steps.done(f"Apache Kafka {running.kafka_version} on {running.kafka}, Valkey {running.redis_version}")
            asyncio.run(self._played(running))

    async def _played(self, running: Servers) -> None:
        choices = self._choices
        environment = _environment(running, self._folder)
        async with (
            Children(self._folder, environment) as children,
            Watcher(running.redis_url, choices.partitions) as watch,
        ):
            stage = Stage(
                self._screen,
                self._steps,
                running.kafka,
                self._folder,
                children,
                watch,
                choices.partitions,
                choices.days_per_second,
            )
            played = await Story(stage).run()
            self._steps.begin("summary", "reading all topics to their ends")
            summary = await asyncio.to_thread(summarised, running.kafka, played)
            report = self._report(played, summary, await watch.snapshot(), running)
            self._steps.done(_counts(report))
            self._show(summary)
            self._write(report)
            if not choices.ends:
                self._next_steps(environment, await page_link(children))
                await self._idle(watch)

    def _banner(self) -> None:
        kept = f"all of it stays in {self._folder}" if self._choices.keep else "nothing of it stays afterwards (--keep)"
        for line in (
            "[bold]Restock demonstration[/]: a year of a British online shop's orders, then four weeks of it live",
            "[dim]Orders: Online Retail, Daqing Chen, UCI Machine Learning Repository, 10.24432/C5BW33, CC BY 4.0[/]",
            f"[yellow]Embedded servers on this machine: to look at, not for benchmarks; {kept}[/]",
            "",
        ):
            self._screen.say(line)

    def _report(self, played: Played, summary: Summary, seen: Snapshot, running: Servers) -> Report:
        ours, min_max = summary.comparison.ours, summary.comparison.min_max
        return Report(
            orders_read=played.book.rows_read,
            orders_sent=played.book.events.height,
            orders_skipped=sum(played.book.skipped.values()),
            orders_rejected=summary.orders_rejected,
            skipped=dict(played.book.skipped),
            stock_keys=seen.keys,
            buckets_closed=seen.buckets_closed,
            restocks=summary.requests.requests,
            restocks_duplicated=summary.requests.duplicated,
            receipts=summary.receipts,
            model_versions=list(played.model_versions),
            swaps=played.swaps,
            lines_per_second=round(played.lines_per_second, 1),
            kafka_version=running.kafka_version,
            redis_version=running.redis_version,
            seconds=round(time.monotonic() - self._begun, 1),
            fill_rate=round(ours.fill_rate, 4),
            days_of_stock=round(ours.days_of_stock, 2),
            min_max_fill_rate=round(min_max.fill_rate, 4),
            min_max_days_of_stock=round(min_max.days_of_stock, 2),
        )

    def _show(self, summary: Summary) -> None:
        for title, lines in (
            ("One request explained", summary.explanation),
            ("The live days beside the textbook's min/max rule", comparison_lines(summary.comparison)),
        ):
            self._screen.say(f"\n[bold]{title}[/]")
            for line in lines:
                self._screen.say(f"  {line}")

    def _write(self, report: Report) -> None:
        path = self._choices.report
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")

    def _next_steps(self, environment: Mapping[str, str], link: str) -> None:
        address = " ".join(f"{name}={environment[name]}" for name in ("RESTOCK_KAFKA", "RESTOCK_REDIS_URL"))
        for line in (
            f"\n[bold]What runs out first, and why:[/] {link}",
            "\n[bold]The workers stay up until Ctrl-C.[/] In another terminal, from this folder:",
            f"  export {address}",
            "  .venv/bin/restock state --location uk --sku 22423 --json",
            f"  .venv/bin/model-store list --models {environment['RESTOCK_MODELS']}",
            "",
        ):
            self._screen.say(line)

    async def _idle(self, watch: Watcher) -> None:
        line = LiveLine()
        while True:
            seen = await watch.snapshot()
            self._screen.now(line.text(seen, seen.lines))
            await asyncio.sleep(IDLE_SECONDS)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Yield a folder for everything; a temporary one is removed at the end, but stays if something failed."""
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise ConfigError([f"--keep {keep}: the directory is not empty; name a new one"])
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    made = Path(tempfile.mkdtemp(prefix="restock-demo-"))
    try:
        yield made
    except KeyboardInterrupt:
        shutil.rmtree(made, ignore_errors=True)
        raise
    shutil.rmtree(made, ignore_errors=True)


def _environment(running: Servers, folder: Path) -> Mapping[str, str]:
    """Return the settings of the demonstration; those of the caller's environment do not count."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("RESTOCK_") or name == "RESTOCK_CACHE"
    }
    return {
        **kept,
        "RESTOCK_KAFKA": running.kafka,
        "RESTOCK_REDIS_URL": running.redis_url,
        "RESTOCK_MODELS": str(folder / "models"),
        "RESTOCK_DECIDE_FROM": f"{LIVE_FROM:%Y-%m-%dT%H:%M:%SZ}",
        "RESTOCK_TICK_SECONDS": "0",  # the shop lives in 2011: silence must not move its time
        "RESTOCK_LOG_FORMAT": "json",
    }


def _counts(report: Report) -> str:
    return (
        f"{report.orders_read:,} rows read = {report.orders_sent:,} events sent + {report.orders_skipped:,} skipped;"
        f" {report.orders_rejected:,} rejected. {report.restocks:,} restocks requested, {report.restocks_duplicated}"
        f" of them twice with different content; {report.receipts:,} receipts; {report.swaps} model swap"
    )
