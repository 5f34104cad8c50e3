"""Records of ``suppliers`` to terms; a record without value says that a supplier has none any longer."""

from collections.abc import Callable
from typing import Literal, TypeVar

from replenishment.engine.columns import Span
from replenishment.events import Rejection
from replenishment.joint.proposals import MONEY, SupplierTerms, TermsBatch
from stream_app.ports import Record, RecordBatch
from stream_app.wire.admission import Admission
from stream_app.wire.envelope import fields_of
from stream_app.wire.fields import Fields
from stream_app.wire.proposals import LONGEST_SUPPLIER_BYTES, check_supplier
from stream_app.wire.refusals import Code, Faults

HIGHEST_VALUE = 1e11
MOST_ORDER_UNITS = 1_000_000_000
_AT_MINIMUM: tuple[Literal["place", "refuse"], ...] = ("place", "refuse")
_T = TypeVar("_T")


def decode_suppliers(batch: RecordBatch, admission: Admission) -> TermsBatch:
    """Return the terms of a batch; what is refused is in ``rejections``."""
    terms: list[tuple[str, SupplierTerms | None]] = []
    rejections: list[Rejection] = []
    for record in batch.records:
        faults = Faults()
        agreed = _agreed(record, batch.partition, admission, faults)
        rejection = faults.rejection("suppliers", record.offset)
        if rejection is not None:
            rejections.append(rejection)
        elif agreed is not None:
            terms.append(agreed)
    return TermsBatch(Span("suppliers", batch.start, batch.end), rejections, terms)


def _agreed(
    record: Record, partition: int, admission: Admission, faults: Faults
) -> tuple[str, SupplierTerms | None] | None:
    if record.value is None:
        supplier = (record.key or b"").decode(errors="replace")
        check_supplier(record, supplier, partition, admission, faults)
        return supplier, None
    fields = Fields(fields_of(record, faults), faults)
    if faults.code is not None:
        return None
    supplier = fields.label("supplier", LONGEST_SUPPLIER_BYTES)
    check_supplier(record, supplier, partition, admission, faults)
    terms = terms_of(fields, supplier)
    return None if terms is None else (supplier, terms)


def terms_of(fields: Fields, supplier: str) -> SupplierTerms | None:
    """Return the terms that fields say; a fault is noted where they do not fit, alone or together."""

    def given(name: str, default: _T, read: Callable[[str], _T]) -> _T:
        return read(name) if fields.has(name) else default

    def money(name: str) -> int:
        return round(fields.number(name, 0, HIGHEST_VALUE) * MONEY)

    defaults = SupplierTerms(supplier)
    try:
        return SupplierTerms(
            supplier,
            minimum_order_value=given("minimum_order_value", None, money),
            minimum_order_units=given(
                "minimum_order_units", None, lambda one: fields.integer(one, 1, MOST_ORDER_UNITS)
            ),
            budget=given("budget", None, money),
            budget_days=given("budget_days", defaults.budget_days, lambda one: fields.integer(one, 1, 366)),
            gather_minutes=given("gather_minutes", defaults.gather_minutes, lambda one: fields.number(one, 0, 10_080)),
            longest_wait_hours=given(
                "longest_wait_hours", defaults.longest_wait_hours, lambda one: fields.number(one, 0, 8_760)
            ),
            below_minimum=given("below_minimum", defaults.below_minimum, lambda one: _at_minimum(fields, one)),
        )
    except ValueError as contradiction:
        fields.faults.add(Code.OUT_OF_RANGE, f"the terms of supplier {supplier} contradict each other: {contradiction}")
        return None


def _at_minimum(fields: Fields, name: str) -> Literal["place", "refuse"]:
    value = fields.text(name)
    for known in _AT_MINIMUM:
        if value == known:
            return known
    fields.refuse(Code.OUT_OF_RANGE, name, "place or refuse")
    return _AT_MINIMUM[0]
