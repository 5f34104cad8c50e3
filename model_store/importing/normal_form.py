"""A graph in the form that is stored: documented names in their order, one number of rows, shapes worked out."""

from collections.abc import Mapping, Sequence

from onnx import ModelProto, ValueInfoProto

from model_store.importing.wish import Wish
from model_store.onnx_block import BLOCK_ROWS, STEP_NAMES, WINDOW_NAMES, described, require_rows
from model_store.onnx_operators import refused
from model_store.onnx_plain import plain_model
from model_store.onnx_static import StaticGraph


def normal_form(raw: bytes, wish: Wish) -> ModelProto:
    """Return a graph as it is stored; what its outputs do not need is left behind.

    Raises:
        ArtifactCorrupt: If it is not safe to run, or has other inputs or outputs than either form.
    """
    model = plain_model(raw)
    weights = {tensor.name for tensor in model.graph.initializer}
    given = [value for value in model.graph.input if value.name not in weights]
    inputs, outputs = _named(given, list(model.graph.output), wish)
    static = StaticGraph(model.opset_import[0].version, BLOCK_ROWS, may_evaluate=True)
    for tensor in model.graph.initializer:
        static.add_constant(tensor)
    for value in given:
        _require_free_batch(value)
        static.add_input(value)
    for node in model.graph.node:
        static.add_node(node)
    return static.written(inputs, outputs)


def _named(
    inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto], wish: Wish
) -> tuple[dict[str, str], dict[str, str]]:
    """New names of inputs and outputs by those they have, in the documented order."""
    form = wish.form or ("step" if len(outputs) > 1 else "window")
    wanted_inputs, wanted_outputs = STEP_NAMES if form == "step" else WINDOW_NAMES
    least = 2 if form == "step" else 1
    if not least <= len(inputs) <= len(wanted_inputs) or len(outputs) != len(wanted_outputs):
        raise refused(
            f"it has {len(inputs)} inputs and {len(outputs)} outputs ({_list(inputs)} -> {_list(outputs)})",
            "A step has features, state -> quantiles, state_out; a window has context and maybe mask -> quantiles",
        )
    return (
        _by_name_or_place([value.name for value in inputs], wanted_inputs, wish.inputs, "input"),
        _by_name_or_place([value.name for value in outputs], wanted_outputs, wish.outputs, "output"),
    )


def _by_name_or_place(
    found: Sequence[str], wanted: Sequence[str], said: Mapping[str, str], side: str
) -> dict[str, str]:
    """Names in the graph to documented ones: those that were said, then equal names, then the rest by place."""
    if not set(said) <= set(wanted) or not set(said.values()) <= set(found) or len(set(found)) < len(found):
        raise refused(
            f"--{side} names {dict(said)}", f"Its {side}s are {', '.join(found)}, to be named {', '.join(wanted)}"
        )
    chosen = {name: said.get(name, name) for name in wanted if name in said or name in found}
    if len(set(chosen.values())) < len(chosen):
        raise refused(f"--{side} gives one {side} two names: {chosen}", f"Its {side}s are {', '.join(found)}")
    rest = iter([name for name in found if name not in chosen.values()])
    placed = [(chosen.get(name) or next(rest, None), name) for name in wanted]
    return {old: new for old, new in placed if old is not None}


def _require_free_batch(value: ValueInfoProto) -> None:
    require_rows(value)
    if value.type.tensor_type.shape.dim[0].HasField("dim_value"):
        raise refused(
            f"input {value.name} is {described(value)}: its batch is fixed",
            "Export it with a free first dimension: dynamic_axes or dynamic_shapes of torch.onnx.export",
        )


def _list(values: Sequence[ValueInfoProto]) -> str:
    return ", ".join(f"{value.name} {described(value)}" for value in values) or "none"
