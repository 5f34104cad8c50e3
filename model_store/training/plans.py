"""Plans and measurements of the stock keys of a history, cut into buckets; rows of files are read in `signals_file`."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from model_store.signal_spec import SignalSpec
from replenishment.arrays import Int64s
from replenishment.buckets import BucketWidth
from replenishment.forecaster import KnownAhead
from replenishment.quantiles import QuantileGrid
from replenishment.signals import HOLIDAY, Cells


@dataclass(frozen=True, slots=True)
class Plans:
    """What is planned and measured.

    Attributes:
        cells: Of all channels, those known ahead first.
        known_after: Channels that are measured.
        reach_buckets: A: how many buckets ahead are shown.
        holidays: Local dates (``2011-12-25``) of public holidays, rising; of all keys.
    """

    cells: Cells
    known_after: tuple[str, ...]
    reach_buckets: int
    holidays: tuple[str, ...] = ()

    @classmethod
    def nothing(cls, reach_buckets: int) -> Self:
        """Return no plans at all."""
        none, shares = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        values = np.empty((0, 0), dtype=np.float32)
        return cls(Cells((), none, none, none, none, shares, values), (), reach_buckets)

    @property
    def known_ahead(self) -> tuple[str, ...]:
        """Channels that are planned."""
        return self.cells.names[: len(self.cells.names) - len(self.known_after)]

    def at(self, bucket: int, keys: int) -> KnownAhead:
        """Return what is known of the first so many keys when a bucket has closed, of it and of those ahead.

        Of what is measured nothing is known ahead; see `Cells.at` for the rest.
        """
        shown = self.cells.at(bucket, keys, self.reach_buckets)
        shown[:, 1:, len(self.known_ahead) :] = np.nan
        return KnownAhead(self.cells.names, shown)

    def spec(self, grid: QuantileGrid, width: BucketWidth) -> SignalSpec:
        """Return what a version of a grid and bucket width reads of them."""
        ahead = (*self.known_ahead, HOLIDAY) if self.holidays else self.known_ahead
        return SignalSpec(ahead, self.known_after, grid.horizons_buckets, width.seconds, self.holidays)

    def of_rows(self, rows: Int64s, keys: int) -> Self:
        """Return the plans of some of so many keys, in the order of ``rows``."""
        return replace(self, cells=self.cells.of_rows(rows, keys))
