"""What a person decides of requests that wait for approval: said again and released, or declined."""

import msgspec

from replenishment.engine.requests import move
from replenishment.engine.state import OpenRequest, PartitionState
from replenishment.engine.turn import Turn
from replenishment.events import Rejection, RestockApproved, RestockDeclined
from replenishment.stock import Approval

DAY_MS = 86_400_000
Ruling = RestockApproved | RestockDeclined


def rule(state: PartitionState, row: int, offset: int, event: Ruling, turn: Turn) -> None:
    """Release or decline a request of the key at ``row``; what does not wait is refused with a sentence."""
    request = state.requests.get(event.restock_id)
    if request is None or request.row != row:
        reason = f"there is no request {event.restock_id} of {event.key.decode()}, or it was settled and forgotten"
    else:
        reason = no_ruling(request, event, state.progress.clock)
    if reason or request is None:
        turn.rejections.append(Rejection("inventory", offset, "contradicts_request", reason))
    elif isinstance(event, RestockApproved):
        _release(state, request, event, turn)
    else:
        _decline(state, request, event, turn)


def no_ruling(request: OpenRequest, event: Ruling, clock: int) -> str:
    """Return why a request cannot be ruled on at a clock, empty if it can."""
    named = f"request {event.restock_id}"
    if request.approval == Approval.RELEASED:
        return f"{named} was released already"
    if request.approval == Approval.NOT_NEEDED:
        if request.parts.is_unanswered:
            return f"{named} needs no approval"
        return f"{named} is {request.parts.status.name.lower()} and waits for no approval any more"
    if isinstance(event, RestockApproved) and request.expires_at <= clock:
        return f"{named} has expired while it waited: decline it, and the next closing decides anew"
    return ""


def _release(state: PartitionState, request: OpenRequest, event: RestockApproved, turn: Turn) -> None:
    """Say the request again without its wait; supplier and expiry count from now."""
    said, clock = state.waiting.pop(event.restock_id), state.progress.clock
    request.revision += 1
    request.approval = Approval.RELEASED
    request.needed_by = clock + said.needed_by - said.decided_at
    request.expires_at = clock + round(state.plan.expiry_days * DAY_MS)
    turn.requests.add(event.restock_id)
    turn.waiting.add(event.restock_id)
    released = msgspec.structs.replace(
        said,
        revision=request.revision,
        decided_at=clock,
        needed_by=request.needed_by,
        expires_at=request.expires_at,
        requires_approval=False,
        ruled_by=event.by or None,
    )
    turn.say(released)


def _decline(state: PartitionState, request: OpenRequest, event: RestockDeclined, turn: Turn) -> None:
    """Take the request back; as after a refusal the key requests nothing before its next closing."""
    said, clock = state.waiting[event.restock_id], state.progress.clock
    move(state, event.restock_id, request, request.parts.decline(), clock, turn)
    request.revision += 1
    state.hot["is_held"][request.row] = 1
    declined = msgspec.structs.replace(
        said,
        revision=request.revision,
        units=0,
        decided_at=clock,
        withdrawn="declined",
        requires_approval=None,
        ruled_by=event.by or None,
    )
    turn.say(declined)
