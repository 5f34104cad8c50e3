"""Files of a shop with promotions: order lines and plans of which the truth is known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

DAY_MS = 86_400_000
START_AT = 1_388_966_400_000  # Monday 2014-01-06


@dataclass(frozen=True, slots=True)
class PromotedShop:
    """Orders and plans as tables, and the factor by which a promotion lifts demand."""

    orders: pl.DataFrame
    signals: pl.DataFrame

    def written(self, folder: Path) -> tuple[Path, Path]:
        """Write both as Parquet and CSV and return the paths."""
        folder.mkdir(parents=True, exist_ok=True)
        orders, signals = folder / "orders.parquet", folder / "signals.csv"
        self.orders.write_parquet(orders)
        self.signals.write_csv(signals)
        return orders, signals


def promoted_shop(
    keys: int = 60, buckets: int = 150, days: int = 7, lift: float = 5.0, share: float = 0.15, seed: int = 0
) -> PromotedShop:
    """A shop that sells each key at a steady level, times ``lift`` in a random ``share`` of the buckets, with gaps."""
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(2, 0.7, keys))[:, None]
    is_promoted = rng.random((keys, buckets)) < share
    gap = rng.random((keys, buckets)) < 0.1
    units = rng.negative_binomial(6, 6 / (6 + level * np.where(is_promoted, lift, 1))) * ~gap
    units[:, 0] = np.maximum(units[:, 0], 1)
    key, bucket = np.nonzero(units)
    orders = pl.DataFrame(
        {
            "sku": [f"sku-{one}" for one in key.tolist()],
            "quantity": units[key, bucket],
            "event_time": START_AT + bucket * days * DAY_MS + 1,
        }
    )
    key, bucket = np.nonzero(is_promoted)
    starts = START_AT + bucket * days * DAY_MS
    signals = pl.DataFrame(
        {
            "signal_id": [f"plan-{number}" for number in range(len(key))],
            "type": "planned",
            "sku": [f"sku-{one}" for one in key.tolist()],
            "starts_at": starts,
            "ends_at": starts + days * DAY_MS,
            "promotion": ["true"] * len(key),
            "price": np.full(len(key), 8.0),
            "pages": rng.random(len(key)),
        }
    )
    return PromotedShop(orders, signals)
