"""Makes learned versions: features, fit, export, and proof that the exported graph is the net."""

from collections.abc import Sequence

import numpy as np

from model_store.artifact import Draft
from model_store.kinds.table import STEP_GRAPH
from model_store.spec import FeatureSpec, ModelSpec
from model_store.training.dataset import Sequences, features_of, sequences
from model_store.training.export import net_graph, parity
from model_store.training.fit import Fitted, Schedule, fit
from model_store.training.graph_writer import Member
from model_store.training.history import DemandHistory
from model_store.training.mirror import both_ways
from model_store.training.nets import Net
from model_store.training.plan import Clock, RunPlan, Trained, created_by
from model_store.training.progress import Reporter
from replenishment.arrays import Float32s

SHORTEST_FIT_SECONDS = 5.0


def fitted(
    learnt: DemandHistory,
    plan: RunPlan,
    reporter: Reporter,
    *,
    kind: str,
    nets: Sequence[Net],
    clock: Clock,
    fit_by: float = float("inf"),
) -> Trained:
    """Fit nets to all of a history, export them as one graph and prove parity.

    The history need not have been judged sufficient.

    Args:
        learnt: Demand to learn from.
        plan: Length, seed, features and grid.
        reporter: Who shows progress.
        kind: Kind of the version.
        nets: Shapes of the nets, of which quantiles are averaged.
        clock: Seconds since some instant.
        fit_by: Instant of the clock by which fitting should end.

    Raises:
        TrainingFailed: If a run diverged or the exported graph is not the nets.
    """
    begun = clock()
    features = features_of(learnt, plan.wanted_grid, plan.features)
    reporter.stage("features")
    made = sequences(both_ways(learnt, features), features, plan.wanted_grid, plan.seed)
    steps = max(plan.epochs * made.batches_per_epoch, plan.least_steps)
    fits = []
    for place, net in enumerate(nets):
        left = (fit_by - clock()) / (len(nets) - place)
        schedule = Schedule(steps, max(left, SHORTEST_FIT_SECONDS))
        stage = reporter.stage(f"fitting {net.core}" if len(nets) > 1 else "fitting")
        fits.append(fit(made, features, schedule, plan.seed, clock=clock, stage=stage, net=net))
    graph, difference = _exported(fits, made, features, plan.seed)
    figures = {
        "keys_learnt": min(len(learnt.keys), len(made.history.keys)),
        "buckets_learnt": learnt.buckets,
        "steps": sum(one.steps for one in fits),
        "epochs": round(sum(one.steps for one in fits) / made.batches_per_epoch, 2),
        "loss": float(np.mean([one.loss for one in fits])),
        "parity": difference,
        "fit_seconds": round(clock() - begun, 1),
    }
    spec = ModelSpec(kind, learnt.width, plan.wanted_grid, features=features)
    return Trained(Draft(spec, {STEP_GRAPH: graph}, learnt.start_at, learnt.end_at, created_by=created_by()), figures)


def _exported(fits: Sequence[Fitted], made: Sequences, features: FeatureSpec, seed: int) -> tuple[bytes, float]:
    """Return the graph of all nets, and its largest difference from them."""
    members = [Member(one.net, one.arrays, made.standardisation) for one in fits]
    graph = net_graph(members, features, made.grid)

    def averaged(own: Float32s, calendar: Float32s) -> Float32s:
        return np.asarray(np.mean([one.forward(own, calendar) for one in fits], axis=0), dtype=np.float32)

    whole = Fitted(fits[0].net, fits[0].arrays, 0, 0.0, averaged)
    return graph, parity(graph, whole, made.standardisation, features, seed)
