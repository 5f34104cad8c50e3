"""The net as a step graph of pure tensor operators, and the proof that it forecasts what Keras does.

How the nodes are written is in `graph_writer`.
"""

from collections.abc import Sequence

import numpy as np

from model_store.onnx_step import OnnxStep
from model_store.spec import FeatureSpec
from model_store.training.dataset import Standardisation
from model_store.training.errors import TrainingFailed
from model_store.training.fit import Fitted
from model_store.training.graph_writer import GraphWriter, Member, written_net
from model_store.training.network import StepWeights
from replenishment.arrays import Float32s
from replenishment.quantiles import QuantileGrid

MOST_DIFFERENCE = 1e-4
"""Largest difference to Keras, relative to the largest quantile of a key, or to the demand of a mean bucket if more."""
_PROBED_KEYS, _PROBED_BUCKETS = 64, 48


def step_graph(weights: StepWeights, standardisation: Standardisation, spec: FeatureSpec, grid: QuantileGrid) -> bytes:
    """Return the step graph of a net with one LSTM layer; see `net_graph`."""
    return net_graph([Member(weights.net, weights.arrays, standardisation)], spec, grid)


def net_graph(members: Sequence[Member], spec: FeatureSpec, grid: QuantileGrid) -> bytes:
    """Return the serialised step graph: ``features`` (B, F) and ``state`` to ``quantiles`` (B, H, Q) and ``state_out``.

    State (B, R) is that of the members side by side (see `graph_writer`); quantiles are in units of scale, and of
    several members their mean: quantiles averaged level by level, which keeps them from crossing.

    Source:
        Lichtendahl, Grushka-Cockayne & Winkler, Is It Better to Average Probabilities or Quantiles?, Management
        Science 59(7), 2013.
    """
    writer = GraphWriter()
    states = writer.split("state", [member.net.state_floats for member in members])
    written = [written_net(writer, member, state, spec, grid) for member, state in zip(members, states, strict=True)]
    total = written[0].quantiles
    for other in written[1:]:
        total = writer.add("Add", [total, other.quantiles])
    if len(written) > 1:
        total = writer.add("Mul", [total, writer.constant(np.array(1 / len(written), dtype=np.float32))])
    writer.rename(total, "quantiles")
    writer.rename(writer.concat([state for one in written for state in one.states]), "state_out")
    return writer.serialised(spec.inputs, sum(member.net.state_floats for member in members), grid)


def parity(graph: bytes, fitted: Fitted, standardisation: Standardisation, spec: FeatureSpec, seed: int) -> float:
    """Return the largest difference between the served graph and Keras, relative as `MOST_DIFFERENCE` says.

    Both run over the same random inputs, wider than standardised ones ever
    are, bucket by bucket here and as one window there.

    Raises:
        TrainingFailed: If it is more than 1e-4.
    """
    rng = np.random.default_rng(seed)
    deviation = 1 / np.where(standardisation.inverse_deviation > 0, standardisation.inverse_deviation, 1)
    drawn = rng.normal(0, 3, (_PROBED_KEYS, _PROBED_BUCKETS, spec.inputs))
    inputs = (drawn * deviation + standardisation.mean).astype(np.float32)
    standard = standardisation.applied(inputs)
    wanted = fitted.forward(standard[..., : spec.demand_inputs], standard[..., spec.demand_inputs :])
    found = _served(graph, inputs)
    # quantiles are in units of scale: of hardly anything the last bits are no error
    difference = float((np.abs(found - wanted).max(axis=(2, 3)) / np.maximum(wanted.max(axis=(2, 3)), 1)).max())
    if not difference <= MOST_DIFFERENCE:
        raise TrainingFailed(
            f"the exported graph differs from Keras by {difference:.2g} relative, at most {MOST_DIFFERENCE:g} is "
            "accepted. Report this with the versions of tensorflow, onnx and onnxruntime"
        )
    return difference


def _served(graph: bytes, inputs: Float32s) -> Float32s:
    step = OnnxStep.from_bytes(graph)
    state = np.zeros((len(inputs), step.shape.state_floats), dtype=np.float32)
    surfaces = []
    for bucket in range(inputs.shape[1]):
        quantiles, state = step.run(inputs[:, bucket], state)
        surfaces.append(quantiles)
    return np.stack(surfaces, axis=1)
