"""The exported graph: what Keras says, bucket by bucket, and curves that never cross."""

from dataclasses import replace

import numpy as np
import pytest

from model_store.features import FeatureState, features, fresh_memory, observe
from model_store.kinds.learned import Learned
from model_store.onnx_graph import GraphShape, checked_shape
from model_store.onnx_step import OnnxStep
from model_store.spec import ModelSpec
from model_store.training.errors import TrainingFailed
from replenishment.arrays import Float32s
from replenishment.forecaster import Forecast
from tests.contracts.forecaster_contract import demand_history, stepped_through
from tests.model_store.training.builders import DAY
from tests.model_store.training.conftest import TINY_GRID, Net


def exported(net: Net) -> bytes:
    from model_store.training.export import step_graph

    return step_graph(net.fitted.weights, net.shown.standardisation, net.spec, TINY_GRID)


def raw_inputs(net: Net, keys: int, buckets: int) -> Float32s:
    """Inputs (B, L, F) of the first keys of the history, as serving makes them."""
    history = net.shown.history.of_rows(np.arange(keys))
    memory, rows = fresh_memory(net.spec, keys), []
    for column in range(buckets):
        closed = history.closed(column)
        state = FeatureState.view(net.spec, memory)
        observe(net.spec, state, closed)
        rows.append(features(net.spec, state, closed))
    return np.stack(rows, axis=1)


def test_exported_net_forecasts_real_demand_bucket_by_bucket_as_keras_does_the_whole_window(net: Net) -> None:
    inputs = raw_inputs(net, 40, 60)
    standard = net.shown.standardisation.applied(inputs)
    own = net.spec.demand_inputs
    wanted = net.fitted.forward(standard[..., :own], standard[..., own:])
    step = OnnxStep.from_bytes(exported(net))
    state = np.zeros((40, step.shape.state_floats), dtype=np.float32)
    for bucket in range(60):
        found, state = step.run(inputs[:, bucket], state)
        np.testing.assert_allclose(found, wanted[:, bucket], rtol=1e-4, atol=1e-6)
    assert np.abs(state).max() > 0.1, "the state was used"


def test_exported_graph_is_safe_to_run_and_has_the_sizes_of_features_and_grid(net: Net) -> None:
    shape = checked_shape(exported(net))
    assert shape == GraphShape(net.spec.inputs, 128, len(TINY_GRID.horizons_buckets), len(TINY_GRID.levels))


def test_same_weights_give_the_same_bytes(net: Net) -> None:
    assert exported(net) == exported(net)


def test_parity_is_small_for_the_exported_net_and_refuses_a_net_with_one_other_weight(net: Net) -> None:
    from model_store.training.export import MOST_DIFFERENCE, parity, step_graph

    standardisation = net.shown.standardisation
    assert parity(exported(net), net.fitted, standardisation, net.spec, 0) < MOST_DIFFERENCE
    kernel = net.fitted.weights.recurrent_kernel.copy()
    kernel[0, 0] += 0.5
    other = step_graph(replace(net.fitted.weights, recurrent_kernel=kernel), standardisation, net.spec, net.shown.grid)
    with pytest.raises(TrainingFailed, match=r"differs from Keras by .* relative"):
        parity(other, net.fitted, standardisation, net.spec, 0)


def test_quantiles_cross_neither_in_level_nor_in_horizon_however_wild_the_inputs(net: Net) -> None:
    step = OnnxStep.from_bytes(exported(net))
    rng = np.random.default_rng(0)
    shape = step.shape
    inputs = rng.normal(0, 1, (2_000, shape.inputs)) * 10.0 ** rng.uniform(-3, 6, (2_000, 1))
    state = rng.uniform(-1, 1, (2_000, shape.state_floats)).astype(np.float32)
    quantiles, _ = step.run(inputs.astype(np.float32), state)
    assert np.isfinite(quantiles).all()
    assert (quantiles >= 0).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (np.diff(quantiles, axis=2) >= 0).all()
    assert (np.diff(quantiles, axis=2) > 0).mean() > 0.5, "the curves have a spread"


def test_exported_net_serves_demand_it_never_saw_in_units_of_that_demand(net: Net) -> None:
    forecaster = Learned("v", ModelSpec("lstm", DAY, TINY_GRID, features=net.spec), OnnxStep.from_bytes(exported(net)))
    forecasts: list[Forecast] = []
    for level in (1, 100):
        steady_demand = np.full((60, 3), level, dtype=np.float32)
        forecasts.append(stepped_through(forecaster, steady_demand))
    small, large = (one.quantiles[:, -1, 1] / 14 for one in forecasts)
    assert (small < 3).all()
    assert ((large > 30) & (large < 300)).all()
    assert np.isfinite(stepped_through(forecaster, demand_history(1, 40, 50)).quantiles).all()
