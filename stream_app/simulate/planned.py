"""Plans of a file in a simulation: what a model learns before it, and what the engine is told as it becomes known.

Needs polars, so it is loaded only where there is such a file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_store.training.bucketing import AnchoredGrid
from model_store.training.errors import UnusableHistory
from model_store.training.history import DemandHistory
from model_store.training.signals_file import SignalsFile, read_signals, with_plans
from replenishment.closed_loop.world import Period
from replenishment.events import SignalEvent, SignalPlanned, SignalWithdrawn
from replenishment.signals import ALWAYS
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

    @property
    def events(self) -> Sequence[SignalEvent]:
        """The plans of stock keys that are played, in the order in which they become known."""
        known = {*self.files.keys}
        rows = self.file.rows.sort("known_at", maintain_order=True).iter_rows(named=True)
        return [event for event in (self._event(row) for row in rows) if event.key in known]

    def _event(self, row: Mapping[str, Any]) -> SignalEvent:
        key, signal_id = row["key"].encode(), row["identity"]
        said_at = None if row["known_at"] == ALWAYS else row["known_at"]
        if not row["is_planned"]:
            return SignalWithdrawn(key, signal_id, said_at)
        names = sorted(self.file.known_ahead + self.file.known_after)
        values = tuple((name, float(row[name])) for name in names if row[name] is not None)
        return SignalPlanned(key, signal_id, said_at, row["starts_at"], row["ends_at"], values)


def planned(path: Path, ahead: Sequence[str], after: Sequence[str], *, files: Given, period: Period) -> Planned:
    """Return the plans of a file; see `read_signals` for its columns.

    Raises:
        ConfigError: Naming the rows, if a column is missing or a row is out of range.
    """
    try:
        return Planned(read_signals(path, ahead, after), files, period)
    except UnusableHistory as wrong:
        raise ConfigError([f"--signals {wrong}"]) from wrong
