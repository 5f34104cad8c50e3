"""Small step graphs written with onnx.helper: a sound LSTM, and parts to build unsound ones from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from tests.model_store.numpy_lstm import LstmWeights

LSTM_NODES: tuple[tuple[str, list[str], list[str], dict[str, int]], ...] = (
    ("Sub", ["features", "mean"], ["centred"], {}),
    ("Mul", ["centred", "inverse_deviation"], ["standard"], {}),
    ("Clip", ["standard", "lowest", "highest"], ["clipped"], {}),
    ("Gemm", ["clipped", "dense_kernel", "dense_bias"], ["dense_sum"], {}),
    ("Relu", ["dense_sum"], ["dense"], {}),
    ("Split", ["state"], ["h", "c"], {"axis": 1, "num_outputs": 2}),
    ("Gemm", ["dense", "kernel", "bias"], ["gates_in"], {}),
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
    ("Concat", ["h_out", "dense"], ["joined"], {"axis": 1}),
    ("Gemm", ["joined", "mix_kernel", "mix_bias"], ["mix_sum"], {}),
    ("Relu", ["mix_sum"], ["mixed"], {}),
    ("Gemm", ["mixed", "head_kernel", "head_bias"], ["head_sum"], {}),
    ("Reshape", ["head_sum", "head_shape"], ["head"], {}),
    # softplus(x) = max(x, 0) - log(sigmoid(|x|)): the same function at a quarter of the operator Softplus's time.
    ("Abs", ["head"], ["head_size"], {}),
    ("Sigmoid", ["head_size"], ["head_open"], {}),
    ("Log", ["head_open"], ["head_log"], {}),
    ("Relu", ["head"], ["head_ramp"], {}),
    ("Sub", ["head_ramp", "head_log"], ["increments"], {}),
    ("CumSum", ["increments", "horizon_axis"], ["over_horizons"], {}),
    ("CumSum", ["over_horizons", "level_axis"], ["quantiles"], {}),
)


def step_model(
    nodes: Sequence[NodeProto],
    weights: Mapping[str, NDArray[np.generic]],
    sizes: tuple[int, int, int, int],
) -> ModelProto:
    """A model with the documented inputs and outputs; sizes are F, R, H, Q."""
    inputs, state, horizons, levels = sizes
    graph = helper.make_graph(
        list(nodes),
        "step",
        [_value("features", ["B", inputs]), _value("state", ["B", state])],
        [_value("quantiles", ["B", horizons, levels]), _value("state_out", ["B", state])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def lstm_model(weights: LstmWeights, horizons: int, levels: int) -> ModelProto:
    """The LSTM of `numpy_lstm` as a step graph."""
    constants: dict[str, NDArray[np.generic]] = {
        "lowest": np.array(-6, dtype=np.float32),
        "highest": np.array(6, dtype=np.float32),
        "head_shape": np.array([0, horizons, levels]),
        "horizon_axis": np.array(1),
        "level_axis": np.array(2),
    }
    nodes = [
        helper.make_node(kind, inputs, outputs, None, None, None, None, **extra)
        for kind, inputs, outputs, extra in LSTM_NODES
    ]
    sizes = (len(weights.mean), 2 * len(weights.recurrent_kernel), horizons, levels)
    return step_model(nodes, {**asdict(weights), **constants}, sizes)


def lstm_bytes(seed: int = 0, inputs: int = 42, units: int = 16, grid: tuple[int, int] = (14, 11)) -> bytes:
    """A random LSTM graph, serialised."""
    weights = LstmWeights.random(seed, inputs, units, grid[0] * grid[1])
    return bytes(lstm_model(weights, *grid).SerializeToString())


def _value(name: str, dims: Sequence[str | int]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
