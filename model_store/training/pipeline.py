"""One training run: history in, a published version out, promoted if the gate accepts it.

Split, fit, export, parity, evaluation, publication. Who reads the history
(`demand_topic`, `orders_file`) and what the time is are the caller's business.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from model_store import artifact
from model_store.artifact import Artifact
from model_store.errors import ModelStoreError
from model_store.kinds.moving_average import fallback
from model_store.starter import starter_directory
from model_store.training.cold_start import with_priors
from model_store.training.evaluate import Origins, Scores, held_out, lead_forecasts, rows_of
from model_store.training.gate import Verdict, verdict
from model_store.training.history import DemandHistory
from model_store.training.paired import change_of
from model_store.training.plan import DEFAULT_EPOCHS, RunPlan, created_by
from model_store.training.progress import Reporter
from model_store.training.scoring import LeadForecasts, actuals_of, scores_of
from model_store.training.sufficiency import require_enough, require_long
from model_store.training.trainers import Learned, known_models, trainer_of
from model_store.versions import Versions
from replenishment.forecaster import Forecaster

__all__ = ["DEFAULT_EPOCHS", "RunPlan", "Summary", "created_by", "incumbent_of", "train"]

CLOSING_SECONDS = 4.0
"""What export, parity, publication and promotion take, with a margin."""
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
    origins = held_out(history.buckets, plan.wanted_grid.horizons_buckets)
    trainer = trainer_of(plan.kind)
    if trainer is None:
        raise ValueError(f"{plan.kind!r} is none of {known_models()}")
    require_enough(history, origins) if isinstance(trainer, Learned) else require_long(history, origins)
    incumbents = [*incumbent_of(history, versions, reporter), fallback(history.width)]
    actuals = actuals_of(history, origins)
    made, slowest_seconds = _forecasts(incumbents, history, origins, reporter, clock)
    # The challenger takes as long to score as the slowest of these, or longer on a machine that got busier.
    fit_by = plan.ends_by - CLOSING_SECONDS - 2 * slowest_seconds
    learnt = history.until(origins.columns[0])
    trained = with_priors(trainer(learnt, plan, reporter, clock, fit_by), learnt)
    drafted, _ = _forecasts([trained.draft.forecaster()], history, origins, reporter, clock)
    challenger = scores_of(actuals, drafted["draft"], origins.leads, actuals.top)
    scores = {name: scores_of(actuals, one, origins.leads, actuals.top) for name, one in made.items()}
    changes = {name: change_of(actuals, drafted["draft"], one, plan.seed) for name, one in made.items()}
    decided = _of_same_champion(verdict(challenger, scores, changes), champion, _champion(versions))
    metrics = _metrics(challenger, scores[incumbents[-1].version])
    published = versions.publish(replace(trained.draft, metrics=metrics, parent=champion))
    is_promoted = plan.promotes and decided.accepted
    if is_promoted:
        why = "; ".join(decided.reasons)[:_LONGEST_WHY]
        versions.promote(published, who="model-store train", why=why, at=now_at)
    figures = {"keys": len(history.keys), "buckets": history.buckets, **trained.figures}
    figures["seconds"] = round(clock() - begun, 1)
    return Summary(published, is_promoted, decided, {published: challenger, **scores}, figures)


def incumbent_of(history: DemandHistory, versions: Versions, reporter: Reporter) -> list[Forecaster]:
    """Return what a challenger has to beat: the champion, else the starter; none if neither serves the history's width.

    A champion that is damaged is said so and counts as none.
    """
    for name, read in (("champion", partial(_champion_artifact, versions)), ("starter", _starter_artifact)):
        try:
            found = read()
            if found is None:
                continue
            found.require_fits(history.width, found.manifest.spec.context_buckets)
            return [found.forecaster()]
        except ModelStoreError as error:
            reporter.say(f"the {name} is not compared with: {error}")
    return []


def _champion_artifact(versions: Versions) -> Artifact | None:
    champion = versions.champion()
    return versions.read(champion) if champion else None


def _starter_artifact() -> Artifact | None:
    directory = starter_directory()
    return artifact.read(directory, packaged=True) if directory.exists() else None


def _champion(versions: Versions) -> str | None:
    try:
        return versions.champion()
    except ModelStoreError:  # a damaged pointer: the next promotion mends it
        return None


def _of_same_champion(decided: Verdict, compared_with: str | None, champion: str | None) -> Verdict:
    """Return a verdict that accepts nothing if somebody promoted another version since the comparison."""
    if champion == compared_with:
        return decided
    reason = f"{champion} was promoted during the run and is not compared with; train again"
    return Verdict(False, (*decided.reasons, reason))


def _forecasts(
    forecasters: Sequence[Forecaster],
    history: DemandHistory,
    origins: Origins,
    reporter: Reporter,
    clock: Callable[[], float],
) -> tuple[dict[str, LeadForecasts], float]:
    """Return forecasts by version, and the seconds that the slowest took."""
    made, slowest = {}, 0.0
    stage = reporter.stage("evaluating")
    for place, forecaster in enumerate(forecasters):
        begun = clock()
        made[forecaster.version] = lead_forecasts(forecaster, history, origins)
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
