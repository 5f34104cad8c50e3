"""New keys lean on their category: its prior is shipped with the version, and their forecasts get better by it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model_store import artifact
from model_store.errors import ArtifactCorrupt
from model_store.priors import PRIORS, SETTLED_BUCKETS, Priors, WithPriors
from model_store.spec import default_grid
from model_store.training.categories_file import read_categories, with_categories
from model_store.training.cold_start import with_priors
from model_store.training.errors import UnusableHistory
from model_store.training.evaluate import lead_forecasts
from model_store.training.history import DemandHistory
from model_store.training.plan import RunPlan, Trained
from model_store.training.scoring import LEVELS, TABLE_LEVELS, Origins, pinball_loss
from model_store.training.trainers import trainer_of
from replenishment.arrays import Float64s
from tests.model_store.training.builders import SILENT, history_from

BUCKETS, ORIGIN = 160, 130
MEANS = {b"fast": 20.0, b"slow": 0.5}


def shop(seed: int = 0) -> DemandHistory:
    """Two hundred SKUs of two categories that begin one after the other; half of a category sell within 20 %."""
    rng = np.random.default_rng(seed)
    born = np.sort(rng.integers(0, ORIGIN, 200))
    categories = np.array([*MEANS])[rng.integers(0, 2, 200)]
    level = np.array([MEANS[name] for name in categories.tolist()]) * rng.uniform(0.8, 1.2, 200)
    units = rng.poisson(level[:, None], (200, BUCKETS)).astype(float)
    units[np.arange(BUCKETS) < born[:, None]] = 0
    units[np.arange(200), born] = np.maximum(units[np.arange(200), born], 1)
    return replace(history_from(units, born=born.tolist()), categories=categories.astype("S64"))


def fitted(history: DemandHistory, kind: str = "moving_average") -> Trained:
    trainer = trainer_of(kind)
    assert trainer is not None
    return trainer(history, RunPlan(kind=kind), SILENT, lambda: 0.0, float("inf"))


def young_losses(trained: Trained, history: DemandHistory) -> Float64s:
    """Pinball loss of keys younger than 14 buckets at weekly origins, lead 7: (origins,)."""
    origins = Origins(tuple(range(30, ORIGIN, 7)), (7,))
    made = lead_forecasts(trained.draft.forecaster(), history, origins).quantiles
    losses = []
    for place, column in enumerate(origins.columns):
        young = np.flatnonzero((history.born < column) & (column - history.born < 14))
        came = history.demand_units[young, column : column + 7].sum(axis=1).astype(float)
        shown = [made[young, place, 0, TABLE_LEVELS.index(level)] for level in LEVELS]
        losses.append(np.mean([pinball_loss(came, units, at) for units, at in zip(shown, LEVELS, strict=True)]))
    return np.array(losses)


def test_young_keys_are_forecast_better_with_the_priors_of_their_categories() -> None:
    learnt, unseen = shop(1), shop(2)
    trained = fitted(learnt)
    told = with_priors(trained, learnt)
    assert told.figures["prior_categories"] == 2
    without, with_them = young_losses(trained, unseen).mean(), young_losses(told, unseen).mean()
    assert with_them < 0.9 * without


def test_settled_keys_are_forecast_as_without_priors() -> None:
    history = shop(1)
    trained = fitted(history)
    told = with_priors(trained, history)
    origins = Origins((ORIGIN,), (7,))
    settled = history.born + SETTLED_BUCKETS <= ORIGIN
    one, other = (lead_forecasts(draft.draft.forecaster(), history, origins).quantiles for draft in (trained, told))
    assert np.array_equal(one[settled], other[settled])
    assert not np.array_equal(one[~settled], other[~settled])


def test_a_new_sku_gets_its_categorys_prior_and_an_unknown_category_that_of_all() -> None:
    history = shop(1)
    draft = with_priors(fitted(history), history).draft
    forecaster = draft.forecaster()
    one = np.ones(3, dtype=np.float32)
    closed = replace(history.closed(0), demand_units=one, order_lines=one, available_ratio=one)
    closed = replace(closed, age_buckets=np.zeros(3, dtype=np.int32))
    memory = np.zeros((3, forecaster.memory_floats), dtype=np.float32)
    names = np.array([b"fast", b"slow", b"unheard"], dtype="S64")
    fast, slow, other = forecaster.step(replace(closed, categories=names), memory).quantiles[:, 6, 6]
    assert fast > 3 * slow
    assert slow < other < fast
    assert forecaster.step(replace(closed, categories=None), memory).quantiles[0, 6, 6] == other


def test_surfaces_with_priors_never_cross() -> None:
    history = shop(1)
    forecaster = with_priors(fitted(history), history).draft.forecaster()
    assert isinstance(forecaster, WithPriors)
    memory = np.zeros((200, forecaster.memory_floats), dtype=np.float32)
    for column in range(60):
        closed = history.closed(column)
        forecast = forecaster.step(closed, memory[: len(closed.age_buckets)])
        memory[: len(closed.age_buckets)] = forecast.memory
        assert (np.diff(forecast.quantiles, axis=1) >= 0).all()
        assert (np.diff(forecast.quantiles, axis=2) >= 0).all()


def test_a_version_carries_its_priors_and_reads_them_back(tmp_path: Path) -> None:
    history = shop(1)
    artifact.write(tmp_path, with_priors(fitted(history), history).draft)
    read = artifact.read(tmp_path)
    assert PRIORS in read.manifest.files
    assert isinstance(read.forecaster(), WithPriors)
    (tmp_path / PRIORS).write_bytes(read.files[PRIORS].replace(b"fast", b"slew"))
    with pytest.raises(ArtifactCorrupt, match=PRIORS):
        artifact.read(tmp_path)


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b'{"credibility_buckets":1,"overall":[[1,2]],"categories":{}}',
        b'{"credibility_buckets":-1,"overall":[],"categories":{}}',
        b'{"credibility_buckets":1,"overall":[],"categories":{},"more":1}',
    ],
)
def test_damaged_priors_are_refused(raw: bytes) -> None:
    with pytest.raises(ArtifactCorrupt, match=PRIORS):
        Priors.from_json(raw, default_grid())


def test_without_categories_a_version_has_no_priors() -> None:
    history = replace(shop(1), categories=None)
    trained = fitted(history)
    assert with_priors(trained, history) is trained


def test_categories_come_from_the_catalog_or_from_the_orders(tmp_path: Path) -> None:
    catalog, orders, plain = tmp_path / "catalog.csv", tmp_path / "orders.csv", tmp_path / "plain.csv"
    pl.DataFrame({"sku": ["sku-0", "sku-1"], "category": ["a", ""], "lead_time_days": [3, 4]}).write_csv(catalog)
    pl.DataFrame({"sku": ["sku-0", "sku-0"], "category": ["b", "c"], "quantity": [1, 2]}).write_csv(orders)
    pl.DataFrame({"sku": ["sku-0"], "quantity": [1]}).write_csv(plain)
    assert read_categories(catalog, orders) == {"main|sku-0": "a"}
    assert read_categories(None, orders) == {"main|sku-0": "c"}
    assert read_categories(None, plain) is None
    with pytest.raises(UnusableHistory, match="has no column category"):
        read_categories(plain, orders)
    known = with_categories(history_from(np.ones((2, 5))), {"main|sku-0": "a"}).categories
    assert known is not None
    assert known.tolist() == [b"a", b""]


def test_a_category_that_is_too_long_is_named_by_row(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    pl.DataFrame({"sku": ["x", "y"], "category": ["a", "b" * 65]}).write_csv(path)
    with pytest.raises(UnusableHistory, match=r"1 rows have a category of more than 64 bytes \(rows 2\)"):
        read_categories(path, None)
