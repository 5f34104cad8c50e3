"""Plans of a file in a simulation: what a model learns before it, and what closings are told; as evaluations have them.

Needs polars, so it is loaded only where there is such a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_store.training.bucketing import AnchoredGrid
from model_store.training.errors import UnusableHistory
from model_store.training.history import DemandHistory
from model_store.training.plans import KeyedPlans
from model_store.training.signals_file import SignalsFile, plans_of, read_signals, with_plans
from replenishment.closed_loop.world import Period
from replenishment.forecaster import Signals
from stream_app.errors import ConfigError
from stream_app.simulate.files import Given


@dataclass(frozen=True, slots=True)
class Planned:
    """Checked plans, and the files and period that they are cut for."""

    file: SignalsFile
    files: Given
    period: Period

    @property
    def said(self) -> str:
        """What is used of the file and what is not, in a sentence."""
        return self.file.said_of(sorted({*self.files.lines.keys}))

    def learnt_with(self, history: DemandHistory, reach_buckets: int) -> DemandHistory:
        """Return a history before the period that knows the plans.

        Raises:
            UnusableHistory: If plans and buckets are too many to be held.
        """
        return with_plans(history, self.file, reach_buckets, AnchoredGrid(self.period.width))

    def told(self, reach_buckets: int) -> Signals:
        """Return what each closing of the history and the period knows, so many buckets ahead.

        Raises:
            ConfigError: If plans and buckets are too many to be held.
        """
        width, keys = self.period.width, self.files.keys
        first = width.bucket_at(int(self.files.lines.placed_at.min()))
        buckets = range(first, width.bucket_at(self.period.end_of(self.period.buckets - 1)))
        try:
            return KeyedPlans(plans_of(self.file, keys, buckets, reach_buckets, AnchoredGrid(width)), keys)
        except UnusableHistory as wrong:
            raise ConfigError([f"--signals: {wrong}"]) from wrong


def planned(path: Path, ahead: Sequence[str], after: Sequence[str], *, files: Given, period: Period) -> Planned:
    """Return the plans of a file; see `read_signals` for its columns.

    Raises:
        ConfigError: Naming the rows, if a column is missing or a row is out of range.
    """
    try:
        return Planned(read_signals(path, ahead, after), files, period)
    except UnusableHistory as wrong:
        raise ConfigError([f"--signals {wrong}"]) from wrong
