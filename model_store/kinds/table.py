"""The kinds there are: a new kind is one file and one line here."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from model_store.kinds import imported, seasonal_least_squares, seasonal_naive
from model_store.kinds.exponential_smoothing import ExponentialSmoothing
from model_store.kinds.learned import Learned
from model_store.kinds.moving_average import MovingAverage
from model_store.kinds.tsb import Tsb
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


def _by_spec(build: Callable[[str, ModelSpec], Forecaster]) -> Kind:
    """Return a kind that is built from its spec alone."""

    def built(version: str, spec: ModelSpec, _files: Mapping[str, bytes]) -> Forecaster:
        return build(version, spec)

    return Kind(built, frozenset())


KINDS: Mapping[str, Kind] = {
    "average": Kind(_learned, frozenset({STEP_GRAPH})),
    "cnn": Kind(_learned, frozenset({STEP_GRAPH})),
    "exponential_smoothing": _by_spec(ExponentialSmoothing),
    "lstm": Kind(_learned, frozenset({STEP_GRAPH})),
    "mlp": Kind(_learned, frozenset({STEP_GRAPH})),
    "moving_average": _by_spec(MovingAverage),
    "seasonal_least_squares": _by_spec(seasonal_least_squares.build),
    "seasonal_naive": _by_spec(seasonal_naive.build),
    "tsb": _by_spec(Tsb),
}
_IMPORTED = Kind(imported.build, imported.FILES)
FILES = frozenset().union(_IMPORTED.files, *(kind.files for kind in KINDS.values()))


def kind_of(name: str, files: Iterable[str]) -> Kind | None:
    """Return how a version of a kind with these files is built; None if it cannot be.

    A name that is none of `KINDS` is that of an imported model, if the files are those of one.
    """
    kind = KINDS.get(name, _IMPORTED)
    return kind if kind.files == set(files) else None
