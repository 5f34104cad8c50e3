"""What can go wrong outside the trade, classed by what the caller does about it.

::

    RestockError                 never raised itself
    ├─ ConfigError               stop before connecting; exit 2; lists every wrong setting
    │  └─ LayoutMismatch         stored state was laid out by other settings
    ├─ Unavailable               a server is out of reach: wait and retry, acknowledge nothing
    ├─ Forbidden                 a right is missing on a server: stop, have it given
    ├─ FencedClaim               another worker owns the partition: let go of it
    ├─ StateLost                 Redis holds nothing of what was applied before: stop, page a person
    └─ StateCorrupt              stored bytes do not decode: stop the partition, page a person
"""

from collections.abc import Mapping, Sequence


class RestockError(Exception):
    """What every error of the product is.

    Operator action: read the message; it names the next command.
    """


class ConfigError(RestockError):
    """Settings or arguments are wrong; ``problems`` holds a sentence for each.

    Operator action: correct every setting listed, start again.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n    ".join([_head(problems), *problems]))


class LayoutMismatch(ConfigError):
    """The state in Redis was written under other settings than this worker's.

    Operator action: start with the settings listed, or choose another RESTOCK_STATE_PREFIX.
    """


class Unavailable(RestockError):
    """Redis, Kafka or a file store is out of reach.

    Operator action: none at first, the worker waits and resumes by itself; else start the server named.
    """


class Forbidden(RestockError):
    """A right is missing on Kafka or Redis.

    Operator action: have the rights given that ``restock acl`` prints.
    """


class FencedClaim(RestockError):
    """A younger generation of the consumer group owns the partition.

    Operator action: none; the worker lets go of the partition.
    """


class StateLost(RestockError):
    """Records were applied, but Redis knows nothing of it: it was emptied, or is another one.

    Operator action: bring the right Redis back, or run ``restock rebuild``.
    """

    def __init__(self, applied: Mapping[int, int], where: str) -> None:
        listed = ", ".join(f"partition {number} up to {offset}" for number, offset in sorted(applied.items()))
        super().__init__(
            f"orders were applied before ({listed}), but there is no state of them {where}: was Redis emptied, or is "
            "this another one? Bring the state back; or stop all workers and run `restock rebuild` to begin anew from "
            "what the topics still hold"
        )


class StateCorrupt(RestockError):
    """Stored bytes do not decode.

    Operator action: keep the Redis files, restore from a back-up or rebuild the partition from its topic.
    """


def _head(problems: Sequence[str]) -> str:
    many = len(problems) > 1
    if all(problem.startswith("RESTOCK_") for problem in problems):
        return f"{len(problems)} {'settings are' if many else 'setting is'} wrong:"
    return f"{len(problems)} {'problems' if many else 'problem'}:"
