"""A warehouse that takes each request once: `python warehouse.py HOST:PORT TOPIC DATABASE`. Needs kafka-python only.

A request may come more than once, always with the same `restock_id` and `revision`. Here a picking list in SQLite is
the memory: the row is the deduplication. Offsets are committed after the row, so a crash repeats, never loses.
Of the revisions of a request the highest holds; quantity 0 takes it back: see `open_picks`.
"""

import json
import sqlite3
import sys

from kafka import KafkaConsumer

TABLE = (
    "CREATE TABLE IF NOT EXISTS picks (restock_id, revision, location, sku, quantity, UNIQUE (restock_id, revision))"
)


def take(database: sqlite3.Connection, request: dict[str, object]) -> bool:
    """Put a request on the list; return whether it was new."""
    row = [request[name] for name in ("restock_id", "revision", "location", "sku", "quantity")]
    with database:  # one transaction: add what else the request must do here
        return database.execute("INSERT OR IGNORE INTO picks VALUES (?, ?, ?, ?, ?)", row).rowcount == 1


def open_picks(database: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return what is to be picked, `(restock_id, quantity)`: what was taken back is not."""
    latest = "SELECT restock_id, quantity, MAX(revision) FROM picks GROUP BY restock_id"
    return [(restock_id, quantity) for restock_id, quantity, _ in database.execute(latest) if quantity]


def main(bootstrap: str, topic: str, file: str) -> None:
    """Read requests for ever."""
    database = sqlite3.connect(file)
    database.execute(TABLE)
    reading = {"auto_offset_reset": "earliest", "enable_auto_commit": False, "session_timeout_ms": 6_000}
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, group_id="warehouse", **reading)
    for record in consumer:
        request = json.loads(record.value)
        print("new" if take(database, request) else "repeated", request["restock_id"], flush=True)
        consumer.commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
