"""Step graphs: the numbers of the oracle, rows that stand alone, and hostile graphs refused by name."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper

from model_store.errors import ArtifactCorrupt
from model_store.onnx_graph import GraphShape, checked_shape
from model_store.onnx_step import OnnxStep
from replenishment.arrays import Float32s
from tests.model_store import numpy_lstm
from tests.model_store.graphs import lstm_model, step_model

WEIGHTS = numpy_lstm.LstmWeights.random(0, 12, 8, 6 * 4)


def sound() -> ModelProto:
    return lstm_model(WEIGHTS, 6, 4)


def drawn(rows: int, seed: int = 1) -> tuple[Float32s, Float32s]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 3, (rows, 12)).astype(np.float32), rng.normal(0, 0.5, (rows, 16)).astype(np.float32)


def test_graph_gives_the_numbers_of_the_oracle() -> None:
    features, state = drawn(200)
    quantiles, state_out = OnnxStep.from_bytes(sound().SerializeToString()).run(features, state)
    expected, expected_state = numpy_lstm.step(WEIGHTS, features, state, 4)
    np.testing.assert_allclose(quantiles, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state_out, expected_state, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("units", [8, 64])
def test_row_gives_the_same_bits_at_any_place_in_a_batch_of_any_size(units: int) -> None:
    step = OnnxStep.from_bytes(lstm_model(numpy_lstm.LstmWeights.random(1, 12, units, 24), 6, 4).SerializeToString())
    rng = np.random.default_rng(2)
    features = rng.normal(0, 3, (2300, 12)).astype(np.float32)
    state = rng.normal(0, 0.5, (2300, 2 * units)).astype(np.float32)
    quantiles, state_out = step.run(features, state)
    for rows in (*range(1, 130, 3), 191, 192, 255, 511, 513, 1000, 1023, 1024, 1025, 2047, 2049):
        for start in (0, 1, 200):
            taken = slice(start, start + rows)
            part, part_state = step.run(features[taken], state[taken])
            np.testing.assert_array_equal(part, quantiles[taken])
            np.testing.assert_array_equal(part_state, state_out[taken])


def test_shape_is_read_from_the_graph() -> None:
    assert checked_shape(sound().SerializeToString()) == GraphShape(12, 16, 6, 4)


def weight(model: ModelProto, name: str) -> TensorProto:
    found: TensorProto = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    return found


def foreign_domain(model: ModelProto) -> None:
    model.graph.node[0].domain = "evil.ops"


def foreign_operator_set(model: ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("evil.ops", 1))


def old_operator_set(model: ModelProto) -> None:
    model.opset_import[0].version = 7


def unknown_operator(model: ModelProto) -> None:
    model.graph.node[0].op_type = "Loop"


def subgraph(model: ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("body", helper.make_graph([], "inner", [], [])))


def tensor_attribute(model: ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("value", numpy_helper.from_array(np.zeros(3))))


def function_of_its_own(model: ModelProto) -> None:
    model.functions.append(helper.make_function("x", "Trick", [], [], [], [helper.make_opsetid("", 18)]))


def reference_attribute(model: ModelProto) -> None:
    model.graph.node[0].attribute.append(AttributeProto(name="a", type=AttributeProto.INT, ref_attr_name="b"))


def external_weights(model: ModelProto) -> None:
    tensor = weight(model, "kernel")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def unflagged_external_weights(model: ModelProto) -> None:
    weight(model, "kernel").external_data.add(key="location", value="../../secret")


def nan_weights(model: ModelProto) -> None:
    values = numpy_helper.to_array(weight(model, "bias")).copy()
    values[3] = np.nan
    weight(model, "bias").CopyFrom(numpy_helper.from_array(values, "bias"))


def infinite_weights(model: ModelProto) -> None:
    weight(model, "bias").CopyFrom(numpy_helper.from_array(np.full(32, np.inf, np.float32), "bias"))


def double_weights(model: ModelProto) -> None:
    weight(model, "bias").CopyFrom(numpy_helper.from_array(np.zeros(32), "bias"))


def huge_declared_weights(model: ModelProto) -> None:
    weight(model, "kernel").dims[:] = [2**31, 2**20]


def negative_declared_weights(model: ModelProto) -> None:
    weight(model, "kernel").dims[:] = [-8, -32]


def weights_of_another_shape(model: ModelProto) -> None:
    weight(model, "kernel").dims[:] = [32, 8]


def other_input_name(model: ModelProto) -> None:
    model.graph.input[0].name = "x"


def third_output(model: ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("c_out", TensorProto.FLOAT, ["B", 8]))


def fixed_batch(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def integer_input(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64


def flat_quantiles(model: ModelProto) -> None:
    weight(model, "head_shape").CopyFrom(numpy_helper.from_array(np.array([-1, 6, 2]), "head_shape"))


def too_many_nodes(model: ModelProto) -> None:
    model.graph.node.extend([model.graph.node[0]] * 2000)


def circle(model: ModelProto) -> None:
    model.graph.node[0].input[0] = "quantiles"


def sparse_weights(model: ModelProto) -> None:
    model.graph.sparse_initializer.add()


HOSTILE: dict[Callable[[ModelProto], None], str] = {
    foreign_domain: "evil.ops:Sub",
    foreign_operator_set: "evil.ops",
    old_operator_set: "operator sets",
    unknown_operator: "Loop is not one of",
    subgraph: "attribute body",
    tensor_attribute: "attribute value",
    reference_attribute: "attribute a",
    function_of_its_own: "functions",
    external_weights: "kernel lie outside",
    unflagged_external_weights: "kernel lie outside",
    nan_weights: "bias hold NaN",
    infinite_weights: "bias hold NaN or infinity",
    double_weights: "neither float32",
    huge_declared_weights: "kernel declare shape",
    negative_declared_weights: "kernel declare shape",
    weights_of_another_shape: "shapes do not fit",
    other_input_name: "inputs and outputs",
    third_output: "inputs and outputs",
    fixed_batch: "input features",
    integer_input: "input features",
    flat_quantiles: "outputs are",
    too_many_nodes: "2032 nodes",
    circle: "do not fit",
    sparse_weights: "sparse",
}


@pytest.mark.parametrize("spoil", HOSTILE, ids=lambda spoil: spoil.__name__)
def test_hostile_graph_is_refused_by_name(spoil: Callable[[ModelProto], None]) -> None:
    model = sound()
    spoil(model)
    with pytest.raises(ArtifactCorrupt, match=HOSTILE[spoil]):
        OnnxStep.from_bytes(model.SerializeToString())


def test_graph_whose_values_outgrow_memory_is_refused_before_it_runs() -> None:
    # A small file: 60,000 rows beside 60,000 columns make 3.6 billion values.
    weights = {"tall": np.zeros((60_000, 1), np.float32), "wide": np.zeros((1, 60_000), np.float32)}
    nodes = [
        helper.make_node("MatMul", ["tall", "wide"], ["huge"]),
        helper.make_node("Relu", ["features"], ["quantiles"]),
        helper.make_node("Relu", ["state"], ["state_out"]),
    ]
    with pytest.raises(ArtifactCorrupt, match="huge would hold 3600000000 values"):
        checked_shape(step_model(nodes, weights, (12, 16, 6, 4)).SerializeToString())


@pytest.mark.parametrize("raw", [b"", b"\x80\x04]\x94.", b"not a model" * 100, bytes(range(256))])
def test_bytes_that_are_no_graph_are_refused(raw: bytes) -> None:
    with pytest.raises(ArtifactCorrupt):
        checked_shape(raw)


def test_graph_cut_short_anywhere_is_refused() -> None:
    raw = sound().SerializeToString()
    for length in range(0, len(raw), 997):
        with pytest.raises(ArtifactCorrupt):
            OnnxStep.from_bytes(raw[:length])


def test_nothing_is_written_into_the_home_directory_when_a_version_is_loaded(tmp_path: Path) -> None:
    load = "from model_store import artifact; from model_store.starter import starter_directory as at;"
    load += "artifact.read(at(), packaged=True).forecaster()"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", load], env=environment, check=True, cwd=Path(__file__).parents[2])
    assert list(tmp_path.rglob("*")) == []
