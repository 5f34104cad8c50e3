"""Rows of a catalog file that hold for many: terms of a category, of a location, or of all that say nothing else.

A row whose ``sku`` is ``*`` names no stock key. What its cells say holds for
each row of the file that has its category and location, or for every row
where it names none, unless that row says otherwise itself. The narrower of
two holds: category and location before category, that before location.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from replenishment.keys import MAIN_LOCATION
from stream_app.errors import ConfigError

ANY_SKU = "*"
_SCOPE = ("location", "category")
Row: TypeAlias = dict[str, Any] | bytes
_Scope: TypeAlias = tuple[Any, Any]


def with_defaults(path: Path, rows: Iterable[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
    """Yield the rows of stock keys with what rows for many say of them; those are left out.

    Args:
        path: Of the file, for messages.
        rows: Rows with their numbers; what is no row of fields stays as it is.

    Raises:
        ConfigError: If two rows are for the same many, or one is for nobody.

    Example:
        >>> rows = [(1, {"sku": "*", "pack_units": 6}), (2, {"sku": "*", "category": "tea", "lead_time_days": 3}),
        ...         (3, {"sku": "A", "category": "tea", "pack_units": 1}), (4, {"sku": "B"})]
        >>> [row for _, row in with_defaults(Path("catalog.csv"), rows)]
        [{'pack_units': 1, 'lead_time_days': 3, 'sku': 'A', 'category': 'tea'}, {'pack_units': 6, 'sku': 'B'}]
    """
    listed = list(rows)
    defaults = _defaults(path, listed)
    idle = {scope: number for scope, (number, _) in defaults.items()}
    for number, row in listed:
        if isinstance(row, bytes) or not defaults:
            yield number, row
        elif not is_for_many(row):
            scopes = _scopes(row)
            for scope in scopes:
                idle.pop(scope, None)
            yield number, _completed(row, [defaults[scope][1] for scope in scopes if scope in defaults])
    if idle:
        raise ConfigError(
            [f"{path}: row {number} holds for no row of the file: {_named(scope)}" for scope, number in idle.items()]
        )


def is_for_many(row: Row) -> bool:
    """Return whether a row names no stock key but all that are like it."""
    return not isinstance(row, bytes) and row.get("sku") == ANY_SKU


def _defaults(path: Path, rows: Iterable[tuple[int, Row]]) -> dict[_Scope, tuple[int, dict[str, Any]]]:
    """Return row number and terms of what holds for each pair of location and category; None stands for any."""
    found: dict[_Scope, tuple[int, dict[str, Any]]] = {}
    for number, row in rows:
        if isinstance(row, bytes) or not is_for_many(row):
            continue
        terms = {name: value for name, value in row.items() if name not in ("sku", *_SCOPE)}
        before = found.setdefault((row.get("location"), row.get("category")), (number, terms))
        if before[0] != number:
            raise ConfigError([f"{path}: rows {before[0]} and {number} are for the same stock keys: leave one out"])
    return found


def _scopes(row: dict[str, Any]) -> list[_Scope]:
    """Return the pairs that a stock key belongs to, the widest first."""
    location, category = row.get("location", MAIN_LOCATION), row.get("category")
    return list(dict.fromkeys([(None, None), (location, None), (None, category), (location, category)]))


def _completed(row: dict[str, Any], defaults: Iterable[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for terms in defaults:
        merged |= terms
    return {**merged, **row}


def _named(scope: _Scope) -> str:
    named = [f"{name} {value}" for name, value in zip(_SCOPE, scope, strict=True) if value]
    return f"none has {' and '.join(named)}" if named else "there is no other"
