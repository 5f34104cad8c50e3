"""Signal records: what is planned, what is taken back, and what makes a dead letter."""

import json
from typing import Any

import pytest

from replenishment.engine.columns import SignalBatch
from replenishment.events import SignalPlanned, SignalWithdrawn
from stream_app.wire.json_wire import JsonWire
from tests.wire.builders import AT, Sent, batch, refusal

PLAN: dict[str, Any] = {
    "signal_id": "easter",
    "location": "uk",
    "sku": "A",
    "starts_at": "2026-04-01T00:00:00Z",
    "ends_at": "2026-04-07T00:00:00Z",
}
STARTS_AT, ENDS_AT = 1_775_001_600_000, 1_775_520_000_000


def record(fields: dict[str, Any], key: bytes = b"uk|A") -> Sent:
    return Sent(json.dumps(fields).encode(), key)


def read(**changed: Any) -> SignalPlanned | SignalWithdrawn:
    decoded = JsonWire(1, 3_600).decode(batch("signals", [record({**PLAN, **changed})]))
    assert isinstance(decoded, SignalBatch)
    (event,) = decoded.events
    return event


def test_a_plan_has_its_span_and_every_number_by_name() -> None:
    found = read(event_time=AT, promotion=True, price=1.95, pages=2, is_front=False, note="big", **{"1st": 3})
    values = (("is_front", 0.0), ("pages", 2.0), ("price", 1.95), ("promotion", 1.0))
    assert found == SignalPlanned(b"uk|A", "easter", AT, STARTS_AT, ENDS_AT, values)
    assert read(promotion=0.25, price=None) == SignalPlanned(
        b"uk|A", "easter", None, STARTS_AT, ENDS_AT, (("promotion", 0.25),)
    )


def test_a_withdrawal_needs_no_span() -> None:
    assert read(type="withdrawn", starts_at=None, ends_at="soon") == SignalWithdrawn(b"uk|A", "easter", None)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"signal_id": None}, "missing_field"),
        ({"signal_id": "x" * 129}, "out_of_range"),
        ({"signal_id": "a\x07"}, "bad_characters"),
        ({"starts_at": None}, "missing_field"),
        ({"starts_at": "tomorrow"}, "out_of_range"),
        ({"ends_at": "2026-04-01T00:00:00Z"}, "out_of_range"),
        ({"starts_at": "1999-12-31T00:00:00Z"}, "too_old"),
        ({"ends_at": 2**60}, "out_of_range"),
        ({"promotion": 1.5}, "out_of_range"),
        ({"promotion": "yes"}, "out_of_range"),
        ({"price": 0}, "out_of_range"),
        ({"pages": 10**10}, "out_of_range"),
        ({f"number_{place}": place for place in range(16)}, "out_of_range"),
        ({"type": "cancelled"}, "unknown_type"),
        ({"event_time": AT + 3_600_001}, "future_dated"),
        ({"event_time": 1}, "too_old"),
        ({"sku": "B"}, "wrong_key"),
        ({"sku": "a b"}, "bad_characters"),
    ],
)
def test_what_is_wrong_is_refused_by_its_code_and_says_where(changed: dict[str, Any], code: str) -> None:
    found = refusal("signals", record({**PLAN, **changed}))
    assert found is not None
    assert found.code == code
    assert found.topic == "signals"
    assert found.reason


def test_a_record_without_value_is_no_signal() -> None:
    found = refusal("signals", Sent(None, b"uk|A"))
    assert found is not None and found.code == "undecodable"
