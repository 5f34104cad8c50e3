"""Names of everything the product keeps in Redis."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartitionKeys:
    """Names of one partition's keys: one hash tag, so all are in one slot of a cluster.

    Example:
        >>> PartitionKeys("restock", 3).meta
        'restock:{restock:3}:meta'
    """

    prefix: str
    partition: int

    @property
    def meta(self) -> str:
        """Hash: epoch, turn, progress, layout, width of each table's rows."""
        return self._named("meta")

    @property
    def outbox(self) -> str:
        """Stream of records not yet published."""
        return self._named("outbox")

    def table(self, name: str) -> str:
        """Hash of a table's rows by key."""
        return self._named(name)

    def _named(self, name: str) -> str:
        return f"restock:{{{self.prefix}:{self.partition}}}:{name}"


def meta_pattern(prefix: str) -> str:
    """Return the glob that finds ``meta`` of every partition; a prefix has no glob characters."""
    return f"restock:{{{prefix}:*}}:meta"


def partition_of_meta(prefix: str, key: str) -> int | None:
    """Return whose ``meta`` a key is, or None.

    Example:
        >>> partition_of_meta("a", "restock:{a:12}:meta"), partition_of_meta("a", "restock:{a:x}:meta")
        (12, None)
    """
    match = re.fullmatch(rf"restock:\{{{re.escape(prefix)}:(\d+)\}}:meta", key)
    return int(match[1]) if match else None


def paused_key(prefix: str) -> str:
    """Return the name of the stop button: it exists while requests are held back."""
    return f"restock:{{{prefix}}}:paused"
