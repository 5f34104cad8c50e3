"""Forecasts of an evaluation as a table, one row per model, key, origin, lead and level; for other tools to read."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from model_store.training.backtest import Backtest
from model_store.training.scoring import TABLE_LEVELS, LeadForecasts


def write_forecasts(path: Path, backtest: Backtest, forecasts: Mapping[str, LeadForecasts]) -> int:
    """Write all forecasts and return how many rows; same forecasts, same bytes.

    Columns: ``location``, ``sku``, ``origin`` (UTC timestamp of the first unseen bucket), ``lead`` (buckets),
    ``level``, ``value`` (units of demand summed over the lead), ``model``.

    Args:
        path: Parquet, or CSV if the name ends so.
        backtest: Whose keys and origins they are.
        forecasts: By model, keys (K,) as in ``backtest.actual``.
    """
    table = pl.concat([_rows(name, backtest, one) for name, one in forecasts.items()])
    if path.suffix.lower() == ".csv":
        table.write_csv(path)
    else:
        table.write_parquet(path, statistics=False)
    return table.height


def _rows(name: str, backtest: Backtest, forecasts: LeadForecasts) -> pl.DataFrame:
    key, origin, lead = np.nonzero(forecasts.is_there)
    levels = len(TABLE_LEVELS)
    parts = [one.decode().partition("|") for one in backtest.actual.keys]
    columns = backtest.origins.columns
    at = np.array([backtest.origin_at(column) for column in columns], dtype="datetime64[ms]")
    locations, skus = (pl.Series([part[place] for part in parts], dtype=pl.String) for place in (0, 2))
    repeated = np.repeat(key, levels)
    return pl.DataFrame(
        {
            "location": locations.gather(repeated),
            "sku": skus.gather(repeated),
            "origin": pl.Series(np.repeat(at[origin], levels)).dt.replace_time_zone("UTC"),
            "lead": np.repeat(np.array(backtest.origins.leads, dtype=np.int64)[lead], levels),
            "level": np.tile(np.array(TABLE_LEVELS), len(key)),
            "value": forecasts.quantiles[key, origin, lead].astype(np.float64).reshape(-1),
            "model": pl.Series([name], dtype=pl.String).new_from_index(0, len(repeated)),
        }
    )
