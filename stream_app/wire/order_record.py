"""One order record, field by field: every refusal, and every record that is not the usual one, is decided here."""

from dataclasses import dataclass

from replenishment.engine.columns import LineKind
from replenishment.events import Rejection
from replenishment.keys import key_bytes
from stream_app.ports import Record
from stream_app.wire.admission import Admission, check_age
from stream_app.wire.envelope import fields_of
from stream_app.wire.fields import MOST_UNITS, Fields
from stream_app.wire.refusals import Code, Faults

LARGEST_LINE = 100_000
HIGHEST_PRICE = 1_000_000_000
PRICE_PARTS = 10_000
"""A price is kept in 1/10,000 of its currency unit."""
NO_PRICE = -1
TYPES = ("order_placed", "order_cancelled", "time_passed")
_TAKE_BACK = "; to take back an order send type order_cancelled"


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One row of ``OrderColumns``; ``line`` is 0 where the record numbers none."""

    kind: LineKind
    key: bytes
    occurred_at: int
    placed_at: int
    units: int
    price: int
    order_id: str = ""
    line: int = 0


def read_order(record: Record, partition: int, admission: Admission) -> OrderRow | Rejection:
    """Return an order record as a row, or why it is refused; one without ``type`` is an order line."""
    faults = Faults()
    fields = Fields(fields_of(record, faults), faults)
    row = _NOTHING if faults.code else _row(fields, record, partition, admission)
    return faults.rejection("orders", record.offset) or row


def _row(fields: Fields, record: Record, partition: int, admission: Admission) -> OrderRow:
    kind = fields.event_type("order_placed", TYPES)
    occurred_at = fields.time("event_time")
    admission.check_event_time(occurred_at, record, fields)
    if kind == "time_passed":
        return OrderRow(LineKind.TIME_PASSED, b"", occurred_at, occurred_at, 0, NO_PRICE)
    is_cancelled = kind == "order_cancelled"
    placed_at = placed_at_of(fields, occurred_at) if is_cancelled else occurred_at
    order_id = fields.identifier("order_id")
    line = fields.integer("line", 1, LARGEST_LINE) if fields.has("line") else 0
    location, sku = fields.key_part("location"), fields.key_part("sku")
    units = fields.integer("quantity", 1, MOST_UNITS, hint="" if is_cancelled else _TAKE_BACK)
    price = round(fields.number("price", 0, HIGHEST_PRICE) * PRICE_PARTS) if fields.has("price") else NO_PRICE
    admission.check_key(record, location, sku, partition, fields.faults)
    return OrderRow(
        LineKind.CANCELLED if is_cancelled else LineKind.PLACED,
        key_bytes(location, sku),
        occurred_at,
        placed_at,
        units,
        price,
        order_id,
        line,
    )


def placed_at_of(fields: Fields, occurred_at: int) -> int:
    """Return when a cancelled order was placed, at most when it was cancelled."""
    placed_at = fields.time("placed_at")
    check_age(placed_at, "placed_at", fields)
    if placed_at > occurred_at:
        fields.refuse(Code.PLACED_AFTER, "placed_at", "at most event_time: an order is cancelled after it is placed")
    return placed_at


_NOTHING = OrderRow(LineKind.TIME_PASSED, b"", 0, 0, 0, NO_PRICE)
