"""Signals of the stock keys of a partition as they came to be known, and what a closing is told of them."""

from dataclasses import dataclass, field, replace

import numpy as np

from replenishment.arrays import Int64s
from replenishment.buckets import BucketWidth
from replenishment.forecaster import KnownAhead
from replenishment.signals import FOREVER, Spans, cells_of


@dataclass(frozen=True, slots=True)
class KeptSignal:
    """One word on one signal: what was planned or measured, or that it was withdrawn.

    ``serial`` counts the words on a key; ``signal`` is the fingerprint of its
    id; ``said_at`` when it was said, ``ALWAYS`` if nobody told; ``known_from``
    is the first bucket whose closing knows it, ``known_until`` the first whose
    closing knows the next word on it. ``values`` are by channel, as sent.
    """

    serial: int
    signal: int
    is_planned: bool
    said_at: int
    known_from: int
    known_until: int = FOREVER
    starts_at: int = 0
    ends_at: int = 0
    values: tuple[tuple[str, float], ...] = ()

    def last_needed(self, width: BucketWidth) -> int:
        """Return the last bucket whose closing, or the memory of it, needs this word."""
        last = width.bucket_at(self.ends_at - 1) if self.is_planned else self.known_from
        return min(last, self.known_until - 1)


@dataclass(slots=True)
class KnownSignals:
    """Words by row of the key in the order of their serials; keys without any are not there."""

    words: dict[int, list[KeptSignal]] = field(default_factory=dict)
    _spans: Spans | None = None

    def of(self, row: int) -> list[KeptSignal]:
        """Return the words on a key."""
        return self.words.get(row, [])

    def put(self, row: int, words: list[KeptSignal]) -> None:
        """Replace the words on a key; none forgets it."""
        self._spans = None
        if words:
            self.words[row] = words
        else:
            self.words.pop(row, None)

    def needless(self, before: int, width: BucketWidth) -> list[tuple[int, KeptSignal]]:
        """Return the words, with the row of their key, that no closing from bucket ``before`` on needs."""
        return [(row, word) for row, words in self.words.items() for word in words if word.last_needed(width) < before]

    def known_ahead(self, bucket: int, rows: Int64s, reach_buckets: int, width: BucketWidth) -> KnownAhead | None:
        """Return what was known of rows (B,), rising, when a bucket closed; None if of none anything was."""
        if not self.words or not len(rows):
            return None
        if self._spans is None:
            self._spans = self._compiled()
        first, last = np.searchsorted(self._spans.rows, [rows[0], rows[-1] + 1]).tolist()
        near = self._spans.part(slice(first, last))
        place = np.searchsorted(rows, near.rows)
        holds = (rows[place] == near.rows) & (near.known_from <= bucket) & (bucket < near.known_until)
        begins, ends = width.start_of(bucket), width.start_of(bucket + 1 + reach_buckets)
        told = np.flatnonzero(holds & (near.starts_at < ends) & (near.ends_at > begins))
        if not len(told):
            return None
        spans = replace(near.part(told), rows=place[told])
        cells = cells_of(spans, range(bucket, bucket + 1 + reach_buckets), width)
        return KnownAhead(cells.names, cells.at(bucket, len(rows), reach_buckets))

    def _compiled(self) -> Spans:
        """Return what is planned as columns, sorted by row and serial."""
        planned = [(row, word) for row in sorted(self.words) for word in self.words[row] if word.is_planned]
        names = tuple(sorted({name for _, word in planned for name, _ in word.values}))
        values = np.full((len(planned), len(names)), np.nan)
        place = {name: column for column, name in enumerate(names)}
        for row, (_, word) in enumerate(planned):
            for name, value in word.values:
                values[row, place[name]] = value
        times = [(row, word.starts_at, word.ends_at, word.known_from, word.known_until) for row, word in planned]
        rows, starts, ends, since, until = np.array(times, dtype=np.int64).reshape(-1, 5).T
        return Spans(names, rows, starts, ends, since, until, values)
