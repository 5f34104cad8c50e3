"""Faust transport ``kafkabatch://``: a whole fetch of one partition travels as one record.

Faust's stock path costs tens of microseconds per record; here the same code
runs once per fetch. Topics that the app does not batch pass through
untouched. Positions come from the app (that is: from the store), not from
Kafka's committed offsets, which remain a hint for lag tools. What is private
API of Faust is pinned by tests/kafka/test_transport_contract.py.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, cast

from aiokafka.structs import ConsumerRecord
from faust.transport.consumer import RecordMap
from faust.transport.drivers import aiokafka as stock
from faust.types import TP

from replenishment.engine.columns import Role
from stream_app.errors import RestockError
from stream_app.kafka.bare_records import hand_over_bare_records
from stream_app.kafka.batching import Batching, Fetched, chunks, refuse_lost, refuse_split
from stream_app.kafka.span_chain import SpanChain
from stream_app.ports import RecordBatch

RESTORE_TIMEOUT_SECONDS = 30.0
"""Must stay below Faust's ``broker_request_timeout`` (90 s), past which its recovery gives up without a word."""

FETCH_WAIT_MILLISECONDS = 100
"""How long a broker may hold a fetch of partitions without records; Faust fixes 1500.

While one is held, aiokafka asks the same broker for nothing else, so busy
partitions would wait for silent ones.
"""


class RestoreTimeout(RestockError):
    """Positions could not be restored in time; the worker starts again rather than hang.

    Operator action: none at first; else look at Redis and Kafka.
    """


class ConsumerThread(stock.AIOKafkaConsumerThread):
    """The stock thread whose fetches are not held up by silent partitions."""

    def _create_worker_consumer(self, transport: stock.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MILLISECONDS
        return consumer

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Any:
        hand_over_bare_records(consumer._fetcher, cast(Consumer, self.consumer).batched_topics)
        return await super()._fetch_records(consumer, active_partitions, timeout, max_records)


class Consumer(stock.Consumer):
    """The stock consumer with fetches packed, offsets chained and positions restored from outside."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._batching: Batching | None = getattr(self.app, "batching", None)
        self._roles: Mapping[str, Role] = self._batching.roles if self._batching else {}
        self._chains: dict[TP, SpanChain] = {}
        self._eras: dict[TP, int] = {}
        self._latest_era = 0
        self._wanted: dict[TP, tuple[int, int]] = {}
        self._restoring = asyncio.Lock()

    @property
    def batched_topics(self) -> Collection[str]:
        """Real names of the topics that are batched."""
        return self._roles.keys()

    def seek_before_next_fetch(self, partition: int, positions: Mapping[Role, int]) -> int:
        """Have a partition read again from ``positions``; return the era from which batches count.

        The seek runs between two fetches: amid one, Faust would take the
        records still in its hands for newer than those re-read and drop the latter.
        """
        era = self._next_era()
        for topic, role in self._roles.items():
            self._wanted[TP(topic, partition)] = (positions[role], era)
        return era

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: Any, timeout: float) -> RecordMap:
        if self._wanted:
            wanted, self._wanted = self._wanted, {}
            await self._seek_primed({tp: target for tp, target in wanted.items() if tp in self.assignment()})
        fetched = await super()._getmany(active_partitions=active_partitions, timeout=timeout)
        return {
            tp: list(self._packed(tp, records)) if tp.topic in self._roles else records
            for tp, records in fetched.items()
            if records
        }

    def _packed(self, tp: TP, records: Sequence[Any]) -> Iterator[ConsumerRecord[None, Fetched]]:
        chain = self._chains.setdefault(tp, SpanChain())
        role, era = self._roles[tp.topic], self._eras.get(tp, 0)
        for chunk in chunks(records):
            start, end = chain.deliver(chunk[0].offset, chunk[-1].offset)
            batch = RecordBatch(role, tp.topic, tp.partition, start, end, chunk)
            yield ConsumerRecord(
                tp.topic,
                tp.partition,
                end - 1,
                chunk[-1].timestamp,
                chunk[-1].timestamp_type,
                None,
                Fetched(batch, era),
                None,
                0,
                0,
                (),
            )

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp.topic not in self._roles:
            await super()._add_gap(tp, offset_from, offset_to)

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic not in self._roles:
            return super()._new_offset(tp)
        acknowledged, chain = self._acked[tp], self._chains.get(tp)
        if not acknowledged or chain is None:
            return None
        before = chain.position
        settled = set(chain.settle(acknowledged))
        acknowledged[:] = [last for last in acknowledged if last not in settled]
        self._acked_index[tp] -= settled
        return chain.position if chain.position != before else None

    def on_buffer_full(self, tp: TP) -> None:
        """Ignore pressure on batched topics: with every partition paused the stock loop would sleep a second."""
        if tp.topic not in self._roles:
            super().on_buffer_full(tp)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit before Faust forgets what was acknowledged, and again when batches in hand are finished."""
        await self.commit()
        if self._batching is not None:
            await self._batching.release({tp.partition for tp in revoked if tp.topic in self._roles})
            await self.commit()
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._forget(tp)
            self._wanted.pop(tp, None)

    async def perform_seek(self) -> None:
        """Seek as Faust does, then batched topics to the positions of the app; raise rather than hang."""
        try:
            async with asyncio.timeout(RESTORE_TIMEOUT_SECONDS), self._restoring:
                await super().perform_seek()
                if self._batching is not None:
                    await self._restore(self._batching)
        except TimeoutError as late:
            raise RestoreTimeout(
                f"positions were not restored within {RESTORE_TIMEOUT_SECONDS:g} s; the worker starts again"
            ) from late

    async def _restore(self, batching: Batching) -> None:
        assigned = {tp for tp in self.assignment() if tp.topic in self._roles}
        refuse_split(assigned, self._roles)
        era = self._next_era()
        for tp in assigned:
            self._forget(tp)
            self._wanted.pop(tp, None)
        partitions = {tp.partition for tp in assigned}
        positions = await batching.restore(partitions, self.app.consumer_generation_id, era)
        await self._seek_primed(
            {
                tp: (positions[tp.partition][self._roles[tp.topic]], era)
                for tp in assigned
                if tp.partition in positions and tp not in self._wanted
            }
        )

    async def _seek_primed(self, targets: Mapping[TP, tuple[int, int]]) -> None:
        if not targets:
            return
        refuse_lost(
            {tp: position for tp, (position, _) in targets.items()},
            await self.earliest_offsets(*targets),
            await self.highwaters(*targets),
            self._roles,
        )
        for tp, (position, era) in targets.items():
            self._forget(tp)
            self._chains[tp] = SpanChain(position)
            self._eras[tp] = era
            self._committed_offset[tp] = position
        await self.seek_wait({tp: position for tp, (position, _) in targets.items()})

    def _next_era(self) -> int:
        self._latest_era += 1
        return self._latest_era

    def _forget(self, tp: TP) -> None:
        for kept in (self._chains, self._eras, self._acked, self._acked_index):
            kept.pop(tp, None)


class Transport(stock.Transport):
    """Entry point of the scheme ``kafkabatch``."""

    Consumer = Consumer
