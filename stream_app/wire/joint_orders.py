"""What the buyer says as records: requests on ``restock``, answers on ``inventory``, joint orders beside them."""

from collections.abc import Iterator, Sequence
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import Struct

from replenishment.joint.advance import BuyerEffects
from replenishment.joint.decisions import (
    Decision,
    JointOrderPlaced,
    ProposalExcepted,
    RequestPlaced,
    RevisionPassedOn,
)
from replenishment.joint.proposals import MONEY, BuyerEntry, Proposal
from replenishment.keys import stock_key
from stream_app.ports import OutgoingRecord, RecordBatch
from stream_app.wire.admission import Admission
from stream_app.wire.dead_letters import dead_letter
from stream_app.wire.mapped_wire import OWN_FORM
from stream_app.wire.outgoing import Joint, amended, cloud_event
from stream_app.wire.proposals import decode_proposals
from stream_app.wire.supplier_terms import decode_suppliers
from stream_app.wire.times import shown

ANSWERS = uuid5(NAMESPACE_URL, "urn:restock:buyer-answer")
"""Namespace of the ``event_id`` of the buyer's answers: equal answers have equal ids."""
_encode = msgspec.json.Encoder().encode


class _Answer(Struct, gc=False):
    type: str
    event_id: str
    location: str
    sku: str
    event_time: str
    restock_id: str
    quantity: int
    reason: str


class _OrderPlaced(Struct, gc=False):
    type: str
    joint_order_id: str
    supplier: str
    event_time: str
    reason: str
    lines: int
    units: int
    value: float
    unpriced_lines: int
    budget_left: float | None


class _Excepted(Struct, gc=False):
    type: str
    supplier: str
    event_time: str
    reason: str
    restock_id: str
    location: str
    sku: str
    proposed_quantity: int
    quantity: int


class BuyerWire:
    """JSON in and out for the buyer; one object serves all partitions of a process.

    Args:
        partitions: How many ``suppliers`` and ``proposals`` have.
        max_future_seconds: How far an event time may be after its record's timestamp.
        source: ``ce_source`` of all that is emitted.
    """

    def __init__(self, partitions: int, max_future_seconds: int | None, source: str = "urn:restock:buyer") -> None:
        self._admission = Admission(partitions, max_future_seconds)
        self._source = source

    def decode(self, batch: RecordBatch) -> BuyerEntry:
        """Return the accepted records and the rest as rejections; never raises for bad input."""
        if batch.topic == "suppliers":
            return decode_suppliers(batch, self._admission)
        return decode_proposals(batch, self._admission)

    def encode(self, effects: BuyerEffects, batch: RecordBatch | None) -> Sequence[OutgoingRecord]:
        """Return the records of one turn, in the order of its decisions; dead letters of ``batch`` last."""
        records = [record for one in effects.decisions for record in self._records(one)]
        if batch is not None:
            by_offset = {record.offset: record for record in batch.records} if effects.rejections else {}
            records += [dead_letter(one, by_offset[one.offset], batch) for one in effects.rejections]
        return records

    def _records(self, decision: Decision) -> Iterator[OutgoingRecord]:
        match decision:
            case RequestPlaced() | RevisionPassedOn():
                yield _request(decision)
            case JointOrderPlaced():
                yield self._order(decision)
            case ProposalExcepted():
                yield self._exception(decision)
                if decision.outcome != "held":
                    yield _answer(decision)

    def _order(self, order: JointOrderPlaced) -> OutgoingRecord:
        placed_at = shown(order.placed_at)
        value = _OrderPlaced(
            type="order_placed",
            joint_order_id=order.joint_order_id,
            supplier=order.supplier,
            event_time=placed_at,
            reason=order.because,
            lines=order.lines,
            units=order.units,
            value=order.value / MONEY,
            unpriced_lines=order.unpriced_lines,
            budget_left=None if order.budget_left is None else order.budget_left / MONEY,
        )
        headers = cloud_event(order.joint_order_id, self._source, "joint_order.placed", placed_at)
        return OutgoingRecord("joint-orders", order.supplier.encode(), _encode(value), headers)

    def _exception(self, one: ProposalExcepted) -> OutgoingRecord:
        location, sku = _parts(one.proposal)
        decided_at = shown(one.decided_at)
        value = _Excepted(
            type=f"proposal_{one.outcome}",
            supplier=one.proposal.supplier,
            event_time=decided_at,
            reason=one.reason,
            restock_id=one.proposal.restock_id,
            location=location,
            sku=sku,
            proposed_quantity=one.proposal.units,
            quantity=one.units,
        )
        headers = cloud_event(_id_of(one), self._source, f"proposal.{one.outcome}", decided_at)
        return OutgoingRecord("joint-orders", one.proposal.supplier.encode(), _encode(value), headers)


def _request(placed: RequestPlaced | RevisionPassedOn) -> OutgoingRecord:
    """Return the event of the proposal, with the units that are asked for and the joint order they belong to."""
    proposal = placed.proposal
    joint = Joint(placed.joint_order_id, shown(placed.placed_at), proposal.units)
    value = amended(proposal.record, {"quantity": placed.units, "joint": joint})
    return OutgoingRecord("restock", proposal.key, value, proposal.headers)


def _answer(one: ProposalExcepted) -> OutgoingRecord:
    """Return what the worker of the key is told, so that its position counts what was really asked for."""
    location, sku = _parts(one.proposal)
    value = _Answer(
        type="restock_accepted" if one.units else "restock_rejected",
        event_id=_id_of(one),
        location=location,
        sku=sku,
        event_time=shown(one.decided_at),
        restock_id=one.proposal.restock_id,
        quantity=one.units or max(1, one.proposal.units),
        reason=one.reason,
    )
    return OutgoingRecord("inventory", one.proposal.key, _encode(value), ((OWN_FORM, b"1"),))


def _id_of(one: ProposalExcepted) -> str:
    return str(uuid5(ANSWERS, f"{one.proposal.restock_id}|{one.outcome}|{one.decided_at}"))


def _parts(proposal: Proposal) -> tuple[str, str]:
    parts = stock_key(proposal.key)
    if parts is None:
        raise ValueError(f"{proposal.key!r} is no stock key: the buyer never saw it on the wire")
    return parts
