"""The least that each part of the product must be allowed on the brokers, as Kafka's ACLs.

The table is what a recorded life of the product used, no more and no less
(tests/secure/test_rights.py and test_stage_rights.py). READ and WRITE include
DESCRIBE.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from stream_app.kafka.topics import JOINT_ROLES, TOPIC_ROLES, TopicNames, TopicRole

Part: TypeAlias = Literal["worker", "trainer", "page", "operator", "buyer", "splitter"]
Operation: TypeAlias = Literal["READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS", "CREATE", "DELETE"]
INPUTS: Sequence[TopicRole] = ("orders", "inventory", "catalog", "signals")
OUTPUTS: Sequence[TopicRole] = ("restock", "demand", "dead-letter")


@dataclass(frozen=True, slots=True)
class TopicRight:
    """Operations on topics of the product."""

    operations: Sequence[Operation]
    topics: Sequence[TopicRole]


TOPIC_RIGHTS: Mapping[Part, Sequence[TopicRight]] = {
    "worker": (TopicRight(("READ", "DESCRIBE_CONFIGS"), INPUTS), TopicRight(("WRITE", "DESCRIBE_CONFIGS"), OUTPUTS)),
    "trainer": (TopicRight(("READ",), ("demand", "inventory", "restock", "signals")),),
    "page": (TopicRight(("READ",), ("inventory", "restock", "dead-letter")), TopicRight(("DESCRIBE",), TOPIC_ROLES)),
    "operator": (
        TopicRight(("CREATE", "READ", "DESCRIBE_CONFIGS"), TOPIC_ROLES),
        TopicRight(("WRITE",), INPUTS),
    ),
    "buyer": (
        TopicRight(("READ",), ("suppliers", "proposals")),
        TopicRight(("WRITE",), ("restock", "joint-orders", "inventory", "dead-letter")),
        TopicRight(("DESCRIBE",), ("orders", "catalog", "signals", "demand")),
    ),
    "splitter": (TopicRight(("WRITE",), ("orders", "dead-letter")),),
}
"""A splitter reads a topic beside, which is none of the product's."""
JOINT_RIGHTS: Mapping[Part, Sequence[TopicRight]] = {
    "worker": (TopicRight(("WRITE",), ("proposals",)), TopicRight(("DESCRIBE",), ("suppliers", "joint-orders"))),
    "operator": (
        TopicRight(("CREATE", "READ"), JOINT_ROLES),
        TopicRight(("WRITE",), ("suppliers", "proposals")),
    ),
}
"""What comes to the above where there are joint orders."""
GROUP_RIGHTS: Mapping[Part, Sequence[Operation]] = {
    "worker": ("READ",),
    "trainer": (),
    "page": (),
    "operator": ("DESCRIBE", "DELETE"),
    "buyer": ("READ",),
    "splitter": ("READ",),
}
"""On the part's consumer group; the operator's are for ``restock doctor`` and ``restock rebuild``."""


def topic_rights(part: Part, *, is_joint: bool) -> Sequence[TopicRight]:
    """Return what a part needs of the product's topics, with or without joint orders."""
    return (*TOPIC_RIGHTS[part], *(JOINT_RIGHTS.get(part, ()) if is_joint else ()))


def commands(
    part: Part, user: str, bootstrap: str, names: TopicNames, group: str, *, is_joint: bool = False, source: str = ""
) -> Iterator[str]:
    """Yield the commands of Kafka's distribution that allow a user what a part needs.

    Args:
        part: Which part.
        user: Whom.
        bootstrap: Address of Kafka.
        names: Real names of topics.
        group: The part's consumer group; for page and operator the workers'.
        is_joint: Whether there are joint orders.
        source: Real name of the topic that a splitter reads.

    Example:
        >>> next(commands("trainer", "ann", "kafka:9092", TopicNames(), "restock")).partition("--add ")[2]
        '--allow-principal User:ann --operation Read --topic demand --topic inventory --topic restock --topic signals'
    """
    head = ["kafka-acls.sh", "--bootstrap-server", bootstrap, "--add", "--allow-principal", f"User:{user}"]
    if source:
        yield shlex.join([*head, "--operation", "Read", "--topic", source])
    for right in topic_rights(part, is_joint=is_joint):
        topics = [word for role in right.topics for word in ("--topic", names.of(role))]
        yield shlex.join([*head, *_operations(right.operations), *topics])
    if GROUP_RIGHTS[part]:
        yield shlex.join([*head, *_operations(GROUP_RIGHTS[part]), "--group", group])


def _operations(operations: Sequence[Operation]) -> Iterator[str]:
    for operation in operations:
        yield "--operation"
        yield operation.title().replace("_", "")
