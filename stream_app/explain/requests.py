"""Where requests are found again: the topic they left on, or a file that a replay wrote."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stream_app.errors import ConfigError, Unavailable

POLL_RECORDS = 10_000


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of one request: the last revision that wants something, and its withdrawal if it was taken back."""

    request: Mapping[str, Any]
    withdrawal: Mapping[str, Any] | None = None


def found_in_file(path: Path, restock_id: str) -> Told | None:
    """Return what a file of one JSON object a line says of a request, None if nothing.

    Raises:
        ConfigError: If the file cannot be read.
    """
    try:
        with path.open("rb") as lines:
            return _told(lines, restock_id)
    except (OSError, ValueError) as wrong:
        raise ConfigError([f"{path} cannot be read: {wrong}"]) from wrong


def found_in_topic(bootstrap: str, topic: str, restock_id: str) -> Told | None:
    """Return what a topic says of a request, None if nothing.

    Raises:
        Unavailable: If no broker answers.
    """
    try:
        return _told(_values(bootstrap, topic), restock_id)
    except KafkaError as wrong:
        raise Unavailable(f"Kafka at {bootstrap} does not answer ({wrong}): start it or set RESTOCK_KAFKA") from wrong


def _told(values: Iterator[bytes] | Any, restock_id: str) -> Told | None:
    wanted, revisions = restock_id.encode(), dict[int, Mapping[str, Any]]()
    for value in values:
        # most values are of other requests: their JSON is not read
        if wanted in value:
            request = json.loads(value)
            if request.get("restock_id") == restock_id:
                revisions[request.get("revision", 1)] = request
    if not revisions:
        return None
    latest = revisions[max(revisions)]
    wants = [revision for revision, one in revisions.items() if one["quantity"]]
    return Told(revisions[max(wants)] if wants else latest, None if latest["quantity"] else latest)


def _values(bootstrap: str, topic: str) -> Iterator[bytes]:
    """Yield every value of a topic to its present end."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap.split(","), enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        partitions = [TopicPartition(topic, one) for one in sorted(consumer.partitions_for_topic(topic) or ())]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        while any(consumer.position(one) < end for one, end in ends.items()):
            for records in consumer.poll(timeout_ms=1_000, max_records=POLL_RECORDS).values():
                yield from (record.value for record in records if record.value is not None)
    finally:
        consumer.close()
