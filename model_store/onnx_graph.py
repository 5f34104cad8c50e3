"""A step graph checked before ONNX Runtime sees a byte of it: only pure tensor arithmetic of known size.

ONNX Runtime runs no checker at load and ONNX leaves resource exhaustion to
its users, so whatever is not on a list here is refused: foreign domains,
operators, data outside the file, shapes that grow, weights that are no number.
The runtime itself is in `onnx_step`.
"""

from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from model_store.errors import ArtifactCorrupt

OPERATORS = frozenset(
    {"Abs", "Add", "Clip", "Concat", "CumSum", "Div", "Exp", "Gemm", "Log", "MatMul", "Mul", "Neg", "Relu"}
    | {"Reshape", "Sigmoid", "Slice", "Softplus", "Split", "Sqrt", "Sub", "Tanh"}
)
OPSETS = range(13, 24)
BLOCK_ROWS = 1024
LARGEST_GRAPH_BYTES = 256 * 2**20
_MOST_NODES = 1024
_MOST_VALUES_PER_ROW = 65_536
_MOST_INDICES = 64
_PLAIN_ATTRIBUTES = frozenset({AttributeProto.INT, AttributeProto.INTS, AttributeProto.FLOAT, AttributeProto.FLOATS})
_INPUTS, _OUTPUTS = ("features", "state"), ("quantiles", "state_out")


@dataclass(frozen=True, slots=True)
class GraphShape:
    """Sizes of a step graph: F inputs, R state floats, H horizons, Q levels."""

    inputs: int
    state_floats: int
    horizons: int
    levels: int


def checked_shape(raw: bytes) -> GraphShape:
    """Return the sizes of a step graph that is safe to run.

    Args:
        raw: A serialised ONNX model with inputs ``features`` (B, F) and ``state`` (B, R) and outputs
            ``quantiles`` (B, H, Q) and ``state_out`` (B, R), all float32, B free.

    Raises:
        ArtifactCorrupt: If it is too large, does not parse, or holds anything that is not listed here.
    """
    if len(raw) > LARGEST_GRAPH_BYTES:
        raise _refused(f"it has {len(raw)} bytes, at most {LARGEST_GRAPH_BYTES} are read")
    model = ModelProto()
    try:
        model.ParseFromString(raw)
    except DecodeError as error:
        raise _refused("it is not a serialised ONNX model") from error
    _require_plain_model(model)
    for node in model.graph.node:
        _require_plain_node(node)
    for tensor in model.graph.initializer:
        _require_plain_tensor(tensor)
    return _inferred_shape(model)


def _refused(what: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(f"the step graph is refused: {what}. Export it again with model-store train")


def _require_plain_model(model: ModelProto) -> None:
    domains = {(opset.domain, opset.version) for opset in model.opset_import}
    if len(domains) != 1 or any(domain or version not in OPSETS for domain, version in domains):
        raise _refused(f"operator sets are {sorted(domains)}, must be the default one, {OPSETS[0]} to {OPSETS[-1]}")
    graph = model.graph
    if model.functions or model.training_info or graph.sparse_initializer or graph.quantization_annotation:
        raise _refused("it has functions, training steps, sparse or quantised weights; none of them is run")
    if len(graph.node) > _MOST_NODES or len(graph.initializer) > _MOST_NODES:
        raise _refused(f"it has {len(graph.node)} nodes and {len(graph.initializer)} weights, at most {_MOST_NODES}")
    names = tuple(value.name for value in graph.input), tuple(value.name for value in graph.output)
    if names != (_INPUTS, _OUTPUTS):
        raise _refused(f"inputs and outputs are {names}, must be {(_INPUTS, _OUTPUTS)}")


def _require_plain_node(node: NodeProto) -> None:
    if node.domain or node.op_type not in OPERATORS:
        raise _refused(f"operator {node.domain}:{node.op_type} is not one of {', '.join(sorted(OPERATORS))}")
    for attribute in node.attribute:
        if attribute.type not in _PLAIN_ATTRIBUTES or attribute.ref_attr_name:
            raise _refused(f"attribute {attribute.name} of {node.op_type} is no plain number")


def _require_plain_tensor(tensor: TensorProto) -> None:
    if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
        raise _refused(f"weights {tensor.name} lie outside the file")
    if tensor.data_type not in (TensorProto.FLOAT, TensorProto.INT64):
        raise _refused(f"weights {tensor.name} are neither float32 nor int64")
    items = 4 if tensor.data_type == TensorProto.FLOAT else 8
    stored = len(tensor.raw_data) // items
    if any(size < 1 for size in tensor.dims) or prod(tensor.dims) * items != len(tensor.raw_data):
        raise _refused(f"weights {tensor.name} declare shape {list(tensor.dims)} and hold {stored} raw values")
    if tensor.data_type == TensorProto.INT64 and stored > _MOST_INDICES:
        raise _refused(f"weights {tensor.name} hold {stored} indices, at most {_MOST_INDICES}")
    if not np.isfinite(onnx.numpy_helper.to_array(tensor)).all():
        raise _refused(f"weights {tensor.name} hold NaN or infinity; the training run diverged")


def _inferred_shape(model: ModelProto) -> GraphShape:
    """Shapes as they follow from inputs and weights; nothing the file says of other values is believed."""
    sized = ModelProto()
    sized.CopyFrom(model)
    graph = sized.graph
    for value in graph.input:
        _require_matrix(value)
        value.type.tensor_type.shape.dim[0].dim_value = BLOCK_ROWS
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        onnx.checker.check_model(model)
        inferred = onnx.shape_inference.infer_shapes(sized, check_type=True, strict_mode=True, data_prop=True).graph
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise _refused(f"its shapes do not fit together ({str(error)[:200]})") from error
    _require_bounded(inferred)
    (_, inputs), (_, state), quantiles, state_out = map(_sizes, (*inferred.input, *inferred.output))
    if len(quantiles) != 3 or quantiles[0] != BLOCK_ROWS or state_out != [BLOCK_ROWS, state]:
        raise _refused(f"outputs are {quantiles} and {state_out}, must be (B, H, Q) and (B, {state})")
    return GraphShape(inputs, state, quantiles[1], quantiles[2])


def _require_matrix(value: ValueInfoProto) -> None:
    tensor = value.type.tensor_type
    dims = tensor.shape.dim
    if tensor.elem_type != TensorProto.FLOAT or len(dims) != 2 or dims[0].dim_value or dims[1].dim_value < 1:
        raise _refused(f"input {value.name} must be float32 of shape (free, fixed)")


def _require_bounded(graph: GraphProto) -> None:
    weights = {tensor.name: prod(tensor.dims) for tensor in graph.initializer}
    known = {value.name: prod(_sizes(value)) for value in (*graph.input, *graph.value_info, *graph.output)}
    produced = {name for node in graph.node for name in node.output if name}
    unknown = sorted(name for name in produced if known.get(name, 0) < 1)
    if unknown:
        raise _refused(f"the shape of {unknown[0]} does not follow from the inputs")
    largest = max(produced, key=known.__getitem__, default="")
    limit = BLOCK_ROWS * _MOST_VALUES_PER_ROW
    if produced and known[largest] > limit and largest not in weights:
        raise _refused(f"{largest} would hold {known[largest]} values for {BLOCK_ROWS} rows, at most {limit}")


def _sizes(value: ValueInfoProto) -> list[int]:
    """Sizes of a value, 0 where one is unknown; [0] if its rank is."""
    if not value.type.tensor_type.HasField("shape"):
        return [0]
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]
