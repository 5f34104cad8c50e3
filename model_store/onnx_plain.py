"""Bytes of a graph from elsewhere parsed, and what is refused before any node is looked at."""

from google.protobuf.message import DecodeError
from onnx import ModelProto

from model_store.onnx_graph import LARGEST_GRAPH_BYTES, OPSETS
from model_store.onnx_operators import refused, require_plain_tensor

_MOST_NODES = 8192
_CONTAINERS = {
    b"PK": "a zip archive, as torch.save writes it",
    b"\x80": "a pickle",
    b"\x89HDF": "an HDF5 file, as Keras writes it",
    b"\x93NUMPY": "a NumPy array",
}


def plain_model(raw: bytes) -> ModelProto:
    """Return a model of one graph with all its weights in it; its nodes are still to be looked at.

    Raises:
        ArtifactCorrupt: If it is too large, no ONNX model, of another operator set, or has functions, training
            steps, sparse, quantised or outside weights, or weights that are no number.
    """
    if len(raw) > LARGEST_GRAPH_BYTES:
        raise refused(f"it has more than {LARGEST_GRAPH_BYTES} bytes", "Make it smaller")
    for start, what in _CONTAINERS.items():
        if raw.startswith(start):
            raise refused(f"it is {what}, not ONNX", "Export it: torch.onnx.export. Nothing is ever unpickled")
    model = ModelProto()
    try:
        model.ParseFromString(raw)
    except DecodeError as error:
        raise refused("it is not a serialised ONNX model, or cut short", "Export it again") from error
    _require_plain(model)
    for tensor in model.graph.initializer:
        require_plain_tensor(tensor, tensor.name)
    return model


def _require_plain(model: ModelProto) -> None:
    graph = model.graph
    if not graph.node:
        raise refused("it has no nodes: it is no ONNX model", "Export it again")
    if model.functions:
        names = ", ".join(f"{one.domain}:{one.name}" for one in list(model.functions)[:3])
        raise refused(
            f"it has functions of its own ({names}), which could hide operators",
            "Inline them: onnx.inliner.inline_local_functions(model)",
        )
    if model.training_info or graph.sparse_initializer or graph.quantization_annotation:
        raise refused("it has training steps, sparse or quantised weights", "Export it for inference, in float32")
    if max(len(graph.node), len(graph.initializer)) > _MOST_NODES:
        raise refused(
            f"it has {len(graph.node)} nodes and {len(graph.initializer)} weights",
            f"At most {_MOST_NODES} of each are accepted",
        )
    opsets = [one.version for one in model.opset_import if one.domain in ("", "ai.onnx")]
    if len(opsets) != 1 or opsets[0] not in OPSETS:
        raise refused(
            f"its operator sets are {[(one.domain or 'ai.onnx', one.version) for one in model.opset_import]}",
            f"Export it with an opset_version of {OPSETS[0]} to {OPSETS[-1]}",
        )
