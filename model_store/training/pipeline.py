"""One training run: history in, a published version out, promoted if the gate accepts it.

Split, fit, export, parity, trial, verdict; what is accepted learns the held-out
buckets too before it is promoted. Who reads the history (`demand_topic`,
`orders_file`) and what the time is are the caller's business.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from model_store.artifact import Draft
from model_store.errors import ModelStoreError
from model_store.kinds.moving_average import fallback
from model_store.kinds.table import STEP_GRAPH
from model_store.training.cluster import TF_CONFIG
from model_store.training.cold_start import with_priors
from model_store.training.deliveries import with_lead_times
from model_store.training.errors import TrainingFailed
from model_store.training.evaluate import Scores, held_out, rows_of
from model_store.training.gate import Verdict, verdict
from model_store.training.history import DemandHistory
from model_store.training.incumbents import Held, incumbent_of, other_width, start_of
from model_store.training.plan import DEFAULT_EPOCHS, Clock, RunPlan, Start, created_by
from model_store.training.progress import Reporter
from model_store.training.sufficiency import require_enough, require_long
from model_store.training.trainers import Learned, Trainer, known_models, trainer_of
from model_store.training.trial import Trial, Tried
from model_store.versions import Versions
from replenishment.forecaster import Forecaster

__all__ = ["DEFAULT_EPOCHS", "RunPlan", "Summary", "created_by", "train"]

CLOSING_SECONDS = 4.0
"""What export, parity, publication and promotion take, with a margin."""
REFIT_SHARE = 0.25
"""Of the seconds that a run with an end has for fits, what is kept for learning the held-out buckets."""
LEAST_REFIT_SECONDS = 2 * CLOSING_SECONDS
_LONGEST_WHY = 500


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did.

    Attributes:
        version: Id of the published version.
        is_promoted: Whether it is the champion now.
        verdict: The gate's.
        scores: Of the challenger and of those it was compared with, by version.
        figures: Keys, buckets, steps, seconds and the like.
    """

    version: str
    is_promoted: bool
    verdict: Verdict
    scores: Mapping[str, Scores]
    figures: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values, on one level but for scores."""
        return {
            "version": self.version,
            "accepted": self.verdict.accepted,
            "promoted": self.is_promoted,
            "reasons": list(self.verdict.reasons),
            "scores": {name: rows_of(scores) for name, scores in self.scores.items()},
            **self.figures,
        }


def train(
    history: DemandHistory,
    versions: Versions,
    plan: RunPlan,
    reporter: Reporter,
    *,
    clock: Callable[[], float],
    now_at: int,
) -> Summary:
    """Train, publish and, if the gate accepts, promote a version.

    Args:
        history: Demand to learn from; its last buckets are held out for evaluation.
        versions: Where the champion is, and where the version is published.
        plan: Length, seed and end of the run.
        reporter: Who shows progress.
        clock: Seconds since some instant, that of ``plan.ends_by``.
        now_at: Time of the promotion, epoch milliseconds.

    Raises:
        UnusableHistory: If the history is too short or too thin to learn from.
        TrainingFailed: If the run diverged or the exported graph is not the net.
        ModelStoreError: If the version cannot be published.
    """
    begun, champion = clock(), _champion(versions)
    trainer, trial = able_trainer(history, plan), trial_of(history, plan)
    held = Held(history.width, trial.held_out_from_at)
    incumbents = [*incumbent_of(held, versions, reporter), fallback(history.width)]
    tried, slowest_seconds = _tried(trial, incumbents, reporter, clock)
    fit_by = _fit_by(plan, slowest_seconds, clock())
    if plan.refreshes:
        plan = replace(plan, start=start_of(held, versions, reporter))
    learnt = history.until(trial.first)
    trained = with_priors(trainer(learnt, plan, reporter, clock, fit_by), learnt)
    trained = with_lead_times(trained, plan.lead_times)
    challenger = _tried(trial, [trained.draft.forecaster()], reporter, clock)[0][0]
    decided = _decided(trial, challenger, tried, versions, champion)
    judged = replace(trained.draft, metrics=_metrics(challenger.scores, tried[-1].scores), parent=champion)
    published = versions.publish(judged)
    if _learns_the_rest(plan, decided, reporter, clock):
        plan = replace(plan, start=start_from(judged, published))
        refitted = _refitted(trainer, history, plan, reporter, clock)
        if refitted is not None:
            held_out_from_at = trial.held_out_from_at
            whole = replace(refitted, metrics=judged.metrics, parent=published, held_out_from_at=held_out_from_at)
            published = versions.publish(whole)
    meanwhile = _promoted_meanwhile(champion, _champion(versions))
    if meanwhile and decided.accepted:
        decided = decided.refused(meanwhile)
    is_promoted = plan.promotes and decided.accepted
    if is_promoted:
        why = "; ".join(decided.reasons)[:_LONGEST_WHY]
        versions.promote(published, who="model-store train", why=why, at=now_at)
    if plan.checkpoints is not None:
        plan.checkpoints.forget()
    figures = {"keys": len(history.keys), "buckets": history.buckets, **trained.figures}
    figures["seconds"] = round(clock() - begun, 1)
    scores = {published: challenger.scores, **{one.version: one.scores for one in tried}}
    return Summary(published, is_promoted, decided, scores, figures)


def _fit_by(plan: RunPlan, slowest_seconds: float, now: float) -> float:
    """Return when the fit should end: trying it, learning the held-out buckets and publishing take time too."""
    # The challenger takes as long to try as the slowest of the others, or longer on a machine that got busier.
    left_seconds = plan.ends_by - CLOSING_SECONDS - 2 * slowest_seconds - now
    return now + left_seconds * (1 - REFIT_SHARE if plan.refits else 1)


def _decided(
    trial: Trial, challenger: Tried, incumbents: list[Tried], versions: Versions, compared_with: str | None
) -> Verdict:
    """Return the gate's verdict, refused where another champion stands than the one it was compared with."""
    decided = verdict([trial.contest(challenger, one) for one in incumbents])
    reasons = (_promoted_meanwhile(compared_with, _champion(versions)), other_width(trial.history.width, versions))
    for reason in filter(None, reasons):
        decided = decided.refused(reason)
    return decided


def able_trainer(history: DemandHistory, plan: RunPlan) -> Trainer:
    """Return what fits the plan's model, once the history is enough for it.

    Raises:
        UnusableHistory: If it is not.
        TrainingFailed: If several machines are to fit what one does.
        ValueError: If there is no such model.
    """
    trainer = trainer_of(plan.kind)
    if trainer is None:
        raise ValueError(f"{plan.kind!r} is none of {known_models()}")
    if plan.machines is not None and not isinstance(trainer, Learned):
        raise TrainingFailed(f"{plan.kind} is fitted on one machine: give the command there, without {TF_CONFIG}")
    origins = held_out(history.buckets, plan.wanted_grid.horizons_buckets)
    require_enough(history, origins) if isinstance(trainer, Learned) else require_long(history, origins)
    return trainer


def trial_of(history: DemandHistory, plan: RunPlan) -> Trial:
    """Return where a run is judged: on the last buckets, which it does not learn at first."""
    origins = held_out(history.buckets, plan.wanted_grid.horizons_buckets)
    return Trial.of(history, origins, plan.seed, plan.decision_levels)


def _learns_the_rest(plan: RunPlan, decided: Verdict, reporter: Reporter, clock: Clock) -> bool:
    """Return whether the held-out buckets are learnt too; the first of several machines says so to all."""
    is_wanted = plan.refits and decided.accepted
    if is_wanted and plan.ends_by - CLOSING_SECONDS - clock() < LEAST_REFIT_SECONDS:
        reporter.say("no time is left to learn the held-out buckets: the version serves as it was judged")
        is_wanted = False
    return is_wanted if plan.machines is None else bool(plan.machines.agreed(float(is_wanted)))


def start_from(draft: Draft, version: str) -> Start | None:
    """Return what the refit of a draft goes on from; None for a kind that is fitted anew."""
    graph = draft.files.get(STEP_GRAPH)
    return None if graph is None else Start(version, draft.spec, graph)


def _refitted(
    trainer: Trainer, history: DemandHistory, plan: RunPlan, reporter: Reporter, clock: Clock
) -> Draft | None:
    """Return the accepted version after it learnt all of a history; None if that fails."""
    try:
        made = with_priors(trainer(history, plan, reporter, clock, plan.ends_by - CLOSING_SECONDS), history)
    except TrainingFailed as error:
        reporter.say(f"the held-out buckets are not learnt, the version serves as it was judged: {error}")
        return None
    return with_lead_times(made, plan.lead_times).draft


def _champion(versions: Versions) -> str | None:
    try:
        return versions.champion()
    except ModelStoreError:  # a damaged pointer: the next promotion mends it
        return None


def _promoted_meanwhile(compared_with: str | None, champion: str | None) -> str | None:
    """Return why nothing is promoted if somebody promoted another version since the comparison."""
    if champion == compared_with:
        return None
    return f"{champion} was promoted during the run and is not compared with; train again"


def _tried(
    trial: Trial, forecasters: list[Forecaster], reporter: Reporter, clock: Callable[[], float]
) -> tuple[list[Tried], float]:
    """Return what forecasters made of a trial, and the seconds that the slowest took."""
    made, slowest = [], 0.0
    stage = reporter.stage("evaluating")
    for place, forecaster in enumerate(forecasters):
        begun = clock()
        made.append(trial.tried(forecaster))
        slowest = max(slowest, clock() - begun)
        stage(place + 1, len(forecasters), forecaster.version)
    return made, slowest


def _metrics(challenger: Scores, fallback_scores: Scores) -> dict[str, float]:
    """Return the figures that go into the manifest: few, and the same on every machine."""
    metrics = {}
    for lead, score in challenger.items():
        metrics[f"spb_{lead}"] = score.spb
        metrics[f"wpb_{lead}"] = score.wpb
        metrics[f"coverage_{lead}_95"] = score.coverage[0.95]
        metrics[f"moving_average_spb_{lead}"] = fallback_scores[lead].spb
    return {name: round(value, 6) for name, value in metrics.items()}
