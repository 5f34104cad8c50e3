"""A short supply shared over locations in whole packs, in proportion to need.

Packs are given one by one to whoever is farthest below the proportional share
(Webster's divisor method). Unlike the largest remainder it is monotone: more
supply never gives a location less (the Alabama paradox). Balinski and Young,
Fair Representation (1982), ch. 8 and app. A.
"""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

_SCALE = 2**48


def allocated(needs: Sequence[int], packs: Sequence[int], supply: int) -> list[int]:
    """Return the units for each need: whole packs, together at most ``supply``, none above its need.

    Ties go to the first. What is left over is less than the pack that would
    have come next.

    Args:
        needs: Units wanted, each at least 0.
        packs: Units in a pack, each at least 1.
        supply: Units there are, at least 0.

    Example:
        >>> allocated([60, 30, 10], [1, 1, 1], 50), allocated([60, 30], [12, 12], 48), allocated([5, 5], [1, 1], 20)
        ([30, 15, 5], [36, 12], [5, 5])
    """
    if sum(needs) <= supply:
        return list(needs)
    most = [need // pack for need, pack in zip(needs, packs, strict=True)]
    counts = _surely_given(needs, packs, most, supply)
    left = supply - _units(counts, packs)
    queue = [_Queued(needs[at], packs[at], counts[at], at) for at in range(len(needs)) if counts[at] < most[at]]
    heapify(queue)
    while queue:
        at = heappop(queue).at
        if packs[at] > left:
            break
        left -= packs[at]
        counts[at] += 1
        if counts[at] < most[at]:
            heappush(queue, _Queued(needs[at], packs[at], counts[at], at))
    return [count * pack for count, pack in zip(counts, packs, strict=True)]


class _Queued:
    """The next pack of a need: the larger need / (pack · (given + ½)), the earlier it comes."""

    __slots__ = ("above", "at", "below")

    def __init__(self, need: int, pack: int, given: int, at: int) -> None:
        self.above, self.below, self.at = need, pack * (2 * given + 1), at

    def __lt__(self, other: "_Queued") -> bool:
        mine, others = self.above * other.below, other.above * self.below
        return mine > others or (mine == others and self.at < other.at)


def _units(counts: Sequence[int], packs: Sequence[int]) -> int:
    return sum(count * pack for count, pack in zip(counts, packs, strict=True))


def _surely_given(needs: Sequence[int], packs: Sequence[int], most: Sequence[int], supply: int) -> list[int]:
    """Return how many packs come first for as high a divisor as fits: all of them precede the rest of the queue."""
    low, high = 0, 4 * _SCALE * max(needs, default=0) + 1
    while high - low > 1:
        divisor = (low + high) // 2
        counts = _counts(needs, packs, most, divisor)
        low, high = (divisor, high) if _units(counts, packs) > supply else (low, divisor)
    return _counts(needs, packs, most, high)


def _counts(needs: Sequence[int], packs: Sequence[int], most: Sequence[int], divisor: int) -> list[int]:
    """Return for each need how many of its packs have a priority of at least ``divisor / scale``."""
    # the k-th pack: 2 · need / (pack · (2k − 1)) ≥ divisor / scale
    return [
        min(limit, (2 * need * _SCALE // (pack * divisor) + 1) // 2)
        for need, pack, limit in zip(needs, packs, most, strict=True)
    ]
