"""The requests of a partition: opened, moved along by answers, withdrawn; sums over each key are kept beside them."""

from replenishment.engine.rows import NEVER
from replenishment.engine.state import OpenRequest, PartitionState
from replenishment.engine.turn import Turn
from replenishment.stock import RequestParts


def open_request(state: PartitionState, restock_id: str, request: OpenRequest, turn: Turn) -> None:
    """Put a new request into the state; the position of its key rises by exactly its pending units."""
    state.requests[restock_id] = request
    state.pending[request.row] += request.parts.pending
    state.open_requests += 1
    if request.is_ours:
        state.unanswered.setdefault(request.row, []).append(restock_id)
    turn.requests.add(restock_id)


def newest_unanswered(state: PartitionState, row: int) -> tuple[str, OpenRequest] | None:
    """Return the youngest request of ours for a key that nobody has answered, None if there is none."""
    ids = state.unanswered.get(row)
    return (ids[-1], state.requests[ids[-1]]) if ids else None


def move(
    state: PartitionState, restock_id: str, request: OpenRequest, after: RequestParts, moved_at: int, turn: Turn
) -> None:
    """Put a request's new parts in place of the old ones, in the sums over the key too; ``moved_at`` is the clock."""
    before, row = request.parts, request.row
    state.pending[row] += after.pending - before.pending
    state.on_order[row] += after.on_order - before.on_order
    state.in_transit[row] += after.in_transit - before.in_transit
    if before.is_open != after.is_open:
        request.settled_at = NEVER if after.is_open else moved_at
        state.open_requests += 1 if after.is_open else -1
    if before.is_unanswered and not after.is_unanswered and request.is_ours:
        _answered(state, row, restock_id)
    request.parts = after
    turn.requests.add(restock_id)


def _answered(state: PartitionState, row: int, restock_id: str) -> None:
    ids = state.unanswered[row]
    ids.remove(restock_id)
    if not ids:
        del state.unanswered[row]
