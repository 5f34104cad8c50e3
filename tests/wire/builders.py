"""Records and batches as the transport hands them over, and what a wire makes of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from replenishment.engine.columns import (
    CatalogBatch,
    InventoryBatch,
    LineKind,
    OrderColumns,
    Role,
    SignalBatch,
)
from replenishment.events import Rejection
from stream_app.ports import Headers, RecordBatch
from stream_app.wire.json_wire import JsonWire

AT = 1_767_225_600_000
"""2026-01-01T00:00:00Z: the timestamp of all records of tests."""
SOURCE = "shop1."
WIRE = JsonWire(partitions=1, max_future_seconds=3_600)

ORDER: Mapping[str, Any] = {
    "order_id": "o1",
    "line": 1,
    "location": "uk",
    "sku": "A",
    "quantity": 3,
    "event_time": AT,
    "price": 2.55,
}
CANCELLATION: Mapping[str, Any] = {**ORDER, "type": "order_cancelled", "placed_at": AT - 1000}
COUNT: Mapping[str, Any] = {
    "type": "stock_counted",
    "event_id": "e1",
    "location": "uk",
    "sku": "A",
    "event_time": AT,
    "on_hand": 5,
}
ADJUSTMENT: Mapping[str, Any] = {**COUNT, "type": "stock_adjusted", "delta": -2, "reason": "broken"}
RECEIPT: Mapping[str, Any] = {**COUNT, "type": "stock_received", "quantity": 4, "restock_id": "r1", "final": True}
ACCEPTANCE: Mapping[str, Any] = {**COUNT, "type": "restock_accepted", "quantity": 4, "restock_id": "r1"}
TERMS: Mapping[str, Any] = {"location": "uk", "sku": "A", "supplier": "ACME", "lead_time_days": 3}


@dataclass(frozen=True)
class Sent:
    """One record."""

    value: bytes | None
    key: bytes | None = b"uk|A"
    offset: int = 0
    timestamp: int = AT
    headers: Headers = ()


def sent(fields: object, **more: Any) -> Sent:
    """Return a record whose value is JSON."""
    return Sent(json.dumps(fields).encode(), **more)


def without(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return fields without some of them."""
    return {name: value for name, value in fields.items() if name not in names}


def value_with(name: str, raw: str) -> bytes:
    """Return an order whose field is the given JSON text."""
    rest = json.dumps(without(ORDER, name))[:-1]
    return f'{rest}, "{name}": {raw}}}'.encode()


def batch(topic: Role, records: Sequence[Sent], partition: int = 0) -> RecordBatch:
    """Return records as one fetch."""
    end = records[-1].offset + 1 if records else 0
    return RecordBatch(topic, SOURCE + topic, partition, 0, end, records)


def numbered(values: Sequence[bytes | None], key: bytes | None = b"uk|A") -> list[Sent]:
    """Return values as records at consecutive offsets."""
    return [Sent(value, key, offset) for offset, value in enumerate(values)]


def orders(records: Sequence[Sent], wire: JsonWire = WIRE, partition: int = 0) -> OrderColumns:
    """Return what the wire makes of order records."""
    columns = wire.decode(batch("orders", records, partition))
    assert isinstance(columns, OrderColumns)
    return columns


def inventory(records: Sequence[Sent], wire: JsonWire = WIRE) -> InventoryBatch:
    """Return what the wire makes of inventory records."""
    decoded = wire.decode(batch("inventory", records))
    assert isinstance(decoded, InventoryBatch)
    return decoded


def catalog(records: Sequence[Sent], wire: JsonWire = WIRE) -> CatalogBatch:
    """Return what the wire makes of catalog records."""
    decoded = wire.decode(batch("catalog", records))
    assert isinstance(decoded, CatalogBatch)
    return decoded


def refusal(topic: Role, record: Sent, wire: JsonWire = WIRE, partition: int = 0) -> Rejection | None:
    """Return why one record is refused, None if it is accepted."""
    entry = wire.decode(batch(topic, [record], partition))
    assert isinstance(entry, OrderColumns | InventoryBatch | CatalogBatch | SignalBatch)
    assert len(entry.rejections) + len(entry.offsets) == 1, "a record is either accepted or refused, once"
    return entry.rejections[0] if entry.rejections else None


def rows(columns: OrderColumns) -> list[tuple[int, LineKind, bytes, int, int, int, int]]:
    """Return columns as rows: offset, kind, key, occurred_at, placed_at, units, price."""
    for column in (columns.offsets, columns.occurred_at, columns.placed_at, columns.units, columns.prices):
        assert column.dtype == "int64"
        assert column.shape == columns.kinds.shape == (len(columns.keys),)
    assert columns.kinds.dtype == "uint8"
    return [
        (offset, LineKind(kind), key, occurred_at, placed_at, units, price)
        for offset, kind, key, occurred_at, placed_at, units, price in zip(
            columns.offsets.tolist(),
            columns.kinds.tolist(),
            columns.keys,
            columns.occurred_at.tolist(),
            columns.placed_at.tolist(),
            columns.units.tolist(),
            columns.prices.tolist(),
            strict=True,
        )
    ]
