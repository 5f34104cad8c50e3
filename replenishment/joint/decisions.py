"""What the buyer says: requests placed, joint orders, and what did not go as proposed."""

from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import NAMESPACE_URL, uuid5

from replenishment.joint.proposals import Proposal

JOINT_ORDERS = uuid5(NAMESPACE_URL, "urn:restock:joint-order")
"""Namespace of ``joint_order_id``."""

Because: TypeAlias = Literal["no_minimum", "minimum_met", "waited_long_enough"]
Reason: TypeAlias = Literal["over_budget", "exceeds_budget", "below_minimum", "short_supply"]


@dataclass(frozen=True, slots=True)
class RequestPlaced:
    """A proposal becomes a request of ``units``, at most those proposed, as part of a joint order."""

    proposal: Proposal
    units: int
    joint_order_id: str
    placed_at: int


@dataclass(frozen=True, slots=True)
class RevisionPassedOn:
    """A request that was placed is changed or withdrawn; ``units`` are at most those placed."""

    proposal: Proposal
    units: int
    joint_order_id: str
    placed_at: int


@dataclass(frozen=True, slots=True)
class JointOrderPlaced:
    """A supplier is asked for several requests together; ``unpriced_lines`` count as worth nothing."""

    joint_order_id: str
    supplier: str
    placed_at: int
    because: Because
    lines: int
    units: int
    value: int
    unpriced_lines: int
    budget_left: int | None


@dataclass(frozen=True, slots=True)
class ProposalExcepted:
    """A proposal is held for a later budget, made smaller or refused: a case for a planner."""

    outcome: Literal["held", "reduced", "refused"]
    reason: Reason
    proposal: Proposal
    units: int
    decided_at: int


Decision: TypeAlias = RequestPlaced | RevisionPassedOn | JointOrderPlaced | ProposalExcepted


def joint_order_id(supplier: str, number: int) -> str:
    """Return the id of a supplier's nth joint order, from 0."""
    return str(uuid5(JOINT_ORDERS, f"{supplier}|{number}"))
