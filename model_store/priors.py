"""What keys of a category sell in their first weeks, shipped with a version for keys that have hardly sold yet.

A young key's forecast is the average of its own and its category's, quantile
by quantile; its own weighs n / (n + k) after n buckets, and all once it has settled.

Sources:
    Bühlmann, Experience Rating and Credibility, ASTIN Bulletin 4(3), 1967 (n / (n + k)); Lichtendahl,
    Grushka-Cockayne & Winkler, Is It Better to Average Probabilities or Quantiles?, Management Science 59(7), 2013.
"""

from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from model_store.errors import ArtifactCorrupt
from replenishment.arrays import Float32s, Int64s, Names
from replenishment.forecaster import ClosedBucket, Forecast, Forecaster
from replenishment.quantiles import QuantileGrid

PRIORS = "priors.json"
SETTLED_BUCKETS = 28
"""Age at which a key stands on its own."""
LARGEST_PRIORS_BYTES = 2**22
MOST_CATEGORIES = 512
_MOST_CREDIBILITY_BUCKETS = 4096
_LONGEST_CATEGORY_BYTES = 64


class Priors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Demand of young keys, units summed over each horizon, at each level: (H, Q) as nested lists.

    Attributes:
        credibility_buckets: k: after so many buckets a key's own forecast weighs half; 0 = priors are not used.
        overall: Of all young keys; for categories that are not known.
        categories: Of each category.
    """

    credibility_buckets: float
    overall: list[list[float]]
    categories: dict[str, list[list[float]]]

    @classmethod
    def from_json(cls, raw: bytes, grid: QuantileGrid) -> Self:
        """Return what `to_json` wrote.

        Raises:
            ArtifactCorrupt: If it is not readable, or a surface is not one of the grid that never falls.
        """
        try:
            read = msgspec.json.decode(raw, type=cls)
        except (ValueError, RecursionError) as error:
            raise _refused(f"is not readable ({error})") from error
        if not 0 <= read.credibility_buckets <= _MOST_CREDIBILITY_BUCKETS:
            raise _refused(f"has a credibility of {read.credibility_buckets} buckets")
        if len(read.categories) > MOST_CATEGORIES:
            raise _refused(f"has {len(read.categories)} categories, at most {MOST_CATEGORIES}")
        if not all(0 < len(name.encode()) <= _LONGEST_CATEGORY_BYTES for name in read.categories):
            raise _refused("has a category without a name, or with one of more than 64 bytes")
        for surface in (read.overall, *read.categories.values()):
            _require_surface(surface, grid)
        return read

    def to_json(self) -> bytes:
        """Return the one JSON form."""
        return msgspec.json.encode(self)


class WithPriors:
    """A forecaster whose young keys lean on what their category sells."""

    def __init__(self, own: Forecaster, priors: Priors) -> None:
        self._own = own
        self._priors = priors
        self.version = own.version
        self.grid = own.grid
        self.memory_floats = own.memory_floats
        self.context_buckets = own.context_buckets

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        """Step the version, and blend the forecasts of young keys with their category's."""
        forecast = self._own.step(closed, memory)
        young = np.flatnonzero(closed.age_buckets + 1 < SETTLED_BUCKETS)
        if not len(young) or not self._priors.credibility_buckets:
            return forecast
        quantiles = forecast.quantiles.copy()
        weight = prior_weight(closed.age_buckets[young] + 1, self._priors.credibility_buckets)[:, None, None]
        prior = surfaces_of(self._priors, closed.categories, young)
        blended = (1 - weight) * quantiles[young] + weight * prior
        # Rounding must not let a surface cross by a last bit.
        quantiles[young] = np.maximum.accumulate(np.maximum.accumulate(blended, axis=1), axis=2)
        return Forecast(quantiles, forecast.memory)


def surfaces_of(priors: Priors, categories: Names | None, rows: Int64s) -> Float32s:
    """Return the surface (N, H, Q) of each row's category; of all keys where there is none of that name."""
    names = [b""] if categories is None else categories[rows].tolist()
    known = {name: place for place, name in enumerate(dict.fromkeys(names))}
    surfaces = [priors.categories.get(name.decode(errors="replace"), priors.overall) for name in known]
    places = [known[name] for name in names] if categories is not None else [0] * len(rows)
    return np.array(surfaces, dtype=np.float32)[places]


def prior_weight(observed_buckets: NDArray[np.signedinteger], credibility_buckets: float) -> Float32s:
    """Return how much the category weighs after so many buckets (B,): k / (n + k), fading to 0 at `SETTLED_BUCKETS`.

    Example:
        >>> prior_weight(np.array([2, 14, 28]), 2.0).tolist()
        [0.4642857015132904, 0.0625, 0.0]
    """
    fading = np.maximum(1 - observed_buckets / SETTLED_BUCKETS, 0)
    return np.asarray(credibility_buckets / (observed_buckets + credibility_buckets) * fading, dtype=np.float32)


def _require_surface(surface: list[list[float]], grid: QuantileGrid) -> None:
    sizes = (len(grid.horizons_buckets), len(grid.levels))
    if len(surface) != sizes[0] or any(len(row) != sizes[1] for row in surface):
        raise _refused(f"has a surface that is not of {sizes[0]} horizons and {sizes[1]} levels")
    units = np.array(surface)
    rises = (np.diff(units, axis=0) >= 0).all() and (np.diff(units, axis=1) >= 0).all()
    if not (np.isfinite(units).all() and (units >= 0).all() and rises):
        raise _refused("has units that are negative, no number, or cross")


def _refused(what: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(f"{PRIORS} {what}. Train and publish the version again")
