"""The stream and the trainer's files clean alike: the same messy lines give the same demand in the same buckets."""

import json

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from model_store.training.bucketing import bucketed
from model_store.training.cleaning import clean
from model_store.training.orders_file import checked_lines
from replenishment.buckets import BucketWidth
from replenishment.engine.plan import Plan
from stream_app.ports import RecordBatch
from stream_app.wire.admission import Admission
from stream_app.wire.orders import decode_orders
from tests.engine.builders import DAY, HOUR, T0, Ledger, fresh, order_columns, play, time_passed
from tests.stream.shop import Kept

PATTERNS = ("usual", "gift-*")
SKUS = ("A", "B", "POST", "Gift-1")


@st.composite
def messy_lines(draw: st.DrawFn) -> list[dict[str, object]]:
    """Lines within two days, in the order of time: some come twice, some are taken back, some name no goods."""
    lines: list[dict[str, object]] = []
    at = T0
    for number in range(draw(st.integers(1, 25))):
        at = min(at + draw(st.sampled_from([0, HOUR, 3 * HOUR])), T0 + 2 * DAY - 1)
        again = lines[draw(st.integers(max(0, len(lines) - 3), len(lines) - 1))] if lines else None
        kind = draw(st.sampled_from(["placed", "placed", "again", "cancelled"]))
        line: dict[str, object] = {
            "order_id": f"o-{number}",
            "line": draw(st.integers(1, 3)),
            "location": "uk",
            "sku": draw(st.sampled_from(SKUS)),
            "quantity": draw(st.integers(1, 9)),
            "event_time": at,
            "type": "order_placed",
            "placed_at": None,
        }
        if kind == "again" and again is not None:
            line = dict(again)
        elif kind == "cancelled" and again is not None and again["type"] == "order_placed":
            line = {**again, "type": "order_cancelled", "event_time": at, "placed_at": again["event_time"]}
        lines.append(line)
    return lines


@given(messy=messy_lines())
def test_messy_lines_give_the_same_demand_in_a_file_and_in_the_stream(messy: list[dict[str, object]]) -> None:
    # three days of lateness: every bucket stays open until the end, so that files and the stream know as much
    plan = Plan(BucketWidth(86_400), allowed_lateness_seconds=3 * 86_400, non_stock_skus=PATTERNS)
    state, ledger = fresh(plan), Ledger()
    records = [
        Kept(place, f"uk|{one['sku']}".encode(), json.dumps(one).encode(), T0 + 3 * DAY)
        for place, one in enumerate(messy)
    ]
    batch = RecordBatch("orders", "orders", 0, 0, len(records), records)
    play(state, [decode_orders(batch, Admission(1, None))], ledger)
    play(state, [order_columns([time_passed(len(records), T0 + 9 * DAY)], len(records), len(records) + 1)], ledger)
    said = [one for one in ledger.said if isinstance(one, tuple) and one[0] == "closed"]
    streamed = {
        (key, start): units for one in said for key, units in zip(one[6], one[7], strict=True) for start in [one[1]]
    }

    cleaned = clean(checked_lines(pl.DataFrame(messy, infer_schema_length=None), "messy"), PATTERNS)
    assert ledger.progress is not None
    counted = {one.rule: one.lines for one in cleaned.findings}
    assert ledger.progress.repeated + ledger.progress.not_stock == counted["repeated"] + counted["no_stock"]
    if not cleaned.lines.height:
        assert not streamed
        return
    history = bucketed(cleaned.lines, plan.width)
    for row, key in enumerate(history.keys):
        for column in range(int(history.born[row]), history.buckets):
            start = plan.width.start_of(history.first_bucket + column)
            assert np.float32(max(streamed[key, start], 0)) == history.demand_units[row, column]
    assert {key for key, _ in streamed} == set(history.keys)
