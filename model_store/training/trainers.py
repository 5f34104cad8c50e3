"""What can be fitted: a new model is one function and one line here.

A model is a name that people choose; the kind it becomes is in its spec
(several models may be of one kind). Nets are fitted by TensorFlow, which is
loaded when the first of them is asked for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from model_store.training import classical
from model_store.training.history import DemandHistory
from model_store.training.nets import AVERAGED, PRESETS, Net
from model_store.training.plan import Clock, RunPlan, Trained
from model_store.training.progress import Reporter
from model_store.training.sufficiency import require_learnable

Trainer = Callable[[DemandHistory, RunPlan, Reporter, Clock, float], Trained]
"""Makes a version of a history; the last argument is the instant of the clock by which a long fit should end."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Trainer of nets: their kind, and their shapes; quantiles of several are averaged."""

    kind: str
    nets: tuple[Net, ...]

    def __call__(
        self, learnt: DemandHistory, plan: RunPlan, reporter: Reporter, clock: Clock, fit_by: float
    ) -> Trained:
        """Fit the nets.

        Raises:
            UnusableHistory: If there is too little to learn from.
            TrainingFailed: If the run diverged or the exported graph is not the nets.
        """
        require_learnable(learnt, plan.wanted_grid.horizons_buckets[-1])
        from model_store.training.learned import fitted  # noqa: PLC0415 - loads TensorFlow

        return fitted(learnt, plan, reporter, kind=self.kind, nets=self.nets, clock=clock, fit_by=fit_by)


TRAINERS: Mapping[str, Trainer] = {
    "average": Learned("average", tuple(PRESETS[name] for name in AVERAGED)),
    "exponential_smoothing": classical.exponential_smoothing,
    "moving_average": classical.moving_average,
    "seasonal_least_squares": classical.seasonal_least_squares,
    "seasonal_naive": classical.seasonal_naive,
    "tsb": classical.tsb,
    **{name: Learned(net.core, (net,)) for name, net in PRESETS.items()},
}
"""What has a name of its own; see `trainer_of` for nets of other sizes."""


def trainer_of(name: str) -> Trainer | None:
    """Return what fits the model of a name, or None if there is none.

    Besides `TRAINERS` there are nets by size: ``lstm_2x50`` is two layers of 50 units, ``cnn_6x32``, ``mlp_2x128``.

    Raises:
        ValueError: If a size is out of range.
    """
    if name in TRAINERS:
        return TRAINERS[name]
    net = Net.named(name)
    return None if net is None else Learned(net.core, (net,))


def known_models() -> str:
    """Return the names for a message."""
    return f"{', '.join(sorted(TRAINERS))}, or a net by size such as lstm_2x128"
