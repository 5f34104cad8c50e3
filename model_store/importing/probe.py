"""Runs a forecaster on made-up demand of every sort: finite, repeatable, each row on its own; counts what is mended."""

import numpy as np

from model_store.kinds.rearranged import Rearranged
from model_store.onnx_operators import refused
from replenishment.arrays import Float32s
from replenishment.forecaster import ClosedBucket, Forecast, Forecaster

_KEYS, _BUCKETS = 150, 40
_FIRST_BUCKET = 15_284
_LARGEST_UNITS = 1e9


def probed(forecaster: Rearranged) -> dict[str, float]:
    """Return which share of its forecasts had to be put in order.

    Raises:
        ArtifactCorrupt: If a forecast or a memory is not finite, a second run gives other numbers, or a row depends on
            the rows beside it.
    """
    inner = forecaster.inner
    demand, available = _demand(), _available()
    memory = np.zeros((_KEYS, inner.memory_floats), dtype=np.float32)
    mended = np.zeros((_BUCKETS, 3))
    for step in range(_BUCKETS):
        closed = _bucket(step, demand[step], available[step])
        found = inner.step(closed, memory)
        _require_finite(found, step, demand)
        _require_same(inner.step(closed, memory), found, "a second run gives other numbers than the first")
        if step % 8 == 5:
            _require_rows_apart(inner, closed, memory, found)
        mended[step] = _mended(found.quantiles)
        memory = found.memory
    shares = mended.mean(axis=0)
    names = ("negative_share", "crossing_levels_share", "crossing_horizons_share")
    return {name: float(share) for name, share in zip(names, shares, strict=True)}


def _demand() -> Float32s:
    """Demand (T, B): from hardly ever to hundreds a bucket; the first keys never, huge once, huge always."""
    rng = np.random.default_rng(4)
    rate = np.exp(rng.uniform(np.log(0.02), np.log(300), _KEYS))
    demand = (rng.poisson(rate, (_BUCKETS, _KEYS)) * (rng.random((_BUCKETS, _KEYS)) < 0.6)).astype(np.float32)
    demand[:, 0] = 0
    demand[7, 1] = demand[:, 2] = demand[-1, 3] = _LARGEST_UNITS
    return demand


def _available() -> Float32s:
    """Share of each bucket in which a key could be sold (T, B): some never, some not for a while."""
    available = np.ones((_BUCKETS, _KEYS), dtype=np.float32)
    available[:, 4] = 0
    available[10:20, 5:9] = 0
    return available


def _bucket(step: int, units: Float32s, available: Float32s) -> ClosedBucket:
    return ClosedBucket(_FIRST_BUCKET + step, units, np.sign(units), available, np.full(_KEYS, step, dtype=np.int32))


def _require_finite(found: Forecast, step: int, demand: Float32s) -> None:
    for what, values in (("quantiles", found.quantiles), ("state", found.memory)):
        rows = np.flatnonzero(~np.isfinite(values).all(axis=tuple(range(1, values.ndim))))
        if len(rows):
            largest = demand[: step + 1, rows[0]].max()
            raise refused(
                f"its {what} are not finite after {step + 1} buckets with demand up to {largest:g}",
                "Take logarithms of what it reads, or clip it, so that no demand makes it overflow",
            )


def _require_rows_apart(inner: Forecaster, closed: ClosedBucket, memory: Float32s, whole: Forecast) -> None:
    for rows in (slice(0, 1), slice(_KEYS - 1, _KEYS), slice(3, 70), slice(20, 23)):
        part = ClosedBucket(
            closed.bucket,
            closed.demand_units[rows],
            closed.order_lines[rows],
            closed.available_ratio[rows],
            closed.age_buckets[rows],
        )
        alone = inner.step(part, memory[rows])
        _require_same(
            alone, Forecast(whole.quantiles[rows], whole.memory[rows]), "a row gives other numbers beside other rows"
        )


def _require_same(found: Forecast, wanted: Forecast, what: str) -> None:
    pairs = ((found.quantiles, wanted.quantiles), (found.memory, wanted.memory))
    if not all(np.array_equal(a, b) for a, b in pairs):
        difference = max(float(np.abs(a - b).max()) for a, b in pairs)
        raise refused(
            f"{what}, up to {difference:g} apart",
            "Each row is a SKU of its own: no statistics over the batch, no noise",
        )


def _mended(quantiles: Float32s) -> tuple[float, float, float]:
    """Share of forecasts (B, H, Q) below zero, falling with the level, and falling with the horizon."""
    return (
        float((quantiles < 0).any(axis=(1, 2)).mean()),
        float((np.diff(quantiles, axis=2) < 0).any(axis=(1, 2)).mean()),
        float((np.diff(quantiles, axis=1) < 0).any(axis=(1, 2)).mean()),
    )
