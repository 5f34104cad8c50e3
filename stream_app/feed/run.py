"""Feeds a file: takes up where it was left, keeps to a rate, notes progress once rows are acknowledged."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from server_access.kafka import KafkaAccess
from stream_app.feed.progress import Progress, rows_there, store
from stream_app.feed.records import FedRow
from stream_app.kafka.sender import Outgoing, Sender, sending
from stream_app.topic_reader import TopicReader, reading

CONFIRM_ROWS = 2_000
CONFIRM_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Feeding:
    """What is fed where: ``begun`` is where it was left, ``rate`` rows a second, None = as fast as it goes."""

    kafka: KafkaAccess
    begun: Progress
    file: Path
    rate: float | None = None
    sent: Callable[[int], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(slots=True)
class _Run:
    """One run: what the topic held at its start, and what is confirmed."""

    feeding: Feeding
    sender: Sender
    reader: TopicReader
    there: Mapping[int, set[int]]
    noted: Progress
    since: float
    unconfirmed: int = 0
    records: int = field(default=0)

    def take(self, row: FedRow) -> None:
        """Send what is not there yet of a row."""
        for record in row.records(self.noted.feed, len(self.reader.partitions)):
            if row.row not in self.there.get(record.partition, ()):
                self._send(record)
        self.unconfirmed += 1
        self.noted = replace(self.noted, row=row.row)
        if self.unconfirmed >= CONFIRM_ROWS or self.feeding.clock() - self.since >= CONFIRM_SECONDS:
            self.confirm()

    def _send(self, record: Outgoing) -> None:
        self.sender.send(self.noted.topic, record)
        self.records += 1

    def confirm(self, *, is_complete: bool = False) -> None:
        """Note progress once all that was sent is acknowledged."""
        self.sender.confirm()
        self.noted = replace(self.noted, ends=dict(self.reader.ends()), is_complete=is_complete)
        store(self.feeding.file, self.noted)
        self.feeding.sent(self.unconfirmed)
        self.unconfirmed, self.since = 0, self.feeding.clock()


def fed(feeding: Feeding, rows: Iterable[FedRow]) -> int:
    """Send the rows after ``begun`` that the topic does not hold yet; return how many records were sent.

    However it is interrupted, progress notes no row that is not acknowledged.

    Raises:
        Unavailable: If Kafka does not answer; the command may be run again.
        RestockError: If the topic does not exist or the broker refuses.
    """
    begun = feeding.begun
    with reading(feeding.kafka, begun.topic) as reader, sending(feeding.kafka) as sender:
        there = rows_there(reader, begun)
        noted = begun if begun.ends else replace(begun, ends=dict(reader.ends()))
        store(feeding.file, noted)
        run = _Run(feeding, sender, reader, there, noted, feeding.clock())
        first = feeding.clock()
        for number, row in enumerate(row for row in rows if row.row > begun.row):
            if feeding.rate is not None and (ahead := first + number / feeding.rate - feeding.clock()) > 0:
                feeding.sleep(ahead)
            run.take(row)
        run.confirm(is_complete=True)
        return run.records
