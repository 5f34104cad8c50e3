"""Rows of a catalog file that hold for many: terms of a category, of a location, or of all that say nothing else.

A row whose ``sku`` is ``*`` names no stock key. What its cells say holds for
each row of the file that has its category and location, or for every row
where it names none, unless that row says otherwise itself. The narrower of
two holds: category and location before category, that before location.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from stream_app.errors import ConfigError

ANY_SKU = "*"
_SCOPE = ("location", "category")
Row: TypeAlias = dict[str, Any] | bytes


def with_defaults(path: Path, rows: Iterable[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
    """Yield the rows of stock keys with what rows for many say of them; those are left out.

    Args:
        path: Of the file, for messages.
        rows: Rows with their numbers; what is no row of fields stays as it is.

    Raises:
        ConfigError: If two rows are for the same many.

    Example:
        >>> rows = [(1, {"sku": "*", "pack_units": 6}), (2, {"sku": "*", "category": "tea", "lead_time_days": 3}),
        ...         (3, {"sku": "A", "category": "tea", "pack_units": 1}), (4, {"sku": "B"})]
        >>> [row for _, row in with_defaults(Path("catalog.csv"), rows)]
        [{'pack_units': 1, 'lead_time_days': 3, 'sku': 'A', 'category': 'tea'}, {'pack_units': 6, 'sku': 'B'}]
    """
    listed = list(rows)
    defaults = _defaults(path, listed)
    for number, row in listed:
        if isinstance(row, bytes) or not defaults:
            yield number, row
        elif row.get("sku") != ANY_SKU:
            yield number, _completed(row, defaults)


def _defaults(path: Path, rows: Iterable[tuple[int, Row]]) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """Return what holds for each pair of location and category; None stands for any."""
    found: dict[tuple[Any, ...], tuple[int, Mapping[str, Any]]] = {}
    for number, row in rows:
        if isinstance(row, bytes) or row.get("sku") != ANY_SKU:
            continue
        terms = {name: value for name, value in row.items() if name not in ("sku", *_SCOPE)}
        before = found.setdefault(tuple(row.get(name) for name in _SCOPE), (number, terms))
        if before[0] != number:
            raise ConfigError([f"{path}: rows {before[0]} and {number} are for the same stock keys: leave one out"])
    return {scope: terms for scope, (_, terms) in found.items()}


def _completed(row: Mapping[str, Any], defaults: Mapping[tuple[Any, ...], Mapping[str, Any]]) -> dict[str, Any]:
    location, category = (row.get(name) for name in _SCOPE)
    merged: dict[str, Any] = {}
    for scope in dict.fromkeys([(None, None), (location, None), (None, category), (location, category)]):
        merged |= defaults.get(scope, {})
    return {**merged, **row}
