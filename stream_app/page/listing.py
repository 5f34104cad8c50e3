"""The list of stock keys: what was asked for, and the one page of lines that answers it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from urllib.parse import urlencode

import numpy as np

from replenishment.arrays import Bools, Float64s, Int64s
from replenishment.stock import StockKnowledge
from stream_app.page.columns import Condition, StockColumns

LINES = 50
LONGEST_SEARCH = 130
SORTS: Mapping[str, Callable[[StockColumns], Float64s]] = {
    "stock": lambda columns: columns.days_of_stock,
    "reorder": lambda columns: columns.days_to_reorder,
    "position": lambda columns: columns.position.astype(np.float64),
    "on_hand": lambda columns: columns.net_units.astype(np.float64),
    "coming": lambda columns: columns.coming_units.astype(np.float64),
    "level": lambda columns: np.where(columns.has_levels, columns.reorder_point, np.nan),
    "daily": lambda columns: columns.daily_units,
    "key": lambda columns: np.arange(len(columns.names), dtype=np.float64),
}
"""What lines can be sorted by; a line without the number comes last in either direction."""
CONDITIONS = {one.name.lower(): one for one in Condition}


class WrongQuery(ValueError):
    """A part of a query is not one that the list knows; ``part`` and ``choices`` say which and what it may be."""

    def __init__(self, part: str, given: str, choices: str) -> None:
        super().__init__(f"{part}={given!r}: {choices}")
        self.part = part
        self.given = given
        self.choices = choices


@dataclass(frozen=True, slots=True)
class Query:
    """Which lines, in which order; ``page`` counts from 1."""

    search: str = ""
    location: str = ""
    supplier: str = ""
    category: str = ""
    condition: str = ""
    sort: str = "stock"
    is_descending: bool = False
    page: int = 1

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Query":
        """Read the parameters of an address.

        Raises:
            WrongQuery: Names the one that is wrong.
        """
        sort, condition, page = given.get("sort", "stock"), given.get("condition", ""), given.get("page", "1")
        search = given.get("q", "").strip()
        if len(search) > LONGEST_SEARCH:
            raise WrongQuery("q", f"{search[:20]}…", f"1–{LONGEST_SEARCH}")
        if sort not in SORTS:
            raise WrongQuery("sort", sort[:LONGEST_SEARCH], ", ".join(SORTS))
        if condition and condition not in CONDITIONS:
            raise WrongQuery("condition", condition[:LONGEST_SEARCH], ", ".join(CONDITIONS))
        if not (page.isascii() and page.isdigit() and 0 < len(page) < 7):
            raise WrongQuery("page", page[:LONGEST_SEARCH], "1–999999")
        filters = {name: given.get(name, "") for name in ("location", "supplier", "category")}
        return cls(
            search,
            **filters,
            condition=condition,
            sort=sort,
            is_descending=given.get("dir") == "desc",
            page=max(int(page), 1),
        )

    def address(self, **changes: object) -> str:
        """Return the address of this list with some parts changed; another page than asked for is the first.

        Example:
            >>> Query(search="bag", page=3).address(sort="daily", is_descending=True)
            '/?q=bag&sort=daily&dir=desc'
        """
        changed = replace(self, **{"page": 1, **changes})  # type: ignore[arg-type]
        parts = {
            "q": changed.search,
            "location": changed.location,
            "supplier": changed.supplier,
            "category": changed.category,
            "condition": changed.condition,
            "sort": "" if changed.sort == "stock" else changed.sort,
            "dir": "desc" if changed.is_descending else "",
            "page": "" if changed.page == 1 else str(changed.page),
        }
        query = urlencode({name: part for name, part in parts.items() if part})
        return f"/?{query}" if query else "/"


@dataclass(frozen=True, slots=True)
class Line:
    """One stock key as the list shows it; numbers that need a forecast are None without one."""

    location: str
    sku: str
    supplier: str
    category: str
    condition: str
    position: int
    on_hand: int
    owed: int
    coming: int
    is_assumed: bool
    reorder_point: int | None
    daily_units: float | None
    days_to_reorder: float | None
    days_of_stock: float | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of lines and their places, of how many, and how many keys stand how whatever condition is chosen."""

    query: Query
    lines: Sequence[Line]
    places: Sequence[int]
    found: int
    pages: int
    counts: Mapping[str, int]


def listed(columns: StockColumns, query: Query) -> Listing:
    """Return the page of lines that a query asks for; past the last page it is the last."""
    is_left = _left(columns, query)
    counts = np.bincount(columns.condition[is_left], minlength=len(Condition))
    # nothing is requested for what is not active: it is listed only where it is asked for
    wanted = CONDITIONS.get(query.condition)
    is_left &= columns.condition != Condition.INACTIVE if wanted is None else columns.condition == wanted
    places = np.flatnonzero(is_left)
    pages = max(1, ceil(len(places) / LINES))
    page = min(query.page, pages)
    chosen = _sorted(columns, query, places)[(page - 1) * LINES : page * LINES]
    return Listing(
        query=replace(query, page=page),
        lines=[_line(columns, place) for place in chosen.tolist()],
        places=chosen.tolist(),
        found=len(places),
        pages=pages,
        counts={name: int(counts[one]) for name, one in CONDITIONS.items()},
    )


def _left(columns: StockColumns, query: Query) -> Bools:
    """Return which keys pass all filters but the condition (N,)."""
    is_left = np.ones(len(columns.names), dtype=np.bool_)
    if query.search:
        wanted = query.search.lower()
        is_left &= np.fromiter((wanted in name.lower() for name in columns.names), np.bool_, len(columns.names))
    for text, names, codes in (
        (query.location, columns.location_names, columns.location),
        (query.supplier, columns.supplier_names, columns.supplier),
        (query.category, columns.category_names, columns.category),
    ):
        if text:
            is_left &= codes == (names.index(text) if text in names else -1)
    return is_left


def _sorted(columns: StockColumns, query: Query, places: Int64s) -> Int64s:
    """Return places in order; of equal ones the key with more demand comes first."""
    numbers = SORTS[query.sort](columns)[places]
    rank = np.where(np.isfinite(numbers), -numbers if query.is_descending else numbers, np.nan)
    # no demand is no number to sort by, but comes before no forecast
    has_none = np.isnan(numbers)
    demand = np.nan_to_num(columns.daily_units[places])
    return np.asarray(places[np.lexsort((places, -demand, has_none, rank))])


def _line(columns: StockColumns, place: int) -> Line:
    location, _, sku = columns.names[place].partition("|")
    net, has_levels = int(columns.net_units[place]), bool(columns.has_levels[place])
    return Line(
        location=location,
        sku=sku,
        supplier=columns.supplier_names[int(columns.supplier[place])],
        category=columns.category_names[int(columns.category[place])],
        condition=Condition(int(columns.condition[place])).name.lower(),
        position=int(columns.position[place]),
        on_hand=max(net, 0),
        owed=max(-net, 0),
        coming=int(columns.coming_units[place]),
        is_assumed=bool(columns.knowledge[place] == StockKnowledge.ASSUMED),
        reorder_point=int(columns.reorder_point[place]) if has_levels else None,
        daily_units=float(columns.daily_units[place]) if has_levels else None,
        days_to_reorder=float(columns.days_to_reorder[place]) if has_levels else None,
        days_of_stock=float(columns.days_of_stock[place]) if has_levels else None,
    )
