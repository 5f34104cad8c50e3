"""An imported graph as it is stored: one fixed number of rows, checked again before it runs.

Rows go through in blocks of exactly as many as the graph was written for, the
last one padded with zeros. All values of a run thus have the sizes that were
checked, whatever the batch.
"""

from typing import Self

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto

from model_store.onnx_graph import GraphShape
from model_store.onnx_operators import refused
from model_store.onnx_plain import plain_model
from model_store.onnx_static import StaticGraph
from model_store.runtime import InferenceSession, session_of
from replenishment.arrays import Float32s

BLOCK_ROWS = 64
"""Rows that a graph is written for when it is imported."""
STEP_NAMES = ("features", "state"), ("quantiles", "state_out")
WINDOW_NAMES = ("context", "mask"), ("quantiles",)

Shape = tuple[int, ...]


class OnnxBlock:
    """A stored graph of float32 values, ready to run.

    Attributes:
        inputs: Shape of one row of each input, by name.
        outputs: Shape of one row of each output, by name.
    """

    def __init__(self, session: InferenceSession, inputs: dict[str, Shape], outputs: dict[str, Shape]) -> None:
        self._session = session
        self.inputs = inputs
        self.outputs = outputs

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Check a stored graph and make it ready to run.

        Raises:
            ArtifactCorrupt: If it is not safe to run, not as an import stores it, or ONNX Runtime refuses it.
        """
        checked = _checked(plain_model(raw))
        graph = checked.graph
        inputs, outputs = ({value.name: _row(value) for value in values} for values in (graph.input, graph.output))
        return cls(session_of(checked.SerializeToString()), inputs, outputs)

    def run(self, *fed: Float32s) -> list[Float32s]:
        """Return the outputs (B, …) for inputs (B, …) in their order; the arguments are not changed."""
        rows = len(fed[0])
        made = [np.empty((rows, *shape), dtype=np.float32) for shape in self.outputs.values()]
        for start in range(0, rows, BLOCK_ROWS):
            block = slice(start, min(start + BLOCK_ROWS, rows))
            padded = [_padded(values[block]) for values in fed]
            found = self._session.run(list(self.outputs), dict(zip(self.inputs, padded, strict=True)))
            for whole, part in zip(made, found, strict=True):
                whole[block] = part[: block.stop - start]
        return made


class OnnxBlockStep:
    """A stored graph that keeps the contract of `onnx_step`: inputs (B, F) and state (B, R) to quantiles and state.

    Attributes:
        shape: Sizes F, R, H and Q of the graph.

    Raises:
        ArtifactCorrupt: If it has other inputs or outputs.
    """

    def __init__(self, block: OnnxBlock) -> None:
        names = tuple(block.inputs), tuple(block.outputs)
        shapes = [*block.inputs.values(), *block.outputs.values()]
        if names != STEP_NAMES or list(map(len, shapes)) != [1, 1, 2, 1] or shapes[1] != shapes[3]:
            raise refused(
                f"a step has inputs and outputs {STEP_NAMES}, this one {names} of {shapes}", "Import it again"
            )
        self._block = block
        self.shape = GraphShape(shapes[0][0], shapes[1][0], shapes[2][0], shapes[2][1])

    def run(self, features: Float32s, state: Float32s) -> tuple[Float32s, Float32s]:
        """Return quantiles (B, H, Q) and the next state (B, R); the arguments are not changed."""
        quantiles, state_out = self._block.run(features, state)
        return quantiles, state_out


def _checked(model: ModelProto) -> ModelProto:
    """The graph written anew from what was checked: whatever else the file says is left behind."""
    static = StaticGraph(model.opset_import[0].version, BLOCK_ROWS, may_evaluate=False)
    for tensor in model.graph.initializer:
        static.add_constant(tensor)
    for value in model.graph.input:
        require_rows(value)
        static.add_input(value)
    for node in model.graph.node:
        static.add_node(node)
    inputs, outputs = ({value.name: value.name for value in side} for side in (model.graph.input, model.graph.output))
    if not inputs or not outputs:
        raise refused("it has no inputs or no outputs", "Import it again")
    return static.written(inputs, outputs)


def require_rows(value: ValueInfoProto) -> None:
    """Require an input of float32 with two dimensions, of which the second is fixed.

    Raises:
        ArtifactCorrupt: If it is another.
    """
    tensor = value.type.tensor_type
    if tensor.elem_type != TensorProto.FLOAT or len(tensor.shape.dim) != 2 or tensor.shape.dim[1].dim_value < 1:
        raise refused(
            f"input {value.name} is {described(value)}, must be float32 of shape (free, fixed)",
            "Export it with only the first dimension free",
        )


def described(value: ValueInfoProto) -> str:
    """Return type and shape of a value for a message, free dimensions by their names."""
    tensor = value.type.tensor_type
    sizes = [str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "?" for dim in tensor.shape.dim]
    return f"{TensorProto.DataType.Name(tensor.elem_type).lower()} of shape ({', '.join(sizes)})"


def _row(value: ValueInfoProto) -> Shape:
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)[1:]


def _padded(rows: Float32s) -> Float32s:
    if len(rows) == BLOCK_ROWS:
        return np.ascontiguousarray(rows)
    padded = np.zeros((BLOCK_ROWS, *rows.shape[1:]), dtype=np.float32)
    padded[: len(rows)] = rows
    return padded
