"""Requests that still wait for an answer or for goods: status, age, and when they expire."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import Any

import numpy as np

from replenishment.arrays import Int64s
from replenishment.stock import Approval, RequestStatus
from stream_app.page.recent import Recent
from stream_app.page.snapshot import Snapshot

LINES = 50
TAKEN_BACK_LINES = 20
WAITING = "waiting"
"""Status of a request that a person must release: nobody else is asked yet."""
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class RequestLine:
    """One open request; ``age_days`` and ``expires_days`` are of event time, what was decided may not be known."""

    restock_id: str
    location: str
    sku: str
    status: str
    pending: int
    on_order: int
    in_transit: int
    received: int
    age_days: float
    expires_days: float
    is_expired: bool
    supplier: str = ""
    quantity: int | None = None
    needed_by: str = ""

    @property
    def open_units(self) -> int:
        """Units that still count in the position."""
        return self.pending + self.on_order + self.in_transit


@dataclass(frozen=True, slots=True)
class Queue:
    """A page of open requests, the oldest first; ``page`` counts from 1."""

    lines: Sequence[RequestLine]
    found: int
    page: int
    pages: int
    units: int
    expired: int


def queued(snapshot: Snapshot, recent: Recent, expiry_days: float, page: int) -> Queue:
    """Return a page of the open requests."""
    records = snapshot.requests.records
    order = np.argsort(records["expires_at"], kind="stable")
    pages = max(1, ceil(len(order) / LINES))
    page = min(max(page, 1), pages)
    open_units = records["pending"] + records["on_order"] + records["in_transit"]
    is_unanswered = (records["status"] == RequestStatus.PENDING) & (records["approval"] != Approval.WAITING)
    is_expired = (records["expires_at"] <= snapshot.clock) & is_unanswered
    chosen = order[(page - 1) * LINES : page * LINES]
    return Queue(
        lines=_lines(snapshot, recent, expiry_days, chosen),
        found=len(order),
        page=page,
        pages=pages,
        units=int(open_units.sum()),
        expired=int(is_expired.sum()),
    )


def requests_of(snapshot: Snapshot, recent: Recent, expiry_days: float, key: str) -> Sequence[RequestLine]:
    """Return the open requests of one stock key, the oldest first."""
    chosen = np.array([place for place, name in enumerate(snapshot.requests.names) if name == key], dtype=np.int64)
    order = np.argsort(snapshot.requests.records["expires_at"][chosen], kind="stable")
    return _lines(snapshot, recent, expiry_days, chosen[order])


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A request that was withdrawn because it was ``needless``, or ``declined`` by a person."""

    restock_id: str
    location: str
    sku: str
    supplier: str
    quantity: int
    reason: str
    at: str
    by: str


def taken_back(snapshot: Snapshot, recent: Recent) -> Sequence[TakenBack]:
    """Return the requests that were taken back last, the youngest first; what was delivered all the same is not one."""
    still_open = set(snapshot.requests.ids)
    found = (one for one in recent.withdrawals() if one[0]["restock_id"] not in still_open)
    return [_taken_back(*one) for one in islice(found, TAKEN_BACK_LINES)]


def _taken_back(request: Mapping[str, Any], withdrawal: Mapping[str, Any]) -> TakenBack:
    return TakenBack(
        restock_id=request["restock_id"],
        location=request["location"],
        sku=request["sku"],
        supplier=request["supplier"],
        quantity=request["quantity"],
        reason=withdrawal["withdrawn"],
        at=withdrawal["decided_at"],
        by=withdrawal.get("ruled_by") or "",
    )


def _lines(snapshot: Snapshot, recent: Recent, expiry_days: float, places: Int64s) -> Sequence[RequestLine]:
    return [_line(snapshot, recent.request, expiry_days, place) for place in places.tolist()]


def _line(
    snapshot: Snapshot, told: Callable[[str], Mapping[str, Any] | None], expiry_days: float, place: int
) -> RequestLine:
    requests = snapshot.requests
    row, (location, _, sku) = requests.records[place], requests.names[place].partition("|")
    request = told(requests.ids[place]) or {}
    expires_days = (int(row["expires_at"]) - snapshot.clock) / DAY_MS
    status = WAITING if row["approval"] == Approval.WAITING else RequestStatus(int(row["status"])).name.lower()
    return RequestLine(
        restock_id=requests.ids[place],
        location=location,
        sku=sku,
        status=status,
        pending=int(row["pending"]),
        on_order=int(row["on_order"]),
        in_transit=int(row["in_transit"]),
        received=int(row["received"]),
        age_days=max(expiry_days - expires_days, 0.0),
        expires_days=expires_days,
        is_expired=expires_days <= 0 and status == "pending",
        supplier=str(request.get("supplier", "")),
        quantity=request.get("quantity"),
        needed_by=str(request.get("needed_by", "")),
    )
