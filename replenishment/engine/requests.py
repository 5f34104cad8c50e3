"""The requests of a partition: opened, moved along by answers, forgotten; sums over each key are kept beside them."""

from replenishment.engine.rows import NEVER
from replenishment.engine.state import OpenRequest, PartitionState
from replenishment.engine.turn import Turn
from replenishment.stock import Approval, RequestParts, RequestStatus

REFUSED = frozenset({RequestStatus.REJECTED, RequestStatus.DECLINED, RequestStatus.WITHDRAWN})


def open_request(state: PartitionState, restock_id: str, request: OpenRequest, turn: Turn) -> None:
    """Put a new request into the state; the position of its key rises by exactly its pending units."""
    state.requests[restock_id] = request
    state.pending[request.row] += request.parts.pending
    state.open_requests += 1
    if request.is_ours:
        state.asked.setdefault(request.row, []).append(restock_id)
    turn.requests.add(restock_id)


def newest_unanswered(state: PartitionState, row: int) -> tuple[str, OpenRequest] | None:
    """Return the youngest request of ours for a key that nobody has answered, None if there is none."""
    if not state.pending[row]:
        return None
    for restock_id in reversed(state.asked.get(row, [])):
        request = state.requests[restock_id]
        if request.parts.is_unanswered:
            return restock_id, request
    return None


def latest_made(state: PartitionState, row: int) -> OpenRequest | None:
    """Return the youngest request of ours for a key that was neither refused nor taken back, None if there is none."""
    made = (state.requests[one] for one in reversed(state.asked.get(row, [])))
    return next((one for one in made if one.parts.status not in REFUSED), None)


def spent_value(state: PartitionState, row: int, since: int) -> float:
    """Return the value of the requests of a key made after a time, but for those refused or taken back."""
    asked = [state.requests[one] for one in state.asked.get(row, ())]
    return sum(one.asked_value for one in asked if one.asked_at > since and one.parts.status not in REFUSED)


def move(
    state: PartitionState, restock_id: str, request: OpenRequest, after: RequestParts, moved_at: int, turn: Turn
) -> None:
    """Put a request's new parts in place of the old ones, in the sums over the key too; ``moved_at`` is the clock.

    Whatever answers or ends a request ends its wait for approval.
    """
    before, row = request.parts, request.row
    state.pending[row] += after.pending - before.pending
    state.on_order[row] += after.on_order - before.on_order
    state.in_transit[row] += after.in_transit - before.in_transit
    if before.is_open != after.is_open:
        request.settled_at = NEVER if after.is_open else moved_at
        state.open_requests += 1 if after.is_open else -1
    request.parts = after
    turn.requests.add(restock_id)
    if request.approval == Approval.WAITING and not after.is_unanswered:
        request.approval = Approval.NOT_NEEDED
        del state.waiting[restock_id]
        turn.waiting.add(restock_id)


def forget(state: PartitionState, restock_id: str, turn: Turn) -> None:
    """Drop a request that takes no more answers."""
    request = state.requests.pop(restock_id)
    turn.requests.add(restock_id)
    if request.is_ours:
        ids = state.asked[request.row]
        ids.remove(restock_id)
        if not ids:
            del state.asked[request.row]
