"""Writes keyed records to a topic for commands that are not hot: catalogs, corrections, tests of a connection."""

from collections.abc import Callable, Iterable
from contextlib import suppress

from kafka import KafkaProducer
from kafka.errors import KafkaError

from stream_app.errors import RestockError, Unavailable

WRITE_SECONDS = 60.0
CLOSE_SECONDS = 5.0


def write_all(
    bootstrap: str,
    topic: str,
    records: Iterable[tuple[bytes, bytes | None]],
    written: Callable[[int], None] = lambda _: None,
) -> int:
    """Write (key, value) records in order, acknowledged by all replicas, and return how many there were.

    Args:
        bootstrap: ``host:port[,host:port…]``.
        topic: Real name of a topic that exists.
        records: A value of None is a tombstone.
        written: Told how many more records were handed to the client.

    Raises:
        Unavailable: If no broker answers.
        RestockError: If the broker refuses a record; those before it may be written, and writing again is harmless.
    """
    try:
        producer = KafkaProducer(
            bootstrap_servers=bootstrap.split(","), acks="all", enable_idempotence=True, linger_ms=20
        )
    except (KafkaError, OSError) as wrong:
        raise Unavailable(f"Kafka at {bootstrap} does not answer ({wrong}): start it or set RESTOCK_KAFKA") from wrong
    try:
        sent = []
        for key, value in records:
            sent.append(producer.send(topic, key=key, value=value))
            written(1)
        for future in sent:
            future.get(timeout=WRITE_SECONDS)
        return len(sent)
    except KafkaError as wrong:
        raise RestockError(f"Kafka at {bootstrap} did not take a record of {topic}: {wrong}; run it again") from wrong
    finally:
        with suppress(KafkaError):
            producer.close(CLOSE_SECONDS)
