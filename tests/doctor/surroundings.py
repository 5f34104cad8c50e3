"""What the doctor is shown: settings of a product of its own, changed topics, sockets that do not answer."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka.admin import KafkaAdminClient

from stream_app.doctor.finding import Finding, Level
from stream_app.doctor.kafka_check import examined_kafka
from stream_app.kafka.topics import TOPIC_CONFIGS, TOPIC_ROLES, TopicNames
from stream_app.settings import Settings


def settings_of(bootstrap: str, redis_url: str, name: str, models: Path, **more: Any) -> Settings:
    """Return settings of a product of its own name."""
    own = {"topic_prefix": f"{name}.", "state_prefix": name, "models": models}
    return Settings(kafka=bootstrap, redis_url=redis_url, **{**own, **more})


def make_topics(
    settings: Settings,
    *,
    without: Sequence[str] = (),
    partitions: Mapping[str, int] | None = None,
    configs: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Create topics as the product would, but for what is asked to be otherwise; configs by role."""
    names = TopicNames(settings.topic_prefix)
    # orders are kept for ever, so that a finding is about what a test changed
    wanted = {
        names.of(role): {
            "num_partitions": (partitions or {}).get(role, 2),
            "replication_factor": 1,
            "configs": {
                **TOPIC_CONFIGS[role],
                **({"retention.ms": "-1"} if role == "orders" else {}),
                **(configs or {}).get(role, {}),
            },
        }
        for role in TOPIC_ROLES
        if role not in without
    }
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    try:
        admin.create_topics(wanted, wait_for_metadata=True)
    finally:
        admin.close()


def kafka_findings(settings: Settings) -> Sequence[Finding]:
    """Return what the doctor says of Kafka beyond what is well."""
    return unwell(asyncio.run(examined_kafka(settings)).findings)


def unwell(findings: Sequence[Finding]) -> Sequence[Finding]:
    """Return the findings that are not ok; each of them names a command."""
    found = [one for one in findings if one.level is not Level.OK]
    assert all(one.mend for one in found)
    return found


@contextmanager
def silent_socket() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield listening.getsockname()[1]


@contextmanager
def talking_socket(answer: bytes) -> Iterator[int]:
    """A port that answers whatever it is asked with the same bytes and hangs up."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        threading.Thread(target=_talk, args=(listening, answer), daemon=True).start()
        yield listening.getsockname()[1]


def _talk(listening: socket.socket, answer: bytes) -> None:
    while True:
        try:
            peer, _ = listening.accept()
        except OSError:
            return
        with peer:
            peer.recv(1024)
            peer.sendall(answer)
