"""Nets of every shape: the exported graph is the Keras model, remembers what it should, and serves by the contract."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from time import monotonic

import numpy as np
import pytest

from model_store.kinds.table import KINDS
from model_store.onnx_graph import checked_shape
from model_store.training.history import DemandHistory
from model_store.training.nets import AVERAGED, PRESETS, Net
from model_store.training.plan import RunPlan, Trained, grid_for
from model_store.training.trainers import Learned, trainer_of
from replenishment.forecaster import Forecaster
from tests.contracts.forecaster_contract import LAWS, bucket_of, demand_history, stepped_through
from tests.model_store.training.builders import SILENT, generated

NETS = {
    "lstm_2x50": PRESETS["lstm_2x50"],
    "lstm_uneven": Net("lstm", (12, 8), 16),
    "cnn": PRESETS["cnn"],
    "mlp": PRESETS["mlp"],
}


@cache
def shop() -> DemandHistory:
    return generated(30, 80)


@cache
def trained(name: str) -> Trained:
    trainer = Learned(NETS[name].core, (NETS[name],)) if name in NETS else trainer_of(name)
    assert trainer is not None
    return trainer(shop(), RunPlan(epochs=2, grid=grid_for((7, 14))), SILENT, monotonic, float("inf"))


def forecaster(name: str) -> Forecaster:
    return trained(name).draft.forecaster()


@pytest.mark.parametrize("name", [*NETS, "average"])
def test_exported_graph_forecasts_what_keras_does(name: str) -> None:
    # The trainer compares both on random inputs far wider than demand makes them, and raises at 1e-4.
    assert 0 < trained(name).figures["parity"] < 1e-4


@pytest.mark.parametrize("name", [*NETS, "average"])
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_forecaster_of_every_net_keeps_the_contract(name: str, law: Callable[[Forecaster], None]) -> None:
    law(forecaster(name))


@pytest.mark.parametrize("name", NETS)
def test_state_of_a_graph_has_the_size_that_its_net_says(name: str) -> None:
    draft = trained(name).draft
    assert checked_shape(draft.files["step.onnx"]).state_floats == NETS[name].state_floats
    assert draft.spec.kind in KINDS


def test_convolutions_reach_back_as_far_as_their_rings_and_no_further() -> None:
    net = PRESETS["cnn"]
    reach = sum(net.reaches)
    history = demand_history(3, reach + 12, 30)
    graph = forecaster("cnn")
    recurrent = slice(graph.memory_floats - net.state_floats, None)
    memory = stepped_through(graph, history).memory
    assert np.abs(memory[:, recurrent]).max() > 0
    # The same statistics with another past: after as many buckets as the rings reach, the rings are equal.
    other = memory.copy()
    other[:, recurrent] = 9
    for step in range(reach):
        closed = bucket_of(history[step], step=len(history) + step)
        assert not np.array_equal(memory[:, recurrent], other[:, recurrent])
        memory, other = graph.step(closed, memory).memory, graph.step(closed, other).memory
    np.testing.assert_array_equal(memory, other)


def test_net_of_no_recurrence_forecasts_from_the_statistics_alone() -> None:
    graph = forecaster("mlp")
    memory = stepped_through(graph, demand_history(4, 20, 12)).memory
    other = memory.copy()
    other[:, -1] = 1e6
    closed = bucket_of(demand_history(5, 1, 12)[0], step=20)
    np.testing.assert_array_equal(graph.step(closed, memory).quantiles, graph.step(closed, other).quantiles)


def test_average_is_the_mean_of_its_members() -> None:
    history = demand_history(6, 25, 20)
    members = [stepped_through(forecaster(name), history).quantiles for name in AVERAGED]
    found = stepped_through(forecaster("average"), history).quantiles
    np.testing.assert_allclose(found, np.mean(members, axis=0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "net"),
    [
        ("lstm_2x50", Net("lstm", (50, 50), 50)),
        ("lstm_4x512", Net("lstm", (512,) * 4, 512)),
        ("cnn_3x8", Net("cnn", (8,) * 3, 64)),
        ("mlp_2x128", Net("mlp", (128, 128), 128)),
    ],
)
def test_net_is_chosen_by_its_size(name: str, net: Net) -> None:
    found = trainer_of(name)
    assert isinstance(found, Learned)
    assert (found.kind, found.nets) == (net.core, (net,))


def test_sizes_out_of_range_and_uneven_convolutions_are_refused() -> None:
    assert trainer_of("gru_2x50") is None
    with pytest.raises(ValueError, match="1 to 16 layers"):
        trainer_of("lstm_17x8")
    with pytest.raises(ValueError, match="1 to 4096 units"):
        trainer_of("mlp_1x9999")
    with pytest.raises(ValueError, match="all have one width"):
        Net("cnn", (8, 16))
