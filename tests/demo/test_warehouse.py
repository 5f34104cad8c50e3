"""The warehouse's own logic; that it talks to Kafka is shown by the demonstration as a whole."""

from datetime import UTC, datetime, timedelta

import pytest

from stream_app.demo.warehouse import Warehouse

REQUEST = {
    "restock_id": "r1",
    "revision": 1,
    "location": "uk",
    "sku": "85123A",
    "quantity": 40,
    "decided_at": "2011-11-10T10:30:00.000Z",
}
DECIDED = datetime(2011, 11, 10, 10, 30, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture
def warehouse() -> Warehouse:
    made = Warehouse(WEEK)
    made.take(REQUEST)
    return made


def test_a_request_is_accepted_at_once_shipped_in_time_and_received_after_the_lead_time(
    warehouse: Warehouse,
) -> None:
    told = [(event["type"], event["event_time"]) for event in warehouse.happened(DECIDED + WEEK)]
    assert told == [
        ("restock_accepted", "2011-11-10T10:30:00.000Z"),
        ("restock_shipped", "2011-11-16T10:30:00.000Z"),
        ("stock_received", "2011-11-17T10:30:00.000Z"),
    ]


def test_nothing_is_told_before_it_happened_and_nothing_twice(warehouse: Warehouse) -> None:
    assert [one["type"] for one in warehouse.happened(DECIDED + WEEK - timedelta(milliseconds=1))] == [
        "restock_accepted",
        "restock_shipped",
    ]
    assert [one["type"] for one in warehouse.happened(DECIDED + 2 * WEEK)] == ["stock_received"]
    assert list(warehouse.happened(DECIDED + 3 * WEEK)) == []


def test_a_receipt_is_final_and_says_what_was_asked_for(warehouse: Warehouse) -> None:
    *_, receipt = warehouse.happened(DECIDED + WEEK)
    assert receipt == {
        "type": "stock_received",
        "event_id": "r1/stock_received",
        "location": "uk",
        "sku": "85123A",
        "event_time": "2011-11-17T10:30:00.000Z",
        "restock_id": "r1",
        "quantity": 40,
        "final": True,
    }


def test_a_request_that_comes_again_is_recognised_by_its_id(warehouse: Warehouse) -> None:
    warehouse.take(REQUEST)
    assert (warehouse.requests, warehouse.repeated) == (1, 1)
    assert len(list(warehouse.happened(DECIDED + WEEK))) == 3


def test_what_is_taken_back_before_it_was_accepted_is_forgotten(warehouse: Warehouse) -> None:
    warehouse.take({**REQUEST, "revision": 2, "quantity": 0})
    warehouse.take({**REQUEST, "revision": 2, "quantity": 0})
    assert list(warehouse.happened(DECIDED + WEEK)) == []
    assert (warehouse.requests, warehouse.repeated) == (1, 1)


def test_what_was_accepted_is_delivered_though_it_is_taken_back(warehouse: Warehouse) -> None:
    assert [one["type"] for one in warehouse.happened(DECIDED)] == ["restock_accepted"]
    warehouse.take({**REQUEST, "revision": 2, "quantity": 0})
    assert [one["type"] for one in warehouse.happened(DECIDED + WEEK)] == ["restock_shipped", "stock_received"]


def test_a_restarted_warehouse_tells_the_same_with_the_same_ids(warehouse: Warehouse) -> None:
    again = Warehouse(WEEK)
    again.take(REQUEST)
    assert list(again.happened(DECIDED + WEEK)) == list(warehouse.happened(DECIDED + WEEK))


def test_what_happened_is_told_in_the_order_of_time() -> None:
    warehouse = Warehouse(WEEK)
    for number, hour in ((1, 12), (2, 9)):
        warehouse.take({**REQUEST, "restock_id": f"r{number}", "decided_at": f"2011-11-10T{hour:02d}:00:00.000Z"})
    times = [event["event_time"] for event in warehouse.happened(DECIDED + WEEK)]
    assert times == sorted(times)


def test_with_a_lead_time_below_the_transit_nothing_ships_before_it_was_accepted() -> None:
    warehouse = Warehouse(timedelta(hours=6))
    warehouse.take(REQUEST)
    times = [event["event_time"] for event in warehouse.happened(DECIDED + WEEK)]
    assert times == ["2011-11-10T10:30:00.000Z", "2011-11-10T10:30:00.000Z", "2011-11-10T16:30:00.000Z"]
