"""Writes a net as nodes of a step graph with ``onnx.helper``: no exporter guesses, only pure tensor operators.

Standardisation and clipping are in the graph, so that serving hands over raw
features. State of an LSTM layer is h beside c; of a convolution the inputs
that it reaches back to, oldest first; layers follow each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from model_store.spec import FeatureSpec
from model_store.training.dataset import CLIP, Standardisation
from model_store.training.decoder import LEAST_FACTOR
from model_store.training.nets import Net
from model_store.training.network import NetArrays
from replenishment.quantiles import QuantileGrid

OPSET, IR_VERSION = 18, 10


@dataclass(frozen=True, slots=True)
class Member:
    """One net of a graph: its shape, weights, and how its inputs are standardised."""

    net: Net
    arrays: NetArrays
    standardisation: Standardisation


@dataclass(frozen=True, slots=True)
class Written:
    """Names of what a written net yields: quantiles, and its next state in parts."""

    quantiles: str
    states: list[str]


@dataclass(slots=True)
class GraphWriter:
    """Nodes and constants of a graph that is being written; names are numbers, so equal nets are equal bytes."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    _count: int = 0

    def constant(self, array: NDArray[np.generic]) -> str:
        """Hold weights or indices, and return their name."""
        name = self._next("c")
        self.constants[name] = np.ascontiguousarray(array) if array.ndim else array
        return name

    def add(self, operator: str, read: Sequence[str], **extra: int) -> str:
        """Write a node with one output, and return its name."""
        made = self._next("v")
        self.nodes.append(helper.make_node(operator, list(read), [made], None, None, None, None, **extra))
        return made

    def split(self, value: str, widths: Sequence[int]) -> list[str]:
        """Cut columns into parts of these widths."""
        if len(widths) == 1:
            return [value]
        made = [self._next("v") for _ in widths]
        sizes = self.constant(np.array(widths, dtype=np.int64))
        self.nodes.append(helper.make_node("Split", [value, sizes], made, None, None, None, None, axis=1))
        return made

    def columns(self, value: str, start: int, end: int) -> str:
        """Take columns from ``start`` up to ``end``."""
        indices = [self.constant(np.array([index], dtype=np.int64)) for index in (start, end, 1)]
        return self.add("Slice", [value, *indices])

    def concat(self, values: Sequence[str]) -> str:
        """Put columns side by side."""
        return self.add("Concat", values, axis=1)

    def dense(self, value: str, arrays: NetArrays, name: str) -> str:
        """Write a dense layer without activation."""
        kernel, bias = arrays[f"{name}_kernel"], arrays[f"{name}_bias"]
        return self.add("Gemm", [value, self.constant(kernel), self.constant(bias)])

    def rename(self, value: str, name: str) -> None:
        """Give an output of the last nodes the name that the graph shows."""
        for node in self.nodes:
            node.output[:] = [name if one == value else one for one in node.output]
            node.input[:] = [name if one == value else one for one in node.input]

    def serialised(self, inputs: int, state: int, grid: QuantileGrid) -> bytes:
        """Return the graph with its inputs and outputs."""
        horizons, levels = len(grid.horizons_buckets), len(grid.levels)
        graph = helper.make_graph(
            self.nodes,
            "step",
            [_value("features", ["B", inputs]), _value("state", ["B", state])],
            [_value("quantiles", ["B", horizons, levels]), _value("state_out", ["B", state])],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        return bytes(model.SerializeToString())

    def _next(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"


def written_net(writer: GraphWriter, member: Member, state: str, spec: FeatureSpec, grid: QuantileGrid) -> Written:
    """Write one net that reads ``features`` and its part of the state."""
    net, arrays = member.net, member.arrays
    inputs = _standardised(writer, member.standardisation)
    own = writer.columns(inputs, 0, spec.demand_inputs)
    read = writer.add("Relu", [writer.dense(own, arrays, "own")])
    core = {"lstm": _lstm, "cnn": _cnn, "mlp": _mlp}[net.core]
    remembered, states = core(writer, net, arrays, read, state)
    passed = writer.columns(inputs, 0, spec.inputs - spec.ahead_inputs) if spec.ahead_inputs else inputs
    around = writer.add("Relu", [writer.dense(passed, arrays, "skip")])
    mixed = writer.add("Relu", [writer.dense(writer.concat([remembered, around]), arrays, "mix")])
    factors = None
    if spec.ahead_inputs:
        ahead = writer.columns(inputs, spec.inputs - spec.ahead_inputs, spec.inputs)
        factors = _factors(writer, arrays, ahead, mixed, len(grid.horizons_buckets))
    return Written(_head(writer, writer.dense(mixed, arrays, "head"), grid, factors), states)


def _standardised(writer: GraphWriter, standardisation: Standardisation) -> str:
    centred = writer.add("Sub", ["features", writer.constant(standardisation.mean)])
    standard = writer.add("Mul", [centred, writer.constant(standardisation.inverse_deviation)])
    limits = [writer.constant(np.array(limit, dtype=np.float32)) for limit in (-CLIP, CLIP)]
    return writer.add("Clip", [standard, *limits])


def _lstm(writer: GraphWriter, net: Net, arrays: NetArrays, read: str, state: str) -> tuple[str, list[str]]:
    carried, states = writer.split(state, [width for width in net.widths for _ in "hc"]), []
    for place, width in enumerate(net.widths):
        h, c = carried[2 * place : 2 * place + 2]
        gates_in = writer.dense(read, arrays, f"core_{place}")
        kernel = writer.constant(arrays[f"core_{place}_recurrent_kernel"])
        gates = writer.add("Add", [gates_in, writer.add("MatMul", [h, kernel])])
        i, f, g, o = writer.split(gates, [width] * 4)
        kept = writer.add("Mul", [writer.add("Sigmoid", [f]), c])
        put = writer.add("Mul", [writer.add("Sigmoid", [i]), writer.add("Tanh", [g])])
        c_out = writer.add("Add", [kept, put])
        read = writer.add("Mul", [writer.add("Sigmoid", [o]), writer.add("Tanh", [c_out])])
        states += [read, c_out]
    return read, states


def _cnn(writer: GraphWriter, net: Net, arrays: NetArrays, read: str, state: str) -> tuple[str, list[str]]:
    rings, states = writer.split(state, [w * reach for w, reach in zip(net.widths, net.reaches, strict=True)]), []
    for place, (width, reach) in enumerate(zip(net.widths, net.reaches, strict=True)):
        ring = rings[place]
        far = ring if reach == 1 else writer.columns(ring, 0, width)
        newer = [] if reach == 1 else [writer.columns(ring, width, width * reach)]
        states += [*newer, read]
        taps = {
            "taps_kernel": arrays[f"core_{place}_kernel"].reshape(2 * width, width),
            "taps_bias": arrays[f"core_{place}_bias"],
        }
        both = writer.add("Relu", [writer.dense(writer.concat([far, read]), taps, "taps")])
        read = writer.add("Add", [read, writer.dense(both, arrays, f"core_{place}_add")])
    return read, states


def _mlp(writer: GraphWriter, net: Net, arrays: NetArrays, read: str, state: str) -> tuple[str, list[str]]:
    for place in range(len(net.widths)):
        read = writer.add("Relu", [writer.dense(read, arrays, f"core_{place}")])
    # A graph has a state; this one's stays zero.
    return read, [writer.add("Mul", [state, writer.constant(np.zeros(1, dtype=np.float32))])]


def _factors(writer: GraphWriter, arrays: NetArrays, ahead: str, mixed: str, horizons: int) -> str:
    """What `decoder` makes of the inputs ahead (B, H * C): the same weights at every horizon."""
    channels, units = arrays["decoder_ahead_kernel"].shape

    def reshaped(value: str, *sizes: int) -> str:
        return writer.add("Reshape", [value, writer.constant(np.array([0, *sizes], dtype=np.int64))])

    kernels = {name: writer.constant(arrays[f"decoder_{name}_kernel"]) for name in ("ahead", "out")}
    read = writer.add("MatMul", [reshaped(ahead, horizons, channels), kernels["ahead"]])
    context = reshaped(writer.dense(mixed, arrays, "decoder_context"), 1, units)
    hidden = writer.add("Relu", [writer.add("Add", [read, context])])
    bias = writer.constant(arrays["decoder_out_bias"])
    factors = _softplus(writer, writer.add("Add", [writer.add("MatMul", [hidden, kernels["out"]]), bias]))
    return writer.add("Add", [factors, writer.constant(np.array(LEAST_FACTOR, dtype=np.float32))])


def _softplus(writer: GraphWriter, value: str) -> str:
    # softplus(x) = max(x, 0) - log(sigmoid(|x|)): in ONNX Runtime a quarter of the operator Softplus's time.
    size = writer.add("Log", [writer.add("Sigmoid", [writer.add("Abs", [value])])])
    return writer.add("Sub", [writer.add("Relu", [value]), size])


def _head(writer: GraphWriter, head: str, grid: QuantileGrid, factors: str | None) -> str:
    shape = np.array([0, len(grid.horizons_buckets), len(grid.levels)], dtype=np.int64)
    increments = _softplus(writer, writer.add("Reshape", [head, writer.constant(shape)]))
    if factors is not None:
        increments = writer.add("Mul", [increments, factors])
    # Running sums of what is not negative never fall, to the last bit; a matrix product may.
    over_horizons = writer.add("CumSum", [increments, writer.constant(np.array(1))])
    return writer.add("CumSum", [over_horizons, writer.constant(np.array(2))])


def _value(name: str, dims: list[str | int]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
