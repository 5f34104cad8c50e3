"""A learned kind: streaming features, a net stepped once per closed bucket, and the scale that turns it into units.

Memory of a key is its feature statistics, those of signals if the version
reads any, then the recurrent state of the net.
"""

from typing import Protocol

import numpy as np

from model_store.errors import SpecMismatch
from model_store.features import FeatureState, features, observe
from model_store.onnx_graph import GraphShape
from model_store.signal_features import signal_floats, signal_inputs
from model_store.spec import FeatureSpec, ModelSpec
from replenishment.arrays import Float32s
from replenishment.forecaster import ClosedBucket, Forecast


class StepNet(Protocol):
    """A net that is stepped; see `onnx_step` and `onnx_block`."""

    @property
    def shape(self) -> GraphShape:
        """Sizes F, R, H and Q of the net."""
        ...

    def run(self, features: Float32s, state: Float32s) -> tuple[Float32s, Float32s]:
        """Return scaled quantiles (B, H, Q) and the next state (B, R)."""
        ...


class Learned:
    """Forecaster of any net that keeps the contract of `onnx_step`.

    Raises:
        SpecMismatch: If the spec has no features or the graph other sizes than the spec.
    """

    def __init__(self, version: str, spec: ModelSpec, net: StepNet) -> None:
        self._features = _matching_features(version, spec, net.shape)
        self._net = net
        self._demand_floats = FeatureState.width(self._features)
        self._statistics = self._demand_floats + signal_floats(self._features)
        self.version = version
        self.grid = spec.grid
        self.context_buckets = spec.context_buckets
        self.memory_floats = self._statistics + net.shape.state_floats

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        """Observe one bucket, run the net and scale its quantiles back to units."""
        split = self._statistics
        statistics = np.array(memory[:, :split], dtype=np.float32, order="F")
        state = FeatureState.view(self._features, statistics)
        observe(self._features, state, closed)
        inputs = features(self._features, state, closed)
        if self._features.signals:
            signals = np.array(statistics[:, self._demand_floats :], order="C")
            inputs = np.concatenate([inputs, signal_inputs(self._features, signals, closed)], axis=1)
            statistics[:, self._demand_floats :] = signals
        quantiles, recurrent = self._net.run(inputs, memory[:, split:])
        quantiles *= state.scale[:, None, None]
        advanced = np.empty(memory.shape, dtype=np.float32)
        advanced[:, :split], advanced[:, split:] = statistics, recurrent
        return Forecast(quantiles, advanced)


def _matching_features(version: str, spec: ModelSpec, shape: GraphShape) -> FeatureSpec:
    if spec.features is None:
        raise SpecMismatch(f"version {version}: kind {spec.kind} needs features in its spec. Train it again")
    wanted = (spec.features.inputs, len(spec.grid.horizons_buckets), len(spec.grid.levels))
    found = (shape.inputs, shape.horizons, shape.levels)
    if wanted != found:
        raise SpecMismatch(
            f"version {version}: its graph has inputs, horizons and levels {found}, its spec {wanted}. Train it again"
        )
    return spec.features
