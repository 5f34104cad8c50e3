"""Has the decoder's own functions say what they ask of each field, so that schemas cannot differ from them."""

import re
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from replenishment.keys import PART
from stream_app.wire.admission import EARLIEST_AT, LATEST_AT
from stream_app.wire.fields import FARTHEST_MS, LONGEST_ID, Fields
from stream_app.wire.refusals import Code, Faults
from stream_app.wire.times import _RFC_3339

Schema = dict[str, Any]
NO_CONTROLS = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"
_CHOICE = re.compile(r"\w+(, \w+)* or \w+")
AGES = ("event_time", "placed_at", "starts_at", "ends_at")
"""Times whose age the decoder checks."""
AGED = {"minimum": EARLIEST_AT, "maximum": LATEST_AT}
ANY_AGE = {"minimum": -FARTHEST_MS, "maximum": FARTHEST_MS}
EXAMPLE, EXAMPLE_AT = "2026-01-31T08:00:00.250+01:00", 1_769_842_800_250


class Recorder(Fields):
    """Fields that are all there and all fit; ``properties`` tells afterwards what was asked of each.

    Args:
        kind: The type that the event has.
    """

    def __init__(self, kind: str = "") -> None:
        super().__init__({}, Faults())
        self._kind = kind
        self._optional: set[str] = set()
        self.properties: dict[str, Schema] = {}
        self.more: Schema = {}

    @property
    def required(self) -> list[str]:
        """Names of the fields that were read without asking whether they are there."""
        return [name for name in self.properties if name not in self._optional]

    def has(self, name: str) -> bool:
        """Note that a field may be missing."""
        self._optional.add(name)
        return True

    def refuse(self, code: Code, name: str, expected: str) -> None:
        """Fit always; a text that must be one of some is told by what would have fitted."""
        if (
            code == Code.OUT_OF_RANGE
            and self.properties.get(name) == {"type": "string"}
            and _CHOICE.fullmatch(expected)
        ):
            self._note(name, {"type": "string", "enum": re.split(", | or ", expected)})

    def integer(self, name: str, low: int, high: int, hint: str = "") -> int:  # noqa: ARG002  the reader's
        """Note an integer."""
        self._note(name, {"type": "integer", "minimum": low, "maximum": high})
        return low

    def number(self, name: str, low: float, high: float) -> float:
        """Note a number."""
        self._note(name, {"type": "number", "minimum": low, "maximum": high})
        return low

    def strength(self, name: str) -> float:
        """Note a strength."""
        self._note(name, {"anyOf": [{"type": "boolean"}, {"type": "number", "minimum": 0, "maximum": 1}]})
        return 0.0

    def other_numbers(
        self, known: AbstractSet[str], names: re.Pattern[str], low: float, high: float
    ) -> dict[str, float]:
        """Note numbers of other names; how many there may be a schema cannot say."""
        bounded = {"if": {"type": "number"}, "then": {"minimum": low, "maximum": high}}
        others = f"^(?!({'|'.join(sorted(known))})$){names.pattern}$"
        self.more = {"patternProperties": {others: bounded}}
        return {}

    def flag(self, name: str) -> bool:
        """Note true or false."""
        self._note(name, {"type": "boolean"})
        return True

    def text(self, name: str) -> str:
        """Note a text."""
        self._note(name, {"type": "string"})
        return ""

    def event_type(self, default: str, known: Sequence[str]) -> str:  # noqa: ARG002  the reader's
        """Note the type that this event has."""
        self._note("type", {"const": self._kind})
        if self._kind == default:
            self._optional.add("type")
        return self._kind

    def identifier(self, name: str) -> str:
        """Note an id."""
        self._note(name, {"type": "string", "minLength": 1, "maxLength": LONGEST_ID, "pattern": NO_CONTROLS})
        return "id"

    def label(self, name: str, longest_bytes: int) -> str:
        """Note a label; its length counts in bytes of UTF-8, which a schema can only bound."""
        self._note(name, {"type": "string", "maxLength": longest_bytes, "pattern": NO_CONTROLS})
        return ""

    def key_part(self, name: str) -> str:
        """Note a part of the stock key."""
        self._note(name, {"type": "string", "pattern": f"^{PART.pattern}$"})
        return "x"

    def time(self, name: str) -> int:
        """Note a time, in both forms."""
        pattern = re.sub(r"\(\?:", "(", _RFC_3339.pattern)
        text = {"type": "string", "pattern": f"^{pattern}$", "examples": [EXAMPLE]}
        millis = {"type": "integer", "examples": [EXAMPLE_AT], **(AGED if name in AGES else ANY_AGE)}
        self._note(name, {"anyOf": [text, millis]})
        return EARLIEST_AT

    def _note(self, name: str, schema: Schema) -> None:
        self.properties[name] = schema

    def schema(self, title: str) -> Schema:
        """Return the object; null is the same as absent, so optional fields may be null."""
        properties = {
            name: field if name not in self._optional else _nullable(field) for name, field in self.properties.items()
        }
        return {"title": title, "type": "object", "required": self.required, "properties": properties, **self.more}


def recorded(kind: str, title: str, read: Callable[[Recorder], object]) -> Schema:
    """Return the schema of what a reader of the decoder asks."""
    recorder = Recorder(kind)
    read(recorder)
    return recorder.schema(title)


def _nullable(field: Schema) -> Schema:
    if "type" in field:
        enum = {"enum": [*field["enum"], None]} if "enum" in field else {}
        return {**field, "type": [field["type"], "null"], **enum}
    choices = field.get("anyOf") or [field]
    return {"anyOf": [*choices, {"type": "null"}]}
