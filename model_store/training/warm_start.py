"""Weights of a version read back from its step graph, so that a net can be trained on instead of anew.

A graph holds its weights under numbers. The same net is written again with
marked weights, which shows the number of each; what is read is proven by
writing it once more: the bytes must be those of the version.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from model_store.spec import FeatureSpec
from model_store.training.dataset import Standardisation
from model_store.training.export import net_graph
from model_store.training.graph_writer import Member
from model_store.training.nets import Net
from model_store.training.network import NetArrays, arrays_of, build
from replenishment.arrays import Float32s
from replenishment.quantiles import QuantileGrid

_FIRST_MARK = 1000
"""Larger than any constant that a graph has beside its weights."""


def members_of(graph: bytes, nets: Sequence[Net], spec: FeatureSpec, grid: QuantileGrid) -> list[Member] | None:
    """Return the nets of a step graph with their weights; None if it is no graph of such nets written here."""
    marked = _marked(nets, spec, grid)
    numbers = {}
    for tensor in onnx.load_from_string(net_graph(marked, spec, grid)).graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype == np.float32 and value.size and value.flat[0] >= _FIRST_MARK:
            numbers[int(value.flat[0])] = tensor.name
    held = {one.name: numpy_helper.to_array(one) for one in onnx.load_from_string(graph).graph.initializer}
    try:
        found = [_read(member, numbers, held) for member in marked]
    except (KeyError, ValueError):
        return None
    return found if net_graph(found, spec, grid) == graph else None


def _marked(nets: Sequence[Net], spec: FeatureSpec, grid: QuantileGrid) -> list[Member]:
    """Nets of which each array is filled with a number of its own."""
    mark, members = _FIRST_MARK, []
    for net in nets:
        shapes = {name: array.shape for name, array in arrays_of(build(spec, grid, net).whole).items()}
        shapes |= {"mean": (spec.inputs,), "inverse_deviation": (spec.inputs,)}
        arrays: dict[str, Float32s] = {}
        for name, shape in shapes.items():
            arrays[name] = np.full(shape, mark, dtype=np.float32)
            mark += 1
        members.append(Member(net, arrays, Standardisation(arrays.pop("mean"), arrays.pop("inverse_deviation"))))
    return members


def _read(marked: Member, numbers: dict[int, str], held: dict[str, Float32s]) -> Member:
    def real(mark: Float32s) -> Float32s:
        return held[numbers[int(mark.flat[0])]].reshape(mark.shape)

    arrays: NetArrays = {name: real(mark) for name, mark in marked.arrays.items()}
    standardisation = Standardisation(real(marked.standardisation.mean), real(marked.standardisation.inverse_deviation))
    return Member(marked.net, arrays, standardisation)
