"""Order lines cleaned before anything learns from them: each rule counted, none of them quiet.

Lines are left out or set to zero, never invented; a file that needs none of
it comes out unit for unit as it went in. Outliers are found in buckets, see
`history_outliers`, as the stream finds them.
"""

from dataclasses import dataclass

import polars as pl

from model_store.training.bucketing import PLACED
from replenishment.cleaning import USUAL, names_no_goods

_DAY_MS = 86_400_000
_KEY = ("location", "sku")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found.

    Attributes:
        rule: Its name.
        meaning: What it does with what it finds, in a sentence.
        lines: Order lines found.
        units: Units on them, without sign.
        keys: Stock keys they are of.
        examples: Up to five of them, most units first, as text.
    """

    rule: str
    meaning: str
    lines: int
    units: int
    keys: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Lines that models see, and what was found; the same lines if nothing was."""

    lines: pl.DataFrame
    findings: tuple[Finding, ...]


def clean(lines: pl.DataFrame, non_stock_skus: tuple[str, ...] = (USUAL,)) -> Cleaned:
    """Return checked order lines (see `orders_file.checked_lines`) as models should see them.

    Args:
        lines: Order lines.
        non_stock_skus: Which codes name no goods; see `replenishment.cleaning.names_no_goods`.

    The rules, in this order:
        repeated: a line of the same key, order, line number and type as an earlier one (without a line number:
            also of the same time and units) is left out. Without ``order_id`` equal rows are two lines.
        no_stock: lines of codes that name no goods are left out.
        netted: units taken back on the day they were ordered, the same amount by the same customer, are taken
            off that line; the line stays as the key's first sign of life.
        returned: other units below zero are left out: a return is no negative demand.

    Example:
        >>> lines = pl.DataFrame({"location": ["main"], "sku": ["POST"], "quantity": [1], "event_time": [0],
        ...     "type": ["order_placed"], "placed_at": [None], "order_id": [None], "line": [None], "customer": [None]})
        >>> cleaned = clean(lines)
        >>> cleaned.lines.height, [(found.rule, found.lines) for found in cleaned.findings if found.lines]
        (0, [('no_stock', 1)])
    """
    repeated, kept = _split(lines, _is_repeated(lines))
    no_stock, kept = _split(kept, _names_no_goods(kept, non_stock_skus))
    netted, kept = _netted(kept)
    returned, kept = _split(kept, pl.col("quantity") < 0)
    findings = (
        _finding("repeated", "left out: the same line of the same order was there before", repeated),
        _finding("no_stock", "left out: the code names no goods", no_stock),
        _finding("netted", "set to zero: taken back on the day it was ordered", netted),
        _finding("returned", "left out: a return is no negative demand", returned),
    )
    return Cleaned(kept, findings)


def positive(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the lines that ordered something: what counts as demand where nothing is cleaned."""
    return lines.filter((pl.col("type") == PLACED) & (pl.col("quantity") > 0))


def _split(lines: pl.DataFrame, is_found: pl.Expr) -> tuple[pl.DataFrame, pl.DataFrame]:
    marked = lines.with_columns(is_found=is_found.fill_null(False))
    return marked.filter("is_found").drop("is_found"), marked.filter(~pl.col("is_found")).drop("is_found")


def _names_no_goods(lines: pl.DataFrame, non_stock_skus: tuple[str, ...]) -> pl.Expr:
    found = [sku for sku in lines["sku"].unique().to_list() if names_no_goods(sku, non_stock_skus)]
    return pl.col("sku").is_in(pl.Series(found, dtype=pl.String).implode())


def _is_repeated(lines: pl.DataFrame) -> pl.Expr:
    identity = [*_KEY, "order_id", "type", "line"]
    if lines["line"].is_null().all():
        identity += ["event_time", "quantity"]
    return pl.col("order_id").is_not_null() & (pl.int_range(pl.len()).over(identity) > 0)


def _netted(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the lines taken back, and all lines with those at zero and without what took them back.

    The nth return of an amount takes back the nth line of it; lines without a
    customer count as those of one.
    """
    is_placed, is_back = pl.col("type") == PLACED, (pl.col("type") == PLACED) & (pl.col("quantity") < 0)
    if not lines.select(is_back.any()).item():
        return lines.clear(), lines
    same = ["who", *_KEY, "amount", "day"]
    numbered = lines.with_row_index("row").with_columns(
        who=pl.col("customer").fill_null(""), amount=pl.col("quantity").abs(), day=pl.col("event_time") // _DAY_MS
    )
    numbered = numbered.with_columns(nth=pl.int_range(pl.len()).over(*same, is_back))
    back = numbered.filter(is_back).sort("row")
    pairs = numbered.filter(is_placed & (pl.col("quantity") > 0)).join(back, on=[*same, "nth"], suffix="_back")
    taken, given = pl.col("row").is_in(pairs["row"].implode()), pl.col("row").is_in(pairs["row_back"].implode())
    found = numbered.filter(taken).select(lines.columns)
    rest = numbered.filter(~given).with_columns(quantity=pl.when(taken).then(0).otherwise("quantity"))
    return found, rest.select(lines.columns)


def _finding(rule: str, meaning: str, found: pl.DataFrame) -> Finding:
    units = pl.col("quantity").abs()
    largest = (
        found.with_columns(units=units).sort("units", "event_time", "sku", descending=[True, False, False]).head(5)
    )
    examples = tuple(
        f"{key} {quantity} on {str(day)[:10]}"
        for key, quantity, day in largest.select(
            pl.format("{}|{}", *_KEY), "quantity", pl.from_epoch("event_time", time_unit="ms").alias("day")
        ).iter_rows()
    )
    total = int(found.select(units.sum()).item() or 0)
    return Finding(rule, meaning, found.height, total, found.select(_KEY).n_unique() if found.height else 0, examples)
