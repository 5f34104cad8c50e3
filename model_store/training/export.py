"""The net as a step graph of pure tensor operators, and the proof that it forecasts what Keras does.

Standardisation and clipping are in the graph, so that serving hands over raw
features. Written node by node with ``onnx.helper``: no exporter guesses.
"""

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, ValueInfoProto, helper, numpy_helper

from model_store.onnx_step import OnnxStep
from model_store.spec import FeatureSpec
from model_store.training.dataset import CLIP, Standardisation
from model_store.training.errors import TrainingFailed
from model_store.training.fit import Fitted
from model_store.training.network import StepWeights
from replenishment.arrays import Float32s
from replenishment.quantiles import QuantileGrid

OPSET, IR_VERSION = 18, 10
MOST_DIFFERENCE = 1e-4
"""Largest difference to Keras, relative to the largest quantile of a key."""
_PROBED_KEYS, _PROBED_BUCKETS = 64, 48

_NODES: tuple[tuple[str, list[str], list[str], dict[str, int]], ...] = (
    ("Sub", ["features", "mean"], ["centred"], {}),
    ("Mul", ["centred", "inverse_deviation"], ["standard"], {}),
    ("Clip", ["standard", "lowest", "highest"], ["inputs"], {}),
    ("Slice", ["inputs", "own_start", "own_end", "columns"], ["own"], {}),
    ("Gemm", ["own", "own_kernel", "own_bias"], ["own_sum"], {}),
    ("Relu", ["own_sum"], ["own_dense"], {}),
    ("Split", ["state"], ["h", "c"], {"axis": 1, "num_outputs": 2}),
    ("Gemm", ["own_dense", "kernel", "bias"], ["gates_in"], {}),
    ("MatMul", ["h", "recurrent_kernel"], ["gates_back"], {}),
    ("Add", ["gates_in", "gates_back"], ["gates"], {}),
    ("Split", ["gates"], ["i", "f", "g", "o"], {"axis": 1, "num_outputs": 4}),
    ("Sigmoid", ["i"], ["i_open"], {}),
    ("Sigmoid", ["f"], ["f_open"], {}),
    ("Sigmoid", ["o"], ["o_open"], {}),
    ("Tanh", ["g"], ["candidate"], {}),
    ("Mul", ["f_open", "c"], ["kept"], {}),
    ("Mul", ["i_open", "candidate"], ["written"], {}),
    ("Add", ["kept", "written"], ["c_out"], {}),
    ("Tanh", ["c_out"], ["c_squashed"], {}),
    ("Mul", ["o_open", "c_squashed"], ["h_out"], {}),
    ("Concat", ["h_out", "c_out"], ["state_out"], {"axis": 1}),
    ("Gemm", ["inputs", "skip_kernel", "skip_bias"], ["skip_sum"], {}),
    ("Relu", ["skip_sum"], ["skip_dense"], {}),
    ("Concat", ["h_out", "skip_dense"], ["joined"], {"axis": 1}),
    ("Gemm", ["joined", "mix_kernel", "mix_bias"], ["mix_sum"], {}),
    ("Relu", ["mix_sum"], ["mixed"], {}),
    ("Gemm", ["mixed", "head_kernel", "head_bias"], ["head_sum"], {}),
    ("Reshape", ["head_sum", "head_shape"], ["head"], {}),
    # softplus(x) = max(x, 0) - log(sigmoid(|x|)): in ONNX Runtime a quarter of the operator Softplus's time.
    ("Abs", ["head"], ["head_size"], {}),
    ("Sigmoid", ["head_size"], ["head_open"], {}),
    ("Log", ["head_open"], ["head_log"], {}),
    ("Relu", ["head"], ["head_ramp"], {}),
    ("Sub", ["head_ramp", "head_log"], ["increments"], {}),
    # Running sums of what is not negative never fall, to the last bit; a matrix product may.
    ("CumSum", ["increments", "horizon_axis"], ["over_horizons"], {}),
    ("CumSum", ["over_horizons", "level_axis"], ["quantiles"], {}),
)


def step_graph(weights: StepWeights, standardisation: Standardisation, spec: FeatureSpec, grid: QuantileGrid) -> bytes:
    """Return the serialised step graph: ``features`` (B, F) and ``state`` to ``quantiles`` (B, H, Q) and ``state_out``.

    State (B, 2U) is h beside c; quantiles are in units of scale.
    """
    horizons, levels = len(grid.horizons_buckets), len(grid.levels)
    state = 2 * len(weights.recurrent_kernel)
    constants: dict[str, NDArray[np.generic]] = {
        "mean": standardisation.mean,
        "inverse_deviation": standardisation.inverse_deviation,
        "lowest": np.array(-CLIP, dtype=np.float32),
        "highest": np.array(CLIP, dtype=np.float32),
        "own_start": np.array([0]),
        "own_end": np.array([spec.demand_inputs]),
        "columns": np.array([1]),
        "head_shape": np.array([0, horizons, levels]),
        "horizon_axis": np.array(1),
        "level_axis": np.array(2),
    }
    graph = helper.make_graph(
        [helper.make_node(kind, read, made, None, None, None, None, **extra) for kind, read, made, extra in _NODES],
        "step",
        [_value("features", ["B", spec.inputs]), _value("state", ["B", state])],
        [_value("quantiles", ["B", horizons, levels]), _value("state_out", ["B", state])],
        [
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in (asdict(weights) | constants).items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())


def parity(graph: bytes, fitted: Fitted, standardisation: Standardisation, spec: FeatureSpec, seed: int) -> float:
    """Return the largest difference between the served graph and Keras, relative to a key's largest quantile.

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
    difference = float((np.abs(found - wanted).max(axis=(2, 3)) / wanted.max(axis=(2, 3))).max())
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


def _value(name: str, dims: list[str | int]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
