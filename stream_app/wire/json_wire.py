"""The ``Wire`` of this product: one decoder for each input topic, one encoder for each output."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import attrgetter

from replenishment.engine.columns import Entry
from replenishment.engine.effects import Effects
from stream_app.ports import OutgoingRecord, Record, RecordBatch
from stream_app.wire.admission import Admission
from stream_app.wire.catalog import decode_catalog
from stream_app.wire.dead_letters import dead_letter
from stream_app.wire.inventory import decode_inventory
from stream_app.wire.orders import decode_orders
from stream_app.wire.outgoing import demand_record, proposal_record, restock_record
from stream_app.wire.signals import decode_signals

_offset = attrgetter("offset")


class JsonWire:
    """JSON in and out; implements ``Wire``. One object serves all partitions of a process.

    Args:
        partitions: How many partitions each input topic has; 1 for files.
        max_future_seconds: How far an event time may be after its record's
            timestamp; None for input without timestamps, such as files.
        source: ``ce_source`` of all that is emitted.
        proposes: Whether requests are proposals, for the buyer to make joint orders of.

    Raises:
        ValueError: If ``partitions`` is less than 1 or ``max_future_seconds`` is negative.
    """

    def __init__(
        self, partitions: int, max_future_seconds: int | None, source: str = "urn:restock", *, proposes: bool = False
    ) -> None:
        self._admission = Admission(partitions, max_future_seconds)
        self._source = source
        self._proposes = proposes

    def decode(self, batch: RecordBatch) -> Entry:
        """Return the accepted records as columns and the rest as rejections; never raises for bad input."""
        match batch.topic:
            case "orders":
                return decode_orders(batch, self._admission)
            case "inventory":
                return decode_inventory(batch, self._admission)
            case "catalog":
                return decode_catalog(batch, self._admission)
            case "signals":
                return decode_signals(batch, self._admission)
            case other:
                raise ValueError(f"{other} is no topic of the engine: the buyer reads it")

    def encode(self, partition: int, effects: Effects, batch: RecordBatch | None) -> Sequence[OutgoingRecord]:
        """Return restocks, demand and dead letters of one turn, in that order.

        Raises:
            ValueError: If the turn names a record that is not in ``batch``.
        """
        return tuple(self._encoded(partition, effects, batch))

    def _encoded(self, partition: int, effects: Effects, batch: RecordBatch | None) -> Iterator[OutgoingRecord]:
        for restock, cause in zip(effects.restocks, effects.causes, strict=True):
            made = proposal_record if self._proposes else restock_record
            yield made(restock, None if cause < 0 else _record_at(cause, batch), self._source)
        for demand in effects.demand:
            yield demand_record(partition, demand, self._source)
        if effects.rejections:
            if batch is None:
                raise ValueError(f"{len(effects.rejections)} records were refused, but there is no batch")
            for rejection in effects.rejections:
                yield dead_letter(rejection, _record_at(rejection.offset, batch), batch)


def _record_at(offset: int, batch: RecordBatch | None) -> Record:
    records = () if batch is None else batch.records
    place = bisect_left(records, offset, key=_offset)
    if place == len(records) or records[place].offset != offset:
        raise ValueError(f"offset {offset} is not in the batch of the turn")
    return records[place]
