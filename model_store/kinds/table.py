"""The kinds there are: a new kind is one file and one line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from model_store.kinds.learned import Learned
from model_store.kinds.moving_average import MovingAverage
from model_store.onnx_step import OnnxStep
from model_store.spec import ModelSpec
from replenishment.forecaster import Forecaster

STEP_GRAPH = "step.onnx"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind is built from version id, spec and its files, and which files those are."""

    build: Callable[[str, ModelSpec, Mapping[str, bytes]], Forecaster]
    files: frozenset[str]


def _learned(version: str, spec: ModelSpec, files: Mapping[str, bytes]) -> Forecaster:
    return Learned(version, spec, OnnxStep.from_bytes(files[STEP_GRAPH]))


def _moving_average(version: str, spec: ModelSpec, _files: Mapping[str, bytes]) -> Forecaster:
    return MovingAverage(version, spec)


KINDS: Mapping[str, Kind] = {
    "lstm": Kind(_learned, frozenset({STEP_GRAPH})),
    "moving_average": Kind(_moving_average, frozenset()),
}
