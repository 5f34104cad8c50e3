"""Drafts, specs and forecasters for tests."""

from model_store.artifact import Draft
from model_store.kinds.learned import Learned
from model_store.onnx_step import OnnxStep
from model_store.spec import ModelSpec, default_features, default_grid
from replenishment.buckets import BucketWidth
from tests.model_store.graphs import lstm_bytes

DAY = BucketWidth(86_400)
AT_2011_10_08 = 1_318_032_000_000


def lstm_spec(width: BucketWidth = DAY) -> ModelSpec:
    """Spec of a daily LSTM in a shop closed on Saturdays."""
    return ModelSpec("lstm", width, default_grid(), 112, default_features(width, (5,)))


def lstm(seed: int = 0, units: int = 16, width: BucketWidth = DAY) -> Learned:
    """A random LSTM as a forecaster."""
    spec = lstm_spec(width)
    assert spec.features is not None
    return Learned("lstm", spec, OnnxStep.from_bytes(lstm_bytes(seed, spec.features.inputs, units)))


def lstm_draft(seed: int = 0) -> Draft:
    """A random LSTM to be published."""
    return Draft(
        lstm_spec(),
        {"step.onnx": lstm_bytes(seed)},
        data_from_at=AT_2011_10_08 - 300 * 86_400_000,
        data_until_at=AT_2011_10_08,
        metrics={"spb_7": 0.437, "seed": seed},
        created_by={"restock": "0.1.0"},
    )


def moving_average_draft(window_buckets: int = 28) -> Draft:
    """A moving average to be published; its window makes it distinct."""
    spec = ModelSpec(
        "moving_average", DAY, default_grid(), window_buckets, None, {"window_buckets": float(window_buckets)}
    )
    return Draft(spec, {}, data_from_at=0, data_until_at=AT_2011_10_08)
