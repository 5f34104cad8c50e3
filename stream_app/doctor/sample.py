"""What a worker would make of real records, from a file or a topic, and a mapping where it would refuse them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from stream_app.doctor.proposal import Event, Rule, proposed
from stream_app.kafka.topics import TopicNames
from stream_app.ports import RecordBatch, Wire
from stream_app.settings import Settings
from stream_app.topic_reader import Message, reading
from stream_app.wire.incoming import incoming_wire
from stream_app.wire.json_wire import JsonWire
from stream_app.wire.mapped_wire import MappedWire
from stream_app.wire.mapping import MappedRole, compiled, loaded, mapped

MOST_RECORDS = 500


@dataclass(frozen=True, slots=True)
class Sample:
    """Records, how many were looked at, and what became of them.

    ``first`` is the first record in our form; ``codes`` counts refusals,
    ``reasons`` has one for each code; ``proposal`` is a mapping under which
    ``would_accept`` of the records are accepted.
    """

    records: int
    accepted: int
    codes: Mapping[str, int]
    reasons: Mapping[str, str]
    first: Event | None = None
    proposal: Mapping[str, Rule] = field(default_factory=dict)
    would_accept: int = 0


def records_of(source: str, settings: Settings) -> Sequence[Message]:
    """Return records of a file (one a line, without keys) or the newest of a topic, by its role.

    Raises:
        Unavailable: If Kafka does not answer.
        RestockError: If the topic does not exist.
    """
    file = Path(source)
    if file.is_file():
        with file.open("rb") as lines:
            values = [line.strip() for line in islice(lines, MOST_RECORDS) if line.strip()]
        return [Message(0, place, -1, None, value) for place, value in enumerate(values)]
    with reading(settings.kafka_access(), TopicNames(settings.topic_prefix).of(source)) as reader:
        starts, ends = reader.starts(), reader.ends()
        each = -(-MOST_RECORDS // len(ends))
        found = reader.read({one: max(starts[one], end - each) for one, end in ends.items()}, ends)
        return list(islice(found, MOST_RECORDS))


def examined_sample(role: MappedRole, records: Sequence[Message], settings: Settings) -> Sample:
    """Return what a worker with these settings makes of records, whatever their keys and partitions."""
    rules = loaded(settings.mapping_file).get(role) if settings.mapping_file else None
    sample = _judged(role, records, incoming_wire(1, None, settings.mapping_file), rules)
    if sample.accepted == sample.records or rules is not None:
        return sample
    events = [event for record in records if (event := _event(record)) is not None]
    proposal = proposed(role, events) if events else {}
    if not proposal:
        return sample
    proposed_rules = compiled(proposal)
    wire = MappedWire(JsonWire(1, None), {role: proposed_rules})
    would = _judged(role, records, wire, proposed_rules)
    return replace(sample, proposal=proposal, would_accept=would.accepted)


def _judged(role: MappedRole, records: Sequence[Message], wire: Wire, rules: Any) -> Sample:
    """Decode records one by one; keys are what they would have to be, since only the fields are in question."""
    codes: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    for record in records:
        keyed = Message(0, 0, -1, _key(record, rules), record.value, record.headers)
        rejections = getattr(wire.decode(RecordBatch(role, role, 0, 0, 1, [keyed])), "rejections", ())
        for one in rejections:
            codes[one.code] += 1
            reasons.setdefault(one.code, one.reason)
    first = _event(records[0]) if records else None
    ours = mapped(rules, first) if first is not None and rules is not None else first
    return Sample(len(records), len(records) - codes.total(), dict(codes), reasons, ours)


def _key(record: Message, rules: Any) -> bytes | None:
    event = _event(record)
    if event is None:
        return None
    ours = event if rules is None else mapped(rules, event)
    return f"{ours.get('location')}|{ours.get('sku')}".encode(errors="replace")


def _event(record: Message) -> Event | None:
    try:
        event = msgspec.json.decode(record.value or b"")
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None
