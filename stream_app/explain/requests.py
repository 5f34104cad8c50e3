"""Where requests are found again: the topic they left on, or a file that a replay wrote."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from server_access.kafka import KafkaAccess
from stream_app.errors import ConfigError
from stream_app.kafka.admission import away, forbidden, is_forbidden, require_admission

POLL_RECORDS = 10_000


def found_in_file(path: Path, restock_id: str) -> Mapping[str, Any] | None:
    """Return the last revision of a request in a file of one JSON object a line, None if it has none.

    Raises:
        ConfigError: If the file cannot be read.
    """
    try:
        with path.open("rb") as lines:
            return _latest(lines, restock_id)
    except (OSError, ValueError) as wrong:
        raise ConfigError([f"{path} cannot be read: {wrong}"]) from wrong


def found_in_topic(kafka: KafkaAccess, topic: str, restock_id: str) -> Mapping[str, Any] | None:
    """Return the last revision of a request on a topic, None if it has none.

    Raises:
        Unavailable: If no broker answers.
    """
    require_admission(kafka)
    try:
        return _latest(_values(kafka, topic), restock_id)
    except KafkaError as wrong:
        if is_forbidden(wrong):
            raise forbidden(kafka, f"to read {topic}") from wrong
        raise away(kafka, wrong) from wrong


def _latest(values: Iterator[bytes] | Any, restock_id: str) -> Mapping[str, Any] | None:
    wanted, found = restock_id.encode(), None
    for value in values:
        # most values are of other requests: their JSON is not read
        if wanted in value:
            request = json.loads(value)
            is_later = found is None or request.get("revision", 1) >= found.get("revision", 1)
            if request.get("restock_id") == restock_id and is_later:
                found = request
    return found


def _values(kafka: KafkaAccess, topic: str) -> Iterator[bytes]:
    """Yield every value of a topic to its present end."""
    consumer = KafkaConsumer(**kafka.client_arguments(), enable_auto_commit=False, auto_offset_reset="earliest")
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
