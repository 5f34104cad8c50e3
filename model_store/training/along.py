"""What every machine but the first does of a training run: it fits along, and neither judges nor publishes."""

from dataclasses import replace
from typing import TYPE_CHECKING

from model_store.training.history import DemandHistory
from model_store.training.incumbents import Held, start_of
from model_store.training.pipeline import able_trainer, start_from, trial_of
from model_store.training.plan import Clock, RunPlan
from model_store.training.progress import Reporter
from model_store.versions import Versions

if TYPE_CHECKING:
    from model_store.training.machines import Machines

_FOREVER = float("inf")


def fit_along(
    machines: "Machines", history: DemandHistory, versions: Versions, plan: RunPlan, reporter: Reporter, *, clock: Clock
) -> None:
    """Take part in each fit of the first machine's `pipeline.train`.

    Args:
        machines: Those that fit together.
        history: The same demand as there.
        versions: Where the champion is that a refresh goes on from; the same as there.
        plan: The same as there, but for checkpoints.
        reporter: Who shows progress.
        clock: Seconds since some instant.

    Raises:
        UnusableHistory: If the history is too short or too thin to learn from.
        TrainingFailed: If the run diverged, a machine went away, or this one has other demand or another plan.
    """
    trainer, trial = able_trainer(history, plan), trial_of(history, plan)
    if plan.refreshes:
        held = Held(history.width, trial.held_out_from_at)
        plan = replace(plan, start=start_of(held, versions, reporter))
    made = trainer(history.until(trial.first), plan, reporter, clock, _FOREVER)
    if machines.agreed(0.0):
        plan = replace(plan, start=start_from(made.draft, "the version that was judged"))
        trainer(history, plan, reporter, clock, _FOREVER)
