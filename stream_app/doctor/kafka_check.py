"""Kafka: bootstrap servers, every advertised listener, then the topics; only what is reachable is asked further."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from server_access.kafka import KafkaAccess
from server_access.refusal import server_refusal
from stream_app.doctor.finding import Finding, fine, problem
from stream_app.doctor.kafka_link import (
    ANSWER_SECONDS,
    Address,
    ClusterShape,
    configurations,
    linked,
    reached,
    shape_of,
)
from stream_app.doctor.topic_check import TopicsSeen, topic_findings
from stream_app.errors import ConfigError
from stream_app.kafka.topics import TOPIC_ROLES, TopicNames
from stream_app.settings import Settings

_LISTENER_MEND = (
    "set advertised.listeners of the broker to an address that is reachable from here, one listener for each network "
    "(inside and outside of containers need their own), and restart it"
)


@dataclass(frozen=True, slots=True)
class KafkaSeen:
    """Findings, and the partition counts of topics by role where they could be asked for."""

    findings: Sequence[Finding]
    partitions: Mapping[str, int]


async def examined_kafka(settings: Settings) -> KafkaSeen:
    """Return what there is to say of Kafka and the topics."""
    try:
        kafka = settings.kafka_access()
    except ConfigError as wrong:
        return KafkaSeen([problem("kafka.access", one, "restock config") for one in wrong.problems], {})
    bootstrap = [Address.parsed(one) for one in kafka.servers]
    reasons = await asyncio.gather(*(reached(one, kafka) for one in bootstrap))
    findings = [_of_bootstrap(one, reason) for one, reason in zip(bootstrap, reasons, strict=True)]
    answering = [one for one, reason in zip(bootstrap, reasons, strict=True) if reason is None]
    if not answering:
        return KafkaSeen(findings, {})
    names = TopicNames(settings.topic_prefix)
    try:
        shape, described = await asyncio.wait_for(_asked(answering[0], kafka, names), 2 * ANSWER_SECONDS)
    except (OSError, KafkaError, TimeoutError) as wrong:
        why = await server_refusal(kafka, str(answering[0]))
        if why is not None:
            return KafkaSeen([*findings, problem("kafka.access", why, "restock config")], {})
        what = f"{answering[0]} accepts connections but does not answer ({type(wrong).__name__})"
        return KafkaSeen([*findings, problem("kafka.answer", what, "look into the broker's log, restart it")], {})
    findings += await _of_listeners(answering[0], kafka, shape)
    findings += topic_findings(TopicsSeen(settings, names, shape.topics, described))
    return KafkaSeen(findings, _counts(shape, names))


async def _asked(
    address: Address, kafka: KafkaAccess, names: TopicNames
) -> tuple[ClusterShape, Mapping[str, Mapping[str, str]]]:
    wanted = [names.of(role) for role in TOPIC_ROLES]
    async with linked(address, kafka) as link:
        shape = await shape_of(link, wanted)
        there = [topic for topic in wanted if topic in shape.topics and not shape.topics[topic].error]
        return shape, await configurations(link, there)


async def _of_listeners(bootstrap: Address, kafka: KafkaAccess, shape: ClusterShape) -> list[Finding]:
    reasons = await asyncio.gather(*(reached(one, kafka) for one in shape.brokers))
    return [
        fine("kafka.listener", f"the advertised listener {broker} answers")
        if reason is None
        else problem(
            "kafka.listener",
            f"bootstrap {bootstrap} answered, but it advertises {broker}, which is not reachable from here: {reason}",
            _LISTENER_MEND,
        )
        for broker, reason in zip(shape.brokers, reasons, strict=True)
    ]


def _of_bootstrap(address: Address, reason: str | None) -> Finding:
    if reason is None:
        return fine("kafka.bootstrap", f"Kafka answers at {address}")
    what = f"Kafka does not answer at {address}: {reason}"
    return problem("kafka.bootstrap", what, "start it, or set RESTOCK_KAFKA=host:port to where it is")


def _counts(shape: ClusterShape, names: TopicNames) -> Mapping[str, int]:
    there = {role: shape.topics.get(names.of(role)) for role in TOPIC_ROLES}
    return {role: topic.partitions for role, topic in there.items() if topic is not None and not topic.error}
