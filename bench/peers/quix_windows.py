"""The peers' job in Quix Streams: a tumbling window by event time, state in RocksDB and a changelog topic.

``python quix_windows.py BOOTSTRAP ORDERS CLOSED PARTITIONS``, in an
environment with the packages of ``locks/peers.txt``.
"""

import sys
from datetime import timedelta

from quixstreams import Application

BOOTSTRAP, ORDERS, CLOSED, _ = sys.argv[1:]


def event_time(order: dict, *_: object) -> int:
    """Return when an order was placed, epoch milliseconds."""
    return order["event_time"]


def is_late(*_: object) -> bool:
    """Take note of a late order without a line in the log for each."""
    return False


app = Application(
    broker_address=BOOTSTRAP,
    consumer_group="bench-quix",
    auto_offset_reset="earliest",
    state_dir="state",
    loglevel="WARNING",
)
orders = app.topic(ORDERS, value_deserializer="json", timestamp_extractor=event_time)
closed = app.topic(CLOSED, value_serializer="json")

(
    app.dataframe(orders)
    .apply(lambda order: order["quantity"])
    .tumbling_window(timedelta(hours=1), grace_ms=timedelta(minutes=2), on_late=is_late)
    .sum()
    .final(closing_strategy="partition")
    .to_topic(closed)
)

if __name__ == "__main__":
    app.run()
