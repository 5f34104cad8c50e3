"""A producer that writes each record once and in order, or says that it could not."""

import asyncio
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from server_access.kafka import KafkaAccess

CLOSE_SECONDS = 3.0
LARGEST_RECORD_BYTES = 2 * 2**20


async def started_producer(kafka: KafkaAccess) -> AIOKafkaProducer:
    """Return a producer whose records count as sent once all replicas have them."""
    producer = AIOKafkaProducer(
        **kafka.client_arguments(),
        acks="all",
        enable_idempotence=True,
        max_request_size=LARGEST_RECORD_BYTES,
        request_timeout_ms=20_000,
    )
    try:
        await producer.start()
    except BaseException:
        await producer.stop()
        raise
    return producer


async def stop_producer(producer: AIOKafkaProducer) -> None:
    """Let go of a producer within seconds, whatever state it is in."""
    with suppress(TimeoutError, KafkaError, OSError):
        await asyncio.wait_for(producer.stop(), CLOSE_SECONDS)
