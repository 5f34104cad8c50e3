"""The least that each part of the product must be allowed on the brokers, as Kafka's ACLs.

The table is what a recorded life of the product used, no more and no less
(tests/secure/test_rights.py). READ and WRITE include DESCRIBE.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from stream_app.kafka.topics import TOPIC_ROLES, TopicNames, TopicRole

Part: TypeAlias = Literal["worker", "trainer", "page", "operator"]
Operation: TypeAlias = Literal["READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS", "CREATE", "DELETE"]
INPUTS: Sequence[TopicRole] = ("orders", "inventory", "catalog")
OUTPUTS: Sequence[TopicRole] = ("restock", "demand", "dead-letter")


@dataclass(frozen=True, slots=True)
class TopicRight:
    """Operations on topics of the product."""

    operations: Sequence[Operation]
    topics: Sequence[TopicRole]


TOPIC_RIGHTS: Mapping[Part, Sequence[TopicRight]] = {
    "worker": (TopicRight(("READ", "DESCRIBE_CONFIGS"), INPUTS), TopicRight(("WRITE", "DESCRIBE_CONFIGS"), OUTPUTS)),
    "trainer": (TopicRight(("READ",), ("demand", "inventory", "restock")),),
    "page": (TopicRight(("READ",), ("inventory", "restock", "dead-letter")), TopicRight(("DESCRIBE",), TOPIC_ROLES)),
    "operator": (
        TopicRight(("CREATE", "READ", "DESCRIBE_CONFIGS"), TOPIC_ROLES),
        TopicRight(("WRITE",), INPUTS),
    ),
}
GROUP_RIGHTS: Mapping[Part, Sequence[Operation]] = {
    "worker": ("READ",),
    "trainer": (),
    "page": (),
    "operator": ("DESCRIBE", "DELETE"),
}
"""On the workers' consumer group; the operator's are for ``restock doctor`` and ``restock rebuild``."""


def commands(part: Part, user: str, bootstrap: str, names: TopicNames, group: str) -> Iterator[str]:
    """Yield the commands of Kafka's distribution that allow a user what a part needs.

    Example:
        >>> next(commands("trainer", "ann", "kafka:9092", TopicNames(), "restock")).partition("--add ")[2]
        '--allow-principal User:ann --operation Read --topic demand --topic inventory --topic restock'
    """
    head = ["kafka-acls.sh", "--bootstrap-server", bootstrap, "--add", "--allow-principal", f"User:{user}"]
    for right in TOPIC_RIGHTS[part]:
        topics = [word for role in right.topics for word in ("--topic", names.of(role))]
        yield shlex.join([*head, *_operations(right.operations), *topics])
    if GROUP_RIGHTS[part]:
        yield shlex.join([*head, *_operations(GROUP_RIGHTS[part]), "--group", group])


def _operations(operations: Sequence[Operation]) -> Iterator[str]:
    for operation in operations:
        yield "--operation"
        yield operation.title().replace("_", "")
