"""Records of ``proposals`` to what the buyer reads: proposals of workers, word of short supply, time passing."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from replenishment.engine.columns import Span
from replenishment.events import Rejection
from replenishment.joint.proposals import MONEY, Message, Proposal, ProposalBatch, SupplyLimited, TimePassed
from replenishment.joint.rows import LARGEST_PROPOSAL_BYTES
from replenishment.keys import PART, key_bytes
from stream_app.ports import Headers, Record, RecordBatch
from stream_app.wire.admission import Admission, check_age, partition_of
from stream_app.wire.envelope import fields_of
from stream_app.wire.fields import MOST_UNITS, Fields
from stream_app.wire.refusals import Code, Faults, excerpt

LONGEST_SUPPLIER_BYTES = 64
HIGHEST_COST = 1e9
KEPT_HEADERS = (
    "content-type",
    "ce_specversion",
    "ce_id",
    "ce_source",
    "ce_type",
    "ce_time",
    "traceparent",
    "tracestate",
)
LONGEST_HEADER_BYTES = 400
"""All kept together must fit into the row of a proposal; a longer one is left out."""
_PART = Annotated[str, Meta(pattern=f"^{PART.pattern}$")]


class _Evidence(Struct, gc=False):
    inventory_position: int
    reorder_point: int
    expected_units: float
    pack_units: Annotated[int, Meta(ge=1, le=MOST_UNITS)] = 1


class _Proposed(Struct, gc=False):
    restock_id: Annotated[str, Meta(pattern=r"^[0-9a-f-]{36}$")]
    revision: Annotated[int, Meta(ge=1, le=1_000_000)]
    location: _PART
    sku: _PART
    quantity: Annotated[int, Meta(ge=0, le=10**12)]
    evidence: _Evidence
    unit_cost: Annotated[float, Meta(ge=0, le=HIGHEST_COST)] | None = None
    requires_approval: bool | None = None


_proposed = msgspec.json.Decoder(_Proposed).decode


def decode_proposals(batch: RecordBatch, admission: Admission) -> ProposalBatch:
    """Return the messages of a batch; what is refused is in ``rejections``."""
    offsets: list[int] = []
    messages: list[Message] = []
    rejections: list[Rejection] = []
    for record in batch.records:
        faults = Faults()
        message = _message(record, batch.partition, admission, faults)
        rejection = faults.rejection("proposals", record.offset)
        if rejection is not None:
            rejections.append(rejection)
        elif message is not None:
            offsets.append(record.offset)
            messages.append(message)
    return ProposalBatch(Span("proposals", batch.start, batch.end), rejections, offsets, messages)


def check_supplier(record: Record, supplier: str, partition: int, admission: Admission, faults: Faults) -> None:
    """Note if a record's key is not its supplier, or belongs to another partition."""
    expected = supplier.encode()
    if (record.key or b"") != expected:
        received = "null" if record.key is None else excerpt(record.key)
        faults.add(Code.WRONG_KEY, f"the record's key is {received}, must be the supplier: {excerpt(expected)}")
    elif record.key is not None and partition_of(expected, admission.partitions) != partition:
        right = partition_of(expected, admission.partitions)
        faults.add(
            Code.WRONG_PARTITION,
            f"the record is in partition {partition}, must be in {right} of {admission.partitions}: use the default "
            "partitioner (murmur2) with the supplier as key",
        )


def _message(record: Record, partition: int, admission: Admission, faults: Faults) -> Message | None:
    """Return the message of a record; nobody may use it if a fault was noted."""
    fields = Fields(fields_of(record, faults), faults)
    if faults.code is not None:
        return None
    kind = fields.event_type("restock_proposed", tuple(_READERS))
    read = _READERS.get(kind)
    return None if read is None else read(fields, record, partition, admission)


def _proposal(fields: Fields, record: Record, partition: int, admission: Admission) -> Proposal | None:
    faults, value = fields.faults, record.value or b""
    supplier = fields.label("supplier", LONGEST_SUPPLIER_BYTES)
    proposed_at = fields.time("decided_at")
    check_supplier(record, supplier, partition, admission, faults)
    check_age(proposed_at, "decided_at", fields)
    if len(value) > LARGEST_PROPOSAL_BYTES:
        faults.add(Code.TOO_LARGE, f"value has {len(value)} bytes, must have at most {LARGEST_PROPOSAL_BYTES}")
    proposed = _read(value, faults)
    if proposed is None or faults.code is not None:
        return None
    evidence = proposed.evidence
    distance = evidence.inventory_position - evidence.reorder_point
    return Proposal(
        restock_id=proposed.restock_id,
        revision=proposed.revision,
        key=key_bytes(proposed.location, proposed.sku),
        supplier=supplier,
        units=proposed.quantity,
        pack_units=evidence.pack_units,
        unit_cost=None if proposed.unit_cost is None else round(proposed.unit_cost * MONEY),
        urgency=round(distance / max(evidence.expected_units, 1e-3), 6),
        proposed_at=proposed_at,
        record=value,
        headers=_kept(record.headers),
        is_released=not proposed.requires_approval,
    )


def _kept(headers: Headers) -> tuple[tuple[str, bytes], ...]:
    """Return what goes on with the request: headers of the event and of its trace, the last of each name."""
    given = dict(headers or ())
    found = [(name, given.get(name) or b"") for name in KEPT_HEADERS]
    return tuple((name, content) for name, content in found if content and len(content) <= LONGEST_HEADER_BYTES)


def _read(value: bytes, faults: Faults) -> _Proposed | None:
    try:
        return _proposed(value)
    except msgspec.ValidationError as wrong:
        is_missing = "missing required field" in str(wrong)
        faults.add(Code.MISSING_FIELD if is_missing else Code.OUT_OF_RANGE, f"no proposal of a worker: {wrong}")
        return None


def _limited(fields: Fields, record: Record, partition: int, admission: Admission) -> SupplyLimited:
    supplier = fields.label("supplier", LONGEST_SUPPLIER_BYTES)
    occurred_at = _event_time(fields, record, admission)
    check_supplier(record, supplier, partition, admission, fields.faults)
    units, until = fields.integer("units", 0, 1_000_000_000), fields.time("until")
    return SupplyLimited(supplier, fields.key_part("sku").encode(), units, until, occurred_at)


def _passed(fields: Fields, record: Record, partition: int, admission: Admission) -> TimePassed:  # noqa: ARG001  of any key
    return TimePassed(_event_time(fields, record, admission))


def _event_time(fields: Fields, record: Record, admission: Admission) -> int:
    at = fields.time("event_time")
    admission.check_event_time(at, record, fields)
    return at


_READERS: Mapping[str, Callable[[Fields, Record, int, Admission], Any]] = {
    "restock_proposed": _proposal,
    "supply_limited": _limited,
    "time_passed": _passed,
}
