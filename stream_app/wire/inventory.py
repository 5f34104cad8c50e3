"""Inventory records to events: what was counted, adjusted, received, and what became of requests."""

from collections.abc import Callable, Mapping

from replenishment.engine.columns import InventoryBatch, Span
from replenishment.events import (
    InventoryEvent,
    Rejection,
    RestockAccepted,
    RestockApproved,
    RestockDeclined,
    RestockRejected,
    RestockShipped,
    StockAdjusted,
    StockCounted,
    StockReceived,
)
from replenishment.keys import key_bytes
from stream_app.ports import Record, RecordBatch
from stream_app.wire.admission import Admission
from stream_app.wire.envelope import fields_of
from stream_app.wire.fields import MOST_UNITS, Fields
from stream_app.wire.refusals import Faults

MOST_COUNTED = 1_000_000_000
"""Largest count, and largest adjustment either way."""
LONGEST_NAME_BYTES = 64
LONGEST_NOTE_BYTES = 500


def decode_inventory(batch: RecordBatch, admission: Admission) -> InventoryBatch:
    """Return the events of a batch; what is refused is in ``rejections``."""
    offsets: list[int] = []
    events: list[InventoryEvent] = []
    rejections: list[Rejection] = []
    for record in batch.records:
        faults = Faults()
        event = _event(record, batch.partition, admission, faults)
        rejection = faults.rejection("inventory", record.offset)
        if rejection is not None:
            rejections.append(rejection)
        elif event is not None:
            offsets.append(record.offset)
            events.append(event)
    return InventoryBatch(Span("inventory", batch.start, batch.end), rejections, offsets, events)


def _event(record: Record, partition: int, admission: Admission, faults: Faults) -> InventoryEvent | None:
    """Return the event of a record; nobody may use it if a fault was noted."""
    fields = Fields(fields_of(record, faults), faults)
    if faults.code is not None:
        return None
    kind = fields.event_type("", tuple(_READERS))
    event_id = fields.identifier("event_id")
    location, sku = fields.key_part("location"), fields.key_part("sku")
    occurred_at = fields.time("event_time")
    admission.check_event_time(occurred_at, record, fields)
    admission.check_key(record, location, sku, partition, faults)
    read = _READERS.get(kind)
    return None if read is None else read(fields, key_bytes(location, sku), event_id, occurred_at)


def _counted(fields: Fields, key: bytes, event_id: str, occurred_at: int) -> InventoryEvent:
    return StockCounted(key, event_id, occurred_at, fields.integer("on_hand", 0, MOST_COUNTED))


def _adjusted(fields: Fields, key: bytes, event_id: str, occurred_at: int) -> InventoryEvent:
    fields.text("reason")
    return StockAdjusted(key, event_id, occurred_at, fields.integer("delta", -MOST_COUNTED, MOST_COUNTED))


def _received(fields: Fields, key: bytes, event_id: str, occurred_at: int) -> InventoryEvent:
    units = fields.integer("quantity", 1, MOST_UNITS)
    restock_id = fields.identifier("restock_id") if fields.has("restock_id") else None
    is_final = fields.flag("final") if fields.has("final") else False
    return StockReceived(key, event_id, occurred_at, units, restock_id, is_final)


def _answer(
    answer: type[RestockAccepted | RestockRejected | RestockShipped],
) -> Callable[[Fields, bytes, str, int], InventoryEvent]:
    def read(fields: Fields, key: bytes, event_id: str, occurred_at: int) -> InventoryEvent:
        restock_id, units = fields.identifier("restock_id"), fields.integer("quantity", 1, MOST_UNITS)
        expected_at = fields.time("expected_at") if fields.has("expected_at") else None
        if answer is RestockShipped:
            return RestockShipped(key, event_id, occurred_at, restock_id, units, expected_at)
        return answer(key, event_id, occurred_at, restock_id, units)

    return read


def _ruling(
    ruling: type[RestockApproved | RestockDeclined],
) -> Callable[[Fields, bytes, str, int], InventoryEvent]:
    def read(fields: Fields, key: bytes, event_id: str, occurred_at: int) -> InventoryEvent:
        restock_id = fields.identifier("restock_id")
        by = fields.label("by", LONGEST_NAME_BYTES) if fields.has("by") else ""
        if fields.has("note"):
            fields.label("note", LONGEST_NOTE_BYTES)
        return ruling(key, event_id, occurred_at, restock_id, by)

    return read


_READERS: Mapping[str, Callable[[Fields, bytes, str, int], InventoryEvent]] = {
    "stock_counted": _counted,
    "stock_adjusted": _adjusted,
    "stock_received": _received,
    "restock_accepted": _answer(RestockAccepted),
    "restock_rejected": _answer(RestockRejected),
    "restock_shipped": _answer(RestockShipped),
    "restock_approved": _ruling(RestockApproved),
    "restock_declined": _ruling(RestockDeclined),
}
