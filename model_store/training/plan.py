"""How a run of the trainer is made, and what it makes before anybody judged it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from model_store.artifact import Draft
from model_store.lead_times import LeadTimePriors
from model_store.spec import DEFAULT_HORIZONS_BUCKETS, DEFAULT_LEVELS, FeatureSpec, ModelSpec, default_grid
from model_store.training.checkpoint import Checkpoints
from model_store.training.gate import DECISION_LEVELS
from model_store.training.room import IN_MEMORY, Room
from replenishment.quantiles import QuantileGrid

if TYPE_CHECKING:
    from model_store.training.machines import Machines

DEFAULT_EPOCHS = 4
LEAST_STEPS = 240
"""What a net needs to learn anything, however few buckets an epoch has: weeks of a small shop are two batches."""
DEFAULT_KIND = "lstm"
PRECISIONS = ("float32", "mixed_bfloat16")
"""Of the multiplications while a net is fitted; the first is the default."""
Clock = Callable[[], float]
"""Seconds since some instant."""
_TOOLS = ("restock", "tensorflow", "keras", "numpy", "onnx")


@dataclass(frozen=True, slots=True)
class Start:
    """A version to go on from.

    Attributes:
        name: What an operator calls it.
        spec: Its spec; a run that goes on from it has the same features and grid.
        graph: Its step graph.
    """

    name: str
    spec: ModelSpec
    graph: bytes


@dataclass(frozen=True, slots=True)
class RunPlan:
    """How a run is made.

    Attributes:
        epochs: How often each bucket is shown, forwards and backwards each, 1 or more; where a history is not
            read backwards, twice as often forwards.
        least_steps: Steps of a net at least, if that is more epochs.
        seed: Of weights, batches and samples.
        ends_by: Instant of the clock by which the run should have ended; infinity makes it repeatable.
        promotes: Whether a challenger that the gate accepts becomes champion.
        features: Inputs of the net; None: those for the bucket width, with the closed weekdays of the history.
        kind: What is made, a name in `trainers.TRAINERS`.
        grid: Horizons and levels that it forecasts; None: the default ones.
        precision: One of `PRECISIONS`.
        decision_levels: Where the gate measures; some of `scoring.TABLE_LEVELS`.
        refits: Whether an accepted version learns the held-out buckets too before it is promoted.
        refreshes: Whether a net goes on from the champion's weights, on recent buckets, instead of anew.
        start: Version that a net goes on from on recent buckets; None: from weights drawn with the seed.
        room: What inputs of a net may take; of more keys a sample is drawn.
        checkpoints: Where fits are kept from time to time; None: nowhere.
        machines: Who fits together; None: this machine alone.
        lead_times: What suppliers take, which the version carries; None: nothing is known of it.
    """

    epochs: int = DEFAULT_EPOCHS
    least_steps: int = 1
    seed: int = 0
    ends_by: float = float("inf")
    promotes: bool = True
    features: FeatureSpec | None = None
    kind: str = DEFAULT_KIND
    grid: QuantileGrid | None = None
    precision: str = PRECISIONS[0]
    decision_levels: tuple[float, ...] = DECISION_LEVELS
    refits: bool = True
    refreshes: bool = False
    start: Start | None = None
    room: Room = IN_MEMORY
    checkpoints: Checkpoints | None = None
    machines: "Machines | None" = None
    lead_times: LeadTimePriors | None = None

    @property
    def wanted_grid(self) -> QuantileGrid:
        """Horizons and levels, the default ones if none are named."""
        return self.grid or default_grid()


@dataclass(frozen=True, slots=True)
class Trained:
    """A draft that nobody has judged yet, and figures of how it was made."""

    draft: Draft
    figures: Mapping[str, float]


def grid_for(leads: tuple[int, ...]) -> QuantileGrid:
    """Return a grid that has every lead: each bucket up to 14 and to the longest lead, beyond that the leads alone.

    Example:
        >>> grid_for((1, 4)).horizons_buckets, grid_for((7, 28)).horizons_buckets[-2:]
        ((1, 2, 3, 4), (14, 28))
    """
    near = [horizon for horizon in DEFAULT_HORIZONS_BUCKETS if horizon <= leads[-1]]
    return QuantileGrid(tuple(sorted({*near, *leads})), DEFAULT_LEVELS)


def created_by() -> dict[str, str]:
    """Return the versions of the programs that make a version."""
    found = {}
    for tool in _TOOLS:
        try:
            found[tool] = version(tool)
        except PackageNotFoundError:  # run from a source tree that is not installed
            continue
    return found
