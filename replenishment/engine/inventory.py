"""Counts, adjustments, receipts and answers into stock and open requests, one event at a time."""

from collections import deque
from collections.abc import Callable
from hashlib import blake2b

from replenishment.engine.availability import see_stock
from replenishment.engine.requests import move, open_request
from replenishment.engine.rows import REMEMBERED_EVENTS
from replenishment.engine.state import OpenRequest, PartitionState
from replenishment.engine.turn import Turn
from replenishment.events import (
    InventoryEvent,
    Rejection,
    RestockAccepted,
    RestockRejected,
    RestockShipped,
    StockAdjusted,
    StockCounted,
    StockReceived,
)
from replenishment.lead_time import LONGEST_BUCKETS, REMEMBERED_DELIVERIES, delay_buckets
from replenishment.stock import RequestParts, StockKnowledge, adjusted, counted

Answer = RestockAccepted | RestockRejected | RestockShipped


def take_event(state: PartitionState, offset: int, event: InventoryEvent, turn: Turn) -> int | None:
    """Apply one event; return the row to review, or None if a review does not follow.

    A repeated ``event_id`` of the key changes nothing; an answer that
    contradicts its request is rejected.
    """
    row = state.row_of(event.key)
    turn.touch(row)
    turn.count("applied")
    if _is_repeated(state, row, event.event_id, turn):
        turn.count("repeated")
        return None
    reviewed = _take(state, row, offset, event, turn)
    see_stock(state, row, int(state.hot["net_units"][row]), event.occurred_at)
    return reviewed


def _take(state: PartitionState, row: int, offset: int, event: InventoryEvent, turn: Turn) -> int | None:
    if isinstance(event, StockCounted):
        return _count(state, row, event)
    if isinstance(event, StockAdjusted):
        return _adjust(state, row, event)
    if isinstance(event, StockReceived):
        _receive(state, row, event, turn)
    else:
        _answer(state, row, offset, event, turn)
    return None


def _is_repeated(state: PartitionState, row: int, event_id: str, turn: Turn) -> bool:
    fingerprint = int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest(), "little") or 1
    remembered = state.events.setdefault(row, deque(maxlen=REMEMBERED_EVENTS))
    if fingerprint in remembered:
        return True
    remembered.append(fingerprint)
    turn.events.add(row)
    return False


def _count(state: PartitionState, row: int, event: StockCounted) -> int | None:
    hot = state.hot
    if event.occurred_at < hot["counted_at"][row]:
        return None
    hot["net_units"][row] = counted(int(hot["net_units"][row]), event.on_hand_units)
    hot["counted_at"][row] = event.occurred_at
    hot["stock"][row] = StockKnowledge.COUNTED
    return row


def _adjust(state: PartitionState, row: int, event: StockAdjusted) -> int | None:
    hot = state.hot
    if event.occurred_at < hot["counted_at"][row]:
        return None
    hot["net_units"][row] = adjusted(int(hot["net_units"][row]), event.delta_units)
    return row


def _receive(state: PartitionState, row: int, event: StockReceived, turn: Turn) -> None:
    if event.occurred_at >= state.hot["counted_at"][row]:
        state.hot["net_units"][row] += event.units
    if event.restock_id is None:
        return
    request = _request_of(state, row, event.restock_id)
    if request is None:
        turn.count("unknown_requests")
        return
    if request.is_ours and not request.parts.is_settled:
        request.late_unit_buckets += event.units * delay_buckets(event.occurred_at, request.needed_by, state.plan.width)
    change = request.parts.receive(event.units, final=event.final)
    is_delivered = change.is_settled and not request.parts.is_settled
    move(state, event.restock_id, request, change, state.progress.clock, turn)
    if is_delivered and request.is_ours:
        _learn_lead_time(state, row, request, turn)


def _learn_lead_time(state: PartitionState, row: int, request: OpenRequest, turn: Turn) -> None:
    """Remember how long a request took that is delivered: the mean over its units."""
    late = round(request.late_unit_buckets / request.parts.received)
    known = state.deliveries[row]
    column = known["observed"] % REMEMBERED_DELIVERIES
    known["buckets"][column] = min(max(request.lead_time_buckets + late, 0), LONGEST_BUCKETS)
    known["observed"] += 1
    turn.deliveries.add(row)


def _answer(state: PartitionState, row: int, offset: int, event: Answer, turn: Turn) -> None:
    request = _request_of(state, row, event.restock_id)
    if request is None and _is_under_way(state, event):
        request = _taken_over(state, row, event, turn)
    if request is None:
        turn.count("unknown_requests")
        return
    if request.parts.is_settled:
        status = request.parts.status.name.lower()
        reason = f"request {event.restock_id} is {status} and takes no more answers; receipts still raise on hand"
        turn.rejections.append(Rejection("inventory", offset, "contradicts_request", reason))
        return
    after = _ANSWERED[type(event)](request.parts, event.units)
    move(state, event.restock_id, request, after, state.progress.clock, turn)
    if isinstance(event, RestockRejected):
        state.hot["is_held"][row] = 1


def _is_under_way(state: PartitionState, event: Answer) -> bool:
    is_new = event.restock_id not in state.requests
    is_expected = isinstance(event, RestockShipped) and event.expected_at is not None
    return state.plan.takes_unknown_shipments and is_new and is_expected


def _taken_over(state: PartitionState, row: int, event: Answer, turn: Turn) -> OpenRequest:
    """Open the request that goods under way belong to, as if it had been made here; the shipment then moves it."""
    expires_at = state.progress.clock + round(state.plan.expiry_days * 86_400_000)
    request = OpenRequest(row, RequestParts(event.units), expires_at)
    open_request(state, event.restock_id, request, turn)
    return request


_ANSWERED: dict[type[Answer], Callable[[RequestParts, int], RequestParts]] = {
    RestockAccepted: RequestParts.accept,
    RestockShipped: RequestParts.ship,
    RestockRejected: lambda parts, _: parts.reject(),
}


def _request_of(state: PartitionState, row: int, restock_id: str) -> OpenRequest | None:
    request = state.requests.get(restock_id)
    return request if request is not None and request.row == row else None
