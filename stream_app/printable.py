"""Bytes of topics for a terminal: whatever a producer sent, no control sequence of it reaches the screen."""

import json
from collections.abc import Mapping
from typing import Any

from stream_app.topic_reader import Message
from stream_app.wire.times import shown

_DELETE = "\x7f"


def escaped(content: bytes | None) -> str:
    r"""Return bytes as text of one line in which everything unprintable is escaped; ``-`` for none.

    Example:
        >>> print(escaped(b"a\x1b[31m\n\xff"), escaped("北京".encode()), escaped(None))
        a\x1b[31m\n\xff 北京 -
    """
    if content is None:
        return "-"
    text = content.decode(errors="backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def time_of(message: Message) -> str:
    """Return the time stamp of a record; ``-`` if it has none."""
    return "-" if message.timestamp < 0 else shown(message.timestamp)


def json_line(message: Message) -> str:
    """Return a record as one line of JSON, in ASCII: no terminal can be made to do anything by it.

    ``value`` is the JSON that the record holds, else its text.
    """
    fields = {
        "partition": message.partition,
        "offset": message.offset,
        "timestamp": time_of(message),
        "key": _text(message.key),
        "headers": {name: _text(content) for name, content in message.headers},
        "value": _value(message.value),
    }
    return dumped(fields)


def dumped(fields: Mapping[str, Any]) -> str:
    """Return an object as one line of JSON in ASCII without any control character."""
    return json.dumps(fields).replace(_DELETE, r"\u007f")


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(errors="backslashreplace")


def _value(content: bytes | None) -> Any:
    if content is None:
        return None
    try:
        return json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _text(content)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
