"""Tells the meter how old the records are whose turns come next: once a turn, from records that are there anyway."""

from collections.abc import Sequence

from replenishment.engine.columns import Entry
from replenishment.engine.effects import Effects
from stream_app.ops.metrics import PrometheusMeter
from stream_app.ports import OutgoingRecord, RecordBatch, Wire

NO_RECORDS = -1


class WatchedWire:
    """A wire that tells when the fetch being applied arrived; implements ``Wire``.

    Terms and signals are left out: a claim reads all that are new to it, which
    may be years old without anything being late.
    """

    def __init__(self, wire: Wire, meter: PrometheusMeter) -> None:
        self._wire = wire
        self._meter = meter

    def decode(self, batch: RecordBatch) -> Entry:
        """Decode."""
        return self._wire.decode(batch)

    def encode(self, partition: int, effects: Effects, batch: RecordBatch | None) -> Sequence[OutgoingRecord]:
        """Encode a turn that is about to be applied."""
        has_age = batch is not None and batch.topic in ("orders", "inventory") and batch.records
        self._meter.arrived(partition, batch.records[0].timestamp if batch is not None and has_age else NO_RECORDS)
        return self._wire.encode(partition, effects, batch)


_role: type[Wire] = WatchedWire
