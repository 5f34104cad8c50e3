"""What is read off the topics, on a handful of records."""

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl

from replenishment.simulation import DAY_MS, Days
from stream_app.demo.ledger import (
    Record,
    RequestCount,
    count_rejected,
    count_requests,
    daily_demand,
    order_movements,
    receipt_movements,
)

DAYS = Days(start_at=100 * DAY_MS, count=3)
ROWS = {b"uk|A": 0, b"uk|B": 1}


def record(key: bytes | None, **value: Any) -> Record:
    return Record(key, json.dumps(value).encode())


def line(sku: str, day: float, quantity: int, **more: Any) -> Record:
    at = DAYS.start_at + round(day * DAY_MS)
    return record(f"uk|{sku}".encode(), sku=sku, quantity=quantity, event_time=at, **more)


def received(sku: str, day: int, quantity: int, event_id: str) -> Record:
    at = datetime.fromtimestamp(DAYS.start_at / 1000 + day * 86_400, UTC).isoformat()
    more = {"type": "stock_received", "event_id": event_id, "restock_id": "r", "final": True}
    return record(f"uk|{sku}".encode(), event_time=at, quantity=quantity, **more)


def test_an_order_takes_stock_and_is_demand() -> None:
    made = order_movements([line("B", 1.5, 4)], ROWS, DAYS)
    at = DAYS.start_at + DAY_MS * 3 // 2
    assert [column.tolist() for column in (made.key, made.at, made.stock_units, made.demand_units)] == [
        [1],
        [at],
        [-4],
        [4],
    ]


def test_orders_of_two_partitions_are_put_in_the_order_of_their_times() -> None:
    made = order_movements([line("A", 2, 1), line("B", 1, 2)], ROWS, DAYS)
    assert made.demand_units.tolist() == [2, 1]


def test_other_keys_other_days_and_passing_time_move_nothing() -> None:
    others = [
        line("C", 1, 4),
        line("A", -0.1, 4),
        line("A", 3, 4),
        record(None, type="time_passed", event_time=DAYS.start_at),
    ]
    assert len(order_movements(others, ROWS, DAYS)) == 0


def test_a_cancellation_gives_back_only_what_was_ordered_in_the_live_days() -> None:
    recent = line("A", 1, 4, type="order_cancelled", placed_at=DAYS.start_at)
    older = line("A", 1, 5, type="order_cancelled", placed_at=DAYS.start_at - 1)
    made = order_movements([recent, older], ROWS, DAYS)
    assert made.stock_units.tolist() == [4, 0]
    assert made.demand_units.tolist() == [-4, -5]
    assert made.demand_at.tolist() == [DAYS.start_at, DAYS.start_at - 1]


def test_a_receipt_counts_once_by_its_event_id_and_other_answers_do_not() -> None:
    accepted = record(b"uk|A", type="restock_accepted", event_id="x", event_time="1970-04-11T00:00:00Z")
    made = receipt_movements(
        [accepted, received("A", 1, 7, "y"), received("A", 1, 7, "y"), received("B", 0, 2, "z")], ROWS, DAYS
    )
    assert (made.key.tolist(), made.stock_units.tolist()) == ([1, 0], [2, 7])
    assert made.demand_units.tolist() == [0, 0]


def test_a_receipt_after_the_last_day_is_left_out() -> None:
    assert len(receipt_movements([received("A", 3, 7, "y")], ROWS, DAYS)) == 0


def test_a_repeated_request_is_one_and_a_changed_one_is_reported() -> None:
    restock = [
        record(b"uk|A", restock_id="1", quantity=5),
        record(b"uk|A", restock_id="1", quantity=5),
        record(b"uk|A", restock_id="2", quantity=5),
        record(b"uk|A", restock_id="2", quantity=6),
    ]
    assert count_requests(restock) == RequestCount(requests=2, duplicated=1)


def test_a_refused_record_counts_once_however_often_it_is_reported() -> None:
    def dead_letter(topic: str, offset: int) -> Record:
        where = {"topic": topic, "partition": "0", "offset": str(offset)}
        return Record(None, b"x", [(f"__connect.errors.{name}", text.encode()) for name, text in where.items()])

    reported = [dead_letter("orders", 4), dead_letter("orders", 4), dead_letter("orders", 9), dead_letter("catalog", 5)]
    assert count_rejected([*reported, Record(None, b"somebody else's")], "orders") == 2


def test_daily_demand_is_what_was_known_at_the_end_of_the_days() -> None:
    start = DAYS.start_at
    events = pl.DataFrame(
        {
            "sku": ["A", "A", "A", "A", "B", "C"],
            "quantity": [5, 2, 3, 2, 9, 1],
            "event_time": [start, start + 1, start + DAY_MS, start + 3 * DAY_MS, start - 1, start],
            "placed_at": [None, None, start + 1, start, None, None],
        },
        schema_overrides={"placed_at": pl.Int64},
    )
    assert daily_demand(events, ROWS, "uk", DAYS).tolist() == [[4, 0, 0], [0, 0, 0]]
