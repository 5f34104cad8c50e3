"""Rows of a file that are out of range: all are found at once, the first ones named."""

from collections.abc import Sequence

import polars as pl

from model_store.training.errors import UnusableHistory

_SHOWN_ROWS = 5
Check = tuple[pl.Expr, str, str]
"""Whether a row is right, the column that is looked at, and what its value must be."""


def refuse_wrong_rows(read: pl.DataFrame, given: pl.DataFrame, checks: Sequence[Check], source: str) -> None:
    """Raise for rows that fail a check, the first ones with their first fault.

    Args:
        read: The rows as they were understood, in the order of the file.
        given: The rows as the file has them; a column that it lacks is None.
        checks: In the order in which faults are told.
        source: What to call the file.

    Raises:
        UnusableHistory: If a row is wrong; names rows from 1, what they hold and what they must hold.
    """
    fault = pl.coalesce(
        pl.when(is_right.fill_null(False)).then(None).otherwise(pl.lit(place))
        for place, (is_right, _, _) in enumerate(checks)
    )
    wrong = read.with_row_index("row", 1).with_columns(fault=fault).filter(pl.col("fault").is_not_null())
    if not wrong.height:
        return
    shown = []
    for row, place in wrong.select("row", "fault").head(_SHOWN_ROWS).iter_rows():
        _, column, wanted = checks[place]
        value = given[column][row - 1] if column in given.columns else None
        shown.append(f"row {row}: {column} is {value!r}, must be {wanted}")
    more = f"; and {wrong.height - _SHOWN_ROWS} more" if wrong.height > _SHOWN_ROWS else ""
    raise UnusableHistory(
        f"{source}: {wrong.height} of {read.height} rows are wrong: {'; '.join(shown)}{more}. "
        "Correct or remove them (rows are counted from 1, without the header)"
    )
