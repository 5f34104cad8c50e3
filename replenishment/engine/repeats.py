"""Order lines that were taken before: fingerprints of all lines of the buckets that are still open.

A fingerprint has 64 bits. A line that is none is taken for a repeat with a
probability of the lines remembered over 2**64: with ten million of them one
in two thousand billion.
"""

from dataclasses import dataclass, field

import numpy as np

from replenishment.arrays import Bools, Int64s, Records, UInt64s
from replenishment.engine.rows import SEEN_IN_A_ROW, seen_table

MOST_SEEN = 2**24
"""Lines of one bucket that are remembered, 128 MiB; later ones count, and are not recognised if they come again."""
_RUN_RATIO = 4
_LEAST_SLOT_BITS = 12
_SLOTS_A_LINE = 8
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mixed(values: UInt64s) -> UInt64s:
    """Return each value as 64 bits of which every one depends on every bit of it, (N,).

    Source: the finaliser of SplitMix64 (Steele, Lea & Flood, Fast Splittable Pseudorandom Number Generators, 2014).

    Example:
        >>> [hex(one) for one in mixed(np.array([0, 1, 2], dtype=np.uint64)).tolist()]
        ['0x0', '0x5692161d100b05e5', '0xdbd238973a2b148a']
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def fingerprints_of(identities: UInt64s, rows: Int64s) -> UInt64s:
    """Return the fingerprint of each line of the key at a row, (N,); 0 where a line has no identity."""
    made = np.maximum(mixed(identities ^ (rows.astype(np.uint64) * _GOLDEN)), np.uint64(1))
    return np.where(identities == 0, np.uint64(0), made)


@dataclass(slots=True)
class SeenLines:
    """Fingerprints of the lines of one open bucket.

    ``count`` says how many there are; ``tail`` holds, in log order, those
    after the last whole row that was stored; ``runs`` all of them, each
    sorted; ``slots`` says which leading bits occur at all, so that most lines
    need no search.
    """

    count: int = 0
    tail: UInt64s = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    runs: list[UInt64s] = field(default_factory=list)
    slots: Bools = field(default_factory=lambda: np.zeros(2**_LEAST_SLOT_BITS, dtype=np.bool_))

    def have(self, rising: UInt64s) -> Bools:
        """Return which of some fingerprints, in rising order, are among them, (N,)."""
        found = np.zeros(len(rising), dtype=np.bool_)
        places = np.flatnonzero(self.slots[self._slots_of(rising)])
        asked = rising[places]
        for run in self.runs:
            found[places] |= run[np.minimum(np.searchsorted(run, asked), len(run) - 1)] == asked
        return found

    def add(self, fresh: UInt64s) -> None:
        """Remember fingerprints in log order, (N,), as far as there is room."""
        fresh = fresh[: MOST_SEEN - self.count]
        self.count += len(fresh)
        self.tail = np.concatenate([self.tail, fresh])
        self._sort_in(fresh)

    def restore(self, records: Records) -> None:
        """Take in rows that were stored, in any order."""
        packed = records["fingerprints"]
        is_partial = packed[:, -1] == 0
        self.tail = packed[is_partial][packed[is_partial] != 0] if is_partial.any() else self.tail
        kept = packed[packed != 0]
        self.count += len(kept)
        self._sort_in(kept)

    def unstored(self, bucket: int) -> tuple[list[bytes], Records]:
        """Return the rows that changed since this was last asked, and their names."""
        first = (self.count - len(self.tail)) // SEEN_IN_A_ROW
        records = np.zeros(-(-len(self.tail) // SEEN_IN_A_ROW), dtype=seen_table(bucket).row)
        records["fingerprints"].reshape(-1)[: len(self.tail)] = self.tail
        self.tail = self.tail[len(self.tail) // SEEN_IN_A_ROW * SEEN_IN_A_ROW :]
        return [b"%d" % (first + place) for place in range(len(records))], records

    def _sort_in(self, fresh: UInt64s) -> None:
        if not len(fresh):
            return
        # few runs, each several times as long as the next: a merge of two sorted halves takes linear time
        run = np.sort(fresh)
        while self.runs and len(self.runs[-1]) < _RUN_RATIO * len(run):
            run = np.sort(np.concatenate([self.runs.pop(), run]), kind="stable")
        self.runs.append(run)
        if self.count * _SLOTS_A_LINE > len(self.slots):
            self.slots = np.zeros(2 ** (self.count * _SLOTS_A_LINE).bit_length(), dtype=np.bool_)
            fresh = np.concatenate(self.runs)
        self.slots[self._slots_of(fresh)] = True

    def _slots_of(self, fingerprints: UInt64s) -> Int64s:
        """Return the slot of each fingerprint: its leading bits, (N,)."""
        return (fingerprints >> np.uint64(65 - len(self.slots).bit_length())).astype(np.int64)


def repeated(seen: dict[int, SeenLines], fingerprints: UInt64s, is_open: Bools) -> Bools:
    """Return which lines are repeats, (N,); lines of a key are in log order, and the first one wins.

    Args:
        seen: What is remembered, by open bucket.
        fingerprints: Of each line, 0 = it has no identity and is never a repeat.
        is_open: Whether the bucket of each line is open; a late line is not remembered.
    """
    order = np.argsort(fingerprints)
    if np.any(np.diff(fingerprints[order]) == 0):
        # several times slower, and only equals must stay in log order
        order = np.argsort(fingerprints, kind="stable")
    rising, opens = fingerprints[order], is_open[order].astype(np.int64)
    # how many lines of an open bucket come before each line among its equals
    before = np.cumsum(opens) - opens
    firsts = np.flatnonzero(np.diff(rising, prepend=rising[:1] ^ np.uint64(1)))
    is_known = before > np.repeat(before[firsts], np.diff(firsts, append=len(rising)))
    for lines in seen.values():
        is_known |= lines.have(rising)
    result = np.empty(len(rising), dtype=np.bool_)
    result[order] = is_known & (rising != 0)
    return result
