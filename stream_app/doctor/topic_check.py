"""Topics against what the product needs of them: presence, partitions, time stamps, clean-up, retention, sizes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stream_app.doctor.finding import Finding, fine, problem, warning
from stream_app.doctor.kafka_link import TopicShape
from stream_app.kafka.topics import TOPIC_ROLES, TopicNames, TopicRole
from stream_app.settings import Settings

UNKNOWN_TOPIC, FORBIDDEN = 3, 29
"""Kafka's error codes."""
LEAST_MESSAGE_BYTES: Mapping[TopicRole, int] = {
    "restock": 64 * 1024,
    "demand": 576 * 1024,  # a record of 512 KiB, its key and headers
    "dead-letter": 256 * 1024,  # value, key and headers of 64 KiB each
}
_KEPT = (
    ("restock", "requests nobody has read yet"),
    ("demand", "the trainer's history"),
    ("signals", "plans that were made long before they begin"),
)
_CREATE = "restock topics create"
_INPUTS: Sequence[TopicRole] = ("orders", "inventory", "catalog", "signals")


@dataclass(frozen=True, slots=True)
class TopicsSeen:
    """What the cluster says of our topics, by real name."""

    settings: Settings
    names: TopicNames
    shapes: Mapping[str, TopicShape]
    configurations: Mapping[str, Mapping[str, str]]

    def config(self, role: str, name: str) -> str | None:
        """Return one effective setting of a topic, None if it cannot be seen."""
        return self.configurations.get(self.names.of(role), {}).get(name)

    def is_there(self, role: str) -> bool:
        """Whether a topic exists and may be described."""
        shape = self.shapes.get(self.names.of(role))
        return shape is not None and not shape.error

    def altering(self, role: str, change: str) -> str:
        """Return the command that changes a topic's configuration."""
        return (
            f"kafka-configs.sh --bootstrap-server {self.settings.kafka.split(',')[0]} --alter "
            f"--entity-type topics --entity-name {self.names.of(role)} --add-config {change}"
        )


def topic_findings(seen: TopicsSeen) -> list[Finding]:
    """Return what there is to say of the topics; one line says that all is well."""
    there = [role for role in TOPIC_ROLES if seen.is_there(role)]
    found = [*_absent(seen), *_of_partitions(seen, there)]
    for role in there:
        found += [*_of_replicas(seen, role), *_of_cleaning(seen, role), *_of_size(seen, role)]
        if role in _INPUTS:
            found += _of_time_stamps(seen, role)
    found += _of_retention(seen)
    if found or not there:
        return found
    return [fine("topics", f"all {len(there)} topics exist and are configured as they should be")]


def _absent(seen: TopicsSeen) -> Iterator[Finding]:
    for role in TOPIC_ROLES:
        topic = seen.names.of(role)
        error = seen.shapes[topic].error if topic in seen.shapes else UNKNOWN_TOPIC
        if error == UNKNOWN_TOPIC:
            yield problem("topics.exist", f"topic {topic} does not exist", _CREATE)
        elif error == FORBIDDEN:
            mend = f"kafka-acls.sh --add --allow-principal User:NAME --operation Describe --topic {topic}"
            yield problem("topics.access", f"this client may not describe topic {topic}", mend)
        elif error:
            yield problem("topics.exist", f"topic {topic} cannot be described (Kafka's error {error})", _CREATE)


def _of_partitions(seen: TopicsSeen, there: Sequence[TopicRole]) -> Iterator[Finding]:
    counts = {seen.names.of(role): seen.shapes[seen.names.of(role)].partitions for role in there if role in _INPUTS}
    most = max(counts.values(), default=0)
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{topic} {number}" for topic, number in sorted(counts.items()))
        yield problem(
            "topics.copartitioning",
            f"input topics differ in their number of partitions ({listed}), so records of one stock key would meet "
            "different workers",
            f"create new topics under another RESTOCK_TOPIC_PREFIX, or, while they hold no records: "
            f"kafka-topics.sh --alter --topic NAME --partitions {most}",
        )
    for role in there:
        leaderless = seen.shapes[seen.names.of(role)].leaderless
        if leaderless:
            what = f"{leaderless} partitions of {seen.names.of(role)} have no leader: nothing is read or written there"
            yield problem("topics.leaders", what, "start the brokers that hold them")


def _of_replicas(seen: TopicsSeen, role: TopicRole) -> Iterator[Finding]:
    topic, least = seen.names.of(role), int(seen.config(role, "min.insync.replicas") or 1)
    replicas = seen.shapes[topic].least_replicas
    if replicas < least:
        what = f"{topic} has {replicas} replicas but min.insync.replicas={least}: no record is ever acknowledged"
        yield problem("topics.replicas", what, seen.altering(role, f"min.insync.replicas={replicas}"))


def _of_cleaning(seen: TopicsSeen, role: TopicRole) -> Iterator[Finding]:
    policy, topic = seen.config(role, "cleanup.policy"), seen.names.of(role)
    if policy is None:
        return
    if role == "catalog" and policy != "compact":
        what = f"cleanup.policy of {topic} is {policy}: terms that nobody sends again are forgotten with its retention"
        yield problem("topics.cleanup", what, seen.altering(role, "cleanup.policy=compact"))
    if role != "catalog" and "compact" in policy:
        what = f"cleanup.policy of {topic} is {policy}: of records with the same key only the last is kept"
        yield problem("topics.cleanup", what, seen.altering(role, "cleanup.policy=delete"))


def _of_size(seen: TopicsSeen, role: TopicRole) -> Iterator[Finding]:
    most, least = seen.config(role, "max.message.bytes"), LEAST_MESSAGE_BYTES.get(role, 0)
    if most is not None and int(most) < least:
        what = (
            f"max.message.bytes of {seen.names.of(role)} is {most}, less than the {least} that a record of ours may "
            "have: the broker would refuse it, and its partition waits"
        )
        yield problem("topics.size", what, seen.altering(role, f"max.message.bytes={least}"))


def _of_time_stamps(seen: TopicsSeen, role: TopicRole) -> Iterator[Finding]:
    kind = seen.config(role, "message.timestamp.type")
    if kind is not None and kind != "LogAppendTime":
        what = (
            f"message.timestamp.type of {seen.names.of(role)} is {kind}: records stamped with an old time are deleted "
            "by retention within minutes, and a producer's wrong clock passes as the record's time"
        )
        yield warning("topics.timestamps", what, seen.altering(role, "message.timestamp.type=LogAppendTime"))


def _of_retention(seen: TopicsSeen) -> Iterator[Finding]:
    window_ms = seen.settings.window_buckets * seen.settings.bucket_seconds * 1000
    kept = _kept_ms(seen, "orders")
    if kept is not None and 0 <= kept < window_ms:
        what = (
            f"retention.ms of {seen.names.of('orders')} is {_days(kept)}, the window is {_days(window_ms)}: if Redis "
            "were lost, windows could not be rebuilt from the topic, and a worker away for longer misses orders"
        )
        yield warning("topics.retention", what, seen.altering("orders", f"retention.ms={window_ms}"))
    for role, loss in _KEPT:
        kept = _kept_ms(seen, role)
        if kept is not None and kept >= 0:
            what = f"retention of {seen.names.of(role)} is {_days(kept)}: it deletes {loss}"
            yield warning("topics.retention", what, seen.altering(role, "retention.ms=-1"))
    for role in ("orders", "restock", "demand"):
        size = int(seen.config(role, "retention.bytes") or -1)
        if size >= 0:
            what = f"retention.bytes of {seen.names.of(role)} is {size}: how long records stay depends on the traffic"
            yield warning("topics.retention", what, seen.altering(role, "retention.bytes=-1"))


def _kept_ms(seen: TopicsSeen, role: str) -> int | None:
    kept = seen.config(role, "retention.ms")
    return None if kept is None else int(kept)


def _days(milliseconds: int) -> str:
    """Return a duration in days.

    Example:
        >>> _days(86_400_000), _days(5_400_000)
        ('1 days', '0.0625 days')
    """
    return f"{milliseconds / 86_400_000:.4g} days"
