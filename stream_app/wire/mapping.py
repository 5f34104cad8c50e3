"""Field mapping: how an order system's own records become ours, by a file of paths, constants and tables.

Compiled once to tuples of keys; no expressions are evaluated. What a rule
does not understand it passes on, so that the decoder refuses it with its
usual codes. Format: docs/how-to/map-fields.md.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from stream_app.errors import ConfigError

MappedRole: TypeAlias = Literal["orders", "inventory"]
TimeForm: TypeAlias = Literal[
    "rfc_3339", "epoch_seconds", "epoch_milliseconds", "epoch_microseconds", "epoch_nanoseconds", "utc_text"
]
FIELDS: Mapping[MappedRole, tuple[str, ...]] = {
    "orders": ("type", "order_id", "line", "location", "sku", "quantity", "event_time", "price", "placed_at"),
    "inventory": (
        *("type", "event_id", "location", "sku", "event_time", "on_hand", "delta", "reason", "quantity"),
        *("restock_id", "final", "expected_at", "by", "note"),
    ),
}
ORDER_FIELDS = ("type", "order_id", "location", "event_time", "placed_at", "customer")
LINE_FIELDS = ("line", "location", "sku", "quantity", "price")
TIMES = frozenset({"event_time", "placed_at", "expected_at"})
TEXTS = frozenset({"type", "order_id", "customer", "event_id", "restock_id", "location", "sku", "reason", "by", "note"})
_PATH = re.compile(r"\$((\.[A-Za-z_][A-Za-z0-9_-]*)|(\['[^']+'\])|(\[[0-9]{1,6}\]))+")
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\['([^']+)'\]|\[([0-9]+)\]")
_UNITS_PER_SECOND: Mapping[TimeForm, int] = {
    "epoch_seconds": 1,
    "epoch_milliseconds": 1_000,
    "epoch_microseconds": 1_000_000,
    "epoch_nanoseconds": 1_000_000_000,
}


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"kind": "as"}):
    """Where one field comes from: a path or a constant; ``time``, ``as`` and ``values`` say how it is read."""

    path: str | None = None
    constant: str | int | float | bool | None = None
    time: TimeForm | None = None
    kind: Literal["text", "number"] | None = None
    values: dict[str, str] | None = None


class WholeOrders(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the lines of a whole order are, and rules for what all lines share and for what each has of its own."""

    lines: str = "$.lines"
    order: dict[str, Rule | str] = msgspec.field(default_factory=lambda: {name: f"$.{name}" for name in ORDER_FIELDS})
    line: dict[str, Rule | str] = msgspec.field(default_factory=lambda: {name: f"$.{name}" for name in LINE_FIELDS})


class MappingFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules by field, for each of the topics that can be mapped; a text is a rule of this path only."""

    orders: dict[str, Rule | str] | None = None
    inventory: dict[str, Rule | str] | None = None
    whole_orders: WholeOrders = msgspec.field(default_factory=WholeOrders)


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One compiled rule; ``source`` is what people are told."""

    name: str
    source: str
    steps: tuple[str | int, ...]
    constant: Any
    conversions: tuple[Callable[[Any], Any], ...]

    def read(self, event: Any) -> Any:
        """Return the field of an event; None = absent."""
        if self.constant is not None:
            return self.constant
        value = event
        for step in self.steps:
            if isinstance(step, str):
                value = value.get(step) if isinstance(value, dict) else None
            else:
                value = value[step] if isinstance(value, list) and step < len(value) else None
            if value is None:
                return None
        for convert in self.conversions:
            value = convert(value)
        return value


Rules: TypeAlias = Sequence[FieldRule]


@dataclass(frozen=True, slots=True)
class WholeOrderRules:
    """Compiled rules: ``lines`` reads the array of an order, ``order`` begins at the record, ``line`` at a line."""

    lines: FieldRule
    order: Rules
    line: Rules


def loaded(file: Path) -> Mapping[MappedRole, Rules]:
    """Return the rules of a mapping file by topic.

    Raises:
        ConfigError: Lists everything that is wrong with it.
    """
    content = _checked(file)
    given: dict[MappedRole, dict[str, Rule | str] | None] = {"orders": content.orders, "inventory": content.inventory}
    return {role: compiled(rules) for role, rules in given.items() if rules}


def whole_order_rules(file: Path | None) -> WholeOrderRules:
    """Return the rules of a mapping file for whole orders; without any, orders and lines have our field names.

    Raises:
        ConfigError: Lists everything that is wrong with the file.
    """
    rules = WholeOrders() if file is None else _checked(file).whole_orders
    lines = _compiled("lines", Rule(path=rules.lines))
    return WholeOrderRules(lines, compiled(rules.order), compiled(rules.line))


def _checked(file: Path) -> MappingFile:
    try:
        content = msgspec.json.decode(file.read_bytes(), type=MappingFile)
    except (OSError, ValueError) as wrong:
        raise ConfigError(
            [f"RESTOCK_MAPPING_FILE: {file} is no mapping: {wrong}; see docs/how-to/map-fields.md"]
        ) from wrong
    whole = content.whole_orders
    given = (
        ("orders", FIELDS["orders"], content.orders or {}),
        ("inventory", FIELDS["inventory"], content.inventory or {}),
        ("whole_orders", ("lines",), {"lines": whole.lines}),
        ("whole_orders.order", ORDER_FIELDS, whole.order),
        ("whole_orders.line", LINE_FIELDS, whole.line),
    )
    problems = [
        f"RESTOCK_MAPPING_FILE: {file}: {section}.{name}: {problem}"
        for section, fields, rules in given
        for name, rule in rules.items()
        if (problem := _problem(section, fields, name, _whole(rule)))
    ]
    if problems:
        raise ConfigError(problems)
    return content


def compiled(rules: Mapping[str, Any]) -> Rules:
    """Return rules given as a mapping file would hold them.

    Raises:
        ValueError: If one is no rule.
    """
    read = msgspec.convert(dict(rules), dict[str, Rule | str])
    return tuple(_compiled(name, _whole(rule)) for name, rule in read.items())


def mapped(rules: Rules, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event in our fields; what is not mapped is left out.

    Example:
        >>> rule = _compiled("sku", Rule(path="$.lines[0].article"))
        >>> mapped([rule], {"lines": [{"article": 85123}]}), mapped([rule], {"lines": []})
        ({'sku': '85123'}, {})
    """
    return {rule.name: value for rule in rules if (value := rule.read(event)) is not None}


def _whole(rule: Rule | str) -> Rule:
    return Rule(path=rule) if isinstance(rule, str) else rule


def _problem(section: str, fields: Sequence[str], name: str, rule: Rule) -> str:
    if name not in fields:
        return f"no field of {section}; it may be {', '.join(fields)}"
    if (rule.path is None) == (rule.constant is None):
        return "give either a path or a constant"
    if rule.path is not None and not _PATH.fullmatch(rule.path):
        return f"{rule.path!r} is no path; write $.order.lines[0].sku or $['order-no']"
    if rule.time is not None and name not in TIMES:
        return f"a time form is for {', '.join(sorted(TIMES))} only"
    return ""


def _compiled(name: str, rule: Rule) -> FieldRule:
    steps = tuple(
        int(index) if index else plain or quoted for plain, quoted, index in _STEP.findall((rule.path or "")[1:])
    )
    source = rule.path or f"the constant {rule.constant!r}"
    return FieldRule(name, source, steps, rule.constant, tuple(_conversions(name, rule)))


def _conversions(name: str, rule: Rule) -> Sequence[Callable[[Any], Any]]:
    found: list[Callable[[Any], Any]] = []
    if rule.values is not None:
        table = rule.values
        found.append(lambda value: table.get(value, value) if isinstance(value, str) else value)
    if rule.time == "utc_text":
        found.append(_utc)
    elif rule.time is not None and rule.time in _UNITS_PER_SECOND:
        units = _UNITS_PER_SECOND[rule.time]
        found.append(lambda value: _milliseconds(value, units))
    if rule.kind == "number":
        found.append(_number)
    elif rule.kind == "text" or name in TEXTS:
        found.append(_text)
    return found


def _utc(value: Any) -> Any:
    """Return a text without an offset as one in UTC.

    Example:
        >>> _utc("2026-01-31 08:00:00"), _utc(3)
        ('2026-01-31T08:00:00Z', 3)
    """
    return value.replace(" ", "T") + "Z" if isinstance(value, str) else value


def _milliseconds(value: Any, units: int) -> Any:
    """Return a time counted in parts of a second in milliseconds, finer parts cut off.

    Example:
        >>> _milliseconds(1769846400.25, 1), _milliseconds("1769846400250999", 1_000_000), _milliseconds("soon", 1)
        (1769846400250, 1769846400250, 'soon')
    """
    number = _number(value)
    if isinstance(number, bool) or not isinstance(number, int | float):
        return value
    try:
        return number * 1000 // units if isinstance(number, int) else int(number * 1000 // units)
    except (ValueError, OverflowError):
        return value


def _number(value: Any) -> Any:
    """Return a text that is a number as one.

    Example:
        >>> _number("3"), _number("2.50"), _number("three"), _number("nan")
        (3, 2.5, 'three', 'nan')
    """
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value, type=int | float)
    except ValueError:
        return value


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
