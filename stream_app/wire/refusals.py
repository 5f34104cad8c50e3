"""Why a record is refused: codes in order of precedence, and sentences for people.

``contradicts_request`` and ``too_far_ahead`` are the engine's; they stand here
because the order of codes is one list.
"""

from enum import StrEnum

from replenishment.engine.columns import Role
from replenishment.events import Rejection

LONGEST_REASON = 500
LONGEST_SHOWN = 60


class Code(StrEnum):
    """Refusal codes; of several that fit a record the first one counts."""

    UNDECODABLE = "undecodable"
    TOO_LARGE = "too_large"
    MISSING_FIELD = "missing_field"
    OUT_OF_RANGE = "out_of_range"
    BAD_CHARACTERS = "bad_characters"
    WRONG_KEY = "wrong_key"
    WRONG_PARTITION = "wrong_partition"
    UNKNOWN_TYPE = "unknown_type"
    FUTURE_DATED = "future_dated"
    TOO_OLD = "too_old"
    PLACED_AFTER = "placed_after"
    CONTRADICTS_REQUEST = "contradicts_request"
    TOO_FAR_AHEAD = "too_far_ahead"


_PRECEDENCE = {code: place for place, code in enumerate(Code)}


class Faults:
    """What is wrong with one record; the weightiest code wins, among equals the first.

    Example:
        >>> faults = Faults()
        >>> faults.add(Code.TOO_OLD, "b"); faults.add(Code.MISSING_FIELD, "a")
        >>> faults.code, faults.reason
        (<Code.MISSING_FIELD: 'missing_field'>, 'a')
    """

    __slots__ = ("code", "reason")

    def __init__(self) -> None:
        self.code: Code | None = None
        self.reason = ""

    def add(self, code: Code, reason: str) -> None:
        """Note a fault; it stays only if it comes before what was noted so far."""
        if self.code is None or _PRECEDENCE[code] < _PRECEDENCE[self.code]:
            self.code, self.reason = code, reason[:LONGEST_REASON]

    def rejection(self, topic: Role, offset: int) -> Rejection | None:
        """Return the refusal of the record at an offset, None if nothing is wrong with it."""
        return None if self.code is None else Rejection(topic, offset, self.code.value, self.reason)


def excerpt(received: bytes) -> str:
    r"""Return received bytes for a sentence: shortened, everything unprintable escaped.

    Example:
        >>> print(excerpt(b'"a\x1bb"'), excerpt(b"\xff"), len(excerpt(b"9" * 10_000)))
        "a\x1bb" \xff 61
    """
    text = received[: 4 * LONGEST_SHOWN].decode(errors="backslashreplace")
    escaped = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return escaped if len(escaped) <= LONGEST_SHOWN else escaped[:LONGEST_SHOWN] + "…"
