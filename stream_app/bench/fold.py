"""The judge: an own fold of a log, which shares nothing with those whose answers it judges."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

Windows: TypeAlias = Mapping[tuple[bytes, int], int]
"""Units by key and start of the hour, epoch milliseconds."""


class _Order(msgspec.Struct, gc=False):
    quantity: int
    event_time: int


_order = msgspec.json.Decoder(_Order)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the hours that a log closes come to: without its late lines, and with them."""

    on_time: Windows
    with_late: Windows
    late_lines: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The closed hours that somebody gave out, and how many of them more than once."""

    windows: Windows
    doubled: int = 0

    def faults(self, expected: Windows) -> str:
        """Return what is wrong, in words; empty if nothing is.

        Example:
            >>> Answer({(b"a", 0): 3, (b"b", 0): 1}).faults({(b"a", 0): 2, (b"c", 0): 9})
            '1 differ, 1 missing, 1 not in the log'
            >>> Answer({(b"a", 0): 2}).faults({(b"a", 0): 2})
            ''
        """
        both = self.windows.keys() & expected.keys()
        counts = {
            "differ": sum(self.windows[one] != expected[one] for one in both),
            "missing": len(expected) - len(both),
            "not in the log": len(self.windows) - len(both),
            "given out twice": self.doubled,
        }
        return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


async def folded(bootstrap: str, topic: str, width_ms: int, lateness_ms: int) -> Expected:
    """Return the sums of all windows that a topic closes by its own event times.

    A partition's time is the latest of its records so far; a window is closed
    once that is past its end by the lateness, and a record of a closed window is late.
    """
    latest: dict[int, int] = defaultdict(int)
    sums = _Sums()
    homes: dict[bytes, int] = {}
    async for partition, records in record_batches(bootstrap, topic):
        for record in records:
            order = _order.decode(record.value)
            start = order.event_time - order.event_time % width_ms
            sums.add((record.key, start), order.quantity, start + width_ms + lateness_ms <= latest[partition])
            latest[partition] = max(latest[partition], order.event_time)
            homes[record.key] = partition
    return sums.closed({key: latest[partition] - width_ms - lateness_ms for key, partition in homes.items()})


@dataclass(slots=True)
class _Sums:
    on_time: dict[tuple[bytes, int], int] = field(default_factory=lambda: defaultdict(int))
    late: dict[tuple[bytes, int], int] = field(default_factory=lambda: defaultdict(int))
    late_lines: int = 0

    def add(self, window: tuple[bytes, int], units: int, is_late: bool) -> None:
        """Add one line."""
        if is_late:
            self.late[window] += units
            self.late_lines += 1
        else:
            self.on_time[window] += units

    def closed(self, last_start: Mapping[bytes, int]) -> Expected:
        """Return the windows that start no later than the last closed one of their key's partition."""
        on_time = {one: units for one, units in self.on_time.items() if one[1] <= last_start[one[0]]}
        late = {one: on_time.get(one, 0) + units for one, units in self.late.items()}
        return Expected(on_time, {**on_time, **late}, self.late_lines)


async def record_batches(bootstrap: str, topic: str) -> AsyncIterator[tuple[int, Sequence[ConsumerRecord]]]:
    """Yield what a topic holds by now, in the order of each partition: partition, records."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        numbers = (await consumer._client.fetch_all_metadata()).partitions_for_topic(topic) or ()
        places = [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for place, records in (await consumer.getmany(timeout_ms=500, max_records=20_000)).items():
                yield place.partition, records
    finally:
        await consumer.stop()
