"""Reads the topic ``demand`` on a Kafka server, from its beginning or from known offsets, to its present end."""

import socket
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from model_store.training.demand_topic import history_of
from model_store.training.errors import UnusableHistory
from model_store.training.history import DemandHistory
from server_access.kafka import KafkaAccess
from server_access.refusal import refusal

PATIENCE_SECONDS = 30.0
"""How long a broker may deliver nothing before its end."""
BOOTSTRAP_MS = 10_000
POLL_RECORDS = 500
Progress = Callable[[int, int], None]
"""Is told how much is done, and of how much."""


class TopicRecord(NamedTuple):
    """A record of the topic and where it is in there."""

    partition: int
    offset: int
    value: bytes


def read_demand(kafka: KafkaAccess, topic: str, progress: Progress) -> DemandHistory:
    """Return the history in a topic on a Kafka server.

    Args:
        kafka: Where Kafka is.
        topic: Real name of the topic.
        progress: Is told of records read.

    Raises:
        UnusableHistory: If the server does not answer, the topic is missing or empty, or a record is no demand.
    """
    return history_of((one.value for one in new_records(kafka, topic, {}, progress)), topic)


def new_records(
    kafka: KafkaAccess,
    topic: str,
    starts: Mapping[int, int],
    progress: Progress,
    lost: Callable[[str], None] = lambda _sentence: None,
) -> Iterator[TopicRecord]:
    """Yield the records of a topic up to its present end, from an offset of each partition on.

    Args:
        kafka: Where Kafka is.
        topic: Real name of the topic.
        starts: First offset wanted of each partition; others are read from their beginning.
        progress: Is told of records read.
        lost: Is told in a sentence of records that the topic deleted before they were read.

    Raises:
        UnusableHistory: If the server does not answer, or the topic is missing.
    """
    _require_reachable(kafka)
    try:
        yield from _read_to_end(kafka, topic, starts, progress, lost)
    except KafkaError as error:
        if "AuthorizationFailed" in type(error).__name__:
            raise UnusableHistory(
                f"Kafka at {kafka} does not allow to read {topic}: `restock acl kafka --for trainer` prints the rights "
                "that are needed"
            ) from error
        raise UnusableHistory(
            f"Kafka at {kafka} cannot be read ({error}). Check the address: --kafka or RESTOCK_KAFKA"
        ) from error


def _read_to_end(
    kafka: KafkaAccess, topic: str, starts: Mapping[int, int], progress: Progress, lost: Callable[[str], None]
) -> Iterator[TopicRecord]:
    # Checksums are those of a loopback or TLS link already; in pure Python they cost more than all else together.
    consumer = KafkaConsumer(
        **kafka.client_arguments(), bootstrap_timeout_ms=BOOTSTRAP_MS, enable_auto_commit=False, check_crcs=False
    )
    try:
        partitions = [TopicPartition(topic, one) for one in sorted(consumer.partitions_for_topic(topic) or ())]
        if not partitions:
            raise UnusableHistory(
                f"there is no topic {topic} on {kafka} that we may see. See: restock topics create, or for the rights: "
                "restock acl kafka --for trainer"
            )
        begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        consumer.assign(partitions)
        wanted = 0
        for one in partitions:
            start = _start_in(one, starts.get(one.partition, begins[one]), begins[one], ends[one], lost)
            consumer.seek(one, start)
            wanted += ends[one] - start
        while (left := sum(max(end - consumer.position(one), 0) for one, end in ends.items())) > 0:
            progress(wanted - left, wanted)
            polled = consumer.poll(timeout_ms=round(PATIENCE_SECONDS * 1000), max_records=POLL_RECORDS)
            after = sum(max(end - consumer.position(one), 0) for one, end in ends.items())
            if not polled and after >= left:
                raise UnusableHistory(f"Kafka at {kafka} delivered nothing of {topic} for {PATIENCE_SECONDS:.0f} s")
            for part, records in polled.items():
                for one in records:
                    if one.value is not None and one.offset < ends[part]:
                        yield TopicRecord(part.partition, one.offset, one.value)
    finally:
        consumer.close()


def _start_in(one: TopicPartition, wanted: int, begin: int, end: int, lost: Callable[[str], None]) -> int:
    """Return where to read a partition from; records that are gone are said, a topic made anew is read from its begin.

    Example:
        >>> _start_in(TopicPartition("demand", 0), 5, 8, 20, print)
        partition 0 of demand has lost the offsets 5 to 7 before they were read; their buckets count as missing
        8
    """
    if wanted > end:
        lost(f"partition {one.partition} of {one.topic} ends at offset {end}, before {wanted}: it was made anew")
        return begin
    if wanted < begin:
        lost(
            f"partition {one.partition} of {one.topic} has lost the offsets {wanted} to {begin - 1} before they were "
            "read; their buckets count as missing"
        )
    return max(wanted, begin)


def _require_reachable(kafka: KafkaAccess) -> None:
    """Require that a server of the list takes a connection and, with TLS, lets us in.

    A consumer that reaches none says so only after its whole timeout, and leaves sockets open.

    Raises:
        UnusableHistory: If an address is none, or nobody answers or lets us in.
    """
    faults = []
    for address in kafka.servers:
        host, _, port = address.strip().rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise UnusableHistory(f"{address!r} is no address of Kafka; write host:port[,host:port…]")
        try:
            socket.create_connection((host.strip("[]"), int(port)), BOOTSTRAP_MS / 1000).close()
        except (OSError, UnicodeError) as error:  # UnicodeError: no name that can be looked up
            faults.append(f"{address.strip()}: {error}")
        else:
            why = refusal(kafka) if kafka.tls is not None else None
            if why is not None:
                raise UnusableHistory(why)
            return
    raise UnusableHistory(
        f"Kafka at {kafka} cannot be read ({'; '.join(faults)}). Check the address: --kafka or RESTOCK_KAFKA"
    )
