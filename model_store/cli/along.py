"""The part of `train` for machines that fit together, as TF_CONFIG names them."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_store.training.history import DemandHistory
    from model_store.training.machines import Machines
    from model_store.training.plan import RunPlan
    from model_store.training.progress import Reporter


def machines_of(environment: Mapping[str, str], reporter: "Reporter") -> "Machines | None":
    """Return this machine among those of TF_CONFIG, when all are there; None if it fits alone.

    Raises:
        TrainingFailed: If TF_CONFIG cannot be read.
    """
    from model_store.training.cluster import cluster_of

    cluster = cluster_of(environment)
    if cluster is None:
        return None
    from model_store.training.machines import joined

    return joined(cluster, reporter.say)


def fit_along(
    machines: "Machines", history: "DemandHistory", plan: "RunPlan", models: Path, reporter: "Reporter"
) -> None:
    """Do the part of every machine but the first; see `along.fit_along`."""
    from model_store.training.along import fit_along as run
    from model_store.versions import Versions

    run(machines, history, Versions(models), plan, reporter, clock=time.monotonic)
    reporter.say("fitted along; machine 0 judges and publishes")
