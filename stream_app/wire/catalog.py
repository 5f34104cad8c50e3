"""Catalog records to terms of stock keys; a record without value brings the defaults back."""

from collections.abc import Callable
from typing import TypeVar

from replenishment.engine.columns import CatalogBatch, Span
from replenishment.events import CatalogEntry, Rejection
from replenishment.keys import key_bytes
from stream_app.ports import Record, RecordBatch
from stream_app.wire.admission import Admission
from stream_app.wire.envelope import fields_of
from stream_app.wire.fields import MOST_UNITS, Fields
from stream_app.wire.refusals import Code, Faults

LONGEST_LABEL_BYTES = 64
_KIND_EXPECTED = "cycle: fill and newsvendor are not supported in this version"

_Value = TypeVar("_Value")


def decode_catalog(batch: RecordBatch, admission: Admission) -> CatalogBatch:
    """Return the entries of a batch; what is refused is in ``rejections``."""
    offsets: list[int] = []
    keys: list[bytes] = []
    entries: list[CatalogEntry | None] = []
    rejections: list[Rejection] = []
    for record in batch.records:
        faults = Faults()
        entry = _entry(record, batch.partition, admission, faults)
        rejection = faults.rejection("catalog", record.offset)
        if rejection is not None:
            rejections.append(rejection)
        elif record.key is not None:
            offsets.append(record.offset)
            keys.append(record.key)
            entries.append(entry)
    return CatalogBatch(Span("catalog", batch.start, batch.end), rejections, offsets, keys, entries)


def _entry(record: Record, partition: int, admission: Admission, faults: Faults) -> CatalogEntry | None:
    """Return the entry of a record; nobody may use it if a fault was noted."""
    if record.value is None:
        admission.check_tombstone(record.key, partition, faults)
        return None
    fields = Fields(fields_of(record, faults), faults)
    if faults.code is not None:
        return None
    location, sku = fields.key_part("location"), fields.key_part("sku")
    admission.check_key(record, location, sku, partition, faults)
    if fields.has("service_kind") and fields.text("service_kind") != "cycle":
        fields.refuse(Code.OUT_OF_RANGE, "service_kind", _KIND_EXPECTED)
    return _terms(fields, key_bytes(location, sku))


def _terms(fields: Fields, key: bytes) -> CatalogEntry:
    defaults = CatalogEntry(key=key)

    def given(name: str, default: _Value, read: Callable[[], _Value]) -> _Value:
        return read() if fields.has(name) else default

    def number(name: str, default: float, low: float, high: float) -> float:
        return given(name, default, lambda: fields.number(name, low, high))

    def units(name: str) -> int | None:
        return fields.integer(name, 1, MOST_UNITS) if fields.has(name) else None

    def label(name: str) -> str:
        return given(name, "", lambda: fields.label(name, LONGEST_LABEL_BYTES))

    return CatalogEntry(
        key=key,
        supplier=label("supplier"),
        category=label("category"),
        lead_time_days=number("lead_time_days", defaults.lead_time_days, 0, 730),
        review_period_days=number("review_period_days", defaults.review_period_days, 0, 365),
        cover_days=number("cover_days", defaults.cover_days, 1, 365),
        service_target=number("service_target", defaults.service_target, 0.5, 0.9999),
        minimum_order_units=units("minimum_order_units"),
        pack_units=units("pack_units"),
        maximum_units=units("maximum_units"),
        active=given("active", defaults.active, lambda: fields.flag("active")),
    )
