"""Makes the starter version that the package carries, by the trainer's own run on generated demand and Online Retail.

Online Retail is read up to 2011-05-31 at most, so that everything later stays
unseen. The calendar is left out: the starter serves shops of which it knows
neither closed days nor weekly habits, and sees those in the demand itself.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from model_store.files import sync_directory
from model_store.kinds.moving_average import fallback
from model_store.spec import FeatureSpec
from model_store.training import orders_file
from model_store.training.errors import TrainingFailed
from model_store.training.evaluate import mean_spb
from model_store.training.history import DemandHistory, joined
from model_store.training.online_retail import read_online_retail
from model_store.training.pipeline import DEFAULT_EPOCHS, RunPlan, Summary, train
from model_store.training.progress import Reporter
from model_store.training.synthetic import generate
from model_store.versions import Versions
from replenishment.buckets import BucketWidth

DAY = BucketWidth(86_400)
UNSEEN_FROM_AT = 1_306_886_400_000  # 2011-06-01
GENERATED_KEYS = 2_000
GENERATED_DAYS = 400


@dataclass(frozen=True, slots=True)
class Starter:
    """Where the starter was written, and what its run did."""

    directory: Path
    summary: Summary


def starter_history(orders: Path, seed: int, generated_keys: int = GENERATED_KEYS) -> DemandHistory:
    """Return the demand that the starter learns from, all of it before 2011-06-01.

    Args:
        orders: Online Retail as Parquet, with the columns of the original.
        seed: Of the generated demand.
        generated_keys: How many keys are generated.

    Raises:
        UnusableHistory: If the file holds no order before that day.
    """
    lines = read_online_retail(orders).filter(pl.col("event_time") < UNSEEN_FROM_AT)
    retail = orders_file.history_of(lines, DAY, orders.name)
    first = DAY.bucket_at(UNSEEN_FROM_AT) - GENERATED_DAYS
    return joined(generate(generated_keys, first, GENERATED_DAYS, seed), retail)


def rebuild(
    orders: Path,
    into: Path,
    seed: int,
    reporter: Reporter,
    *,
    clock: Callable[[], float],
    generated_keys: int = GENERATED_KEYS,
    epochs: int = DEFAULT_EPOCHS,
) -> Starter:
    """Train the starter and put it in the place of the one in ``into``; same file and seed, same bytes.

    Args:
        orders: Online Retail as Parquet, with the columns of the original.
        into: Directory to replace.
        seed: Of generated demand, weights and batches.
        reporter: Who shows progress.
        clock: Seconds since some instant.
        generated_keys: How many keys are generated.
        epochs: How often each bucket is shown.

    Raises:
        ModelStoreError: If there is nothing to learn from, or the result is not better than a moving average.
    """
    history = starter_history(orders, seed, generated_keys)
    plan = RunPlan(epochs=epochs, seed=seed, promotes=False, refits=False, features=FeatureSpec())
    mended(into)
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".starter-") as folder:
        versions = Versions(Path(folder) / "models")
        summary = train(history, versions, plan, reporter, clock=clock, now_at=history.end_at)
        loss, textbook = (mean_spb(summary.scores[name]) for name in (summary.version, fallback(DAY).version))
        if not loss < textbook:
            raise TrainingFailed(f"the starter is no better than a moving average: {loss:.4f} against {textbook:.4f}")
        _exchange(versions.directory(summary.version), into)
    return Starter(into, summary)


def _exchange(made: Path, into: Path) -> None:
    """Put a whole directory in the place of another; a kill in between leaves the old one beside, see `mended`."""
    old = _beside(into)
    if into.exists():
        os.rename(into, old)
    os.rename(made, into)
    sync_directory(into.parent)
    shutil.rmtree(old, ignore_errors=True)


def mended(into: Path) -> None:
    """Finish or take back an exchange that was killed: the old starter is there then, or the new one."""
    old = _beside(into)
    if old.exists() and not into.exists():
        os.rename(old, into)
    shutil.rmtree(old, ignore_errors=True)


def _beside(into: Path) -> Path:
    return into.with_name(f".{into.name}.old")
