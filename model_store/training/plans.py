"""Plans and measurements of stock keys, cut into buckets: what was known of which bucket, and from when until when.

A plan that becomes known, is revised or withdrawn later is not seen earlier:
each cell has the first and the last origin that knows it. Rows of files are
read in `signals_file`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from model_store.signal_spec import FLAGS, HOLIDAY, SignalSpec
from replenishment.arrays import Float32s, Int64s
from replenishment.buckets import BucketWidth
from replenishment.forecaster import KnownAhead
from replenishment.quantiles import QuantileGrid

ALWAYS, FOREVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Plans:
    """N cells, one for each plan and bucket it touches, sorted by bucket.

    Attributes:
        known_ahead: Channels that are planned; the leading ones of the values.
        known_after: Channels that are measured.
        reach_buckets: A: how many buckets ahead are shown.
        rows: Row of the key, (N,).
        buckets: Absolute index, rising, (N,).
        known_from: First bucket at whose end it is known, (N,).
        known_until: First bucket at whose end it no longer holds, (N,).
        shares: Share of the bucket that the plan covers, above 0 to 1, (N,).
        values: Of each channel, NaN where the plan says nothing, (N, C).
        holidays: Local dates (``2011-12-25``) of public holidays, rising; of all keys.
    """

    known_ahead: tuple[str, ...]
    known_after: tuple[str, ...]
    reach_buckets: int
    rows: Int64s
    buckets: Int64s
    known_from: Int64s
    known_until: Int64s
    shares: Float32s
    values: Float32s
    holidays: tuple[str, ...] = ()

    @classmethod
    def nothing(cls, reach_buckets: int) -> Self:
        """Return no plans at all."""
        none = np.empty(0, dtype=np.int64)
        values = np.empty((0, 0), dtype=np.float32)
        return cls((), (), reach_buckets, none, none, none, none, none.astype(np.float32), values)

    @property
    def names(self) -> tuple[str, ...]:
        """All channels."""
        return self.known_ahead + self.known_after

    def at(self, bucket: int, keys: int) -> KnownAhead:
        """Return what is known of the first so many keys when a bucket has closed, of it and of those ahead.

        Of a strength the parts of a bucket add up, to 1 at most; of any other channel it is the mean over the
        covered part. Of what is measured nothing is known ahead.
        """
        cells = slice(*np.searchsorted(self.buckets, [bucket, bucket + self.reach_buckets + 1]).tolist())
        holds = (self.known_from[cells] <= bucket) & (bucket < self.known_until[cells]) & (self.rows[cells] < keys)
        rows, ahead = self.rows[cells][holds], self.buckets[cells][holds] - bucket
        shares, values = self.shares[cells][holds], self.values[cells][holds]
        shape = (keys, 1 + self.reach_buckets)
        shown = np.full((*shape, len(self.names)), np.nan, dtype=np.float32)
        place = rows * shape[1] + ahead
        for channel, name in enumerate(self.names):
            told = np.isfinite(values[:, channel])
            at, share = place[told], shares[told]
            size = shape[0] * shape[1]
            total = np.bincount(at, share * values[told, channel], size).reshape(shape)
            if name in FLAGS:
                shown[:, :, channel] = np.minimum(total, 1)
                continue
            covered = np.bincount(at, share, size).reshape(shape)
            np.divide(total, covered, out=shown[:, :, channel], where=covered > 0, casting="unsafe")
        shown[:, 1:, len(self.known_ahead) :] = np.nan
        return KnownAhead(self.names, shown)

    def spec(self, grid: QuantileGrid, width: BucketWidth) -> SignalSpec:
        """Return what a version of a grid and bucket width reads of them."""
        ahead = (*self.known_ahead, HOLIDAY) if self.holidays else self.known_ahead
        return SignalSpec(ahead, self.known_after, grid.horizons_buckets, width.seconds, self.holidays)

    def of_rows(self, rows: Int64s, keys: int) -> Self:
        """Return the plans of some of so many keys, in the order of ``rows``."""
        place = np.full(keys, -1)
        place[rows] = np.arange(len(rows))
        kept = place[self.rows] >= 0
        return replace(
            self,
            rows=place[self.rows[kept]],
            buckets=self.buckets[kept],
            known_from=self.known_from[kept],
            known_until=self.known_until[kept],
            shares=self.shares[kept],
            values=self.values[kept],
        )


class KeyedPlans:
    """Plans as the engine asks for them at closings, by stock key.

    Args:
        plans: Of the keys.
        keys: Stock key of each row; of any other key nothing is known.
    """

    def __init__(self, plans: Plans, keys: Sequence[bytes]) -> None:
        self._plans = plans
        self._rows = {key: row for row, key in enumerate(keys)}
        self._latest: tuple[int, KnownAhead] | None = None

    def known(self, bucket: int, keys: Sequence[bytes]) -> KnownAhead:
        """Return what was known of B keys when a bucket closed; see `Plans.at`."""
        nobody = len(self._rows)
        if self._latest is None or self._latest[0] != bucket:  # the chunks of a closing ask for the same bucket
            self._latest = bucket, self._plans.at(bucket, nobody + 1)
        rows = np.array([self._rows.get(key, nobody) for key in keys], dtype=np.int64)
        return self._latest[1].of_rows(rows)
