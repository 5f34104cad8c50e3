"""The story of a demonstration, step by step, from the topics to the last live day.

Every part is what a user would start: workers, the import of the catalog, the
training and the promotion are processes of the product's own commands.
"""

import asyncio
import csv
import json
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from server_access.kafka import KafkaAccess
from stream_app.demo.children import MODEL_STORE, RESTOCK, WAREHOUSE, Child, Children, PartFailed
from stream_app.demo.order_book import LOCATION, OrderBook, load, records
from stream_app.demo.package_orders import ORDERS
from stream_app.demo.play import LEAD_TIME_DAYS, LIVE_FROM, LIVE_UNTIL, Day, history, live_days, play
from stream_app.demo.publisher import Publisher
from stream_app.demo.screen import Screen, Steps
from stream_app.demo.watch import LiveLine, Snapshot, Watch
from stream_app.kafka.topics import TOPIC_ROLES, TopicNames, create

T = TypeVar("T")

WORKERS = 2
TRAINING_SECONDS = 90
PATIENCE_SECONDS = 120.0
"""How long nothing may move while something is waited for."""
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Opening:
    """What was known when the live days began: stock of each key, and where the topics stood."""

    on_hand: Mapping[bytes, int]
    order_offsets: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Played:
    """What happened, for the summary."""

    book: OrderBook
    opening: Opening
    lines_per_second: float
    model_versions: tuple[str, ...]
    swaps: int


@dataclass(frozen=True, slots=True)
class Stage:
    """What a story is played on.

    ``kafka`` is the address of Kafka, ``folder`` where logs and the catalog
    go; the environment of ``children`` names the servers; the pace of the live
    days is ``days_per_second``.
    """

    screen: Screen
    steps: Steps
    kafka: str
    folder: Path
    children: Children
    watch: Watch
    partitions: int
    days_per_second: float


class Story:
    """One run of the demonstration on servers that are up."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._steps = stage.steps
        self._children = stage.children
        self._sent = 0
        self._line = LiveLine()

    async def run(self) -> Played:
        """Play the whole story; return what happened."""
        book = await self._topics()
        await self._workers()
        await self._catalog(book)
        async with Publisher(self._stage.kafka, "orders", self._stage.partitions) as publisher:
            lines_per_second = await self._history(publisher, book)
            first_version = (await self._stage.watch.snapshot()).versions
            version = await self._training()
            swaps = await self._swap(version)
            opening = await self._opening(publisher)
            await self._live(publisher, book)
        return Played(book, opening, lines_per_second, (*sorted(first_version - {version}), version), swaps)

    async def _topics(self) -> OrderBook:
        self._steps.begin("topics", "creating them and reading the order book")
        made = await asyncio.to_thread(create, KafkaAccess(self._stage.kafka), TopicNames(), self._stage.partitions, 1)
        book = await asyncio.to_thread(load, ORDERS, LIVE_UNTIL)
        skipped = ", ".join(f"{count:,} {reason}" for reason, count in book.skipped.items())
        self._steps.done(
            f"{len(made.created)} of {self._stage.partitions} partitions each: {', '.join(TOPIC_ROLES)}\n"
            f"order book: {book.rows_read:,} rows = {book.events.height:,} events"
            f" + {sum(book.skipped.values()):,} skipped\n({skipped})"
        )
        return book

    async def _workers(self) -> None:
        self._steps.begin("workers", f"starting {WORKERS} processes of `restock worker`")
        workers = [await self._children.start(f"worker {number + 1}", *RESTOCK, "worker") for number in range(WORKERS)]
        ready = [await self._logged(worker, "ready") for worker in workers]
        self._stage.watch.follow([str(one["metrics"]) for one in ready])
        self._steps.done(
            f"{WORKERS} processes of `restock worker`; before {LIVE_FROM:%Y-%m-%d} orders are history:"
            " forecast, but not acted on"
        )

    async def _logged(self, child: Child, event: str) -> Mapping[str, Any]:
        """Wait for a line of an event in a log of JSON lines."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            for line in child.log.read_text().splitlines():
                if f'"{event}"' in line and (found := json.loads(line)).get("event") == event:
                    return dict(found)
            self._children.check()
            self._steps.going_on(f"waiting for {child.name}")
            await asyncio.sleep(POLL_SECONDS)
        raise PartFailed(child.name, f"was not ready within {PATIENCE_SECONDS:.0f} s; its log says:", child.log)

    async def _catalog(self, book: OrderBook) -> None:
        self._steps.begin("catalog", "importing terms with `restock catalog import`")
        path = self._stage.folder / "catalog.csv"
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("location", "sku", "supplier", "lead_time_days"))
            # a supplier for each of the number ranges in which the shop gives its codes
            rows.writerows((LOCATION, sku, f"supplier-{sku[:2]}", LEAD_TIME_DAYS) for sku in book.skus)
        await self._children.run("catalog import", *RESTOCK, "catalog", "import", str(path))
        await self._until(lambda seen: seen.keys >= len(book.skus), "importing terms")
        self._steps.done(
            f"{len(book.skus):,} SKUs, each with its supplier and a lead time of {LEAD_TIME_DAYS} days;"
            " service 95 %, cover 7 days"
        )

    async def _history(self, publisher: Publisher, book: OrderBook) -> float:
        events = history(book.events)
        self._steps.begin("history", f"back-filling {events.height:,} order lines")
        self._sent = events.height
        begun = time.monotonic()
        await self._during(
            publisher.publish(records(events)),
            "back-filling",
            lambda seen: seen.has_applied("orders", publisher.ends),
        )
        seconds = time.monotonic() - begun
        days = (LIVE_FROM - datetime.fromtimestamp(int(events["event_time"][0]) / 1000, LIVE_FROM.tzinfo)).days + 1
        self._steps.done(
            f"{events.height:,} order lines of {days} days back-filled: {events.height / seconds:,.0f} lines/s,"
            " each day closed and every SKU's forecast stepped"
        )
        return events.height / seconds

    async def _training(self) -> str:
        self._steps.begin("training", "training an LSTM on the topic `demand`; the workers run on")
        await self._until(lambda seen: seen.unsent == 0, "waiting for the last closed buckets")
        options = ("--kafka", self._stage.kafka, "--seconds-at-most", str(TRAINING_SECONDS), "--json")
        printed = await self._during(self._children.run("training", *MODEL_STORE, "train", *options), "training")
        trained = json.loads(printed.splitlines()[-1])
        self._steps.done(f"version {trained['version']}")
        return str(trained["version"])

    async def _swap(self, version: str) -> int:
        self._steps.begin("swap", "promoting it; the workers swap while they run")
        before = (await self._stage.watch.snapshot()).versions
        await self._children.run(
            "promotion", *MODEL_STORE, "promote", version, "--who", "demo", "--why", "trained on the history"
        )
        await self._until(lambda seen: seen.versions == {version}, "rebuilding the memory of every SKU")
        self._steps.done(
            f"all {self._stage.partitions} partitions serve {version} instead of {', '.join(sorted(before))}"
        )
        return len(before - {version})

    async def _opening(self, publisher: Publisher) -> Opening:
        """Move every clock to the first live day and read the stock that the product assumes then."""
        await publisher.time_passed(round(LIVE_FROM.timestamp() * 1000))
        await self._until(lambda seen: seen.has_applied("orders", publisher.ends), "moving the clock")
        printed = await self._children.run("state", *RESTOCK, "state", "--json")
        states = [json.loads(line) for line in printed.splitlines()]
        on_hand = {
            f"{one['location']}|{one['sku']}".encode(): int(one["inventory"]["on_hand"])
            for one in states
            if "summary" not in one and one["inventory"]["assumed"]
        }
        return Opening(on_hand, dict(publisher.ends))

    async def _live(self, publisher: Publisher, book: OrderBook) -> None:
        self._steps.begin("live", "starting the warehouse")
        warehouse = await self._children.converse(
            "warehouse",
            *WAREHOUSE,
            "--kafka",
            self._stage.kafka,
            "--lead-time-days",
            str(LEAD_TIME_DAYS),
        )
        for day in live_days(book.events):
            self._sent += day.events.height
            await self._day(publisher, warehouse, day)
        self._steps.done(f"{LIVE_FROM:%Y-%m-%d} to {day.start:%Y-%m-%d} played; the warehouse answered every request")

    async def _day(self, publisher: Publisher, warehouse: Child, day: Day) -> None:
        """Play a day and have the warehouse answer it; both are applied when this returns."""
        title = f"{day.start:%a %Y-%m-%d}"
        await self._during(
            play(publisher, day, 1 / self._stage.days_per_second),
            title,
            lambda seen: seen.has_applied("orders", publisher.ends) and seen.unsent == 0,
        )
        answered = await warehouse.tell(f"{day.end:%Y-%m-%dT%H:%M:%SZ}")
        ends = {int(partition): int(end) for partition, end in answered["inventory"].items()}
        await self._until(lambda seen: seen.has_applied("inventory", ends), title)

    async def _during(
        self, work: Coroutine[Any, Any, T], doing: str, is_true: Callable[[Snapshot], bool] = lambda _: True
    ) -> T:
        """Show what is going on until work is done and then a condition holds; return what the work returned."""
        task = asyncio.ensure_future(work)

        def is_over(seen: Snapshot) -> bool:
            return task.done() and (task.exception() is not None or is_true(seen))

        try:
            await self._until(is_over, doing)
            return await task
        finally:
            task.cancel()

    async def _until(self, is_true: Callable[[Snapshot], bool], doing: str) -> Snapshot:
        """Show what is going on until a condition holds.

        Raises:
            PartFailed: If a process ends, or nothing moves for too long.
        """
        moved_at, before = time.monotonic(), None
        while True:
            self._children.check()
            seen = await self._stage.watch.snapshot()
            if is_true(seen):
                return seen
            if seen != before:
                moved_at, before = time.monotonic(), seen
            if time.monotonic() - moved_at > PATIENCE_SECONDS:
                stuck = self._children.running[0]
                raise PartFailed(stuck.name, f"has not moved for {PATIENCE_SECONDS:.0f} s ({doing}):", stuck.log)
            self._steps.going_on(f"{doing}  {self._line.text(seen, self._sent)}")
            await asyncio.sleep(POLL_SECONDS)
