"""Approve and decline on the page: the event that `restock approve` and `restock reject` write, and what was lately.

A worker acts on an event within moments; until then the request still waits
in the state, and the page remembers what it wrote.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from server_access.kafka import KafkaAccess
from stream_app.approvals import Verdict, WaitingRequest, examined, ruling_records
from stream_app.errors import RestockError
from stream_app.kafka.sender import write_all
from stream_app.store.reader import StateReader

REMEMBERED_SECONDS = 60.0
"""After that a request that still waits can be ruled on again: it does no harm."""
MOST_SHOWN = 50


class NotWaiting(RestockError):
    """A request waits for no such ruling; nothing was written.

    Operator action: none, the queue shows what still waits.
    """


class NotConfirmed(RestockError):
    """Kafka did not confirm a ruling; it may be written all the same.

    Operator action: see to Kafka, then press again: twice counts once.
    """


@dataclass(frozen=True, slots=True)
class Ruling:
    """A request as it waited, what was said of it, and when (monotonic seconds)."""

    request: WaitingRequest
    verdict: Verdict
    at_seconds: float


@dataclass
class Rulings:
    """What was written in the last minute.

    Args:
        kafka: Where Kafka is.
        topic: Real name of ``inventory``.
        by: Who rules, as the events say.
        now_seconds: A clock that never goes back.
    """

    kafka: KafkaAccess
    topic: str
    by: str
    now_seconds: Callable[[], float] = time.monotonic
    _made: dict[str, Ruling] = field(default_factory=dict)

    def lately(self, restock_id: str) -> Ruling | None:
        """Return the ruling on a request of the last minute, None if there is none."""
        found = self._made.get(restock_id)
        return None if found is None or self._is_old(found) else found

    async def rule(self, reader: StateReader, restock_id: str, verdict: Verdict, note: str) -> None:
        """Write what a person says of a request that waits.

        Raises:
            NotWaiting: If it waits for no such ruling, or another was written just now.
            NotConfirmed: If Kafka did not confirm the record.
            RestockError: If it cannot be read whether the request waits.
        """
        before = self.lately(restock_id)
        if before is not None and before.verdict != verdict:
            raise NotWaiting(
                f"request {restock_id} was {before.verdict} here a moment ago, and a worker is to act on it"
            )
        found = await examined(reader, [restock_id], verdict)
        if found.problems:
            raise NotWaiting(found.problems[0])
        records = ruling_records(found.waiting, verdict, round(time.time() * 1000), self.by, note)
        try:
            await asyncio.to_thread(write_all, self.kafka, self.topic, list(records))
        except RestockError as wrong:
            raise NotConfirmed(str(wrong)) from wrong
        self._remember([Ruling(one, verdict, self.now_seconds()) for one in found.waiting])

    def _remember(self, rulings: Sequence[Ruling]) -> None:
        kept = {name: one for name, one in self._made.items() if not self._is_old(one)}
        self._made = kept | {one.request.restock_id: one for one in rulings}

    def _is_old(self, ruling: Ruling) -> bool:
        return self.now_seconds() - ruling.at_seconds > REMEMBERED_SECONDS
