"""Signal records to events: what is planned or was measured beside demand, and what is planned no longer."""

import re
from collections.abc import Mapping

from replenishment.engine.columns import SignalBatch, Span
from replenishment.events import Rejection, SignalEvent, SignalPlanned, SignalWithdrawn
from replenishment.keys import key_bytes
from replenishment.signals import PRICE, PROMOTION
from stream_app.ports import Record, RecordBatch
from stream_app.wire.admission import LATEST_AT, Admission, check_age
from stream_app.wire.envelope import fields_of
from stream_app.wire.fields import Fields
from stream_app.wire.refusals import Code, Faults
from stream_app.wire.times import shown

PLANNED, WITHDRAWN = "planned", "withdrawn"
TYPES = (PLANNED, WITHDRAWN)
LOWEST_PRICE, HIGHEST_NUMBER = 1e-9, 1e9
MOST_COLUMNS = 15
"""Numbers of one signal: as many as a model version reads, holidays aside."""
OWN_FIELDS = frozenset({"signal_id", "type", "location", "sku", "event_time", "starts_at", "ends_at", PROMOTION, PRICE})
COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
"""Name of a further number; other fields are not read."""


def decode_signals(batch: RecordBatch, admission: Admission) -> SignalBatch:
    """Return the signals of a batch; what is refused is in ``rejections``."""
    offsets: list[int] = []
    events: list[SignalEvent] = []
    rejections: list[Rejection] = []
    for record in batch.records:
        faults = Faults()
        event = _event(record, batch.partition, admission, faults)
        rejection = faults.rejection("signals", record.offset)
        if rejection is not None:
            rejections.append(rejection)
        elif event is not None:
            offsets.append(record.offset)
            events.append(event)
    return SignalBatch(Span("signals", batch.start, batch.end), rejections, offsets, events)


def _event(record: Record, partition: int, admission: Admission, faults: Faults) -> SignalEvent | None:
    """Return the event of a record; nobody may use it if a fault was noted."""
    fields = Fields(fields_of(record, faults), faults)
    if faults.code is not None:
        return None
    kind = fields.event_type(PLANNED, TYPES)
    location, sku = fields.key_part("location"), fields.key_part("sku")
    event = _signal(fields, kind, key_bytes(location, sku))
    if event.occurred_at is not None:
        admission.check_event_time(event.occurred_at, record, fields)
    admission.check_key(record, location, sku, partition, faults)
    return event


def _signal(fields: Fields, kind: str, key: bytes) -> SignalEvent:
    signal_id = fields.identifier("signal_id")
    said_at = fields.time("event_time") if fields.has("event_time") else None
    if kind == WITHDRAWN:
        return SignalWithdrawn(key, signal_id, said_at)
    starts_at, ends_at = _time(fields, "starts_at"), _time(fields, "ends_at")
    if ends_at <= starts_at:
        fields.refuse(Code.OUT_OF_RANGE, "ends_at", "a time later than starts_at")
    return SignalPlanned(key, signal_id, said_at, starts_at, ends_at, tuple(sorted(_values(fields).items())))


def _time(fields: Fields, name: str) -> int:
    at = fields.time(name)
    if at > LATEST_AT:
        fields.refuse(Code.OUT_OF_RANGE, name, f"at most {shown(LATEST_AT)}")
    check_age(at, name, fields)
    return at


def _values(fields: Fields) -> Mapping[str, float]:
    """Return the numbers of a signal by name."""
    values: dict[str, float] = {}
    if fields.has(PROMOTION):
        values[PROMOTION] = fields.strength(PROMOTION)
    if fields.has(PRICE):
        values[PRICE] = fields.number(PRICE, LOWEST_PRICE, HIGHEST_NUMBER)
    values |= fields.other_numbers(OWN_FIELDS, COLUMN, -HIGHEST_NUMBER, HIGHEST_NUMBER)
    if len(values) > MOST_COLUMNS:
        some = ", ".join(sorted(values))
        fields.faults.add(Code.OUT_OF_RANGE, f"the signal has {len(values)} numbers, at most {MOST_COLUMNS}: {some}")
    return values
