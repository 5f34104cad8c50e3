"""The last records of three topics: requests with their evidence, receipts, dead letters; followed as they come."""

import asyncio
import json
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from server_access.kafka import KafkaAccess
from stream_app.dead_letters import DeadLetter, letter_of
from stream_app.errors import RestockError
from stream_app.kafka.topics import TopicNames, product_counts
from stream_app.topic_reader import Message
from stream_app.wire.times import instant_at

FOLLOWED = ("restock", "inventory", "dead-letter")
MOST_RECORDS = 20_000
"""How far back a topic is read at the start, over its partitions, and how much of it is remembered."""
SHOWN_LETTERS = 50
POLL_MS = 500
ANSWER_MS = 5_000
READY_SECONDS = 10.0
PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """Goods that arrived: event time in epoch milliseconds, and units."""

    key: str
    at: int
    units: int


@dataclass
class Recent:
    """What the last records say; the oldest are forgotten."""

    _requests: "OrderedDict[str, tuple[str, bytes]]" = field(default_factory=OrderedDict)
    _withdrawals: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _ids: dict[str, list[str]] = field(default_factory=dict)
    _receipts: "deque[Receipt]" = field(default_factory=lambda: deque(maxlen=MOST_RECORDS))
    _letters: "OrderedDict[str, str]" = field(default_factory=OrderedDict)
    latest_letters: "deque[DeadLetter]" = field(default_factory=lambda: deque(maxlen=SHOWN_LETTERS))

    def request(self, restock_id: str) -> Mapping[str, Any] | None:
        """Return the latest revision of a request that wants something, None if it is not among the last."""
        found = self._requests.get(restock_id)
        return None if found is None else dict(json.loads(found[1]))

    def withdrawal(self, restock_id: str) -> Mapping[str, Any] | None:
        """Return what took a request back, None if nothing did."""
        return self._withdrawals.get(restock_id)

    def withdrawals(self) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Yield each request that was taken back and what took it back, the last record first."""
        for restock_id, withdrawal in reversed(self._withdrawals.items()):
            request = self.request(restock_id)
            if request is not None:
                yield request, withdrawal

    def requests_of(self, key: str) -> Sequence[Mapping[str, Any]]:
        """Return the requests of a stock key, the oldest first."""
        found = [self.request(one) for one in self._ids.get(key, ())]
        return [one for one in found if one is not None]

    def receipts_of(self, key: str) -> Sequence[Receipt]:
        """Return the receipts of a stock key in the order of their records."""
        return [one for one in self._receipts if one.key == key]

    def letters_by_code(self) -> Sequence[tuple[str, int]]:
        """Return how many of the last dead letters have each code, most frequent first."""
        return Counter(self._letters.values()).most_common()

    def take(self, role: str, message: Message) -> None:
        """Remember a record of a topic; one that does not read as what belongs there is passed over."""
        if role == "dead-letter":
            self._take_letter(message)
        elif role == "restock":
            self._take_request(message)
        elif message.value is not None and b'"stock_received"' in message.value:
            self._take_receipt(message)

    def _take_request(self, message: Message) -> None:
        value = _object(message.value)
        key, restock_id = _key(message), value.get("restock_id")
        if not isinstance(restock_id, str) or message.value is None or "evidence" not in value:
            return
        if value.get("quantity") == 0:
            if restock_id in self._requests:
                self._withdrawals[restock_id] = value
            return
        if restock_id not in self._requests:
            self._ids.setdefault(key, []).append(restock_id)
        self._requests[restock_id] = (key, message.value)
        while len(self._requests) > MOST_RECORDS:
            oldest, (its_key, _) = self._requests.popitem(last=False)
            self._withdrawals.pop(oldest, None)
            self._ids[its_key].remove(oldest)
            if not self._ids[its_key]:
                del self._ids[its_key]

    def _take_receipt(self, message: Message) -> None:
        value = _object(message.value)
        at, units = _instant(value.get("event_time")), value.get("quantity")
        if value.get("type") == "stock_received" and at is not None and isinstance(units, int):
            self._receipts.append(Receipt(_key(message), at, units))

    def _take_letter(self, message: Message) -> None:
        letter = letter_of(message)
        if letter is None or letter.name in self._letters:
            return
        self._letters[letter.name] = letter.code
        self.latest_letters.append(letter)
        while len(self._letters) > MOST_RECORDS:
            self._letters.popitem(last=False)


class Follower:
    """Keeps ``recent`` up to the topics; ``problem`` says why it cannot at present.

    Args:
        kafka: Where Kafka is.
        names: Real names of the topics.
    """

    def __init__(self, kafka: KafkaAccess, names: TopicNames) -> None:
        self._kafka = kafka
        self._names = names
        self._roles = {names.of(role): role for role in FOLLOWED}
        self.recent = Recent()
        self.problem = ""
        self._is_ready = asyncio.Event()
        self._is_stopping = asyncio.Event()

    async def ready(self) -> None:
        """Return once what lay in the topics at the start is read, or it is known why not, or after some seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                await self._is_ready.wait()

    async def run(self) -> None:
        """Follow until told to stop; begin anew whenever Kafka was away.

        It must not be cancelled: its client would leave connections open.
        """
        while not self._is_stopping.is_set():
            try:
                await self._follow()
            except RestockError as wrong:
                self.problem = str(wrong)
            except (KafkaError, OSError) as wrong:
                reason = str(wrong) or type(wrong).__name__
                self.problem = f"Kafka at {self._kafka} does not answer ({reason}): start it or set RESTOCK_KAFKA"
            self._is_ready.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_SECONDS):
                    await self._is_stopping.wait()

    def stop(self) -> None:
        """Have ``run`` return, within the time of one answer."""
        self._is_stopping.set()

    async def _follow(self) -> None:
        # first: a client of aiokafka that is turned away does not tell why, and one that is stopped at once fails
        counts = await asyncio.to_thread(product_counts, self._kafka, self._names)
        missing = sorted(self._roles.keys() - counts.keys())
        if missing:
            raise RestockError(f"topic {', '.join(missing)} does not exist: run `restock topics create`")
        consumer = AIOKafkaConsumer(
            **self._kafka.client_arguments(),
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            request_timeout_ms=ANSWER_MS,
        )
        try:
            await consumer.start()
            await self._assign(consumer, counts)
            self.recent, self.problem = Recent(), ""
            while not self._is_stopping.is_set():
                await self._poll(consumer)
        finally:
            await consumer.stop()

    async def _assign(self, consumer: AIOKafkaConsumer, counts: Mapping[str, int]) -> None:
        """Take over all partitions of the topics, not far before their ends."""
        partitions = [TopicPartition(topic, one) for topic in self._roles for one in range(counts[topic])]
        consumer.assign(partitions)
        starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        for one in partitions:
            consumer.seek(one, max(starts[one], ends[one] - MOST_RECORDS // counts[one.topic]))

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        found = await consumer.getmany(timeout_ms=POLL_MS, max_records=MOST_RECORDS)
        for partition, records in found.items():
            for record in records:
                self.recent.take(self._roles[partition.topic], _message(record))
        if not found:
            # a consumer says nothing when its broker is gone; this does
            ends = await consumer.end_offsets(list(consumer.assignment()))
            if all([await consumer.position(one) >= end for one, end in ends.items()]):
                self._is_ready.set()


def _message(record: Any) -> Message:
    return Message(record.partition, record.offset, record.timestamp, record.key, record.value, tuple(record.headers))


def _object(value: bytes | None) -> Mapping[str, Any]:
    try:
        found = json.loads(value or b"null")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _instant(event_time: object) -> int | None:
    return (
        instant_at(event_time) if isinstance(event_time, str) else event_time if isinstance(event_time, int) else None
    )


def _key(message: Message) -> str:
    return (message.key or b"").decode(errors="backslashreplace")
