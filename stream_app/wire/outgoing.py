"""Restock requests and closed demand as records: JSON values, CloudEvents binary headers.

What is the same in content is the same in bytes: nothing here knows a clock
or draws an id.
"""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
import numpy as np
from msgspec import UNSET, Raw, Struct, UnsetType

from replenishment.accuracy import SCORED_LEVELS
from replenishment.events import DemandClosed, ForecastsScored, RestockRequested
from replenishment.evidence import Evidence
from replenishment.keys import StockKey
from stream_app.ports import Headers, OutgoingRecord, Record
from stream_app.wire.times import shown

DEMAND_SCHEMA = 1
DEMAND_IDS = uuid5(NAMESPACE_URL, "urn:restock:demand")
"""Namespace of the ``ce_id`` of demand records: equal values have equal ids."""
TRACE_HEADERS = ("traceparent", "tracestate")
LONGEST_TRACE_HEADER_BYTES = 512
"""What W3C Trace Context asks to be passed on at least; longer ones are left out."""

ONLY_WHERE_USED = frozenset(
    {
        "used_level",
        "value",
        "approval_reasons",
        "order_days",
        "shelf_life_days",
        "shelf_life_units",
        "expected_daily_units",
        "lost_units",
        "planned_units",
    }
)
"""Fields of the evidence that are absent, not null, where they say nothing."""

_encode = msgspec.json.Encoder().encode
_fields = msgspec.json.Decoder(dict[str, Raw]).decode


class Joint(Struct, gc=False):
    """The joint order that a request belongs to, and what was proposed."""

    joint_order_id: str
    placed_at: str
    proposed_quantity: int


class _Restock(Struct, gc=False):
    restock_id: str
    revision: int
    location: str
    sku: str
    supplier: str
    quantity: int
    needed_by: str
    decided_at: str
    model_version: str
    evidence: dict[str, Any]
    withdrawn: str | UnsetType = UNSET
    requires_approval: bool | UnsetType = UNSET
    ruled_by: str | UnsetType = UNSET
    unit_cost: float | UnsetType | None = UNSET
    joint: Joint | UnsetType = UNSET
    source_location: str | UnsetType = UNSET


class _Scored(Struct, gc=False):
    place: Sequence[int]
    lead_buckets: Sequence[int]
    units: Sequence[int]
    expected_units: Sequence[float]
    levels: Sequence[float]
    quantile_units: Sequence[Sequence[float]]


class _Demand(Struct, gc=False):
    schema: int
    partition: int
    bucket_start: str
    bucket_seconds: int
    kind: str
    chunk: int
    chunks: int
    model_version: str
    location: Sequence[str]
    sku: Sequence[str]
    units: Sequence[int]
    order_lines: Sequence[int]
    price_mean: Sequence[float | None]
    available_fraction: Sequence[float | None]
    scored: _Scored | UnsetType = UNSET
    outliers: Sequence[int] | UnsetType = UNSET


def restock_record(restock: RestockRequested, cause: Record | None, source: str) -> OutgoingRecord:
    """Return a request, or what became of it, as a record with the trace of the order that caused it, if one did."""
    location, sku = _parts(restock.key)
    decided_at = shown(restock.decided_at)
    value = _Restock(
        restock_id=restock.restock_id,
        revision=restock.revision,
        location=location,
        sku=sku,
        supplier=restock.supplier,
        quantity=restock.units,
        needed_by=shown(restock.needed_by),
        decided_at=decided_at,
        model_version=restock.model_version,
        evidence=_evidence(restock.evidence),
        withdrawn=restock.withdrawn or UNSET,
        requires_approval=UNSET if restock.requires_approval is None else restock.requires_approval,
        ruled_by=restock.ruled_by or UNSET,
    )
    # events of one request are told apart by consumers that go by CloudEvents
    event_id = restock.restock_id if restock.revision == 1 else f"{restock.restock_id}/{restock.revision}"
    headers = cloud_event(event_id, source, _kind_of(restock), decided_at)
    return OutgoingRecord("restock", restock.key, _encode(value), (*headers, *trace_headers(cause)))


def _kind_of(restock: RestockRequested) -> str:
    if restock.withdrawn:
        return "restock.withdrawn"
    return "restock.released" if restock.requires_approval is False else "restock.requested"


def proposal_record(restock: RestockRequested, cause: Record | None, source: str) -> OutgoingRecord:
    """Return the same event for the buyer instead: keyed by supplier, with the cost of a unit."""
    record = restock_record(restock, cause, source)
    value = amended(record.value or b"", {"unit_cost": restock.unit_cost})
    return OutgoingRecord("proposals", restock.supplier.encode(), value, record.headers)


def amended(event: bytes, changes: Mapping[str, Any]) -> bytes:
    """Return an event with some fields changed or added, and all others as they were, byte for byte."""
    fields: dict[str, Any] = _fields(event)
    return _encode({**fields, **changes})


def demand_record(partition: int, demand: DemandClosed, source: str) -> OutgoingRecord:
    """Return the demand of one bucket for a chunk of keys as a record."""
    parts = [_parts(key) for key in demand.keys]
    bucket_start = shown(demand.bucket_start)
    value = _encode(
        _Demand(
            schema=DEMAND_SCHEMA,
            partition=partition,
            bucket_start=bucket_start,
            bucket_seconds=demand.bucket_seconds,
            kind=demand.kind,
            chunk=demand.chunk,
            chunks=demand.chunks,
            model_version=demand.model_version,
            location=[one.location for one in parts],
            sku=[one.sku for one in parts],
            units=demand.units.tolist(),
            order_lines=demand.order_lines.tolist(),
            price_mean=_nullable(demand.price_mean.tolist()),
            available_fraction=_nullable(demand.available_ratio.tolist()),
            scored=UNSET if demand.scored is None else _scored(demand.scored),
            outliers=demand.outliers or UNSET,
        )
    )
    event_id = str(uuid5(DEMAND_IDS, value.decode()))
    headers = cloud_event(event_id, source, f"demand.{demand.kind}", bucket_start)
    return OutgoingRecord("demand", f"p{partition}".encode(), value, headers)


def _scored(scored: ForecastsScored) -> _Scored:
    return _Scored(
        place=scored.places.tolist(),
        lead_buckets=scored.lead_buckets.tolist(),
        units=scored.actual_units.astype(np.int64).tolist(),
        expected_units=scored.expected_units.round(3).tolist(),
        levels=SCORED_LEVELS,
        quantile_units=scored.quantile_units.round(3).tolist(),
    )


def _parts(key: bytes) -> StockKey:
    # its characters were checked when the key first came in
    location, bar, sku = key.decode("ascii").partition("|")
    if not bar:
        raise ValueError(f"{key!r} is no stock key: the engine never saw it on the wire")
    return StockKey(location, sku)


def _evidence(evidence: Evidence) -> dict[str, Any]:
    fields = msgspec.structs.asdict(evidence)
    # in which order topics came to be known differs after a claim; the bytes must not
    positions = dict(sorted(evidence.positions.items()))
    # what a key does not have is left out: who uses none of it sees what was there before
    told = {name: value for name, value in fields.items() if value is not None or name not in ONLY_WHERE_USED}
    return {**told, "forecast_origin": shown(evidence.forecast_origin), "positions": positions}


def _nullable(values: Sequence[float]) -> list[float | None]:
    return [None if isnan(value) else value for value in values]


def cloud_event(event_id: str, source: str, kind: str, at: str) -> Headers:
    """Return the headers of an event in CloudEvents' binary mode."""
    return (
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", kind.encode()),
        ("ce_time", at.encode()),
    )


def trace_headers(cause: Record | None) -> Headers:
    """Return the trace headers of a record, the last of each name."""
    if cause is None or not cause.headers:
        return ()
    given = dict(cause.headers)
    found = [(name, given.get(name)) for name in TRACE_HEADERS]
    return tuple((name, one) for name, one in found if one and len(one) <= LONGEST_TRACE_HEADER_BYTES)
