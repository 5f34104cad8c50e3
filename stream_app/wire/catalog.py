"""Catalog records to terms of stock keys; a record without value brings the defaults back."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from replenishment.engine.columns import CatalogBatch, Span
from replenishment.events import CatalogEntry, Rejection
from replenishment.keys import key_bytes
from replenishment.order_days import ANY_DAY, WEEKDAYS, set_of_days
from stream_app.ports import Record, RecordBatch
from stream_app.wire.admission import Admission
from stream_app.wire.envelope import fields_of
from stream_app.wire.fields import MOST_UNITS, Fields
from stream_app.wire.refusals import Code, Faults

LONGEST_LABEL_BYTES = 64
HIGHEST_COST = 1e9
SHELF_LIFE_DAYS = (0.01, 3_650.0)
TARGET_TOLERANCE = 0.001
"""By how much a service target may differ from the critical ratio that the costs make."""
_KINDS = ("cycle", "fill", "newsvendor", "cost")
_SOURCES = ("forecast", "textbook")
_UNMET = ("backorders", "lost_sales")
_ROUNDINGS = ("up", "nearest", "down_to_max")

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
    if faults.code is None:
        _check_together(terms, fields)
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

    def known(name: str, low: float, high: float) -> float | None:
        return fields.number(name, low, high) if fields.has(name) else None

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
        holding_cost_per_unit_day=known("holding_cost_per_unit_day", 0, HIGHEST_COST),
        shortage_cost_per_unit=known("shortage_cost_per_unit", 0, HIGHEST_COST),
        ordering_cost=known("ordering_cost", 0, HIGHEST_COST),
        unit_cost=known("unit_cost", 0, HIGHEST_COST),
        approval_above_units=fields.integer("approval_above_units", 0, MOST_UNITS) if above_units else None,
        approval_above_value=known("approval_above_value", 0, HIGHEST_COST),
        budget_value=known("budget_value", 0, HIGHEST_COST),
        budget_days=number("budget_days", defaults.budget_days, 1, 365),
        cool_down_buckets=given("cool_down_buckets", 0, lambda: fields.integer("cool_down_buckets", 0, 365)),
        order_days=_order_days(fields),
        rounding=_one_of(fields, "rounding", _ROUNDINGS),  # type: ignore[arg-type]  # one of them
        shelf_life_days=known("shelf_life_days", *SHELF_LIFE_DAYS),
        unmet_demand=_one_of(fields, "unmet_demand", _UNMET),  # type: ignore[arg-type]  # one of them
        expected_daily_units=known("expected_daily_units", 0, MOST_UNITS),
        successor_of=given("successor_of", "", lambda: fields.key_part("successor_of")),
    )


def _order_days(fields: Fields) -> int:
    """Return the set of weekdays of a text such as ``mon,thu``."""
    if not fields.has("order_days"):
        return ANY_DAY
    names = [name.strip().lower() for name in fields.text("order_days").split(",")]
    if not set(names) <= set(WEEKDAYS):
        fields.refuse(Code.OUT_OF_RANGE, "order_days", f"weekdays with commas, of {','.join(WEEKDAYS)}")
        return ANY_DAY
    return set_of_days(names)


def _one_of(fields: Fields, name: str, known: Sequence[str]) -> str:
    """Return one of the texts known; the first where the field is absent or anything else."""
    value = fields.text(name) if fields.has(name) else known[0]
    if value not in known:
        fields.refuse(Code.OUT_OF_RANGE, name, ", ".join(known[:-1]) + f" or {known[-1]}")
        return known[0]
    return value


def _check_together(terms: CatalogEntry, fields: Fields) -> None:
    """Note terms that contradict each other."""
    if terms.order_days != ANY_DAY and terms.review_period_days:
        fields.refuse(
            Code.OUT_OF_RANGE, "review_period_days", "left out, or 0, with order_days: those say when to order"
        )
    if terms.successor_of and terms.key.endswith(f"|{terms.successor_of}".encode()):
        fields.refuse(Code.OUT_OF_RANGE, "successor_of", "another SKU than its own")
    if terms.service_kind in ("newsvendor", "cost"):
        _check_costs(terms, fields)
    for name in ("approval_above_value", "budget_value"):
        if fields.has(name) and not terms.unit_cost:
            fields.faults.add(Code.MISSING_FIELD, f"unit_cost is missing or 0, must be above 0 for {name}")


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
