"""What a life of the product used: rights from the broker's own log, commands from Redis' own counters."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from kafka.admin import ACL, ACLOperation, ACLPermissionType, KafkaAdminClient, ResourcePattern, ResourceType

from tests.secure.guarded import PASSWORDS, Guarded

USE = re.compile(r"Principal = User:(\S+) is Allowed operation = (\w+) from host = .*? resource = (\w+):LITERAL:(\S+)")
ADMINISTRATION = frozenset({"keys", "config|resetstat", "acl|setuser", "acl|deluser"})
"""What tests do beside the product."""


def rights_used(servers: Guarded) -> dict[str, set[tuple[str, str, str]]]:
    """Return each use of a right that the broker logged, by user."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    for user, operation, kind, name in USE.findall(servers.broker.log.read_text()):
        found.setdefault(user, set()).add((operation, kind, name))
    return found


@contextmanager
def commands_used(servers: Guarded, into: set[str]) -> Iterator[None]:
    """Add what Redis ran while the context was open."""
    with redis.Redis.from_url(servers.valkey.url) as admin:
        admin.config_resetstat()
        yield
        into |= {name.removeprefix("cmdstat_") for name in admin.info("commandstats")}


def allow_everything(servers: Guarded, user: str) -> None:
    """Allow a user whatever it asks for, so that all of it is seen."""
    kafka = KafkaAdminClient(bootstrap_servers=servers.broker.bootstrap)
    for kind, name in ((ResourceType.TOPIC, "*"), (ResourceType.GROUP, "*")):
        right = ACL(f"User:{user}", "*", ACLOperation.ALL, ACLPermissionType.ALLOW, ResourcePattern(kind, name))
        kafka.create_acls([right])
    kafka.close()
    with redis.Redis.from_url(servers.valkey.url) as admin:
        admin.execute_command("ACL", "SETUSER", user, "reset", "on", f">{PASSWORDS[user]}", "~*", "+@all")
