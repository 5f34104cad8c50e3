"""Makes a learned version: features, fit, export, and proof that the exported graph is the net."""

from model_store.artifact import Draft
from model_store.kinds.table import STEP_GRAPH
from model_store.spec import ModelSpec, default_features
from model_store.training.dataset import closed_weekdays, sequences
from model_store.training.export import parity, step_graph
from model_store.training.fit import Schedule, fit
from model_store.training.history import DemandHistory
from model_store.training.plan import Clock, RunPlan, Trained, created_by
from model_store.training.progress import Reporter

SHORTEST_FIT_SECONDS = 5.0


def fitted(
    learnt: DemandHistory, plan: RunPlan, reporter: Reporter, *, clock: Clock, fit_by: float = float("inf")
) -> Trained:
    """Fit a net to all of a history, export it and prove parity; it need not have been judged sufficient.

    Raises:
        TrainingFailed: If the run diverged or the exported graph is not the net.
    """
    begun = clock()
    features = plan.features or default_features(learnt.width, closed_weekdays(learnt))
    grid = plan.wanted_grid
    reporter.stage("features")
    made = sequences(learnt, features, grid, plan.seed)
    schedule = Schedule(plan.epochs * made.batches_per_epoch, max(fit_by - clock(), SHORTEST_FIT_SECONDS))
    net = fit(made, features, schedule, plan.seed, clock=clock, stage=reporter.stage("fitting"))
    graph = step_graph(net.weights, made.standardisation, features, grid)
    figures = {
        "keys_learnt": len(made.history.keys),
        "buckets_learnt": learnt.buckets,
        "steps": net.steps,
        "epochs": round(net.steps / made.batches_per_epoch, 2),
        "loss": net.loss,
        "parity": parity(graph, net, made.standardisation, features, plan.seed),
        "fit_seconds": round(clock() - begun, 1),
    }
    spec = ModelSpec(plan.kind, learnt.width, grid, features=features)
    return Trained(Draft(spec, {STEP_GRAPH: graph}, learnt.start_at, learnt.end_at, created_by=created_by()), figures)
