"""What is decided of one key at one moment: how much to request, or that a request is taken back."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias
from uuid import NAMESPACE_URL, uuid5

import msgspec
import numpy as np

from replenishment.engine.evidence import KeyFacts, evidence_of, position_of
from replenishment.engine.requests import latest_made, move, open_request, spent_value
from replenishment.engine.state import OpenRequest, PartitionState
from replenishment.engine.turn import Turn
from replenishment.events import Evidence, OrderWithheld, RestockRequested
from replenishment.lead_time import LONGEST_BUCKETS, buckets_of_days
from replenishment.policy import OrderQuantity
from replenishment.stock import Approval, RequestParts

REQUESTS = uuid5(NAMESPACE_URL, "urn:restock:request")
"""Namespace of ``restock_id``."""
DAY_MS = 86_400_000

Decision: TypeAlias = RestockRequested | OrderWithheld


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where a decision is made: the clock, the oldest open bucket, the causing order's offset or -1."""

    decided_at: int
    open_bucket: int
    cause: int = -1


def decide(
    state: PartitionState,
    row: int,
    facts: KeyFacts,
    net_units: int,
    moment: Moment,
    rung: str,
    turn: Turn,
) -> Decision | None:
    """Return the request that is due at a net stock, or why there can be none; None if nothing is missing."""
    position, limits = position_of(state, row, net_units), facts.limits
    quantity = facts.quantity(position.units, limits, state.plan.max_request_ratio)
    if quantity.reason is not None:
        return OrderWithheld(state.keys.keys[row], moment.decided_at, quantity.raw_units, quantity.reason)
    if quantity.units == 0:
        return None
    if facts.cool_down_buckets:
        reason = _cooling(state, row, facts.cool_down_buckets, quantity.units, moment)
        if reason:
            return _withheld_once(state, row, quantity.raw_units, reason, moment, turn)
    evidence = evidence_of(state, facts, limits, position, quantity, rung, moment.cause)
    if facts.needs_approvals:
        evidence = _with_reasons(state, row, facts, quantity.units, evidence, moment)
    return _request(state, row, facts, quantity.units, evidence, moment, turn)


def _cooling(state: PartitionState, row: int, cool_down_buckets: int, units: int, moment: Moment) -> str:
    """Return why a request would follow the one before too soon, empty if it does not or asks for as much."""
    before = latest_made(state, row)
    if before is None or units >= before.asked_units:
        return ""
    age = moment.open_bucket - before.asked_bucket
    if age >= cool_down_buckets:
        return ""
    return (
        f"cool-down of {cool_down_buckets} buckets: {units:,} units are due {age} buckets after"
        f" {before.asked_units:,} were requested"
    )


def _withheld_once(
    state: PartitionState, row: int, raw_units: int, reason: str, moment: Moment, turn: Turn
) -> OrderWithheld | None:
    """Return why nothing is requested the first time since the last closing, later None: lines repeat it."""
    if state.hot["is_cooling"][row]:
        return None
    state.hot["is_cooling"][row] = 1
    turn.touch(row)
    return OrderWithheld(state.keys.keys[row], moment.decided_at, raw_units, reason)


def _with_reasons(
    state: PartitionState, row: int, facts: KeyFacts, units: int, evidence: Evidence, moment: Moment
) -> Evidence:
    """Return the evidence with the value of a request and why a person must release it, if so."""
    limits = facts.approval
    spent = spent_value(state, row, moment.decided_at - round(limits.budget_days * DAY_MS))
    reasons = limits.reasons(units, spent)
    return msgspec.structs.replace(evidence, value=limits.value_of(units), approval_reasons=reasons or None)


def _request(
    state: PartitionState, row: int, facts: KeyFacts, units: int, evidence: Evidence, moment: Moment, turn: Turn
) -> RestockRequested:
    """Make the request and raise the position by exactly its units, whether or not it waits for approval."""
    key, supplier = state.keys.keys[row], facts.supplier.decode()
    slot = int(state.hot["slot"][row])
    opened = _opened(state.plan.width.start_of(moment.open_bucket))
    restock_id = str(uuid5(REQUESTS, f"{key.decode()}|{supplier}|{opened}|{slot}"))
    expires_at = moment.decided_at + round(state.plan.expiry_days * DAY_MS)
    needed_by = moment.decided_at + round(evidence.lead_time_days * DAY_MS)
    promised = int(buckets_of_days(np.array([evidence.lead_time_days]), state.plan.width)[0])
    state.hot["slot"][row] = slot + 1
    request = OpenRequest(
        row,
        RequestParts(units),
        expires_at,
        needed_by=needed_by,
        lead_time_buckets=min(promised, LONGEST_BUCKETS),
        asked_bucket=moment.open_bucket,
        slot=slot,
        supplier=facts.supplier,
        asked_at=moment.decided_at,
        asked_units=units,
        asked_value=facts.approval.value_of(units) or 0.0,
    )
    open_request(state, restock_id, request, turn)
    turn.touch(row)
    restock = RestockRequested(
        restock_id=restock_id,
        revision=1,
        key=key,
        supplier=supplier,
        units=units,
        decided_at=moment.decided_at,
        needed_by=needed_by,
        expires_at=expires_at,
        model_version=state.champion.version,
        evidence=evidence,
        requires_approval=True if evidence.approval_reasons else None,
        unit_cost=facts.unit_cost or None,
    )
    if restock.requires_approval:
        request.approval = Approval.WAITING
        state.waiting[restock_id] = restock
        turn.waiting.add(restock_id)
    return restock


@lru_cache(maxsize=64)
def _opened(start: int) -> str:
    """Return the start of a bucket as it stands in ids: RFC 3339, no fraction."""
    return f"{np.datetime_as_string(np.datetime64(start, 'ms'), unit='s')}Z"


def withdraw(
    state: PartitionState,
    restock_id: str,
    request: OpenRequest,
    facts: KeyFacts,
    net_units: int,
    moment: Moment,
    rung: str,
    turn: Turn,
) -> RestockRequested:
    """Take a request back and lower the position by exactly its units; the evidence is of the position without it."""
    move(state, restock_id, request, request.parts.withdraw(), moment.decided_at, turn)
    request.revision += 1
    position = position_of(state, request.row, net_units)
    return RestockRequested(
        restock_id=restock_id,
        revision=request.revision,
        key=state.keys.keys[request.row],
        supplier=request.supplier.decode(),
        units=0,
        decided_at=moment.decided_at,
        needed_by=request.needed_by,
        expires_at=request.expires_at,
        model_version=state.champion.version,
        evidence=evidence_of(state, facts, facts.limits, position, OrderQuantity(0, 0), rung, moment.cause),
        withdrawn="needless",
    )
