"""Stock of a key and the life of one request: what is on hand, owed, asked for and on its way.

On hand and backorders are two sides of one number, the net stock, so they can
never both be above zero. A request holds its units in exactly one of pending,
on order, in transit or received; answers move them along.
"""

from dataclasses import dataclass, replace
from enum import IntEnum


class StockKnowledge(IntEnum):
    """How the stock of a key is known."""

    UNKNOWN = 0
    ASSUMED = 1
    COUNTED = 2


def adjusted(net_units: int, delta_units: int) -> int:
    """Return the net stock after an adjustment; a loss stops at an on-hand of zero.

    Example:
        >>> adjusted(5, -8), adjusted(-3, 5), adjusted(-3, -2)
        (0, 2, -3)
    """
    if delta_units >= 0:
        return net_units + delta_units
    return max(net_units + delta_units, min(net_units, 0))


def counted(net_units: int, on_hand_units: int) -> int:
    """Return the net stock after a count: what was counted serves what is owed first.

    Example:
        >>> counted(7, 10), counted(-4, 10)
        (10, 6)
    """
    return on_hand_units + min(net_units, 0)


class RequestStatus(IntEnum):
    """Where a request stands; received, closed and rejected ones take no more answers."""

    PENDING = 0
    ACCEPTED = 1
    SHIPPED = 2
    RECEIVED = 3
    CLOSED = 4
    REJECTED = 5
    WITHDRAWN = 6


SETTLED = frozenset({RequestStatus.RECEIVED, RequestStatus.CLOSED, RequestStatus.REJECTED})
ENDED = SETTLED | {RequestStatus.WITHDRAWN}
"""Of which nothing is expected any more; a withdrawn one may yet be answered."""


@dataclass(frozen=True, slots=True)
class RequestParts:
    """Where the units of one request are.

    ``pending`` asked for and unanswered, ``on_order`` accepted and not
    shipped, ``in_transit`` shipped and not received, ``received`` arrived;
    ``withdrawn`` no longer wanted, unless an answer that crossed the
    withdrawal says that they come all the same.
    """

    pending: int
    on_order: int = 0
    in_transit: int = 0
    received: int = 0
    status: RequestStatus = RequestStatus.PENDING
    withdrawn: int = 0

    @property
    def open_units(self) -> int:
        """Units that count in the inventory position."""
        return self.pending + self.on_order + self.in_transit

    @property
    def is_settled(self) -> bool:
        """Whether the request takes no more answers."""
        return self.status in SETTLED

    @property
    def is_open(self) -> bool:
        """Whether something of it is expected: neither settled nor withdrawn."""
        return self.status not in ENDED

    @property
    def is_unanswered(self) -> bool:
        """Whether nobody has said or delivered anything yet, so that it can be withdrawn."""
        return self.status == RequestStatus.PENDING and self.received == 0

    def withdraw(self) -> "RequestParts":
        """Return the parts of an unanswered request that is no longer wanted."""
        return replace(self, pending=0, withdrawn=self.pending, status=RequestStatus.WITHDRAWN)

    def accept(self, units: int) -> "RequestParts":
        """Return the parts after ``units`` were promised; what already left or arrived is not promised again."""
        on_order = max(0, units - self.in_transit - self.received)
        status = RequestStatus.SHIPPED if self.status == RequestStatus.SHIPPED else RequestStatus.ACCEPTED
        return replace(self, pending=0, withdrawn=0, on_order=on_order, status=status)._settled_if_empty()

    def ship(self, units: int) -> "RequestParts":
        """Return the parts after ``units`` left: from on order, pending, withdrawn; more than that is not counted."""
        from_order = min(units, self.on_order)
        from_pending = min(units - from_order, self.pending)
        from_withdrawn = min(units - from_order - from_pending, self.withdrawn)
        return replace(
            self,
            on_order=self.on_order - from_order,
            pending=self.pending - from_pending,
            withdrawn=self.withdrawn - from_withdrawn,
            in_transit=self.in_transit + from_order + from_pending + from_withdrawn,
            status=RequestStatus.SHIPPED,
        )

    def receive(self, units: int, *, final: bool) -> "RequestParts":
        """Return the parts after ``units`` arrived: from in transit, on order, pending, then withdrawn."""
        from_transit = min(units, self.in_transit)
        from_order = min(units - from_transit, self.on_order)
        from_pending = min(units - from_transit - from_order, self.pending)
        from_withdrawn = min(units - from_transit - from_order - from_pending, self.withdrawn)
        after = replace(
            self,
            in_transit=self.in_transit - from_transit,
            on_order=self.on_order - from_order,
            pending=self.pending - from_pending,
            withdrawn=self.withdrawn - from_withdrawn,
            received=self.received + units,
        )
        if final and (after.open_units or after.withdrawn):
            return replace(after, in_transit=0, on_order=0, pending=0, withdrawn=0, status=RequestStatus.CLOSED)
        return after._settled_if_empty()

    def reject(self) -> "RequestParts":
        """Return the parts after a refusal: nothing more is expected but what is in transit."""
        return replace(self, pending=0, on_order=0, withdrawn=0, status=RequestStatus.REJECTED)

    def _settled_if_empty(self) -> "RequestParts":
        if self.open_units or not self.received:
            return self
        status = RequestStatus.WITHDRAWN if self.withdrawn else RequestStatus.RECEIVED
        return replace(self, status=status)
