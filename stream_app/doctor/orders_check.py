"""What lies in ``orders`` and what was read of it: the producer's partitioner, and state that Redis lost."""

from collections.abc import Iterator, Mapping, Sequence

from replenishment.keys import stock_key
from stream_app.doctor.finding import Finding, fine, problem
from stream_app.errors import RestockError
from stream_app.kafka.topics import TopicNames, committed_offsets
from stream_app.settings import Settings
from stream_app.topic_reader import Message, TopicReader, reading
from stream_app.wire.admission import librdkafka_partition_of, partition_of

MOST_LOOKED_AT = 200
"""Records of each partition, the newest."""
_MURMUR2 = "set partitioner=murmur2_random in the producer; then: restock dlq replay --code wrong_partition"


def order_findings(settings: Settings) -> Sequence[Finding]:
    """Return what newest orders say of their producer; reads a topic, so call it in a thread."""
    topic = TopicNames(settings.topic_prefix).of("orders")
    try:
        with reading(settings.kafka_access(), topic) as reader:
            return list(_of_partitioner(topic, _newest(reader), len(reader.partitions)))
    except RestockError as wrong:
        return [problem("orders.read", f"{topic} cannot be read: {wrong}", "look into the broker's log")]


def _newest(reader: TopicReader) -> Sequence[Message]:
    starts, ends = reader.starts(), reader.ends()
    from_where = {number: max(starts[number], end - MOST_LOOKED_AT) for number, end in ends.items()}
    return [message for message in reader.read(from_where, ends) if message.key and stock_key(message.key)]


def _of_partitioner(topic: str, keyed: Sequence[Message], partitions: int) -> Iterator[Finding]:
    found = [(one.key or b"", one.partition) for one in keyed]
    wrong = [(key, partition) for key, partition in found if partition_of(key, partitions) != partition]
    if not wrong:
        seen = f"the newest {len(found)} records" if found else "no record yet"
        yield fine("orders.partitioner", f"{topic} is partitioned by murmur2, as it must be ({seen})")
    elif all(librdkafka_partition_of(key, partitions) == partition for key, partition in found):
        what = (
            f"{topic} is partitioned by librdkafka's default (CRC32), not by murmur2: {len(wrong)} of the newest "
            f"{len(found)} records are refused (wrong_partition)"
        )
        yield problem("orders.partitioner", what, _MURMUR2)
    else:
        key, partition = wrong[0]
        what = (
            f"{len(wrong)} of the newest {len(found)} records of {topic} are not where murmur2 puts their key, "
            f"{key.decode()} for one is in partition {partition} of {partitions}: they are refused (wrong_partition)"
        )
        yield problem("orders.partitioner", what, _MURMUR2)


def lost_state_findings(settings: Settings, known: Sequence[int]) -> Sequence[Finding]:
    """Return whether orders were read of which Redis knows nothing; ``known`` are the partitions with state."""
    topic = TopicNames(settings.topic_prefix).of("orders")
    try:
        committed: Mapping[int, int] = committed_offsets(settings.kafka_access(), settings.group, topic)
    except RestockError:
        return []  # the examination of Kafka says why
    lost = sorted(number for number, offset in committed.items() if offset and number not in known)
    if not lost:
        return []
    what = (
        f"group {settings.group} has read partitions {', '.join(map(str, lost))} of {topic}, but there is no state of "
        f"them under RESTOCK_STATE_PREFIX={settings.state_prefix}: Redis was emptied, or this is another one"
    )
    return [problem("state.lost", what, "bring that Redis back; or stop all workers and run: restock rebuild")]
