"""Hostile and mistaken graphs are refused by name, before they run where that is possible, each with what to do."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from model_store.errors import ArtifactCorrupt
from model_store.importing.bounded import examined_apart
from model_store.importing.examine import examined
from model_store.importing.wish import Vectors
from model_store.onnx_block import OnnxBlock
from tests.model_store.foreign_graphs import (
    STATE,
    demand_step_model,
    drawn,
    model_of,
    named,
    node,
    step_model,
    window_model,
    window_wish,
    wish,
)

Spoil = Callable[[ModelProto], None]


def weight(model: ModelProto, name: str) -> TensorProto:
    found: TensorProto = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    return found


def replaced(model: ModelProto, name: str, array: np.ndarray) -> None:
    weight(model, name).CopyFrom(numpy_helper.from_array(array, name))


def before_the_rest(model: ModelProto, *nodes: NodeProto) -> None:
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])


def custom_domain(model: ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("evil.ops", 1))
    model.graph.node[1].domain = "evil.ops"


def unknown_operator(model: ModelProto) -> None:
    model.graph.node[1].op_type = "SystemCall"


def branch(model: ModelProto) -> None:
    inner = helper.make_graph([node("Identity", "kernel", "inner")], "inner", [], [named("inner", 42, STATE)])
    before_the_rest(model, node("If", "one", "chosen", then_branch=inner, else_branch=inner))


def loop(model: ModelProto) -> None:
    body = helper.make_graph([node("Identity", "go", "on")], "body", [named("go", element=TensorProto.BOOL)], [])
    before_the_rest(model, node("Loop", "one", "looped", body=body))


def scan(model: ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    before_the_rest(model, node("Scan", "x", "scanned", body=body, num_scan_inputs=1))


def graph_hidden_in_an_attribute(model: ModelProto) -> None:
    model.graph.node[1].attribute.append(helper.make_attribute("body", helper.make_graph([], "inner", [], [])))


def function_of_its_own(model: ModelProto) -> None:
    loop = helper.make_function("local", "Trick", ["a"], ["b"], [node("Relu", "a", "b")], [helper.make_opsetid("", 18)])
    model.functions.append(loop)


def reference_attribute(model: ModelProto) -> None:
    model.graph.node[1].attribute.append(AttributeProto(name="a", type=AttributeProto.INT, ref_attr_name="b"))


def noise(model: ModelProto) -> None:
    before_the_rest(model, node("RandomNormalLike", "x", "noise"))


def shape_by_values(model: ModelProto) -> None:
    before_the_rest(model, node("NonZero", "x", "places"))


def external_weights(model: ModelProto) -> None:
    weight(model, "kernel").data_location = TensorProto.EXTERNAL
    weight(model, "kernel").external_data.add(key="location", value="/etc/passwd")


def unflagged_external_weights(model: ModelProto) -> None:
    weight(model, "kernel").external_data.add(key="location", value="../../secret")


def external_constant(model: ModelProto) -> None:
    tensor = numpy_helper.from_array(np.zeros(3, dtype=np.float32))
    tensor.data_location = TensorProto.EXTERNAL
    before_the_rest(model, node("Constant", "", "outside", value=tensor))


def nan_weights(model: ModelProto) -> None:
    replaced(model, "bias", np.full(STATE, np.nan, np.float32))


def infinite_weights_that_are_listed(model: ModelProto) -> None:
    tensor = helper.make_tensor("bias", TensorProto.FLOAT, [STATE], [np.inf] * STATE)
    weight(model, "bias").CopyFrom(tensor)


def text_weights(model: ModelProto) -> None:
    weight(model, "bias").CopyFrom(
        TensorProto(name="bias", data_type=TensorProto.STRING, dims=[1], string_data=[b"rm"])
    )


def half_weights(model: ModelProto) -> None:
    replaced(model, "bias", np.zeros(STATE, np.float16))


def weights_that_declare_more_than_they_hold(model: ModelProto) -> None:
    weight(model, "kernel").dims[:] = [2**31, 2**20]


def weights_of_negative_size(model: ModelProto) -> None:
    weight(model, "kernel").dims[:] = [-42, -STATE]


def huge_constant(model: ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([2**40]), "many"))
    before_the_rest(model, node("ConstantOfShape", "many", "huge"))


def huge_by_expanding(model: ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([2**20, 64, 42]), "many"))
    before_the_rest(model, node("Expand", "x many", "huge"))


def huge_by_tiling(model: ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([2**15, 2**15]), "many"))
    before_the_rest(model, node("Tile", "x many", "huge"))


def huge_by_range(model: ModelProto) -> None:
    for name, value in (("start", 0), ("limit", 2**50), ("delta", 1)):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    before_the_rest(model, node("Range", "start limit delta", "huge"))


def huge_together(model: ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([2**12, 64, 42]), "many"))
    before_the_rest(model, *(node("Expand", "x many", f"large_{place}") for place in range(60)))


def slow(model: ModelProto) -> None:
    before_the_rest(model, *(node("Einsum", "x x x x", f"sum_{i}", equation="ab,cd,ef,gh->a") for i in range(9)))


def size_that_a_run_would_tell(model: ModelProto) -> None:
    nodes = [node("ReduceMax", "x", "largest", keepdims=0), node("Cast", "largest", "whole", to=TensorProto.INT64)]
    before_the_rest(model, *nodes, node("Unsqueeze", "whole axis", "many"), node("ConstantOfShape", "many", "huge"))


def name_given_twice(model: ModelProto) -> None:
    before_the_rest(model, node("Relu", "x", "t"))


def name_of_a_weight_given_twice(model: ModelProto) -> None:
    model.graph.initializer.append(weight(model, "bias"))


def circle(model: ModelProto) -> None:
    model.graph.node[1].input[0] = "total"


def fixed_batch(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def free_width(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "F"


def wrong_rank(model: ModelProto) -> None:
    model.graph.input[0].CopyFrom(named("x", "N", 6, 7))


def whole_numbers_in(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64


def state_of_another_width(model: ModelProto) -> None:
    before_the_rest(model, node("Concat", "x s", "wider", axis=1))
    model.graph.output[1].name = "wider"


def output_that_nothing_yields(model: ModelProto) -> None:
    model.graph.output[0].name = "nowhere"


def output_that_is_an_input(model: ModelProto) -> None:
    model.graph.output[1].name = "s"


def third_output(model: ModelProto) -> None:
    model.graph.output.append(named("total", "N", STATE))


def third_input(model: ModelProto) -> None:
    model.graph.input.append(named("prices", "N", 4))


def flat_quantiles(model: ModelProto) -> None:
    model.graph.output[0].name = "flat"


def batch_in_the_middle(model: ModelProto) -> None:
    replaced(model, "rest", np.array([11, 14]))


def old_operator_set(model: ModelProto) -> None:
    model.opset_import[0].version = 9


def sparse_weights(model: ModelProto) -> None:
    model.graph.sparse_initializer.add()


def too_many_nodes(model: ModelProto) -> None:
    before_the_rest(model, *(node("Relu", "x", f"r{place}") for place in range(9000)))


def statistics_over_the_batch(model: ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "rows"))
    model.graph.node[1].input[0] = "apart"
    before_the_rest(model, node("ReduceMean", "x rows", "mean"), node("Sub", "x mean", "apart"))


def training_mode(model: ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), "half"))
    model.graph.node[1].input[0] = "dropped"
    before_the_rest(model, node("Dropout", "x half yes", "dropped"))


REFUSED: dict[Spoil, str] = {
    custom_domain: "evil.ops:Gemm is not one of ONNX",
    unknown_operator: "SystemCall is not accepted",
    branch: "operator If is not accepted: a graph inside it would hide",
    loop: "operator Loop is not accepted: a graph inside it would hide",
    scan: "operator Scan is not accepted: a graph inside it would hide",
    graph_hidden_in_an_attribute: "attribute body of Gemm",
    function_of_its_own: "functions of its own .local:Trick.*inline_local_functions",
    reference_attribute: "attribute a of Gemm",
    noise: "RandomNormalLike is not accepted: the same input must give the same output",
    shape_by_values: "NonZero is not accepted",
    external_weights: "kernel lie outside the file.*external_data=False",
    unflagged_external_weights: "kernel lie outside the file",
    external_constant: "the value of Constant lie outside the file",
    nan_weights: "bias hold NaN",
    infinite_weights_that_are_listed: "bias hold NaN or infinity",
    text_weights: "bias are of type STRING",
    half_weights: "bias are of type FLOAT16",
    weights_that_declare_more_than_they_hold: "kernel declare shape",
    weights_of_negative_size: "kernel declare shape",
    huge_constant: "huge, which ConstantOfShape yields, would have shape .1099511627776.",
    huge_by_expanding: "huge, which Expand yields, would have shape .1048576, 64, 42.",
    huge_by_tiling: "huge, which Tile yields, would have shape",
    huge_by_range: "huge, which Range yields, would have shape",
    huge_together: "holds .* values for 64 rows",
    slow: "64 rows take .* multiplications",
    size_that_a_run_would_tell: "does not follow from the shapes of the inputs",
    name_given_twice: "two values are named 't'",
    name_of_a_weight_given_twice: "two values are named 'bias'",
    circle: "Gemm reads 'total', which no node before it yields",
    fixed_batch: "input x is float of shape .1, 42.: its batch is fixed. .*dynamic_axes or dynamic_shapes",
    free_width: "input x is float of shape .N, F., must be float32 of shape .free, fixed",
    wrong_rank: "input x is float of shape .N, 6, 7.",
    whole_numbers_in: "input x is int64",
    state_of_another_width: "its state goes in with shape .6,. and comes out with .48,.",
    output_that_nothing_yields: "outputs .* is not worked out",
    output_that_is_an_input: "outputs .* is not worked out",
    third_output: "2 inputs and 3 outputs",
    third_input: "3 inputs and 2 outputs",
    flat_quantiles: "quantiles are .'B', 154., for 14 horizons and 11 levels",
    batch_in_the_middle: "They are turned: .B, horizons, levels. is the order",
    old_operator_set: "operator sets are .*Export it with an opset_version of 13",
    sparse_weights: "sparse",
    too_many_nodes: "9014 nodes",
    statistics_over_the_batch: "a row gives other numbers beside other rows",
    training_mode: "Dropout is in training mode. Call model.eval",
}


@pytest.mark.parametrize("spoil", REFUSED, ids=lambda spoil: spoil.__name__)
def test_graph_is_refused_by_name(spoil: Spoil) -> None:
    model = step_model()
    spoil(model)
    with pytest.raises(ArtifactCorrupt, match=REFUSED[spoil]):
        examined(model.SerializeToString(), wish())


def zipped() -> bytes:
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02.")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (zipped(), "a zip archive, as torch.save writes it"),
        (b"\x80\x04]\x94.", "a pickle"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (b"\x93NUMPY\x01", "a NumPy array"),
        (b"", "no nodes"),
        (b"not a model" * 50, "not a serialised ONNX model"),
    ],
)
def test_file_that_is_no_graph_is_refused_as_what_it_is(raw: bytes, reason: str) -> None:
    with pytest.raises(ArtifactCorrupt, match=reason):
        examined(raw, wish())


def test_graph_cut_short_anywhere_is_refused() -> None:
    raw = step_model().SerializeToString()
    for length in range(0, len(raw), 499):
        with pytest.raises(ArtifactCorrupt):
            examined(raw[:length], wish())


def test_outputs_that_overflow_are_refused() -> None:
    model = demand_step_model()
    tanh = next(one for one in model.graph.node if one.op_type == "Tanh")
    tanh.op_type = "Exp"
    with pytest.raises(ArtifactCorrupt, match=r"not finite after \d+ buckets with demand up to .*Take logarithms"):
        examined(model.SerializeToString(), wish())


def test_features_of_another_number_are_refused_with_both_that_would_do() -> None:
    with pytest.raises(ArtifactCorrupt, match=r"reads 40 features, for buckets of 86400 s there are 42.*or with 3"):
        examined(step_model(40).SerializeToString(), wish())


def test_scale_of_a_step_and_context_of_a_window_are_not_to_be_said() -> None:
    with pytest.raises(ArtifactCorrupt, match="--scale is for windows"):
        examined(step_model().SerializeToString(), wish(scale="mean"))
    with pytest.raises(ArtifactCorrupt, match="Leave out --context-buckets"):
        examined(window_model(3, 3).SerializeToString(), window_wish(context_buckets=99))


def test_inputs_the_other_way_round_are_taken_by_the_names_that_were_said() -> None:
    model = step_model()
    turned = list(model.graph.input)[::-1]
    del model.graph.input[:]
    model.graph.input.extend(turned)
    with pytest.raises(ArtifactCorrupt, match="its state goes in"):
        examined(model.SerializeToString(), wish())
    said = wish(inputs={"state": "s"})
    assert examined(model.SerializeToString(), said) == examined(step_model().SerializeToString(), wish())
    with pytest.raises(ArtifactCorrupt, match=r"--input names .*'nothing'.*Its inputs are s, x"):
        examined(model.SerializeToString(), wish(inputs={"state": "nothing"}))


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ({"quantiles": [[[1.0] * 11] * 14], "state_out": [[0.5] * STATE]}, "on the vectors its outputs differ by"),
        ({"quantiles": [[[1.0] * 11] * 14]}, "the vectors have .'quantiles'."),
        ({"quantiles": [[1.0]], "state_out": [[0.5] * STATE]}, "quantiles of the vectors has shape"),
        ({"quantiles": [["a"]], "state_out": [[0.5] * STATE]}, "no table of numbers"),
    ],
)
def test_vectors_that_the_graph_does_not_give_are_refused(outputs: dict[str, list[object]], reason: str) -> None:
    vectors = Vectors({"features": [[0.0] * 42], "state": [[0.0] * STATE]}, outputs)
    with pytest.raises(ArtifactCorrupt, match=reason):
        examined(step_model().SerializeToString(), wish(vectors=vectors))


def test_what_a_child_cannot_do_in_its_memory_or_time_is_refused(tmp_path: Path) -> None:
    raw = step_model().SerializeToString()
    with pytest.raises(ArtifactCorrupt, match=r"64 MiB of memory are allowed"):
        examined_apart(raw, wish(), most_memory_bytes=64 * 2**20)
    with pytest.raises(ArtifactCorrupt, match=r"not examined within 0\.01 s"):
        examined_apart(raw, wish(), most_seconds=0.01)


def test_stored_graph_with_arithmetic_on_shapes_is_refused_when_it_is_loaded() -> None:
    # An import leaves none: a version that has some was not made by one.
    with pytest.raises(ArtifactCorrupt, match=r"Shape sizes works on constants or shapes. Import the graph again"):
        OnnxBlock.from_bytes(step_model().SerializeToString())


def test_stored_graph_of_another_number_of_rows_is_brought_to_that_which_is_checked() -> None:
    nodes = [node("MatMul", "features kernel", "quantiles")]
    model = model_of(nodes, [named("features", 2**40, 3)], [named("quantiles", 2**40, 4)], {"kernel": drawn(3, 4)})
    block = OnnxBlock.from_bytes(model.SerializeToString())
    np.testing.assert_allclose(
        block.run(np.ones((2, 3), np.float32))[0], np.tile(drawn(3, 4).sum(axis=0), (2, 1)), 1e-5
    )
