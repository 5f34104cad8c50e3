"""A small simulated warehouse: a plain Kafka client such as users write; imports nothing of Restock.

It reads ``restock`` from the beginning, takes each revision of a request
once, forgets what is taken back before it was accepted, accepts it at once, ships so that it arrives after the lead
time, and receives it in full. In place of a clock it has its standard input:
each line is the present time of the world it lives in. All that happened
until then is published on ``inventory`` with its event time, and one JSON
line on standard output says what was done. The end of the input ends it.
"""

import argparse
import heapq
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

TRANSIT = timedelta(days=1)


class Warehouse:
    """What was asked for, and what is still to happen."""

    def __init__(self, lead_time: timedelta) -> None:
        self._lead_time = lead_time
        self._seen: set[tuple[str, int]] = set()
        self._ahead: list[tuple[datetime, str, dict[str, Any]]] = []
        self.repeated = 0

    @property
    def requests(self) -> int:
        """How many different requests were taken."""
        return len({restock_id for restock_id, _ in self._seen})

    def take(self, request: Mapping[str, Any]) -> None:
        """Take a request; one that was taken before changes nothing (requests arrive at least once)."""
        told = (request["restock_id"], request["revision"])
        if told in self._seen:
            self.repeated += 1
            return
        self._seen.add(told)
        if request["quantity"] == 0:
            self._take_back(request["restock_id"])
            return
        accepted = datetime.fromisoformat(request["decided_at"])
        received = accepted + self._lead_time
        self._plan(request, "restock_accepted", accepted)
        self._plan(request, "restock_shipped", max(accepted, received - TRANSIT))
        self._plan(request, "stock_received", received, final=True)

    def _take_back(self, restock_id: str) -> None:
        """Forget a request that is withdrawn; what was accepted before is delivered all the same."""
        ahead = {event["type"] for _, _, event in self._ahead if event["restock_id"] == restock_id}
        if "restock_accepted" in ahead:
            self._ahead = [one for one in self._ahead if one[2]["restock_id"] != restock_id]
            heapq.heapify(self._ahead)

    def _plan(self, request: Mapping[str, Any], kind: str, at: datetime, **more: object) -> None:
        event = {
            "type": kind,
            # the same id however often it is sent: Restock applies it once
            "event_id": f"{request['restock_id']}/{kind}",
            "location": request["location"],
            "sku": request["sku"],
            "event_time": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "restock_id": request["restock_id"],
            "quantity": request["quantity"],
            **more,
        }
        heapq.heappush(self._ahead, (at, event["event_id"], event))

    def happened(self, until: datetime) -> Iterator[dict[str, Any]]:
        """Yield the events of the time up to ``until``, oldest first, each once."""
        while self._ahead and self._ahead[0][0] <= until:
            yield heapq.heappop(self._ahead)[2]


def unread(consumer: KafkaConsumer) -> Iterator[Mapping[str, Any]]:
    """Yield the requests between the consumer's position and the present end of the topic."""
    ends = consumer.end_offsets(consumer.assignment())
    while any(consumer.position(partition) < end for partition, end in ends.items()):
        for records in consumer.poll(timeout_ms=1_000).values():
            for record in records:
                yield json.loads(record.value)


def main() -> None:
    """Run the warehouse until its input ends."""
    parser = argparse.ArgumentParser(description="A simulated warehouse; reads the present time from its input.")
    parser.add_argument("--kafka", required=True, help="host:port of Kafka")
    parser.add_argument("--topic-prefix", default="", help="what the names of the topics begin with")
    parser.add_argument("--lead-time-days", type=float, default=7.0, help="from request to receipt")
    chosen = parser.parse_args()
    consumer = KafkaConsumer(bootstrap_servers=chosen.kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    producer = KafkaProducer(bootstrap_servers=chosen.kafka, acks="all", enable_idempotence=True, linger_ms=5)
    topic = f"{chosen.topic_prefix}restock"
    consumer.assign([TopicPartition(topic, one) for one in sorted(consumer.partitions_for_topic(topic) or ())])
    warehouse = Warehouse(timedelta(days=chosen.lead_time_days))
    for line in sys.stdin:
        for request in unread(consumer):
            warehouse.take(request)
        sent = [
            producer.send(
                f"{chosen.topic_prefix}inventory",
                key=f"{event['location']}|{event['sku']}".encode(),
                value=json.dumps(event).encode(),
            )
            for event in warehouse.happened(datetime.fromisoformat(line.strip()))
        ]
        written = [future.get(timeout=60) for future in sent]
        inventory = {str(one.partition): one.offset + 1 for one in sorted(written, key=lambda one: one.offset)}
        done = {"sent": len(written), "requests": warehouse.requests, "repeated": warehouse.repeated}
        print(json.dumps({**done, "inventory": inventory}), flush=True)  # noqa: T201  its answer


if __name__ == "__main__":
    main()
