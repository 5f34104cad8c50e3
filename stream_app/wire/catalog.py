"""Catalog records to terms of stock keys; a record without value brings the defaults back."""

from collections.abc import Callable, Sequence
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
HIGHEST_COST = 1e9
TARGET_TOLERANCE = 0.001
"""By how much a service target may differ from the critical ratio that the costs make."""
_KINDS = ("cycle", "fill", "newsvendor", "cost")
_SOURCES = ("forecast", "textbook")
_COSTS = ("holding_cost_per_unit_day", "shortage_cost_per_unit", "ordering_cost", "unit_cost")

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
    terms = _terms(fields, key_bytes(location, sku))
    if terms.service_kind in ("newsvendor", "cost") and faults.code is None:
        _check_costs(terms, fields)
    for name in ("approval_above_value", "budget_value"):
        if fields.has(name) and not terms.unit_cost:
            fields.faults.add(Code.MISSING_FIELD, f"unit_cost is missing or 0, must be above 0 for {name}")
    return terms


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

    def cost(name: str) -> float | None:
        return fields.number(name, 0, HIGHEST_COST) if fields.has(name) else None

    costs = {name: cost(name) for name in _COSTS}
    above_units = fields.has("approval_above_units")
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
        service_kind=_one_of(fields, "service_kind", _KINDS),  # type: ignore[arg-type]  # one of them
        order_quantity_units=units("order_quantity_units"),
        levels_from=_one_of(fields, "levels_from", _SOURCES),  # type: ignore[arg-type]  # one of them
        **costs,
        approval_above_units=fields.integer("approval_above_units", 0, MOST_UNITS) if above_units else None,
        approval_above_value=cost("approval_above_value"),
        budget_value=cost("budget_value"),
        budget_days=number("budget_days", defaults.budget_days, 1, 365),
        cool_down_buckets=given("cool_down_buckets", 0, lambda: fields.integer("cool_down_buckets", 0, 365)),
    )


def _one_of(fields: Fields, name: str, known: Sequence[str]) -> str:
    """Return one of the texts known; the first where the field is absent or anything else."""
    value = fields.text(name) if fields.has(name) else known[0]
    if value not in known:
        fields.refuse(Code.OUT_OF_RANGE, name, ", ".join(known[:-1]) + f" or {known[-1]}")
        return known[0]
    return value


def _check_costs(terms: CatalogEntry, fields: Fields) -> None:
    """Note costs that make no critical ratio, and a service target that is another one.

    Under continuous review a cycle is one bucket, whose width no record knows:
    a target cannot be compared and is refused.
    """
    for name in ("shortage_cost_per_unit", "holding_cost_per_unit_day"):
        if not getattr(terms, name):
            fields.faults.add(Code.MISSING_FIELD, f"{name} is missing or 0, must be above 0 for {terms.service_kind}")
            return
    if not fields.has("service_target") or terms.service_kind == "cost":
        return
    if not terms.review_period_days:
        fields.refuse(
            Code.OUT_OF_RANGE, "service_target", "left out: for newsvendor without a review period costs make the level"
        )
        return
    holding = (terms.holding_cost_per_unit_day or 0.0) * terms.review_period_days
    level = (terms.shortage_cost_per_unit or 0.0) / ((terms.shortage_cost_per_unit or 0.0) + holding)
    if abs(terms.service_target - level) > TARGET_TOLERANCE:
        fields.refuse(
            Code.OUT_OF_RANGE, "service_target", f"left out, or {level:.4f} as the costs of the newsvendor make it"
        )
