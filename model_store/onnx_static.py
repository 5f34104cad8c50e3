"""A graph brought down to one number of rows: every shape known, arithmetic on shapes done, nothing left that can grow.

Exporters write shapes as arithmetic (`Shape`, `Gather`, `Concat`, `Expand`),
which says nothing of how much memory a run takes. Once the number of rows is
fixed, that arithmetic has one result: it is done here, node by node, each
value bounded before it is made. What remains is tensor arithmetic of known
size. Which operators there may be is in `onnx_operators`.
"""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, TypeProto, ValueInfoProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from model_store.onnx_operators import (
    CHEAP,
    ELEMENTS,
    OF_SHAPES,
    WITHOUT_EFFECT,
    Sizes,
    multiplications,
    refused,
    require_plain_node,
)

IR_VERSION = 10
_LARGEST_RANK = 8
_MOST_VALUES = 2**24
_MOST_VALUES_TOGETHER = 2**29
_MOST_MULTIPLICATIONS = 2**37
_MOST_EVALUATED = 2**20
_MOST_SHOWN = 4096
"""Constants up to this many values are shown to shape inference: those that are shapes, axes and indices."""

Array = NDArray[np.generic]


class StaticGraph:
    """Values of a graph, gone through in order, with the first dimension of each input fixed to ``rows``.

    Args:
        opset: Version of the operator set.
        rows: Size of the first dimension of every input.
        may_evaluate: Whether arithmetic on constants is done here; if not, a graph that has some is refused.
    """

    def __init__(self, opset: int, rows: int, *, may_evaluate: bool) -> None:
        self._opset = opset
        self._rows = rows
        self._may_evaluate = may_evaluate
        self._types: dict[str, TypeProto] = {}
        self._constants: dict[str, Array] = {}
        self._same_as: dict[str, str] = {}
        self._kept: list[NodeProto] = []
        self._values = self._multiplications = 0

    def add_constant(self, tensor: TensorProto) -> None:
        """Add weights or indices of the file."""
        self._define(tensor.name, helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims)))
        self._constants[tensor.name] = numpy_helper.to_array(tensor)

    def add_input(self, value: ValueInfoProto) -> None:
        """Add an input of shape (free or ``rows``, fixed…)."""
        sized = TypeProto()
        sized.CopyFrom(value.type)
        sized.tensor_type.shape.dim[0].dim_value = self._rows
        self._define(value.name, sized)

    def add_node(self, node: NodeProto) -> None:
        """Work out what a node yields: its shape, and its values if they are the same for all rows.

        Raises:
            ArtifactCorrupt: If the operator is not listed, a name is given twice or to nothing, a shape does not
                follow from the inputs, or a value, or all of them together, is too large.
        """
        require_plain_node(node)
        seen = NodeProto(op_type=node.op_type, attribute=node.attribute, output=node.output)
        seen.input.extend(self._same_as.get(name, name) for name in node.input)
        unknown = [name for name in seen.input if name and name not in self._types]
        if unknown:
            raise refused(f"{node.op_type} reads {unknown[0]!r}, which no node before it yields", _AGAIN)
        if node.op_type in WITHOUT_EFFECT:
            self._pass_on(seen)
            return
        made = self._inferred(seen)
        for name, kind in made.items():
            self._require_bounded(seen, name, kind)
        evaluated = self._evaluated(seen, made)
        for name, kind in made.items():
            self._define(name, kind)
        if evaluated is None:
            self._keep(seen, list(made.values()))
        else:
            self._constants |= evaluated

    def written(self, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> ModelProto:
        """Return what the outputs need of it as a model.

        Args:
            inputs: New name of each input by its name, in the order wanted; one that is not read may be among them.
            outputs: Likewise of each output.

        Raises:
            ArtifactCorrupt: If an output is none of its values, or not worked out from anything.
        """
        found = {self._same_as.get(name, name): new for name, new in outputs.items()}
        if len(found) < len(outputs) or not set(found) <= {name for node in self._kept for name in node.output}:
            raise refused(f"one of the outputs {list(outputs)} is not worked out from the inputs", _AGAIN)
        needed, nodes = set(found), []
        for node in reversed(self._kept):
            if needed & set(node.output):
                needed |= set(node.input)
                nodes.append(node)
        constants = {name: array for name, array in self._constants.items() if name in needed}
        names = {**inputs, **found, **{name: f"w{place}" for place, name in enumerate(constants)}}
        graph = helper.make_graph(
            [_renamed(node, names) for node in reversed(nodes)],
            "static",
            [ValueInfoProto(name=new, type=self._types[name]) for name, new in inputs.items()],
            [ValueInfoProto(name=new, type=self._types[name]) for name, new in found.items()],
            [numpy_helper.from_array(np.asarray(array), names[name]) for name, array in constants.items()],
        )
        return self._model(graph)

    def _define(self, name: str, kind: TypeProto) -> None:
        if not name or name in self._types or name in self._same_as:
            raise refused(f"two values are named {name!r}", _AGAIN)
        self._types[name] = kind

    def _sizes(self, name: str) -> Sizes:
        return sizes_of(self._types[name]) if name else ()

    def _pass_on(self, node: NodeProto) -> None:
        """Take `Identity`, and `Dropout` outside training, for what they read."""
        training = [self._constants.get(name) for name in node.input[2:] if name]
        if any(flag is None or np.any(flag) for flag in training) or len([name for name in node.output if name]) != 1:
            raise refused(f"{node.op_type} is in training mode", "Call model.eval() before the export")
        if node.output[0] in self._types or node.output[0] in self._same_as:
            raise refused(f"two values are named {node.output[0]!r}", _AGAIN)
        self._require_may_evaluate(node)
        self._same_as[node.output[0]] = node.input[0]

    def _keep(self, node: NodeProto, made: Sequence[TypeProto]) -> None:
        read = [self._sizes(name) for name in node.input]
        self._kept.append(node)
        self._multiplications += multiplications(node, read, [sizes_of(kind) for kind in made])
        if self._multiplications > _MOST_MULTIPLICATIONS:
            raise refused(
                f"up to {node.op_type} {node.output[0]} {self._rows} rows take {self._multiplications} multiplications",
                f"At most {_MOST_MULTIPLICATIONS} are accepted: make it smaller",
            )

    def _inferred(self, node: NodeProto) -> dict[str, TypeProto]:
        """Types of what a node yields, by name; nothing the file says of them is believed."""
        shown = {name: self._constants[name] for name in node.input if self._is_shown(name)}
        read = [name for name in dict.fromkeys(node.input) if name and name not in shown]
        graph = helper.make_graph(
            [node],
            "one",
            [ValueInfoProto(name=name, type=self._types[name]) for name in read],
            [ValueInfoProto(name=name) for name in node.output if name],
            [numpy_helper.from_array(np.asarray(array), name) for name, array in shown.items()],
        )
        try:
            found = onnx.shape_inference.infer_shapes(
                self._model(graph), check_type=True, strict_mode=True, data_prop=True
            )
        except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, ValueError) as error:
            raise refused(
                f"the shapes that {node.op_type} {node.output[0]} reads do not fit together "
                f"({' '.join(str(error).split())[:160]})",
                "See that the batch is free everywhere in it, and export it again",
            ) from error
        return {value.name: value.type for value in found.graph.output}

    def _model(self, graph: onnx.GraphProto) -> ModelProto:
        opset = helper.make_opsetid("", self._opset)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)

    def _is_shown(self, name: str) -> bool:
        return name in self._constants and self._constants[name].size <= _MOST_SHOWN

    def _require_bounded(self, node: NodeProto, name: str, kind: TypeProto) -> None:
        tensor = kind.tensor_type
        if not tensor.HasField("shape") or not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
            raise refused(
                f"the shape of {name}, which {node.op_type} yields, does not follow from the shapes of the inputs",
                "Take shapes from sizes, not from numbers in a tensor",
            )
        if tensor.elem_type not in ELEMENTS:
            element = TensorProto.DataType.Name(tensor.elem_type)
            raise refused(f"{name}, which {node.op_type} yields, is of type {element}", "Export it in float32")
        sizes = sizes_of(kind)
        if len(sizes) > _LARGEST_RANK or prod(sizes) > _MOST_VALUES:
            raise refused(
                f"{name}, which {node.op_type} yields, would have shape {list(sizes)} for {self._rows} rows",
                f"At most {_MOST_VALUES} values in {_LARGEST_RANK} dimensions are: make it smaller",
            )
        self._values += prod(sizes)
        if self._values > _MOST_VALUES_TOGETHER:
            raise refused(
                f"up to {name} it holds {self._values} values for {self._rows} rows",
                f"At most {_MOST_VALUES_TOGETHER} are: make it smaller",
            )

    def _evaluated(self, node: NodeProto, made: Mapping[str, TypeProto]) -> dict[str, Array] | None:
        """What a node yields if that is the same for all rows; None if it is to be run."""
        if node.op_type == "Shape":
            self._require_may_evaluate(node)
            ends = {attribute.name: attribute.i for attribute in node.attribute}
            sizes = self._sizes(node.input[0])[slice(ends.get("start"), ends.get("end"))]
            return {node.output[0]: np.array(sizes, dtype=np.int64)}
        if node.op_type == "Size":
            self._require_may_evaluate(node)
            return {node.output[0]: np.array(prod(self._sizes(node.input[0])), dtype=np.int64)}
        is_constant = all(not name or name in self._constants for name in node.input)
        values = max(prod(sizes) for sizes in [*map(sizes_of, made.values()), *map(self._sizes, node.input)])
        if is_constant and node.op_type in CHEAP and values <= _MOST_EVALUATED:
            self._require_may_evaluate(node)
            return self._run_alone(node)
        if node.op_type in OF_SHAPES:
            raise refused(
                f"{node.op_type} {node.output[0]} is too large or depends on inputs", "Take shapes from sizes"
            )
        return None

    def _require_may_evaluate(self, node: NodeProto) -> None:
        if not self._may_evaluate:
            raise refused(f"{node.op_type} {node.output[0]} works on constants or shapes", "Import the graph again")

    def _run_alone(self, node: NodeProto) -> dict[str, Array]:
        read = [name for name in dict.fromkeys(node.input) if name]
        graph = helper.make_graph(
            [node],
            "one",
            [ValueInfoProto(name=name, type=self._types[name]) for name in read],
            [ValueInfoProto(name=name) for name in node.output if name],
        )
        names = [name for name in node.output if name]
        fed = {name: self._constants[name] for name in read}
        return dict(zip(names, ReferenceEvaluator(self._model(graph)).run(names, fed), strict=True))


def sizes_of(kind: TypeProto) -> Sizes:
    """Return the sizes of a value of known shape."""
    return tuple(dim.dim_value for dim in kind.tensor_type.shape.dim)


def _renamed(node: NodeProto, names: dict[str, str]) -> NodeProto:
    """A node with new names; those that have none yet get a number, so that equal graphs are equal bytes."""
    made = NodeProto(op_type=node.op_type, attribute=node.attribute)
    made.input.extend(names[name] if name else "" for name in node.input)
    made.output.extend(names.setdefault(name, f"v{len(names)}") if name else "" for name in node.output)
    return made


_AGAIN = "Nodes stand in order and every value has a name of its own: export it again"
