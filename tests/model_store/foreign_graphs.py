"""Graphs as exporters write them, made with onnx.helper: names of their own, shapes as arithmetic, a free batch."""

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from model_store.importing.wish import Wish
from model_store.spec import default_grid
from replenishment.arrays import Float32s
from replenishment.quantiles import QuantileGrid
from tests.model_store.builders import DAY

STATE, HORIZONS, LEVELS, CONTEXT = 6, 14, 11, 12


def wish(**said: object) -> Wish:
    """What is said of a graph, unless a test says otherwise."""
    return Wish(**({"kind": "mine", "width": DAY, "grid": default_grid()} | said))  # type: ignore[arg-type]  # of fields


def named(name: str, *dims: str | int, element: int = TensorProto.FLOAT) -> ValueInfoProto:
    """An input or output."""
    return helper.make_tensor_value_info(name, element, dims)


def node(operator: str, read: str, made: str, **attributes: object) -> NodeProto:
    """A node; names with blanks between them."""
    return helper.make_node(operator, read.split(), made.split(), None, None, None, None, **attributes)


def model_of(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
    weights: dict[str, np.ndarray],
) -> ModelProto:
    """A model of one graph."""
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(list(nodes), "main_graph", list(inputs), list(outputs), tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10, producer_name="pytorch")


def drawn(*shape: int, spread: float = 0.2) -> Float32s:
    """Weights."""
    return np.random.default_rng(5).normal(0, spread, shape).astype(np.float32)


def step_model(inputs: int = 42, *, reads: Sequence[NodeProto] = ()) -> ModelProto:
    """A recurrent step from ``x`` (N, F) and ``s`` (N, R) to ``y`` (N, H, Q) and ``t`` (N, R).

    ``reads`` come first and may make of ``x`` the ``read`` that goes in.
    """
    nodes = [
        *(reads or [node("Clip", "x lowest highest", "read")]),
        node("Gemm", "read kernel bias", "driven"),
        node("MatMul", "s recurrent", "remembered"),
        node("Add", "driven remembered", "total"),
        node("Tanh", "total", "t"),
        node("MatMul", "t head", "heads"),
        node("Softplus", "heads", "flat"),
        node("Shape", "x", "sizes"),
        node("Gather", "sizes first", "batch", axis=0),
        node("Unsqueeze", "batch axis", "batches"),
        node("Concat", "batches rest", "surface", axis=0),
        node("Reshape", "flat surface", "increments"),
        node("CumSum", "increments one", "over_horizons"),
        node("CumSum", "over_horizons two", "y"),
    ]
    weights = {
        "lowest": np.array(-8, dtype=np.float32),
        "highest": np.array(8, dtype=np.float32),
        "kernel": drawn(inputs, STATE),
        "bias": drawn(STATE),
        "recurrent": drawn(STATE, STATE),
        "head": drawn(STATE, HORIZONS * LEVELS),
        "first": np.array(0),
        "axis": np.array([0]),
        "rest": np.array([HORIZONS, LEVELS]),
        "one": np.array(1),
        "two": np.array(2),
    }
    outputs = [named("y", "N", HORIZONS, LEVELS), named("t", "N", STATE)]
    return model_of(nodes, [named("x", "N", inputs), named("s", "N", STATE)], outputs, weights)


def demand_step_model() -> ModelProto:
    """A step on the bare facts of a bucket, which takes logarithms itself."""
    return step_model(
        3, reads=[node("Relu", "x", "positive"), node("Add", "positive highest", "more"), node("Log", "more", "read")]
    )


def window_model(horizons: int = HORIZONS, levels: int = LEVELS, *, falls: bool = False) -> ModelProto:
    """From ``past`` (N, C) to ``out`` (N, H, Q): the mean, times h and by level; ``falls``: the wrong way round."""
    surface = np.arange(1, horizons + 1)[:, None] * np.linspace(0.5, 3, levels)
    weights = {"surface": (surface[::-1, ::-1] if falls else surface).astype(np.float32), "axes": np.array([1, 2])}
    nodes = [
        node("Unsqueeze", "past axis", "column"),
        node("ReduceMean", "column axes", "mean", keepdims=1),
        node("Mul", "mean surface", "out"),
    ]
    weights["axis"] = np.array([2])
    return model_of(nodes, [named("past", "N", CONTEXT)], [named("out", "N", horizons, levels)], weights)


def window_wish(**said: object) -> Wish:
    """What is said of a window, unless a test says otherwise."""
    return wish(**({"kind": "mine", "scale": "mean", "grid": QuantileGrid((1, 7, 14), (0.5, 0.9, 0.99))} | said))
