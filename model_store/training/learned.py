"""Makes learned versions: features, fit, export, and proof that the exported graph is the net."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, inf

import msgspec
import numpy as np

from model_store.artifact import Draft
from model_store.kinds.table import STEP_GRAPH
from model_store.spec import FeatureSpec, ModelSpec
from model_store.training.checkpoint import digest_of
from model_store.training.dataset import WINDOW_BUCKETS, Sequences, sequences
from model_store.training.export import net_graph, parity
from model_store.training.fit import Fitted, Schedule, fit
from model_store.training.graph_writer import Member
from model_store.training.history import DemandHistory
from model_store.training.inputs import features_of
from model_store.training.mirror import both_ways
from model_store.training.nets import Net
from model_store.training.network import NetArrays
from model_store.training.plan import Clock, RunPlan, Trained, created_by
from model_store.training.progress import Reporter
from model_store.training.warm_start import members_of
from replenishment.arrays import Float32s
from replenishment.quantiles import QuantileGrid
from replenishment.signals import HOLIDAY

SHORTEST_FIT_SECONDS = 5.0
WARM_SHARE = 1 / 3
"""Epochs of a run that goes on from weights, as a share of the plan's; each shows recent buckets only."""
WARM_PEAK = 0.3
"""Share of the full learning rate that it begins with: enough to follow new demand, too little to forget."""
_ANY_DAY = ("1970-01-05",)


@dataclass(frozen=True, slots=True)
class _Start:
    """Nets to go on from, the features that they read, and their grid."""

    members: Sequence[Member]
    features: FeatureSpec
    grid: QuantileGrid


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
    start = _start(learnt, plan, nets, reporter)
    features = start.features if start else features_of(learnt, plan.wanted_grid, plan.features)
    reporter.stage("features")
    made, ways = _shown(learnt, features, plan, start)
    steps = _steps(plan, made, ways, is_warm=start is not None)
    fits = []
    for place, net in enumerate(nets):
        left = (fit_by - clock()) / (len(nets) - place)
        schedule = Schedule(steps, max(left, SHORTEST_FIT_SECONDS), WARM_PEAK if start else 1.0)
        stage = reporter.stage(f"fitting {net.core}" if len(nets) > 1 else "fitting")
        begins = start.members[place].arrays if start else None
        run = _run_digest(plan, made, (features, net, steps), begins)
        if plan.machines is not None:
            plan.machines.require_same(run)
        fits.append(
            fit(
                made,
                features,
                schedule,
                plan.seed,
                clock=clock,
                stage=stage,
                net=net,
                precision=plan.precision,
                start=begins,
                checkpoint=plan.checkpoints.of(run, clock) if plan.checkpoints else None,
                machines=plan.machines,
            )
        )
    graph, difference = _exported(fits, made, features, plan.seed)
    figures = _figures(learnt, made, fits)
    figures |= {"parity": difference, "fit_seconds": round(clock() - begun, 1), "warm": float(start is not None)}
    spec = ModelSpec(kind, learnt.width, made.grid, features=features)
    return Trained(Draft(spec, {STEP_GRAPH: graph}, learnt.start_at, learnt.end_at, created_by=created_by()), figures)


def _figures(learnt: DemandHistory, made: Sequences, fits: Sequence[Fitted]) -> dict[str, float]:
    """Return what a fit was of: keys, buckets, steps, epochs, and the mean loss of its nets."""
    steps = sum(one.steps for one in fits)
    return {
        "keys_learnt": min(len(learnt.keys), len(made.history.keys)),
        "buckets_learnt": learnt.buckets,
        "steps": steps,
        "epochs": round(steps / made.batches_per_epoch, 2),
        "loss": float(np.mean([one.loss for one in fits])),
    }


def _start(learnt: DemandHistory, plan: RunPlan, nets: Sequence[Net], reporter: Reporter) -> _Start | None:
    """Return the nets that the plan goes on from; None, and a sentence why, if from none."""
    if plan.start is None or plan.start.spec.features is None:
        return None
    known, grid = plan.start.spec.features, plan.start.spec.grid
    features = features_of(learnt, grid, replace(known, signals=msgspec.UNSET))
    if _undated(features) != _undated(known):
        reporter.say(f"{plan.start.name} reads other signals than this run has: trained anew, not refreshed")
        return None
    members = members_of(plan.start.graph, nets, features, grid)
    if members is None:
        reporter.say(f"{plan.start.name} is no such net as --kind {plan.kind} names: trained anew, not refreshed")
        return None
    return _Start(members, features, grid)


def _undated(features: FeatureSpec) -> FeatureSpec:
    """Return features without the dates of holidays: each run knows more of them, the same weights read them."""
    signals = features.signals
    if not signals or HOLIDAY not in signals.known_ahead:
        return features
    return replace(features, signals=replace(signals, holidays=_ANY_DAY))


def _shown(learnt: DemandHistory, features: FeatureSpec, plan: RunPlan, start: _Start | None) -> tuple[Sequences, int]:
    """Return what nets are shown, and in how many directions.

    It is everything, or recent buckets only and standardised as their weights know it.
    """
    if start is None:
        both = both_ways(learnt, features)
        made = sequences(both, features, plan.wanted_grid, plan.seed, room=plan.room)
        return made, _ways(both, learnt)
    both = both_ways(learnt, features, WINDOW_BUCKETS)
    known = start.members[0].standardisation
    made = sequences(both, features, start.grid, plan.seed, room=plan.room, standardisation=known)
    return replace(made, first_shown=max(both.buckets - WINDOW_BUCKETS, 0)), _ways(both, learnt)


def _ways(both: DemandHistory, learnt: DemandHistory) -> int:
    return 1 if both is learnt else 2


def _steps(plan: RunPlan, made: Sequences, ways: int, *, is_warm: bool) -> int:
    """Return the steps of a fit: what cannot be read backwards is shown twice as often forwards."""
    if is_warm:
        return ceil(plan.epochs * WARM_SHARE * made.batches_per_epoch * 2 / ways)
    return max(plan.epochs * made.batches_per_epoch * 2 // ways, plan.least_steps)


def _run_digest(plan: RunPlan, made: Sequences, parts: tuple[object, ...], start: NetArrays | None) -> str:
    """Return what a fit is, in hex: the same command on the same demand has the same."""
    weights = [start[name] for name in sorted(start)] if start else []
    return digest_of(
        made.history,
        made.signals,
        *parts,
        made.grid,
        plan.seed,
        plan.ends_by < inf,
        sorted(created_by().items()),
        *weights,
    )


def _exported(fits: Sequence[Fitted], made: Sequences, features: FeatureSpec, seed: int) -> tuple[bytes, float]:
    """Return the graph of all nets, and its largest difference from them."""
    members = [Member(one.net, one.arrays, made.standardisation) for one in fits]
    graph = net_graph(members, features, made.grid)

    def averaged(own: Float32s, calendar: Float32s) -> Float32s:
        return np.asarray(np.mean([one.forward(own, calendar) for one in fits], axis=0), dtype=np.float32)

    whole = Fitted(fits[0].net, fits[0].arrays, 0, 0.0, averaged)
    return graph, parity(graph, whole, made.standardisation, features, seed)
