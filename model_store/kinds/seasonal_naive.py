"""Seasonal naive: the same bucket of the last seasons, averaged, with a negative binomial spread.

Source: Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., section 5.2.
"""

import numpy as np

from model_store.errors import SpecMismatch
from model_store.kinds.exponential_smoothing import required
from model_store.kinds.lag_weights import LagWeights
from model_store.spec import ModelSpec

PARAMETERS = ("season_buckets", "seasons", "spread")


def build(version: str, spec: ModelSpec) -> LagWeights:
    """Return the forecaster of ``seasons`` seasons of ``season_buckets`` buckets.

    Raises:
        SpecMismatch: If a parameter is missing, or seasons and their length do not make the context.
    """
    season = required(version, spec, "season_buckets", 0, 4096)
    seasons = required(version, spec, "seasons", 0, 4096)
    if season * seasons != spec.context_buckets or season != int(season):
        raise SpecMismatch(
            f"version {version}: {seasons:g} seasons of {season:g} buckets are not its context of "
            f"{spec.context_buckets}. Train it again"
        )
    weights = np.zeros(spec.context_buckets)
    weights[int(season) - 1 :: int(season)] = 1 / seasons
    return LagWeights(version, spec, weights, required(version, spec, "spread", 0, 100))
