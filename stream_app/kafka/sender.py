"""Sends records in order, idempotently, and knows what was acknowledged: for commands, which are not hot."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from server_access.kafka import KafkaAccess
from stream_app.errors import RestockError, Unavailable
from stream_app.kafka.admission import away, forbidden, is_forbidden, require_admission

ANSWER_MS = 10_000
DELIVERY_MS = 60_000
CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record and the partition it goes to."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(slots=True)
class Sender:
    """Sends; made by ``sending``. A partition gets its records in the order they were sent."""

    _producer: Any = field(repr=False)
    _unconfirmed: list[Any] = field(default_factory=list, repr=False)

    def send(self, topic: str, record: Outgoing) -> None:
        """Hand a record to the client."""
        future = self._producer.send(
            topic, key=record.key, value=record.value, headers=list(record.headers), partition=record.partition
        )
        self._unconfirmed.append(future)

    def send_keyed(self, topic: str, key: bytes, value: bytes | None) -> None:
        """Hand a record to the client that goes to the partition of its key; a value of None is a tombstone."""
        self._unconfirmed.append(self._producer.send(topic, key=key, value=value))

    def confirm(self) -> None:
        """Return once all replicas have all records sent so far."""
        for future in self._unconfirmed:
            future.get(timeout=DELIVERY_MS / 1000)
        self._unconfirmed.clear()


@contextmanager
def sending(kafka: KafkaAccess) -> Iterator[Sender]:
    """Send for as long as the context is open; all is confirmed at its orderly end.

    Raises:
        Unavailable: If Kafka does not answer or does not take a record in time.
        RestockError: If the broker refuses a record.
    """
    require_admission(kafka)
    try:
        producer = KafkaProducer(
            **kafka.client_arguments(),
            acks="all",
            enable_idempotence=True,
            allow_auto_create_topics=False,
            linger_ms=20,
            bootstrap_timeout_ms=ANSWER_MS,
            max_block_ms=ANSWER_MS,
            delivery_timeout_ms=DELIVERY_MS,
        )
    except (KafkaError, OSError) as wrong:
        raise away(kafka, wrong) from wrong
    try:
        sender = Sender(producer)
        yield sender
        sender.confirm()
    except KafkaError as wrong:
        if is_forbidden(wrong):
            raise forbidden(kafka, f"to write ({wrong})") from wrong
        if wrong.retriable:
            raise Unavailable(f"Kafka at {kafka} took not all records ({wrong}): run the command again") from wrong
        raise RestockError(f"Kafka at {kafka} refused a record: {wrong}") from wrong
    finally:
        with suppress(KafkaError):
            producer.close(CLOSE_SECONDS)


def write_all(
    kafka: KafkaAccess,
    topic: str,
    records: Iterable[tuple[bytes, bytes | None]],
    written: Callable[[int], None] = lambda _count: None,
) -> int:
    """Send (key, value) records in order, each to the partition of its key; return how many all replicas have.

    Args:
        kafka: Where Kafka is.
        topic: Real name of a topic that exists.
        records: A value of None is a tombstone.
        written: Told how many more records were handed to the client.

    Raises:
        Unavailable: If Kafka does not answer or does not take a record in time; sending again is harmless.
        RestockError: If the broker refuses a record; those before it may be written.
    """
    count = 0
    with sending(kafka) as sender:
        for key, value in records:
            sender.send_keyed(topic, key, value)
            written(1)
            count += 1
    return count
