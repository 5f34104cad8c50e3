"""The least that each part of the product must be allowed in Redis, as a line of its ACL file.

The table is what a recorded life of the product used, no more and no less
(tests/secure/test_rights.py and test_stage_rights.py). Scripts run with the rights of who calls them.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Literal, TypeAlias

RedisPart: TypeAlias = Literal["worker", "page", "operator", "buyer"]

CONNECTION = ("client|setinfo", "hello", "select")
COMMANDS: Mapping[RedisPart, Sequence[str]] = {
    "worker": (
        *CONNECTION,
        *("config|get", "info", "time"),
        *(
            "eval",
            "evalsha",
            "exec",
            "exists",
            "hdel",
            "hexists",
            "hget",
            "hgetall",
            "hincrby",
            "hkeys",
            "hlen",
            "hmget",
        ),
        *("hscan", "hset", "multi", "scan", "type", "unlink", "xadd", "xlen", "xrange", "xtrim"),
    ),
    "buyer": (
        *CONNECTION,
        *("config|get", "info", "time"),
        *("eval", "evalsha", "exists", "hdel", "hexists", "hget", "hincrby", "hkeys", "hmget", "hscan", "hset"),
        *("type", "unlink", "xadd", "xrange", "xtrim"),
    ),
    "page": (*CONNECTION, "exec", "exists", "hget", "hgetall", "hlen", "hmget", "hscan", "multi", "scan", "xlen"),
    "operator": (
        *CONNECTION,
        *("config|get", "info", "time"),
        *("del", "exec", "exists", "hget", "hgetall", "hlen", "hmget", "hscan", "multi", "scan", "set", "xlen"),
    ),
}
"""``select`` is for addresses with a database other than 0."""


def key_patterns(prefix: str) -> Sequence[str]:
    """Return what matches the names of all keys of a state prefix, and of no other."""
    return (f"restock:{{{prefix}:*}}:*", f"restock:{{{prefix}}}:*")


def acl_line(part: RedisPart, user: str, prefix: str, password: str | None) -> str:
    """Return the line of an ACL file that lets a user in and allows what a part needs; the password is hashed.

    Example:
        >>> acl_line("page", "viewer", "restock", None).split()[:4]
        ['user', 'viewer', 'on', '#SHA-256-OF-THE-PASSWORD']
    """
    digest = "SHA-256-OF-THE-PASSWORD" if password is None else sha256(password.encode()).hexdigest()
    keys = [f"~{pattern}" for pattern in key_patterns(prefix)]
    allowed = [f"+{command}" for command in COMMANDS[part]]
    return " ".join(["user", user, "on", f"#{digest}", "resetkeys", *keys, "resetchannels", "-@all", *allowed])
