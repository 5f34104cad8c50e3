"""Histories, demand records and fitted nets for tests of the trainer."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from model_store.training.history import DemandHistory
from model_store.training.progress import Silent
from model_store.training.synthetic import generate
from replenishment.buckets import BucketWidth

DAY = BucketWidth(86_400)
FIRST_BUCKET = 15_000
DAY_MS = 86_400_000
SILENT = Silent()


def history_from(
    units: ArrayLike,
    *,
    born: Sequence[int] | None = None,
    missing: Sequence[tuple[int, int]] = (),
    width: BucketWidth = DAY,
) -> DemandHistory:
    """A history of given units (K, T), one line where there is demand; ``missing`` are (row, column)."""
    demand = np.array(units, dtype=np.float32)
    available = np.ones_like(demand)
    for row, column in missing:
        available[row, column] = 0
    return DemandHistory(
        width=width,
        first_bucket=FIRST_BUCKET,
        keys=tuple(f"main|sku-{row}".encode() for row in range(len(demand))),
        demand_units=demand,
        order_lines=np.sign(demand),
        available_ratio=available,
        born=np.array(born if born is not None else [0] * len(demand), dtype=np.int64),
    )


def generated(keys: int = 80, buckets: int = 130, seed: int = 3) -> DemandHistory:
    """Generated demand, small enough to train on in seconds."""
    return generate(keys, FIRST_BUCKET, buckets, seed)


@cache
def steady() -> DemandHistory:
    """Eighty SKUs over 130 days; the same object in all tests."""
    return generated()


def record(
    bucket: int,
    units: dict[str, int],
    /,  # so that `units` and `bucket` can be names of changed columns too
    *,
    kind: str = "closed",
    partition: int = 0,
    chunk: int = 0,
    width: BucketWidth = DAY,
    **changed: Any,
) -> bytes:
    """A value of the topic demand: units by SKU, one line where there are any."""
    start = np.datetime64(width.start_of(bucket), "ms")
    value = {
        "schema": 1,
        "partition": partition,
        "bucket_start": f"{start}Z",
        "bucket_seconds": width.seconds,
        "kind": kind,
        "chunk": chunk,
        "chunks": 1,
        "model_version": "moving_average_28",
        "location": ["uk"] * len(units),
        "sku": list(units),
        "units": list(units.values()),
        "order_lines": [int(one > 0) for one in units.values()],
        "price_mean": [None] * len(units),
        "available_fraction": [1.0] * len(units),
    }
    return json.dumps(value | changed).encode()


def by_sku(history: DemandHistory) -> dict[str, list[float]]:
    """Units of each SKU from its birth on."""
    return {
        key.decode().partition("|")[2]: history.demand_units[row, history.born[row] :].tolist()
        for row, key in enumerate(history.keys)
    }
