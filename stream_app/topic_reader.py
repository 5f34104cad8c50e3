"""Reads topics for people and tools: no group, no commits, nothing created; to the present end, or on and on."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from server_access.kafka import KafkaAccess
from stream_app.errors import RestockError, Unavailable
from stream_app.kafka.admission import away, forbidden, is_forbidden, require_admission
from stream_app.kafka.topics import visible_counts
from stream_app.ports import Headers

ANSWER_MS = 10_000
POLL_MS = 500
MOST_RECORDS = 5_000


@dataclass(frozen=True, slots=True)
class Message:
    """One record as it lies in a topic; implements ``Record``."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    def header(self, name: str) -> bytes | None:
        """Return the last header of a name, None if there is none."""
        return next((content or b"" for one, content in reversed(self.headers) if one == name), None)


@dataclass(frozen=True, slots=True)
class TopicReader:
    """Reads one topic; made by ``reading``."""

    topic: str
    partitions: Sequence[int]
    _consumer: Any = field(repr=False)

    def starts(self) -> Mapping[int, int]:
        """Return the first offset of each partition."""
        return self._numbered(self._consumer.beginning_offsets(self._all()))

    def ends(self) -> Mapping[int, int]:
        """Return the offset after the last record of each partition."""
        return self._numbered(self._consumer.end_offsets(self._all()))

    def at_times(self, instants: Mapping[int, int]) -> Mapping[int, int]:
        """Return, by partition, the first offset stamped at or after an instant (epoch ms), else the end."""
        asked = {TopicPartition(self.topic, number): at for number, at in instants.items()}
        ends = self.ends()
        found = self._consumer.offsets_for_times(asked)
        return {one.partition: ends[one.partition] if at is None else at.offset for one, at in found.items()}

    def read(self, starts: Mapping[int, int], ends: Mapping[int, int] | None = None) -> Iterator[Message]:
        """Yield records from ``starts`` on as they come, before ``ends`` if they are given, else for ever."""
        at = {TopicPartition(self.topic, number): offset for number, offset in starts.items()}
        if ends is not None:
            at = {one: offset for one, offset in at.items() if offset < ends[one.partition]}
        if not at:
            return
        self._consumer.assign(list(at))
        for one, offset in at.items():
            self._consumer.seek(one, offset)
        while ends is None or any(self._consumer.position(one) < ends[one.partition] for one in at):
            for one, records in self._consumer.poll(timeout_ms=POLL_MS, max_records=MOST_RECORDS).items():
                for record in records:
                    if ends is None or record.offset < ends[one.partition]:
                        yield _message(record)

    def _all(self) -> list[TopicPartition]:
        return [TopicPartition(self.topic, number) for number in self.partitions]

    @staticmethod
    def _numbered(offsets: Mapping[TopicPartition, int]) -> Mapping[int, int]:
        return {one.partition: offset for one, offset in offsets.items()}


@contextmanager
def reading(kafka: KafkaAccess, topic: str) -> Iterator[TopicReader]:
    """Read a topic that exists.

    Raises:
        Unavailable: If Kafka does not answer, at first or later on.
        RestockError: If the topic does not exist, or the broker refuses.
    """
    require_admission(kafka)
    try:
        consumer = KafkaConsumer(
            **kafka.client_arguments(),
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            bootstrap_timeout_ms=ANSWER_MS,
        )
    except (KafkaError, OSError) as wrong:
        raise away(kafka, wrong) from wrong
    try:
        partitions = sorted(consumer.partitions_for_topic(topic) or ())
        if not partitions:
            visible_counts(kafka, [topic])
            raise RestockError(f"topic {topic} does not exist: run `restock topics create`")
        yield TopicReader(topic, partitions, consumer)
    except KafkaError as wrong:
        if is_forbidden(wrong):
            raise forbidden(kafka, f"to read {topic}") from wrong
        raise Unavailable(f"Kafka at {kafka} does not give records of {topic} ({wrong}): try again") from wrong
    finally:
        consumer.close()


def _message(record: Any) -> Message:
    headers = tuple((name, content) for name, content in record.headers or ())
    return Message(record.partition, record.offset, record.timestamp, record.key, record.value, headers)
