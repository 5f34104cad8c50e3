"""A wire for records of another form: maps what comes in, then decodes it as ever; dead letters keep the original."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from replenishment.engine.columns import CatalogBatch, Entry, InventoryBatch, OrderColumns
from replenishment.engine.effects import Effects
from replenishment.events import Rejection
from stream_app.ports import Headers, OutgoingRecord, Record, RecordBatch, Wire
from stream_app.wire.envelope import LARGEST_VALUE_BYTES, is_structured
from stream_app.wire.mapping import MappedRole, Rules, mapped
from stream_app.wire.refusals import LONGEST_REASON

OWN_FORM = "restock.fed-as"
"""Header of records that our own commands send: they have our form already."""
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class MappedRecord:
    """A record with another value; implements ``Record``."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Headers = ()


class MappedWire:
    """Decodes records of another form; implements ``Wire``.

    Args:
        wire: Decodes our form.
        rules: By topic; topics without rules have our form.
    """

    def __init__(self, wire: Wire, rules: Mapping[MappedRole, Rules]) -> None:
        self._wire = wire
        self._rules = rules

    def decode(self, batch: RecordBatch) -> Entry:
        """Return the accepted records as columns and the rest as rejections; never raises for bad input."""
        rules = self._rules.get(batch.topic) if batch.topic in ("orders", "inventory") else None
        if rules is None:
            return self._wire.decode(batch)
        records = [_mapped(record, rules) for record in batch.records]
        return _explained(self._wire.decode(replace(batch, records=records)), rules)

    def encode(self, partition: int, effects: Effects, batch: RecordBatch | None) -> Sequence[OutgoingRecord]:
        """Return what one turn sends; ``batch`` is the one that was fetched, so dead letters have its bytes."""
        return self._wire.encode(partition, effects, batch)


def _mapped(record: Record, rules: Rules) -> Record:
    """Return a record in our form; one that cannot be read is left for the decoder to refuse."""
    event = _event(record)
    if event is None:
        return record
    try:
        value = _encode(mapped(rules, event))
    except (ValueError, OverflowError):
        return record
    return MappedRecord(record.offset, record.key, value, record.timestamp)


def _event(record: Record) -> dict[str, Any] | None:
    """Return the event of a record that is to be mapped; None for our own records and for what is no JSON object."""
    value, headers = record.value, record.headers
    if value is None or len(value) > LARGEST_VALUE_BYTES or any(name == OWN_FORM for name, _ in headers or ()):
        return None
    try:
        event = _decode(value)
    except (ValueError, RecursionError):
        return None
    if headers and is_structured(headers) and isinstance(event, dict):
        event = event.get("data")
    if not isinstance(event, dict) or event.get("type") == "time_passed":
        return None
    return event


def _explained(entry: Entry, rules: Rules) -> Entry:
    """Return an entry whose refusals say where the field in question was mapped from."""
    if not isinstance(entry, OrderColumns | InventoryBatch | CatalogBatch) or not entry.rejections:
        return entry
    sources = {rule.name: rule.source for rule in rules}
    return replace(entry, rejections=[_told(one, sources) for one in entry.rejections])


def _told(rejection: Rejection, sources: Mapping[str, str]) -> Rejection:
    name = rejection.reason.partition(" ")[0]
    if name not in sources:
        return rejection
    reason = f"{rejection.reason} ({name} is mapped from {sources[name]})"[:LONGEST_REASON]
    return msgspec.structs.replace(rejection, reason=reason)


_role: type[Wire] = MappedWire
