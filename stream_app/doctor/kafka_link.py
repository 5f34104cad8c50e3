"""One connection to one broker, by its address: what no client offers, since clients follow what brokers advertise."""

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.protocol.metadata import MetadataRequest

from server_access.kafka import KafkaAccess
from server_access.refusal import server_refusal

CONNECT_SECONDS = 1.5
ANSWER_SECONDS = 1.5
TOPIC_RESOURCE = 2
# the doctor says itself what does not answer
logging.getLogger("aiokafka.conn").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port of a broker.

    Example:
        >>> str(Address.parsed("kafka:9092"))
        'kafka:9092'
    """

    host: str
    port: int

    @classmethod
    def parsed(cls, text: str) -> "Address":
        """Return ``host:port`` as an address."""
        host, _, port = text.rpartition(":")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        """Return ``host:port``."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class TopicShape:
    """What a cluster says of one topic; ``error`` is Kafka's code, 0 = none."""

    error: int
    partitions: int
    leaderless: int
    least_replicas: int


@dataclass(frozen=True, slots=True)
class ClusterShape:
    """Advertised address of each broker, and the topics asked for."""

    brokers: Sequence[Address]
    topics: Mapping[str, TopicShape]


async def reached(address: Address, kafka: KafkaAccess) -> str | None:
    """Return why no Kafka answers at an address or lets us in, None if one does."""
    unknown = await _unresolved(address)
    if unknown is not None:
        return unknown
    try:
        async with linked(address, kafka):
            return None
    except TimeoutError:
        return f"no connection within {CONNECT_SECONDS:g} s"
    except (OSError, KafkaError) as away:
        why = await server_refusal(kafka, str(address))
        return why or getattr(away, "strerror", None) or str(away) or type(away).__name__
    except Exception as other:  # whatever listens there speaks another protocol
        return f"what listens there does not speak Kafka's protocol in plain text ({type(other).__name__})"


async def _unresolved(address: Address) -> str | None:
    """Return why a name cannot be found, None if it can."""
    try:
        await asyncio.wait_for(_resolved(address), CONNECT_SECONDS)
    except TimeoutError:
        return f"the name {address.host} is not resolved within {CONNECT_SECONDS:g} s"
    except (OSError, UnicodeError) as unknown:
        return f"the name {address.host} does not resolve ({unknown})"
    return None


async def _resolved(address: Address) -> None:
    """Resolve a name in a thread that nobody waits for: a name server that is away must not hold up the end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: Exception | None) -> None:
        if not done.done():
            done.set_result(None) if error is None else done.set_exception(error)

    def resolve() -> None:
        error: Exception | None = None
        try:
            socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as unknown:
            error = unknown
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=resolve, name="resolve", daemon=True).start()
    await done


@asynccontextmanager
async def linked(address: Address, kafka: KafkaAccess) -> AsyncIterator[AIOKafkaConnection]:
    """A connection to exactly this address, its protocol versions exchanged."""
    async with asyncio.timeout(CONNECT_SECONDS):
        link = await create_conn(
            address.host,
            address.port,
            client_id="restock-doctor",
            request_timeout_ms=int(ANSWER_SECONDS * 1000),
            **kafka.link_arguments(),
        )
    try:
        yield link
    finally:
        await link.close()


async def shape_of(link: AIOKafkaConnection, topics: Sequence[str]) -> ClusterShape:
    """Return what the cluster behind a connection consists of; creates no topic."""
    answer = await link.send(MetadataRequest(list(topics), allow_auto_topic_creation=False))
    brokers = [Address(broker[1], broker[2]) for broker in answer.brokers]
    return ClusterShape(brokers, {topic[1]: _shape(topic[0], topic[-1]) for topic in answer.topics})


def _shape(error: int, partitions: Sequence[Any]) -> TopicShape:
    return TopicShape(
        error,
        len(partitions),
        sum(partition[2] < 0 for partition in partitions),
        min((len(partition[3]) for partition in partitions), default=0),
    )


async def configurations(link: AIOKafkaConnection, topics: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """Return the effective configuration of each topic that the broker lets us see."""
    if not topics:
        return {}
    answer = await link.send(DescribeConfigsRequest([(TOPIC_RESOURCE, topic, None) for topic in topics]))
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4] if entry[1] is not None}
        for resource in answer.resources
        if not resource[0]
    }
