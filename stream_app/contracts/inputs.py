"""Schemas of what the product reads: orders, inventory, catalog, signals."""

import msgspec

from replenishment.keys import key_bytes
from stream_app.contracts.recorder import Recorder, Schema, recorded
from stream_app.ports import RecordBatch
from stream_app.wire import catalog, inventory, order_record
from stream_app.wire import signals as wire_signals
from stream_app.wire.admission import Admission
from stream_app.wire.json_wire import JsonWire

SERVICE_KINDS = ("cycle", "fill", "newsvendor")
"""What might be asked for; the decoder says which of them it takes."""
KEY = key_bytes("x", "x")


class _Any:
    """A record of no consequence; implements ``Record``."""

    offset, timestamp, key, headers = 0, -1, KEY, ()

    def __init__(self, value: bytes = b"{}") -> None:
        self.value = value


def orders() -> Schema:
    """Return the schema of ``orders``."""

    def read(recorder: Recorder) -> None:
        order_record._row(recorder, _Any(), 0, Admission(1, None))

    kinds = [recorded(kind, kind, read) for kind in order_record.TYPES]
    return _one_of("orders", "One order line, a cancellation, or time passing.", kinds)


def inventory_events() -> Schema:
    """Return the schema of ``inventory``."""

    def read(recorder: Recorder) -> None:
        recorder.event_type("", tuple(inventory._READERS))
        recorder.identifier("event_id")
        location, sku = recorder.key_part("location"), recorder.key_part("sku")
        recorder.time("event_time")
        kind = recorder.properties["type"]["const"]
        inventory._READERS[kind](recorder, key_bytes(location, sku), "", 0)

    kinds = [recorded(kind, kind, read) for kind in inventory._READERS]
    return _one_of("inventory", "Counts, adjustments, receipts, and what became of requests.", kinds)


def terms() -> Schema:
    """Return the schema of ``catalog``, tombstones aside."""

    def read(recorder: Recorder) -> None:
        location, sku = recorder.key_part("location"), recorder.key_part("sku")
        catalog._terms(recorder, key_bytes(location, sku))

    schema = recorded("", "catalog", read)
    schema["properties"].setdefault("service_kind", {"enum": [*filter(_is_taken, SERVICE_KINDS), None]})
    text = "Terms of one stock key: the last record holds. A record without value brings the defaults back."
    return {**schema, "description": text}


def signals() -> Schema:
    """Return the schema of ``signals``."""

    def read(recorder: Recorder) -> None:
        kind = recorder.event_type(wire_signals.PLANNED, wire_signals.TYPES)
        location, sku = recorder.key_part("location"), recorder.key_part("sku")
        wire_signals._signal(recorder, kind, key_bytes(location, sku))

    kinds = [recorded(kind, kind, read) for kind in wire_signals.TYPES]
    return _one_of("signals", "What is planned or was measured beside demand, and what is planned no longer.", kinds)


def _is_taken(service_kind: str) -> bool:
    """Return whether the decoder takes terms of a kind of service level."""
    value = msgspec.json.encode({"location": "x", "sku": "x", "service_kind": service_kind})
    entry = JsonWire(1, None).decode(RecordBatch("catalog", "catalog", 0, 0, 1, [_Any(value)]))
    return not getattr(entry, "rejections", ())


def _one_of(title: str, text: str, kinds: list[Schema]) -> Schema:
    return {"title": title, "description": text, "oneOf": kinds}
