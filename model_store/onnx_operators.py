"""Operators that a graph from elsewhere may use: pure arithmetic on tensors, as PyTorch's exporters write it.

Not among them: control flow (`If`, `Loop`, `Scan`), random numbers, sequences and
strings, outputs whose shape depends on values (`NonZero`, `Unique`), other domains,
and functions, which could hide any of these.
"""

from collections.abc import Sequence
from math import prod

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto, numpy_helper

from model_store.errors import ArtifactCorrupt

ELEMENTWISE = frozenset(
    {
        "Abs",
        "Add",
        "And",
        "Ceil",
        "Celu",
        "Clip",
        "Cos",
        "Div",
        "Elu",
        "Equal",
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "Greater",
    }
    | {"GreaterOrEqual", "HardSigmoid", "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max"}
    | {"Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu"}
    | {
        "Sigmoid",
        "Sign",
        "Sin",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Sub",
        "Sum",
        "Tanh",
        "ThresholdedRelu",
        "Where",
        "Xor",
    }
)
CONTRACTIONS = frozenset({"Conv", "Einsum", "GRU", "Gemm", "LSTM", "MatMul", "RNN"})
REDUCTIONS = frozenset(
    {"ArgMax", "ArgMin", "AveragePool", "BatchNormalization", "CumSum", "GlobalAveragePool", "GlobalMaxPool"}
    | {"GroupNormalization", "InstanceNormalization", "LayerNormalization", "LogSoftmax", "MaxPool"}
    | {"RMSNormalization", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean"}
    | {"ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Softmax", "TopK"}
)
ARRANGING = frozenset(
    {"Cast", "CastLike", "Concat", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "OneHot", "Pad"}
    | {
        "Reshape",
        "ScatterElements",
        "ScatterND",
        "Slice",
        "Split",
        "Squeeze",
        "Tile",
        "Transpose",
        "Trilu",
        "Unsqueeze",
    }
)
OF_SHAPES = frozenset({"Constant", "ConstantOfShape", "Range", "Shape", "Size"})
"""They have one result once the number of rows is fixed; a stored graph has none of them."""
WITHOUT_EFFECT = frozenset({"Dropout", "Identity"})
OPERATORS = ELEMENTWISE | CONTRACTIONS | REDUCTIONS | ARRANGING | OF_SHAPES | WITHOUT_EFFECT
CHEAP = (ELEMENTWISE | ARRANGING | OF_SHAPES | frozenset({"ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum"})) - {
    "Gelu",
    "Mish",
}
"""What is worked out beforehand where it reads constants only: at most as much work as it yields or reads."""
_PLAIN_ATTRIBUTES = frozenset(
    {AttributeProto.INT, AttributeProto.INTS, AttributeProto.FLOAT, AttributeProto.FLOATS}
    | {AttributeProto.STRING, AttributeProto.STRINGS}
)
_ITEM_BYTES: dict[int, int] = {
    TensorProto.FLOAT: 4,
    TensorProto.DOUBLE: 8,
    TensorProto.INT64: 8,
    TensorProto.INT32: 4,
    TensorProto.BOOL: 1,
}
ELEMENTS = frozenset(_ITEM_BYTES)

Sizes = tuple[int, ...]


def refused(what: str, remedy: str) -> ArtifactCorrupt:
    """Return the error that refuses a graph: what is wrong, and what to do."""
    return ArtifactCorrupt(f"the graph is refused: {what}. {remedy}")


def require_plain_node(node: NodeProto) -> None:
    """Require an operator of the list with plain attributes.

    Raises:
        ArtifactCorrupt: If it is another, of another domain, has a graph inside, or is in training mode.
    """
    if node.domain not in ("", "ai.onnx"):
        raise refused(f"operator {node.domain}:{node.op_type} is not one of ONNX", "Write it with standard operators")
    if node.op_type not in OPERATORS:
        raise refused(
            f"operator {node.op_type} is not accepted: {_reason(node.op_type)}",
            "The operators that are: docs/how-to/bring-your-own-model.md",
        )
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR and node.op_type in ("Constant", "ConstantOfShape"):
            require_plain_tensor(attribute.t, f"the value of {node.op_type}")
        elif attribute.type not in _PLAIN_ATTRIBUTES or attribute.ref_attr_name:
            raise refused(f"attribute {attribute.name} of {node.op_type} is no plain number", "Export it again")
        elif attribute.name == "training_mode" and attribute.i:
            raise refused(f"{node.op_type} is in training mode", "Call model.eval() before the export")


def _reason(operator: str) -> str:
    if operator in ("If", "Loop", "Scan"):
        return "a graph inside it would hide what is run and how often"
    if operator.startswith("Random") or operator in ("Bernoulli", "Multinomial"):
        return "the same input must give the same output"
    return "it is not pure arithmetic on tensors of known shape"


def require_plain_tensor(tensor: TensorProto, name: str) -> None:
    """Require constants that lie in the file, as many as they say, all of them numbers.

    Raises:
        ArtifactCorrupt: If not.
    """
    if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
        raise refused(
            f"weights {name} lie outside the file", "Export it as one file: torch.onnx.export(…, external_data=False)"
        )
    if tensor.data_type not in ELEMENTS:
        kind = TensorProto.DataType.Name(tensor.data_type)
        raise refused(f"weights {name} are of type {kind}", "Export it in float32")
    if any(size < 0 for size in tensor.dims):
        raise refused(f"weights {name} declare shape {list(tensor.dims)}", "Export it again")
    stored = len(tensor.raw_data) // _ITEM_BYTES[tensor.data_type] if tensor.HasField("raw_data") else _listed(tensor)
    if prod(tensor.dims) != stored:
        raise refused(f"weights {name} declare shape {list(tensor.dims)} and hold {stored} values", "Export it again")
    if not np.isfinite(numpy_helper.to_array(tensor)).all():
        raise refused(f"weights {name} hold NaN or infinity", "The training run diverged: train it again")


def _listed(tensor: TensorProto) -> int:
    return max(map(len, (tensor.float_data, tensor.double_data, tensor.int64_data, tensor.int32_data)))


def multiplications(node: NodeProto, read: Sequence[Sizes], made: Sequence[Sizes]) -> int:
    """Return about how often a node multiplies, by the sizes of what it reads and yields.

    Example:
        >>> from onnx import helper
        >>> multiplications(helper.make_node("MatMul", ["a", "b"], ["c"]), [(64, 8), (8, 16)], [(64, 16)])
        8192
    """
    out = prod(made[0])
    match node.op_type:
        case "MatMul":
            return out * read[0][-1]
        case "Gemm":
            return out * max(read[0])
        case "Conv":
            return out * prod(read[1][1:])
        case "LSTM" | "GRU" | "RNN":
            steps, rows = read[0][:2]
            return steps * rows * (prod(read[1]) + prod(read[2]))
        case "Einsum":
            return _einsum_multiplications(node, read)
        case _:
            return out + sum(map(prod, read))


def _einsum_multiplications(node: NodeProto, read: Sequence[Sizes]) -> int:
    equation = next(a.s for a in node.attribute if a.name == "equation").decode().replace(" ", "")
    if "." in equation:
        raise refused(f"Einsum has an ellipsis: {equation}", "Name every dimension")
    sizes: dict[str, int] = {}
    for labels, found in zip(equation.split("->")[0].split(","), read, strict=True):
        sizes |= dict(zip(labels, found, strict=True))
    return prod(sizes.values())
