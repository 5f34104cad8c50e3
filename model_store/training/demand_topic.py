"""Demand history from the topic ``demand``: closed buckets and their corrections, read from beginning to present end.

The topic is written at least once: a repeated closed chunk is recognised by
(partition, bucket, chunk), and a correction carries the new value rather than
a difference, so reading everything twice gives the same history.
"""

import socket
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Literal

import msgspec
import numpy as np
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from model_store.training.errors import UnusableHistory
from model_store.training.history import Cells, DemandHistory, assemble
from replenishment.arrays import Int64s
from replenishment.buckets import MONDAY_MS, BucketWidth
from replenishment.keys import key_bytes

SCHEMA = 1
DAY_SECONDS = 86_400
PATIENCE_SECONDS = 30.0
"""How long a broker may deliver nothing before its end."""
BOOTSTRAP_MS = 10_000
POLL_RECORDS = 500
Progress = Callable[[int, int], None]
"""Is told how much is done, and of how much."""


class DemandRecord(msgspec.Struct, frozen=True, gc=False):
    """What is read of a record: demand of one bucket for a chunk of keys, as columns of one length."""

    schema: int
    partition: int
    bucket_start: str
    bucket_seconds: int
    kind: Literal["closed", "correction"]
    chunk: int
    location: list[str]
    sku: list[str]
    units: list[int]
    order_lines: list[int]
    available_fraction: list[float | None]

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ValueError(f"schema is {self.schema}, this program reads {SCHEMA}")
        lengths = {len(column) for column in (self.location, self.sku, self.units, self.order_lines)}
        if lengths != {len(self.available_fraction)}:
            raise ValueError(f"columns have lengths {sorted(lengths)}")


def read_demand(bootstrap: str, topic: str, progress: Progress) -> DemandHistory:
    """Return the history in a topic on a Kafka server.

    Args:
        bootstrap: Bootstrap servers, ``host:port[,host:port…]``.
        topic: Real name of the topic.
        progress: Is told of records read.

    Raises:
        UnusableHistory: If the server does not answer, the topic is missing or empty, or a record is no demand.
    """
    try:
        return history_of(_records(bootstrap, topic, progress), topic)
    except KafkaError as error:
        raise UnusableHistory(
            f"Kafka at {bootstrap} cannot be read ({error}). Check the address: --kafka or RESTOCK_KAFKA"
        ) from error


def history_of(values: Iterable[bytes], source: str) -> DemandHistory:
    """Return the history that demand records tell, in the order in which they were written.

    Records of a bucket width other than the last record's belong to an earlier setting and are left out.

    Raises:
        UnusableHistory: If a record is no demand, or there is none.
    """
    ledgers: dict[BucketWidth, _Ledger] = {}
    ledger = None
    for place, value in enumerate(values):
        try:
            record = msgspec.json.decode(value, type=DemandRecord)
            start_at = int(np.datetime64(record.bucket_start.removesuffix("Z"), "ms").astype(np.int64))
            width = _width_of(start_at, record.bucket_seconds)
        except (ValueError, RecursionError) as error:
            raise UnusableHistory(
                f"record {place} of {source} is no closed demand ({str(error)[:200]}). Is it the right topic?"
            ) from error
        ledger = ledgers.setdefault(width, _Ledger())
        ledger.enter(record, width.bucket_at(start_at))
    if ledger is None:
        raise UnusableHistory(f"{source} holds no closed demand yet. Let buckets close, then train again")
    return ledger.history(next(width for width, one in ledgers.items() if one is ledger))


class _Ledger:
    """Closed chunks and corrections of one bucket width, as they come in."""

    def __init__(self) -> None:
        self._rows: dict[bytes, int] = {}
        self._rows_of_chunk: dict[tuple[int, int], tuple[list[str], list[str], Int64s]] = {}
        self._seen: set[tuple[int, int, int]] = set()
        self._closed: list[Cells] = []
        self._corrected: list[Cells] = []

    def enter(self, record: DemandRecord, bucket: int) -> None:
        is_closed = record.kind == "closed"
        name = (record.partition, bucket, record.chunk)
        if is_closed and name in self._seen:
            return
        known = np.array([np.nan if one is None else one for one in record.available_fraction], dtype=np.float32)
        cells = Cells(
            rows=self._rows_of(record),
            buckets=np.full(len(record.sku), bucket),
            units=np.array(record.units, dtype=np.float32),
            order_lines=np.array(record.order_lines, dtype=np.float32),
            available_ratio=np.nan_to_num(known, nan=0.0),
        )
        if is_closed:
            self._seen.add(name)
        (self._closed if is_closed else self._corrected).append(cells)

    def _rows_of(self, record: DemandRecord) -> Int64s:
        # A chunk is a fixed range of keys: nearly always the same list as in the bucket before.
        location, sku, rows = self._rows_of_chunk.get((record.partition, record.chunk), ([], [], np.empty(0, np.int64)))
        if record.location == location and record.sku == sku:
            return rows
        keys = map(key_bytes, record.location, record.sku)
        rows = np.array([self._rows.setdefault(key, len(self._rows)) for key in keys], dtype=np.int64)
        if record.kind == "closed":
            self._rows_of_chunk[record.partition, record.chunk] = (record.location, record.sku, rows)
        return rows

    def history(self, width: BucketWidth) -> DemandHistory:
        # Corrections follow the closing they correct, so all closings may come first.
        parts = list(chain(self._closed, self._corrected))
        last_known = np.full(len(self._rows), -1)
        for part in parts:
            np.maximum.at(last_known, part.rows, part.buckets)
        return assemble(width, list(self._rows), Cells.joined(parts), last_known=last_known)


def _width_of(start_at: int, seconds: int) -> BucketWidth:
    """Return width and offset of the buckets of which one starts at a time.

    Example:
        >>> day = BucketWidth(86_400, 3_600)
        >>> _width_of(day.start_of(15_284), 86_400) == day
        True
    """
    offset = (MONDAY_MS - start_at) // 1000 % seconds
    return BucketWidth(seconds, offset if offset < DAY_SECONDS else offset - seconds)


def _records(bootstrap: str, topic: str, progress: Progress) -> Iterator[bytes]:
    _require_reachable(bootstrap)
    # Checksums are those of a loopback or TLS link already; in pure Python they cost more than all else together.
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, bootstrap_timeout_ms=BOOTSTRAP_MS, enable_auto_commit=False, check_crcs=False
    )
    try:
        partitions = [TopicPartition(topic, one) for one in sorted(consumer.partitions_for_topic(topic) or ())]
        if not partitions:
            raise UnusableHistory(f"there is no topic {topic} on {bootstrap}. See: restock topics create")
        begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        wanted = sum(ends.values()) - sum(begins.values())
        while (left := sum(max(end - consumer.position(one), 0) for one, end in ends.items())) > 0:
            progress(wanted - left, wanted)
            polled = consumer.poll(timeout_ms=round(PATIENCE_SECONDS * 1000), max_records=POLL_RECORDS)
            after = sum(max(end - consumer.position(one), 0) for one, end in ends.items())
            if not polled and after >= left:
                raise UnusableHistory(f"Kafka at {bootstrap} delivered nothing of {topic} for {PATIENCE_SECONDS:.0f} s")
            for part, records in polled.items():
                yield from (one.value for one in records if one.value is not None and one.offset < ends[part])
    finally:
        consumer.close()


def _require_reachable(bootstrap: str) -> None:
    """Require that a server of the list takes a connection.

    A consumer that reaches none says so only after its whole timeout, and leaves sockets open.

    Raises:
        UnusableHistory: If an address is none, or nobody answers.
    """
    faults = []
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise UnusableHistory(f"{address!r} is no address of Kafka; write host:port[,host:port…]")
        try:
            socket.create_connection((host.strip("[]"), int(port)), BOOTSTRAP_MS / 1000).close()
        except (OSError, UnicodeError) as error:  # UnicodeError: no name that can be looked up
            faults.append(f"{address.strip()}: {error}")
        else:
            return
    raise UnusableHistory(
        f"Kafka at {bootstrap} cannot be read ({'; '.join(faults)}). Check the address: --kafka or RESTOCK_KAFKA"
    )
