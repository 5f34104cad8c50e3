"""The seven topics of the product: their names, how they are created, whether they fit together.

Input topics that we create are stamped by the broker (``LogAppendTime``):
retention then goes by arrival, and a producer's wrong clock cannot pass as
the record's time. What exists is never changed, only reported.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError

from replenishment.engine.columns import ROLES, Role
from server_access.kafka import KafkaAccess
from stream_app.errors import ConfigError, RestockError, Unavailable
from stream_app.kafka.admission import FORBIDDEN_TOPIC, away, forbidden, is_forbidden, require_admission

TopicRole: TypeAlias = Literal[
    "orders",
    "inventory",
    "catalog",
    "signals",
    "restock",
    "demand",
    "dead-letter",
    "suppliers",
    "proposals",
    "joint-orders",
]
TOPIC_ROLES: tuple[TopicRole, ...] = ("orders", "inventory", "catalog", "signals", "restock", "demand", "dead-letter")
JOINT_ROLES: tuple[TopicRole, ...] = ("suppliers", "proposals", "joint-orders")
"""Of joint orders, where they are in use: the first two are what the buyer reads."""
REBUILDABLE_MS = str(120 * 86_400_000)
"""The default window of 112 daily buckets, and a week to notice: so far back can state be rebuilt from the topics."""
TOPIC_CONFIGS: Mapping[TopicRole, Mapping[str, str]] = {
    "orders": {"message.timestamp.type": "LogAppendTime", "retention.ms": REBUILDABLE_MS},
    "inventory": {"message.timestamp.type": "LogAppendTime", "retention.ms": REBUILDABLE_MS},
    "catalog": {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "compact"},
    "signals": {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"},
    "restock": {"retention.ms": "-1"},
    "demand": {"retention.ms": "-1"},
    "dead-letter": {},
    "suppliers": {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "compact"},
    "proposals": {"message.timestamp.type": "LogAppendTime", "retention.ms": REBUILDABLE_MS},
    "joint-orders": {"retention.ms": "-1"},
}
REQUEST_TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Real names of the topics: the prefix, then the role.

    Example:
        >>> TopicNames("shop1.").of("dead-letter"), TopicNames("shop1.").role_of("shop1.orders")
        ('shop1.dead-letter', 'orders')
    """

    prefix: str = ""

    def of(self, role: str) -> str:
        """Return the real name of a role's topic."""
        return self.prefix + role

    def role_of(self, topic: str) -> Role | None:
        """Return which input a real name is, or None if it is none."""
        return next((role for role in ROLES if self.of(role) == topic), None)

    @property
    def inputs(self) -> Mapping[str, Role]:
        """Role of each input topic by its real name."""
        return {self.of(role): role for role in ROLES}

    @property
    def buyer_inputs(self) -> Mapping[str, Role]:
        """The same of what the buyer reads."""
        return {self.of("suppliers"): "suppliers", self.of("proposals"): "proposals"}


@dataclass(frozen=True, slots=True)
class Creation:
    """What ``create`` did or, in a dry run, would do; ``created`` and ``existing`` hold partition counts."""

    created: Mapping[str, int] = field(default_factory=dict)
    existing: Mapping[str, int] = field(default_factory=dict)


def create(
    kafka: KafkaAccess,
    names: TopicNames,
    partitions: int,
    replication_factor: int,
    *,
    is_dry_run: bool = False,
    roles: Sequence[TopicRole] = TOPIC_ROLES,
) -> Creation:
    """Create the topics that do not exist yet and report those that do.

    Args:
        kafka: Where Kafka is.
        names: Real names.
        partitions: Of the topics to create.
        replication_factor: Of the topics to create; -1 = the broker's default.
        is_dry_run: Ask the broker whether it would create them, and create none.
        roles: Which topics.

    Raises:
        Unavailable: If no broker answers.
        ConfigError: If an input topic exists with another partition count.
        RestockError: If the broker refuses.
    """
    with _admin(kafka) as admin:
        existing = partition_counts(kafka, admin, [names.of(role) for role in roles])
        missing = [role for role in roles if names.of(role) not in existing]
        inputs_missing = any(role in ROLES for role in missing)
        wrong = [
            f"topic {topic} has {count} partitions, not {partitions}: give --partitions {count}"
            for topic, count in existing.items()
            if inputs_missing and names.role_of(topic) and count != partitions
        ]
        if wrong:
            raise ConfigError(wrong)
        wanted = {
            names.of(role): {
                "num_partitions": partitions,
                "replication_factor": replication_factor,
                "configs": dict(TOPIC_CONFIGS[role]),
            }
            for role in missing
        }
        if wanted:
            admin.create_topics(wanted, validate_only=is_dry_run, wait_for_metadata=not is_dry_run)
    return Creation(dict.fromkeys(wanted, partitions), existing)


def product_counts(kafka: KafkaAccess, names: TopicNames) -> dict[str, int]:
    """Return the number of partitions of each topic that exists, those of joint orders too, by real name.

    Raises:
        Unavailable: If no broker answers.
        RestockError: If the broker refuses.
    """
    with _admin(kafka) as admin:
        own = partition_counts(kafka, admin, [names.of(role) for role in TOPIC_ROLES])
        joint = admin.describe_topics([names.of(role) for role in JOINT_ROLES])
    # who does not order jointly has no rights on those topics: to him they do not exist
    return {**own, **{topic["name"]: len(topic["partitions"]) for topic in joint if not topic["error_code"]}}


def partition_counts(kafka: KafkaAccess, admin: KafkaAdminClient, topics: Sequence[str]) -> dict[str, int]:
    """Return the number of partitions of those of the topics that exist.

    Raises:
        Forbidden: If we may not know whether one does.
    """
    described = admin.describe_topics(list(topics))
    hidden = [topic["name"] for topic in described if topic["error_code"] == FORBIDDEN_TOPIC]
    if hidden:
        raise forbidden(kafka, f"to describe {', '.join(sorted(hidden))}")
    return {topic["name"]: len(topic["partitions"]) for topic in described if not topic["error_code"]}


def visible_counts(kafka: KafkaAccess, topics: Sequence[str]) -> dict[str, int]:
    """Return the number of partitions of those of the topics that exist.

    Clients leave out what they may not see, as if it were not there; here that is an error.

    Raises:
        Forbidden: If we may not.
        Unavailable: If no broker answers.
    """
    with _admin(kafka) as admin:
        return partition_counts(kafka, admin, topics)


def product_earliest(kafka: KafkaAccess, names: TopicNames) -> dict[str, dict[int, int]]:
    """Return the first offset that each partition of each input topic still holds, by real name.

    Raises:
        Unavailable: If no broker answers.
        RestockError: If the broker refuses.
    """
    with _admin(kafka) as admin:
        counts = partition_counts(kafka, admin, list(names.inputs))
        wanted = {
            TopicPartition(topic, one): OffsetSpec.EARLIEST for topic, count in counts.items() for one in range(count)
        }
        found = admin.list_partition_offsets(wanted)
    earliest: dict[str, dict[int, int]] = {topic: {} for topic in counts}
    for at, kept in found.items():
        earliest[at.topic][at.partition] = kept.offset
    return earliest


def committed_offsets(kafka: KafkaAccess, group: str, topic: str) -> dict[int, int]:
    """Return the offset that a consumer group has committed of each partition of a topic; none if it never did.

    Raises:
        Unavailable: If no broker answers.
        RestockError: If the broker refuses.
    """
    with _admin(kafka) as admin:
        found = admin.list_group_offsets(group)[group]
    return {at.partition: kept.offset for at, kept in found.items() if at.topic == topic and kept.offset >= 0}


def forget_committed(kafka: KafkaAccess, group: str, topics: Sequence[str]) -> int:
    """Take back what a consumer group without members has committed of some topics; return of how many partitions.

    Raises:
        Unavailable: If no broker answers.
        RestockError: If the broker refuses, as it does while the group has members.
    """
    with _admin(kafka) as admin:
        committed = [at for at in admin.list_group_offsets(group)[group] if at.topic in topics]
        kept = admin.delete_group_offsets(group, committed) if committed else {}
    refused = {str(error.__name__) for error in kept.values() if error.errno}
    if refused:
        raise RestockError(
            f"Kafka keeps offsets of group {group} ({', '.join(sorted(refused))}): stop all workers first"
        )
    return len(committed)


def co_partitioning_problems(counts: Mapping[str, int], names: TopicNames) -> list[str]:
    """Return a sentence for each reason why a worker cannot run on topics with these partition counts.

    Example:
        >>> inputs = {"orders": 3, "inventory": 3, "catalog": 3, "signals": 3}
        >>> co_partitioning_problems({**inputs, "restock": 1}, TopicNames())
        ['topic demand does not exist: run `restock topics create`', \
'topic dead-letter does not exist: run `restock topics create`']
    """
    problems = [
        f"topic {names.of(role)} does not exist: run `restock topics create`"
        for role in TOPIC_ROLES
        if names.of(role) not in counts
    ]
    inputs = {topic: counts[topic] for topic in names.inputs if topic in counts}
    if len(set(inputs.values())) > 1:
        listed = ", ".join(f"{topic} {count}" for topic, count in sorted(inputs.items()))
        problems.append(
            f"input topics differ in their number of partitions ({listed}), so a stock key's records would meet "
            f"different workers: bring all to {max(inputs.values())} with `kafka-topics.sh --alter --topic NAME "
            f"--partitions {max(inputs.values())}` before they hold records, or create new ones under another "
            "RESTOCK_TOPIC_PREFIX"
        )
    return problems


def joint_problems(counts: Mapping[str, int], names: TopicNames) -> list[str]:
    """Return a sentence for each reason why there can be no joint orders on topics with these partition counts.

    Example:
        >>> joint_problems({"suppliers": 1, "proposals": 3, "joint-orders": 3}, TopicNames())
        ['topics suppliers (1 partitions) and proposals (3) must have as many: create them anew']
    """
    problems = [
        f"topic {names.of(role)} does not exist: run `restock topics create` with RESTOCK_JOINT_ORDERS=1"
        for role in JOINT_ROLES
        if names.of(role) not in counts
    ]
    suppliers, proposals = names.of("suppliers"), names.of("proposals")
    if not problems and counts[suppliers] != counts[proposals]:
        problems.append(
            f"topics {suppliers} ({counts[suppliers]} partitions) and {proposals} ({counts[proposals]}) must have as "
            "many: create them anew"
        )
    return problems


@contextmanager
def _admin(kafka: KafkaAccess) -> Iterator[KafkaAdminClient]:
    milliseconds = int(REQUEST_TIMEOUT_SECONDS * 1000)
    require_admission(kafka)
    try:
        admin = KafkaAdminClient(
            **kafka.client_arguments(), request_timeout_ms=milliseconds, bootstrap_timeout_ms=milliseconds
        )
    except (KafkaError, OSError) as wrong:
        raise away(kafka, wrong) from wrong
    try:
        yield admin
    except KafkaError as wrong:
        if is_forbidden(wrong):
            raise forbidden(kafka, f"what this needs ({wrong})") from wrong
        if wrong.retriable:
            raise Unavailable(f"Kafka at {kafka} cannot answer now ({wrong}): try again") from wrong
        raise RestockError(f"Kafka at {kafka} refused: {wrong}") from wrong
    finally:
        admin.close()
