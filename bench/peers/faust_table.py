"""The peers' job in idiomatic Faust: a tumbling windowed table by event time, its state in a changelog topic.

``python faust_table.py BOOTSTRAP ORDERS CLOSED PARTITIONS``. Faust lets go of
windows by the wall clock, so the agent itself gives out those that the
partition's event time has passed, and leaves out late orders.
"""

import sys
from collections import defaultdict

import faust

HOUR_SECONDS = 3600
LATENESS_SECONDS = 120
BOOTSTRAP, ORDERS, CLOSED, PARTITIONS = sys.argv[1:]


class Order(faust.Record, serializer="json"):
    """One order line."""

    order_id: str
    location: str
    sku: str
    quantity: int
    event_time: int


app = faust.App(
    "bench-faust",
    broker=f"kafka://{BOOTSTRAP}",
    store="memory://",
    topic_partitions=int(PARTITIONS),
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
)
orders = app.topic(ORDERS, key_type=str, value_type=Order)
closed = app.topic(CLOSED, key_type=str)
units = (
    app.Table("units", default=int, partitions=int(PARTITIONS))
    .tumbling(float(HOUR_SECONDS))
    .relative_to(lambda event: event.value.event_time / 1000)
)
latest: dict[int, float] = defaultdict(float)
open_keys: dict[int, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))


@app.agent(orders)
async def sum_units(stream: faust.StreamT) -> None:
    """Add each order to its hour; give out the hours that have ended."""
    async for event in stream.events():
        partition, order = event.message.partition, event.value
        at = order.event_time / 1000
        start = int(at // HOUR_SECONDS) * HOUR_SECONDS
        if start + HOUR_SECONDS + LATENESS_SECONDS <= latest[partition]:
            continue
        units[event.key] += order.quantity
        open_keys[partition][start].add(event.key)
        if at > latest[partition]:
            latest[partition] = at
            await close(partition)


async def close(partition: int) -> None:
    """Give out the windows of a partition that its time has passed."""
    ended = [one for one in open_keys[partition] if one + HOUR_SECONDS + LATENESS_SECONDS <= latest[partition]]
    for start in ended:
        for key in open_keys[partition].pop(start):
            total = units.table[key, units.table.window.current(float(start))]
            await closed.send(key=key, value={"start": start * 1000, "value": total}, partition=partition)


if __name__ == "__main__":
    faust.Worker(app, loglevel="WARN").execute_from_commandline()
