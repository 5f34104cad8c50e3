"""Seasonal least squares: demand as a weighted sum of the buckets before, weights by least squares over all keys.

The weights are at least 0 and add up to 1, so a SKU that always sells the same
is forecast exactly, and no forecast is below zero.

Source: Lawson & Hanson, Solving Least Squares Problems, 1974, chapter 23 (weights of at least 0).
"""

import numpy as np

from model_store.errors import SpecMismatch
from model_store.kinds.exponential_smoothing import required
from model_store.kinds.lag_weights import LagWeights
from model_store.spec import ModelSpec


def weight_name(lag: int) -> str:
    """Return the name of the weight of the demand ``lag`` buckets ago, from 1.

    Example:
        >>> weight_name(7)
        'weight_0007'
    """
    return f"weight_{lag:04}"


def build(version: str, spec: ModelSpec) -> LagWeights:
    """Return the forecaster of the weights in a spec.

    Raises:
        SpecMismatch: If a weight is missing or out of range.
    """
    names = [weight_name(lag) for lag in range(1, spec.context_buckets + 1)]
    missing = [name for name in names if name not in spec.parameters]
    if missing:
        raise SpecMismatch(f"version {version}: parameter {missing[0]} is missing. Train it again")
    weights = np.array([spec.parameters[name] for name in names])
    return LagWeights(version, spec, weights, required(version, spec, "spread", 0, 100))
