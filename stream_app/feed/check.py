"""Every row through the decoder that a worker has, before any of them is sent."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from replenishment.engine.columns import Role
from stream_app.feed.records import FedRow
from stream_app.ports import RecordBatch
from stream_app.topic_reader import Message
from stream_app.wire.json_wire import JsonWire

BATCH_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that a worker would refuse."""

    row: int
    code: str
    reason: str

    def __str__(self) -> str:
        """Return it as a sentence."""
        return f"row {self.row}: {self.code}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Checked:
    """How many rows a file has, and which of them would be refused."""

    rows: int
    refused: Sequence[RefusedRow]


def checked(
    rows: Iterable[FedRow], role: Role, max_future_seconds: int, seen: Callable[[int], None] = lambda _: None
) -> Checked:
    """Return what a worker would make of rows that arrive now; ``seen`` is told how many more were looked at."""
    wire, count, refused = JsonWire(1, max_future_seconds), 0, list[RefusedRow]()
    left = iter(rows)
    while some := list(islice(left, BATCH_ROWS)):
        refused += _refused(some, role, wire)
        count += len(some)
        seen(len(some))
    return Checked(count, refused)


def _refused(rows: Sequence[FedRow], role: Role, wire: JsonWire) -> Iterator[RefusedRow]:
    now = round(time.time() * 1000)
    records = [Message(0, place, now, row.key, row.value) for place, row in enumerate(rows)]
    entry = wire.decode(RecordBatch(role, role, 0, 0, len(records), records))
    for one in sorted(getattr(entry, "rejections", ()), key=lambda rejection: rejection.offset):
        yield RefusedRow(rows[one.offset].row, one.code, one.reason)
