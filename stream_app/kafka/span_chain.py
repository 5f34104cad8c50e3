"""Which position of a partition may be committed when whole spans of it are acknowledged, in any order.

Faust's own bookkeeping counts single offsets; with a batch per fetch it would
keep one number for each record, and its gap rule commits records that were
never acknowledged (faust-streaming#606).
"""

from collections.abc import Sequence


class SpanChain:
    """Spans ``[start, end)`` as delivered, and how far they are acknowledged without a hole.

    Each span begins where the one before ended, so holes left by compaction
    and transaction markers belong to the span that follows them.

    Example:
        >>> chain = SpanChain(10)
        >>> chain.deliver(12, 19), chain.deliver(20, 29)
        ((10, 20), (20, 30))
        >>> chain.settle([29]), chain.position
        ([], 10)
        >>> chain.settle([29, 19]), chain.position
        ([19, 29], 30)
    """

    def __init__(self, position: int | None = None) -> None:
        self._position = position
        self._next = position
        self._spans: dict[int, tuple[int, int]] = {}

    @property
    def position(self) -> int | None:
        """The next offset that is not acknowledged; None before anything was delivered."""
        return self._position

    def deliver(self, first: int, last: int) -> tuple[int, int]:
        """Return the span ``(start, end)`` of records whose first and last offsets are given."""
        start = first if self._next is None or self._next > first else self._next
        if self._position is None:
            self._position = start
        self._spans[last] = (start, last + 1)
        self._next = last + 1
        return self._spans[last]

    def settle(self, acknowledged: Sequence[int]) -> list[int]:
        """Move the position over acknowledged spans that join it.

        Args:
            acknowledged: Last offsets of spans; each is passed again until it is returned.

        Returns:
            Those that need no further attention: settled, or unknown to this chain.
        """
        settled = []
        for last in sorted(acknowledged):
            span = self._spans.get(last)
            if span is not None and span[0] != self._position:
                break
            if span is not None:
                self._position = span[1]
                del self._spans[last]
            settled.append(last)
        return settled
