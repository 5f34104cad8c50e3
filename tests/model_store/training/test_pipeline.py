"""A training run from orders to champion: what is published, who decides, what an error or a deadline leaves behind."""

from dataclasses import replace
from itertools import count
from pathlib import Path
from time import monotonic

import numpy as np
import polars as pl
import pytest

from model_store.errors import ModelStoreError
from model_store.spec import default_grid
from model_store.starter import starter_directory
from model_store.training.errors import UnusableHistory
from model_store.training.evaluate import evaluate, held_out, mean_spb
from model_store.training.history import DemandHistory
from model_store.training.incumbents import Held
from model_store.training.orders_file import read_orders
from model_store.training.progress import Stage
from model_store.versions import Versions
from replenishment.buckets import BucketWidth
from tests.model_store.builders import moving_average_draft
from tests.model_store.training.builders import DAY, SILENT, generated, history_from, steady

AT = 1_800_000_000_000
WEAK_WINDOW = 2


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "models")


def with_weak_champion(versions: Versions) -> str:
    """Promote a moving average over two days, which is easily beaten."""
    champion = versions.publish(moving_average_draft(WEAK_WINDOW))
    versions.promote(champion, who="ana", why="first", at=1)
    return champion


def held(history: DemandHistory) -> Held:
    """The buckets that a run on a history holds out."""
    first = held_out(history.buckets, default_grid().horizons_buckets).columns[0]
    return Held(history.width, history.until(first).end_at)


def weekly_shop() -> DemandHistory:
    """Demand by weekday, with closed Sundays: a net learns it in seconds, a moving average never does."""
    rng = np.random.default_rng(0)
    weekday = np.arange(154) % 7
    rate = np.where(weekday == 6, 0.0, np.where(weekday == 2, 20.0, 2.0)) * rng.uniform(0.5, 3, (60, 1))
    units = rng.poisson(rate)
    units[:, 0] = np.maximum(units[:, 0], 1)
    return history_from(units)


def written(history: DemandHistory, path: Path) -> Path:
    """The history as a file of order lines, one for each bucket with demand."""
    rows, columns = np.nonzero(history.demand_units)
    starts = [history.start_at + int(column) * 86_400_000 + 3_600_000 for column in columns]
    pl.DataFrame(
        {
            "sku": [history.keys[row].decode().partition("|")[2] for row in rows],
            "quantity": history.demand_units[rows, columns].astype(np.int64),
            "event_time": starts,
        }
    ).write_parquet(path)
    return path


def test_run_on_a_file_of_orders_publishes_a_version_and_promotes_what_is_better(
    versions: Versions, tmp_path: Path
) -> None:
    from model_store.training.pipeline import RunPlan, train

    before = with_weak_champion(versions)
    history = read_orders(written(weekly_shop(), tmp_path / "orders.parquet"), DAY)
    summary = train(history, versions, RunPlan(epochs=30), SILENT, clock=monotonic, now_at=AT)
    assert summary.is_promoted, summary.verdict
    assert versions.champion() == summary.version
    promotion = versions.promotions()[-1]
    assert (promotion.previous, promotion.at, promotion.who) == (before, AT, "model-store train")
    assert promotion.why.startswith(f"better than {before}: pinball loss")
    manifest = versions.read(summary.version).manifest
    origins = held_out(history.buckets, default_grid().horizons_buckets)
    assert manifest.parent is not None
    judged = versions.read(manifest.parent)
    assert judged.manifest.parent == before
    assert judged.manifest.held_out_from_at is None
    assert manifest.data_from_at == history.start_at
    held_out_from_at = history.until(origins.columns[0]).end_at
    assert judged.manifest.data_until_at == held_out_from_at, "held-out buckets are not learnt from before the verdict"
    assert (manifest.held_out_from_at, manifest.data_until_at) == (held_out_from_at, history.end_at)
    assert manifest.spec.features is not None
    assert manifest.spec.features.closed_weekdays == ((history.first_bucket + 6) % 7,)
    assert summary.figures["parity"] <= 1e-4
    scored = evaluate(judged.forecaster(), history, origins)
    assert scored == summary.scores[summary.version], "what is published as judged is what was scored"
    assert manifest.metrics == judged.manifest.metrics
    assert manifest.metrics["spb_7"] == round(scored[7].spb, 6)
    assert summary.as_json()["promoted"] is True


def test_challenger_worse_than_the_starter_is_published_but_not_promoted(versions: Versions) -> None:
    from model_store.training.pipeline import RunPlan, train

    summary = train(steady(), versions, RunPlan(epochs=1), SILENT, clock=monotonic, now_at=AT)
    assert not summary.is_promoted
    assert not summary.verdict.accepted
    assert summary.verdict.reasons[0].startswith("not better than lstm-"), "the starter has no champion before it"
    assert versions.ids() == (summary.version,)
    assert versions.champion() is None
    assert versions.read(summary.version).manifest.parent is None


def test_same_demand_and_seed_give_the_same_version_and_another_seed_another(tmp_path: Path) -> None:
    from model_store.training.pipeline import RunPlan, train

    made = [
        train(steady(), Versions(tmp_path / name), RunPlan(epochs=1, seed=seed), SILENT, clock=monotonic, now_at=AT)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    # The id is a digest over all files.
    assert made[0].version == made[1].version != made[2].version


def test_run_that_may_not_promote_leaves_the_champion(versions: Versions) -> None:
    from model_store.training.pipeline import RunPlan, train

    champion = with_weak_champion(versions)
    plan = RunPlan(epochs=30, promotes=False)
    summary = train(weekly_shop(), versions, plan, SILENT, clock=monotonic, now_at=AT)
    assert summary.verdict.accepted
    assert not summary.is_promoted
    assert versions.champion() == champion


def test_version_that_cannot_be_published_leaves_the_champion_and_no_trace(versions: Versions) -> None:
    from model_store.training.pipeline import RunPlan, train

    champion = with_weak_champion(versions)
    (versions.root / ".staging").write_text("in the way")  # no place to write a version
    with pytest.raises(FileExistsError):
        train(steady(), versions, RunPlan(epochs=1), SILENT, clock=monotonic, now_at=AT)
    assert versions.ids() == (champion,)
    assert versions.champion() == champion
    assert versions.read(champion).forecaster().version == champion
    (versions.root / ".staging").unlink()
    assert train(steady(), versions, RunPlan(epochs=1), SILENT, clock=monotonic, now_at=AT).version in versions.ids()


def test_champion_promoted_by_somebody_else_during_the_run_is_not_replaced_unseen(versions: Versions) -> None:
    from model_store.training.pipeline import RunPlan, train

    with_weak_champion(versions)
    other = versions.publish(moving_average_draft(40))

    class SomebodyElse:
        def say(self, text: str) -> None:
            """Nobody reads."""

        def stage(self, name: str) -> Stage:
            if name == "fitting":
                versions.promote(other, who="bo", why="meanwhile", at=2)
            return SILENT.stage(name)

    summary = train(weekly_shop(), versions, RunPlan(epochs=30), SomebodyElse(), clock=monotonic, now_at=AT)
    assert versions.champion() == other
    assert not summary.is_promoted
    assert summary.verdict.reasons[-1] == (f"{other} was promoted during the run and is not compared with; train again")


def test_deadline_is_kept_with_time_for_scoring_and_publication(versions: Versions) -> None:
    from model_store.training.pipeline import RunPlan, train

    begun = monotonic()
    plan = RunPlan(epochs=100_000, ends_by=begun + 10)
    summary = train(steady(), versions, plan, SILENT, clock=monotonic, now_at=AT)
    assert monotonic() - begun < 10
    assert 1 < summary.figures["steps"] < 100_000
    assert summary.version in versions.ids()


def test_slow_scoring_leaves_less_time_to_fit(versions: Versions) -> None:
    from model_store.training.pipeline import RunPlan, train

    steps = []
    for ends_by in (30.0, 50.0):
        seconds = map(float, count())  # each look at the clock is a second later
        plan = RunPlan(epochs=1_000, ends_by=ends_by)
        summary = train(steady(), versions, plan, SILENT, clock=seconds.__next__, now_at=AT)
        steps.append(summary.figures["steps"])
        assert summary.figures["seconds"] <= ends_by
    assert 3 <= steps[0] < steps[1]


def test_champion_that_is_damaged_counts_as_none_and_is_said_so(versions: Versions) -> None:
    from model_store.training.incumbents import incumbent_of

    champion = with_weak_champion(versions)
    (versions.root / champion / "self_test.json").write_text("{}")

    class Listening:
        heard: str = ""

        def say(self, text: str) -> None:
            self.heard += text

        def stage(self, name: str) -> Stage:
            return SILENT.stage(name)

    listening = Listening()
    (incumbent,) = incumbent_of(held(steady()), versions, listening)
    assert incumbent.version.startswith("lstm-"), "the starter stands in"
    assert "the champion is not compared with" in listening.heard
    assert "self_test.json" in listening.heard


def test_history_of_another_bucket_width_is_compared_with_the_moving_average_alone(versions: Versions) -> None:
    from model_store.training.incumbents import incumbent_of

    with_weak_champion(versions)
    weekly = replace(steady(), width=replace(DAY, seconds=7 * 86_400))
    assert incumbent_of(held(weekly), versions, SILENT) == []


def test_version_of_another_bucket_width_never_replaces_the_champion(versions: Versions) -> None:
    from model_store.training.pipeline import RunPlan, train

    champion = with_weak_champion(versions)
    hourly = replace(weekly_shop(), width=BucketWidth(3_600))
    summary = train(hourly, versions, RunPlan(epochs=20), SILENT, clock=monotonic, now_at=AT)
    assert not summary.is_promoted
    assert versions.champion() == champion
    assert summary.version in versions.ids()
    assert f"{champion} serves buckets of 86400 s and this version 3600 s" in summary.verdict.reasons[-1]
    assert "model-store promote VERSION --why" in summary.verdict.reasons[-1]


def test_champion_that_learnt_the_held_out_buckets_is_met_as_it_was_before(versions: Versions) -> None:
    from model_store.training.incumbents import incumbent_of, start_of
    from model_store.training.pipeline import RunPlan, train

    shop = weekly_shop()
    with_weak_champion(versions)
    summary = train(shop, versions, RunPlan(epochs=30), SILENT, clock=monotonic, now_at=AT)
    assert summary.is_promoted
    champion = versions.read(summary.version).manifest
    (incumbent,) = incumbent_of(held(shop), versions, SILENT)
    assert incumbent.version == champion.parent
    start = start_of(held(shop), versions, SILENT)
    assert start is not None and start.name == champion.parent
    later = Held(shop.width, shop.end_at)
    (incumbent,) = incumbent_of(later, versions, SILENT)
    assert incumbent.version == summary.version, "what nobody has learnt is met as it serves"


def test_version_is_served_as_judged_if_no_time_is_left_to_learn_more(versions: Versions) -> None:
    from model_store.training.pipeline import RunPlan, train

    with_weak_champion(versions)
    plan = RunPlan(epochs=30, refits=False)
    summary = train(weekly_shop(), versions, plan, SILENT, clock=monotonic, now_at=AT)
    assert summary.is_promoted
    assert versions.read(summary.version).manifest.held_out_from_at is None


def test_history_that_is_too_short_is_refused_before_anything_is_trained(versions: Versions) -> None:
    from model_store.training.pipeline import RunPlan, train

    with pytest.raises(UnusableHistory, match="needs 42"):
        train(steady().until(30), versions, RunPlan(), SILENT, clock=monotonic, now_at=AT)
    assert not versions.root.exists()


def test_packaged_starter_is_sound_and_better_than_a_moving_average_on_demand_it_never_saw() -> None:
    from model_store import artifact
    from model_store.kinds.moving_average import fallback

    starter = artifact.load(starter_directory(), packaged=True)
    unseen = generated(150, 200, seed=987)
    origins = held_out(unseen.buckets, default_grid().horizons_buckets)
    losses = [mean_spb(evaluate(one, unseen, origins)) for one in (starter, fallback(DAY))]
    assert losses[0] < 0.97 * losses[1]


def test_errors_of_training_are_errors_of_the_model_store() -> None:
    assert issubclass(UnusableHistory, ModelStoreError)
