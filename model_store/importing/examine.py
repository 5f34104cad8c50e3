"""Tries a graph out: shapes against what was said of it, parity, and the laws of every forecaster on made-up demand."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np

from model_store.importing.normal_form import normal_form
from model_store.importing.probe import probed
from model_store.importing.wish import Examined, Vectors, Wish
from model_store.kinds.imported import DEMAND_INPUTS, FORM, GRAPH, Form, build
from model_store.kinds.rearranged import Rearranged
from model_store.onnx_block import OnnxBlock, Shape
from model_store.onnx_operators import refused
from model_store.spec import ModelSpec
from replenishment.arrays import Float32s

MOST_DIFFERENCE = 1e-4
"""Largest difference on vectors, relative to the largest value of an output; exporters round, they do not change."""


def examined(raw: bytes, wish: Wish) -> Examined:
    """Return a graph as it is to be stored, if it keeps what is asked of it.

    It is run: call it where time and memory are bounded, as `bounded` does.

    Raises:
        ArtifactCorrupt: If it is not safe to run, does not fit what was said of it, or breaks a law.
    """
    graph = normal_form(raw, wish).SerializeToString(deterministic=True)
    block = OnnxBlock.from_bytes(graph)
    form: Literal["step", "window"] = "step" if "state" in block.inputs else "window"
    spec = _spec(block, wish, form)
    if form == "step" and wish.scale != "none":
        raise refused("--scale is for windows", "A step on features is in units of their scale: leave it out")
    files = {GRAPH: graph, FORM: msgspec.json.encode(Form(form, wish.scale))}
    figures = {} if wish.vectors is None else {"parity": _parity(block, wish.vectors)}
    forecaster = build("draft", spec, files)
    assert isinstance(forecaster, Rearranged)
    return Examined(spec, files, figures | probed(forecaster))


def _spec(block: OnnxBlock, wish: Wish, form: str) -> ModelSpec:
    _require_grid(block.outputs["quantiles"], wish)
    if form == "window":
        (context,) = block.inputs["context"]
        if wish.context_buckets not in (None, context) or any(shape != (context,) for shape in block.inputs.values()):
            raise refused(
                f"its windows are {block.inputs}, asked for are {wish.context_buckets} buckets",
                "Leave out --context-buckets, or export it for as many; context and mask have one shape",
            )
        return wish.spec(None, context)
    if block.outputs["state_out"] != block.inputs["state"]:
        raise refused(
            f"its state goes in with shape {block.inputs['state']} and comes out with {block.outputs['state_out']}",
            "Both are (B, R): what comes out is what goes in at the next bucket. See --input and --output",
        )
    (width,) = block.inputs["features"]
    if width == len(DEMAND_INPUTS):
        return wish.spec(None)
    if width != wish.features.inputs:
        raise refused(
            f"it reads {width} features, for buckets of {wish.width.seconds} s there are {wish.features.inputs}",
            f"Export it with as many (model_store.features), or with {len(DEMAND_INPUTS)}: {', '.join(DEMAND_INPUTS)}",
        )
    return wish.spec(wish.features)


def _require_grid(found: Shape, wish: Wish) -> None:
    wanted = (len(wish.grid.horizons_buckets), len(wish.grid.levels))
    if found == wanted:
        return
    turned = " They are turned: (B, horizons, levels) is the order." if found[::-1] == wanted else ""
    raise refused(
        f"its quantiles are {('B', *found)}, for {wanted[0]} horizons and {wanted[1]} levels they must be "
        f"{('B', *wanted)}.{turned}",
        "Say with --horizons and --levels which it has",
    )


def _parity(block: OnnxBlock, vectors: Vectors) -> float:
    """Largest difference from vectors, relative to the largest value of that output."""
    fed, wanted = _arrays(vectors.inputs, block.inputs), _arrays(vectors.outputs, block.outputs)
    found = block.run(*fed)
    differences = [
        float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-6)) if np.isfinite(a).all() else float("inf")
        for a, b in zip(found, wanted, strict=True)
    ]
    if max(differences) > MOST_DIFFERENCE:
        raise refused(
            f"on the vectors its outputs differ by {max(differences):.2g} relative, at most {MOST_DIFFERENCE:g} is "
            "accepted",
            "Write the vectors with the weights that were exported, in eval mode",
        )
    return max(differences)


def _arrays(given: Mapping[str, list[Any]], shapes: Mapping[str, Shape]) -> list[Float32s]:
    if set(given) != set(shapes):
        raise refused(f"the vectors have {sorted(given)}", f"They need {sorted(shapes)}, by these names")
    arrays = []
    for name, shape in shapes.items():
        try:
            array = np.array(given[name], dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise refused(f"{name} of the vectors is no table of numbers", f"It must be {('B', *shape)}") from error
        if array.shape[1:] != shape or not len(array):
            raise refused(f"{name} of the vectors has shape {array.shape}", f"It must be {('B', *shape)}")
        arrays.append(array)
    return arrays
