"""One field of a JSON object at a time, with its type, its range and the sentence for when it does not fit.

A field that is null is absent. What does not fit is noted in ``faults`` and
read as some value that would fit, so that reading can go on.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Raw

from replenishment.keys import PART
from stream_app.wire.refusals import Code, Faults, excerpt
from stream_app.wire.times import instant_at

LONGEST_ID = 128
MOST_UNITS = 1_000_000
FARTHEST_MS = 2**62
"""Integer times beyond this are no times."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_INTEGER = msgspec.json.Decoder(int)
_NUMBER = msgspec.json.Decoder(float)
_TEXT = msgspec.json.Decoder(str)
_FLAG = msgspec.json.Decoder(bool)
_STRENGTH = msgspec.json.Decoder(bool | float)
_TIME = msgspec.json.Decoder(int | str)
_NULL = b"null"


def has_control_characters(text: str) -> bool:
    """Return whether a text holds C0 or C1 control characters or DEL."""
    return _CONTROL.search(text) is not None


class Fields:
    """Reads the fields of one object; each reader returns a value within its range whatever the field holds.

    Example:
        >>> faults = Faults()
        >>> fields = Fields({"quantity": Raw(b"3.0")}, faults)
        >>> fields.integer("quantity", 1, 9)
        1
        >>> faults.code, faults.reason
        (<Code.OUT_OF_RANGE: 'out_of_range'>, 'quantity is 3.0, must be an integer from 1 to 9')
    """

    def __init__(self, raw: Mapping[str, Raw], faults: Faults) -> None:
        self.faults = faults
        self._raw = {name: content for name, field in raw.items() if (content := bytes(field)) != _NULL}

    def has(self, name: str) -> bool:
        """Return whether a field is there and not null."""
        return name in self._raw

    def refuse(self, code: Code, name: str, expected: str) -> None:
        """Note that a field does not fit what is expected of it."""
        self.faults.add(code, f"{name} is {excerpt(self._raw.get(name, _NULL))}, must be {expected}")

    def integer(self, name: str, low: int, high: int, hint: str = "") -> int:
        """Return a required integer from ``low`` to ``high``; ``hint`` is added when it is out of range."""
        expected = f"an integer from {low} to {high}"
        value = self._required(name, _INTEGER.decode, expected)
        if value is None:
            return low
        if not low <= value <= high:
            self.refuse(Code.OUT_OF_RANGE, name, expected + hint)
            return low
        return int(value)

    def number(self, name: str, low: float, high: float) -> float:
        """Return a required number from ``low`` to ``high``."""
        expected = f"a number from {low:.15g} to {high:.15g}"
        value = self._required(name, _NUMBER.decode, expected)
        if value is None:
            return low
        if not low <= value <= high:
            self.refuse(Code.OUT_OF_RANGE, name, expected)
            return low
        return float(value)

    def strength(self, name: str) -> float:
        """Return a required strength: false, true or a number from 0 to 1."""
        expected = "false, true or a strength from 0 to 1"
        value = self._required(name, _STRENGTH.decode, expected)
        if value is None:
            return 0.0
        if not 0 <= value <= 1:
            self.refuse(Code.OUT_OF_RANGE, name, expected)
            return 0.0
        return float(value)

    def other_numbers(
        self, known: AbstractSet[str], names: re.Pattern[str], low: float, high: float
    ) -> dict[str, float]:
        """Return the numbers from ``low`` to ``high`` among the fields with such names that are not known.

        False and true are 0 and 1; what is no number is left out.
        """
        found: dict[str, float] = {}
        for name, content in self._raw.items():
            if name in known or not names.fullmatch(name):
                continue
            with suppress(msgspec.ValidationError):
                found[name] = float(_STRENGTH.decode(content))
        for name, value in found.items():
            if not low <= value <= high:
                self.refuse(Code.OUT_OF_RANGE, name, f"a number from {low:.15g} to {high:.15g}")
        return found

    def flag(self, name: str) -> bool:
        """Return a required true or false."""
        return bool(self._required(name, _FLAG.decode, "true or false"))

    def text(self, name: str) -> str:
        """Return a required text of any content."""
        return self._required(name, _TEXT.decode, "a text") or ""

    def event_type(self, default: str, known: Sequence[str]) -> str:
        """Return the type of the event, ``default`` if it is absent and there is one."""
        if default and not self.has("type"):
            return default
        expected = ", ".join(known[:-1]) + f" or {known[-1]}"
        value: str | None = self._required("type", _TEXT.decode, expected)
        if value is not None and value not in known:
            self.refuse(Code.UNKNOWN_TYPE, "type", expected)
        return value or ""

    def identifier(self, name: str) -> str:
        """Return a required text of 1 to 128 characters without control characters."""
        expected = f"a text of 1 to {LONGEST_ID} characters"
        value = self._required(name, _TEXT.decode, expected)
        if value is None:
            return ""
        if not 1 <= len(value) <= LONGEST_ID:
            self.refuse(Code.OUT_OF_RANGE, name, expected)
        if has_control_characters(value):
            self.refuse(Code.BAD_CHARACTERS, name, f"{expected} without control characters")
        return str(value)

    def label(self, name: str, longest_bytes: int) -> str:
        """Return a required text of so many bytes of UTF-8 without control characters."""
        expected = f"a text of at most {longest_bytes} bytes"
        value = self._required(name, _TEXT.decode, expected)
        if value is None:
            return ""
        if len(value.encode()) > longest_bytes:
            self.refuse(Code.OUT_OF_RANGE, name, expected)
        if has_control_characters(value):
            self.refuse(Code.BAD_CHARACTERS, name, f"{expected} without control characters")
        return str(value)

    def key_part(self, name: str) -> str:
        """Return a required part of a stock key."""
        expected = "a text of 1 to 64 of the characters A-Z a-z 0-9 . _ : / -"
        value = self._required(name, _TEXT.decode, expected)
        if value is not None and not PART.fullmatch(value):
            self.refuse(Code.BAD_CHARACTERS, name, expected)
        return value or ""

    def time(self, name: str) -> int:
        """Return a required time in epoch milliseconds."""
        expected = "an RFC 3339 time with an offset (2026-01-31T08:00:00Z) or integer epoch milliseconds"
        value = self._required(name, _TIME.decode, expected)
        at = instant_at(value) if isinstance(value, str) else value
        if value is None:
            return 0
        if at is None or abs(at) > FARTHEST_MS:
            self.refuse(Code.OUT_OF_RANGE, name, expected)
            return 0
        return at

    def _required(self, name: str, decode: Callable[[bytes], Any], expected: str) -> Any:
        """Return a field's value, None if it is absent or of another JSON type."""
        content = self._raw.get(name)
        if content is None:
            self.faults.add(Code.MISSING_FIELD, f"{name} is missing, must be {expected}")
            return None
        try:
            return decode(content)
        except msgspec.ValidationError:
            self.refuse(Code.OUT_OF_RANGE, name, expected)
            return None
