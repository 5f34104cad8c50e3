"""The wire of a worker, as its settings have it: our form, or another one that is mapped."""

from pathlib import Path

from stream_app.ports import Wire
from stream_app.wire.json_wire import JsonWire
from stream_app.wire.mapped_wire import MappedWire
from stream_app.wire.mapping import loaded


def incoming_wire(
    partitions: int, max_future_seconds: int | None, mapping_file: Path | None, *, proposes: bool = False
) -> Wire:
    """Return what decodes records of input topics.

    Args:
        partitions: How many each input topic has.
        max_future_seconds: As ``JsonWire`` takes it.
        mapping_file: How records of another form become ours; None = they have ours.
        proposes: Whether requests go to the buyer, as ``JsonWire`` takes it.

    Raises:
        ConfigError: If the mapping file is wrong; lists every problem.
    """
    wire = JsonWire(partitions, max_future_seconds, proposes=proposes)
    return wire if mapping_file is None else MappedWire(wire, loaded(mapping_file))
