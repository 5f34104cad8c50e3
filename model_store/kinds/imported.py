"""Models from elsewhere: a graph that is stepped or that reads the last buckets, and a form that says which.

Their kind is a name of the importer's choice; what tells them from others is
that a version has these two files.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np

from model_store.errors import ArtifactCorrupt, SpecMismatch
from model_store.kinds.learned import Learned, StepNet
from model_store.kinds.rearranged import Rearranged
from model_store.kinds.window import Window
from model_store.onnx_block import OnnxBlock, OnnxBlockStep
from model_store.spec import ModelSpec
from replenishment.arrays import Float32s
from replenishment.forecaster import ClosedBucket, Forecast, Forecaster

GRAPH, FORM = "graph.onnx", "form.json"
FILES = frozenset({GRAPH, FORM})
DEMAND_INPUTS = ("demand_units", "order_lines", "available_ratio")
"""What a step without features reads; the first two are 0 where nothing could be sold."""


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a graph is served.

    Attributes:
        form: ``step``: inputs of one bucket and a state to quantiles and the next state; ``window``: demand of the
            last buckets to quantiles.
        scale: ``mean``: a window is divided by its mean, and quantiles are multiplied by it; ``none``: they are units.
            A step on features is in units of the scale of the features, any other one in units.
    """

    form: Literal["step", "window"]
    scale: Literal["mean", "none"] = "none"


def build(version: str, spec: ModelSpec, files: Mapping[str, bytes]) -> Forecaster:
    """Return the forecaster of an imported graph.

    Raises:
        ArtifactCorrupt: If the graph is not safe to run, or the form not readable.
        SpecMismatch: If the graph has other sizes than the spec.
    """
    try:
        form = msgspec.json.decode(files[FORM], type=Form)
    except (ValueError, RecursionError) as error:
        raise ArtifactCorrupt(f"{FORM} of version {version} is not readable ({error}). Import it again") from error
    block = OnnxBlock.from_bytes(files[GRAPH])
    if form.form == "window":
        return Rearranged(Window(version, spec, block, is_scaled=form.scale == "mean"))
    net = OnnxBlockStep(block)
    return Rearranged(Learned(version, spec, net) if spec.features else DemandStep(version, spec, net))


class DemandStep:
    """Forecaster of a graph that reads the bare facts of a bucket, `DEMAND_INPUTS`, and yields units.

    Memory of a key is the state of the graph.

    Raises:
        SpecMismatch: If the graph has other sizes than the spec.
    """

    def __init__(self, version: str, spec: ModelSpec, net: StepNet) -> None:
        wanted = (len(DEMAND_INPUTS), len(spec.grid.horizons_buckets), len(spec.grid.levels))
        found = (net.shape.inputs, net.shape.horizons, net.shape.levels)
        if wanted != found:
            raise SpecMismatch(
                f"version {version}: its graph has inputs, horizons and levels {found}, its spec {wanted}. Import again"
            )
        self._net = net
        self.version = version
        self.grid = spec.grid
        self.context_buckets = spec.context_buckets
        self.memory_floats = net.shape.state_floats

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        """Run the graph on one bucket."""
        seen = closed.available_ratio > 0
        read = np.stack([closed.demand_units * seen, closed.order_lines * seen, closed.available_ratio], axis=1)
        quantiles, state = self._net.run(read.astype(np.float32, copy=False), np.asarray(memory, dtype=np.float32))
        return Forecast(quantiles, state)
