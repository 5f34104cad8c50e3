"""Proposes a mapping from real records: names that people use, values that could be what a field holds."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from stream_app.wire.mapping import MappedRole
from stream_app.wire.times import instant_at

Rule: TypeAlias = str | dict[str, Any]
Event: TypeAlias = Mapping[str, Any]
DEEPEST = 6
SHARE = 0.8
"""So many of the records must have a plausible value."""
NAMES: Mapping[str, tuple[str, ...]] = {
    "order_id": ("orderid", "orderno", "ordernumber", "invoiceno", "invoice", "orderref", "reference", "no", "id"),
    "event_id": ("eventid", "messageid", "movementid", "documentno", "id"),
    "sku": (
        *("sku", "stockcode", "articleno", "articlecode", "itemcode", "itemno", "productid", "productcode", "code"),
        *("article", "item", "product", "material"),
    ),
    "location": ("location", "warehouse", "store", "site", "branch", "plant", "shop", "country"),
    "quantity": ("quantity", "qty", "units", "pieces", "count", "amount"),
    "on_hand": ("onhand", "stock", "counted", "quantity", "qty"),
    "event_time": (
        *("eventtime", "occurredat", "createdat", "placedat", "orderdate", "invoicedate", "timestamp"),
        *("datetime", "placed", "created", "time", "date", "ts", "at"),
    ),
    "price": ("unitprice", "price", "priceperunit"),
    "line": ("line", "lineno", "linenumber", "position", "pos"),
}
FIELDS: Mapping[MappedRole, tuple[str, ...]] = {
    "orders": ("order_id", "line", "sku", "location", "quantity", "event_time", "price"),
    "inventory": ("event_id", "sku", "location", "on_hand", "event_time"),
}
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?")
_SCALES = (
    (1e8, 1e11, "epoch_seconds"),
    (1e11, 1e14, "epoch_milliseconds"),
    (1e14, 1e17, "epoch_microseconds"),
    (1e17, 1e20, "epoch_nanoseconds"),
)


def proposed(role: MappedRole, events: Sequence[Event]) -> dict[str, Rule]:
    """Return rules for the fields that could be found; a location that is nowhere is ``main``."""
    values: dict[str, list[Any]] = {}
    for event in events:
        for path, value in _leaves(event, "$", 0):
            values.setdefault(path, []).append(value)
    found: dict[str, Rule] = {}
    for name in FIELDS[role]:
        taken = {rule if isinstance(rule, str) else rule.get("path") for rule in found.values()}
        best = _best(name, {one: seen for one, seen in values.items() if one not in taken}, len(events))
        if best is not None:
            found[name] = _rule(name, best, values[best])
    found.setdefault("location", {"constant": "main"})
    if role == "inventory":
        found["type"] = {"constant": "stock_counted"}
    return found


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and depth < DEEPEST:
        for name, inner in value.items():
            plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name)
            if plain or "'" not in name:
                yield from _leaves(inner, f"{path}.{name}" if plain else f"{path}['{name}']", depth + 1)
    elif isinstance(value, list) and value and depth < DEEPEST:
        yield from _leaves(value[0], f"{path}[0]", depth + 1)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield path, value


def _best(name: str, values: Mapping[str, Sequence[Any]], events: int) -> str | None:
    fits = _FITS.get(name, _is_name)
    plausible = [path for path, seen in values.items() if sum(map(fits, seen)) >= SHARE * events]
    ranked = sorted((rank, len(path), path) for path in plausible if (rank := _rank(name, path)) is not None)
    return ranked[0][2] if ranked else None


def _rank(name: str, path: str) -> int | None:
    """Return how well a path's name is one that people use for a field; 0 is best, None not at all."""
    words = [re.sub(r"[^a-z0-9]", "", word) for word in re.findall(r"[A-Za-z0-9_-]+", path.lower())]
    words = [word for word in words if not word.isdigit()]
    ranks = [NAMES[name].index(word) for word in {words[-1], "".join(words[-2:])} if word in NAMES[name]]
    parents = [len(NAMES[name]) + NAMES[name].index(word) for word in words[:-1] if word in NAMES[name]]
    return min([*ranks, *parents], default=None)


def _rule(name: str, path: str, values: Sequence[Any]) -> Rule:
    if name == "event_time":
        form = _time_form(values[0])
        return path if form in ("", "epoch_milliseconds") else {"path": path, "time": form}
    if name in ("quantity", "on_hand", "price", "line") and any(isinstance(value, str) for value in values):
        return {"path": path, "as": "number"}
    return path


def _time_form(value: Any) -> str | None:
    """Return how a time is written: empty for RFC 3339, None if it is no time.

    Example:
        >>> _time_form("2026-01-31T08:00:00Z"), _time_form("2026-01-31 08:00:00"), _time_form(1769846400), _time_form(3)
        ('', 'utc_text', 'epoch_seconds', None)
    """
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return "" if instant_at(value) is not None else "utc_text" if _LOCAL.fullmatch(value) else None
    return next((form for low, high, form in _SCALES if low <= float(value) < high), None)


def _is_name(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and 0 < len(value) <= 64 and " " not in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or _NUMBER.fullmatch(value) is not None


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and value.isdigit())


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "quantity": _is_whole,
    "on_hand": _is_whole,
    "line": _is_whole,
    "price": _is_number,
    "event_time": lambda value: _time_form(value) is not None,
}
