"""The yardstick: an aiokafka consumer that counts records and does nothing else. Run as a process of its own.

``python -m stream_app.bench.bare_consumer BOOTSTRAP TOPIC RECORDS`` prints one
JSON line: records, wall seconds and CPU seconds from the first record to the last.
"""

import json
import sys
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

MOST_RECORDS = 50_000
MOST_BYTES = 8 * 2**20


async def count_records(bootstrap: str, topic: str, records: int) -> dict[str, float]:
    """Read ``records`` records of a topic from its beginning and return what that took."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MOST_BYTES,
        check_crcs=False,
    )
    await consumer.start()
    try:
        partitions = await consumer._client.fetch_all_metadata()
        numbers = partitions.partitions_for_topic(topic) or ()
        consumer.assign([TopicPartition(topic, number) for number in numbers])
        return await _count(consumer, records)
    finally:
        await consumer.stop()


async def _count(consumer: AIOKafkaConsumer, records: int) -> dict[str, float]:
    seen = 0
    begun, begun_cpu = time.perf_counter(), time.process_time()
    while seen < records:
        for fetched in (await consumer.getmany(timeout_ms=1_000, max_records=MOST_RECORDS)).values():
            seen += len(fetched)
    return {
        "records": seen,
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - begun_cpu,
    }


if __name__ == "__main__":
    import uvloop

    print(json.dumps(uvloop.run(count_records(sys.argv[1], sys.argv[2], int(sys.argv[3])))))  # noqa: T201 - output
