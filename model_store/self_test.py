"""Self-test of a version: what it forecast where it was made, compared with what it forecasts here.

Digests show that the bytes are the right ones; this shows that on this
processor and runtime they still mean the same, and that the laws of every
forecaster hold: units finite and not negative, curves that never cross, a row
that does not depend on its neighbours.
"""

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from model_store.errors import ArtifactCorrupt
from replenishment.arrays import Float32s
from replenishment.forecaster import ClosedBucket, Forecast, Forecaster

_STEPS, _LONGEST = 24, 64
_RELATIVE, _ABSOLUTE_UNITS = 1e-3, 1e-3
_FIRST_BUCKET = 15_000


class SelfTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Buckets fed in from zeros, T steps of B keys, and the forecast after the last one.

    ``quantiles`` are (B, H, Q) in units, as nested lists like all others here.
    """

    first_bucket: int
    demand_units: list[list[float]]
    order_lines: list[list[float]]
    available_ratio: list[list[float]]
    quantiles: list[list[list[float]]]


def record(forecaster: Forecaster) -> SelfTest:
    """Return the self-test of a forecaster: steady, intermittent, weekly, bulky, silent and sold-out keys."""
    t = np.arange(_STEPS)
    demand = np.stack([5 + t % 3, (t % 9 == 4) * 12, (t % 7) * 4, (t == 20) * 100_000, t * 0, t + 3], axis=1)
    available = np.ones(demand.shape)
    available[10:14, 5] = 0
    fed = SelfTest(_FIRST_BUCKET, _table(demand), _table(np.sign(demand)), _table(available), [])
    quantiles = [_table(surface) for surface in _last(forecaster, fed).quantiles]
    return msgspec.structs.replace(fed, quantiles=quantiles)


def _table(values: NDArray[np.generic]) -> list[list[float]]:
    return [[float(value) for value in row] for row in values]


def check(forecaster: Forecaster, expected: SelfTest) -> None:
    """Run a self-test.

    Raises:
        ArtifactCorrupt: If forecasts differ from the recorded ones, or break a law of every forecaster.
    """
    found = _last(forecaster, expected).quantiles
    wanted = np.array(expected.quantiles, dtype=np.float32)
    if found.shape != wanted.shape or not np.allclose(found, wanted, rtol=_RELATIVE, atol=_ABSOLUTE_UNITS):
        raise _failed(forecaster, "its forecasts differ from those recorded when it was made")
    require_laws(forecaster, found)
    for row in range(len(found)):
        if not np.array_equal(_last(forecaster, expected, row).quantiles[0], found[row]):
            raise _failed(forecaster, f"key {row} is forecast otherwise alone than beside others")


def require_laws(forecaster: Forecaster, quantiles: Float32s) -> None:
    """Require a finite surface of the forecaster's grid, not negative, rising in horizon and level.

    Raises:
        ArtifactCorrupt: If it is not.
    """
    grid = forecaster.grid
    if quantiles.shape[1:] != (len(grid.horizons_buckets), len(grid.levels)):
        raise _failed(forecaster, f"its forecasts have shape {quantiles.shape}, its grid another")
    if not np.isfinite(quantiles).all() or (quantiles < 0).any():
        raise _failed(forecaster, "it forecasts units that are negative or no number")
    if (np.diff(quantiles, axis=1) < 0).any() or (np.diff(quantiles, axis=2) < 0).any():
        raise _failed(forecaster, "its quantiles cross")


def _failed(forecaster: Forecaster, what: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(f"version {forecaster.version} fails its self-test: {what}. Train and publish it again")


def _last(forecaster: Forecaster, fed: SelfTest, row: int | None = None) -> Forecast:
    """Forecast after the last bucket, of all keys or of one row alone."""
    rows = slice(None) if row is None else slice(row, row + 1)
    forecast = None
    for closed in _buckets(fed, rows):
        fresh = np.zeros((len(closed.demand_units), forecaster.memory_floats), dtype=np.float32)
        forecast = forecaster.step(closed, forecast.memory if forecast else fresh)
    if forecast is None or forecast.memory.shape[1:] != (forecaster.memory_floats,):
        raise _failed(forecaster, "it has no buckets, or a memory of another size")
    return forecast


def _buckets(fed: SelfTest, rows: slice) -> Iterator[ClosedBucket]:
    demand, lines, available = (
        np.array(values, dtype=np.float32) for values in (fed.demand_units, fed.order_lines, fed.available_ratio)
    )
    if demand.ndim != 2 or not demand.shape == lines.shape == available.shape or max(demand.shape) > _LONGEST:
        raise ArtifactCorrupt("the recorded self-test is not one small table per input. Publish the version again")
    for step in range(len(demand)):
        units = demand[step, rows]
        age = np.full(len(units), step, dtype=np.int32)
        yield ClosedBucket(fed.first_bucket + step, units, lines[step, rows], available[step, rows], age)
