"""A graph that reads the last buckets of a key at once: the form of pre-trained models.

Memory of a key is its last C buckets, newest last: units + 1, or 0 where
nothing was observed, which is what a memory of zeros says of the time before
a key. Whole units are exact up to 16,777,215 a bucket.
"""

import numpy as np

from model_store.errors import SpecMismatch
from model_store.onnx_block import OnnxBlock
from model_store.spec import ModelSpec
from replenishment.arrays import Bools, Float32s
from replenishment.forecaster import ClosedBucket, Forecast

LOWEST_SCALE_UNITS = 1 / 14
"""Lowest mean that a window is divided by, units per bucket."""


class Window:
    """Forecaster of a graph from ``context`` (B, C), and ``mask`` (B, C) if it has one, to ``quantiles`` (B, H, Q).

    The mask is 1 where a bucket was observed, else 0, and the context is 0 there;
    without a mask such a bucket counts as the mean of those observed.

    Args:
        version: Id of the version.
        spec: Its grid and context, which is C.
        block: The graph.
        is_scaled: Whether the context is divided by the mean of what was observed, and quantiles multiplied by it.

    Raises:
        SpecMismatch: If the graph has other inputs, outputs or sizes than the spec.
    """

    def __init__(self, version: str, spec: ModelSpec, block: OnnxBlock, *, is_scaled: bool) -> None:
        context = (spec.context_buckets,)
        wanted = {"quantiles": (len(spec.grid.horizons_buckets), len(spec.grid.levels))}
        if block.outputs != wanted or block.inputs not in ({"context": context}, {"context": context, "mask": context}):
            raise SpecMismatch(
                f"version {version}: its graph reads {block.inputs} and yields {block.outputs}, must be context and "
                f"maybe mask of {context}, and {wanted}. Import it again"
            )
        self._block = block
        self._has_mask = "mask" in block.inputs
        self._is_scaled = is_scaled
        self.version = version
        self.grid = spec.grid
        self.context_buckets = self.memory_floats = spec.context_buckets

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        """Shift one bucket in and run the graph on all of them."""
        advanced = np.empty(memory.shape, dtype=np.float32)
        advanced[:, :-1] = memory[:, 1:]
        advanced[:, -1] = np.where(closed.available_ratio > 0, closed.demand_units + 1, 0)
        is_observed = advanced > 0
        units = np.where(is_observed, advanced - 1, 0).astype(np.float32)
        mean = _row_means(units, is_observed)
        if not self._has_mask:
            units = np.where(is_observed, units, mean[:, None])
        scale = np.maximum(mean, np.float32(LOWEST_SCALE_UNITS)) if self._is_scaled else np.ones_like(mean)
        context = units / scale[:, None]
        (quantiles,) = self._block.run(*([context, is_observed.astype(np.float32)] if self._has_mask else [context]))
        return Forecast(quantiles * scale[:, None, None], advanced)


def _row_means(units: Float32s, is_observed: Bools) -> Float32s:
    """Means (B,) of what was observed, 0 if nothing was; units (B, C) are 0 elsewhere."""
    sums = np.ascontiguousarray(units).sum(axis=1, dtype=np.float64)
    means: Float32s = (sums / np.maximum(is_observed.sum(axis=1), 1)).astype(np.float32)
    return means
