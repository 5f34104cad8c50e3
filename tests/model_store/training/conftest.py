"""Nets trained once for all tests: TensorFlow is loaded when the first of them is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from model_store.spec import FeatureSpec, default_features
from model_store.training.dataset import Sequences, sequences
from replenishment.quantiles import QuantileGrid
from tests.model_store.training.builders import DAY, SILENT, steady

if TYPE_CHECKING:
    from model_store.training.fit import Fitted

TINY_GRID = QuantileGrid((1, 2, 7, 14), (0.1, 0.5, 0.9, 0.99))


@dataclass(frozen=True)
class Net:
    """A fitted net and what it was shown."""

    fitted: Fitted
    shown: Sequences
    spec: FeatureSpec


def fitted_net(steps: int, seed: int = 0) -> Net:
    """A net of the shop's features over a small grid, after some steps."""
    from model_store.training.fit import Schedule, fit

    spec = default_features(DAY, (5,))
    shown = sequences(steady(), spec, TINY_GRID, seed)
    fitted = fit(shown, spec, Schedule(steps), seed, clock=lambda: 0.0, stage=SILENT.stage("fitting"))
    return Net(fitted, shown, spec)


@pytest.fixture(scope="session")
def net() -> Net:
    """A net after thirty steps."""
    return fitted_net(30)
