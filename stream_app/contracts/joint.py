"""Schemas of the topics of joint orders: suppliers and proposals, which the buyer reads, and what it says of them."""

from stream_app.contracts.outputs import TIME, UUID, described, restock
from stream_app.contracts.recorder import Recorder, Schema, recorded
from stream_app.wire.joint_orders import _Excepted, _OrderPlaced
from stream_app.wire.proposals import LONGEST_SUPPLIER_BYTES
from stream_app.wire.supplier_terms import terms_of

MESSAGES = ("supply_limited", "time_passed")
ORDER_REASONS = ("no_minimum", "minimum_met", "waited_long_enough")
EXCEPTIONS = ("proposal_held", "proposal_reduced", "proposal_refused")
EXCEPTION_REASONS = ("over_budget", "exceeds_budget", "below_minimum", "short_supply")


def suppliers() -> Schema:
    """Return the schema of ``suppliers``, tombstones aside."""

    def read(recorder: Recorder) -> None:
        terms_of(recorder, recorder.label("supplier", LONGEST_SUPPLIER_BYTES))

    text = "Terms of one supplier: the last record holds. A record without value: proposals are ordered as they come."
    return {**recorded("", "suppliers", read), "description": text}


def proposals() -> Schema:
    """Return the schema of ``proposals``: requests of workers, short supply, time passing."""

    def limited(recorder: Recorder) -> None:
        recorder.event_type("", MESSAGES)
        recorder.label("supplier", LONGEST_SUPPLIER_BYTES)
        recorder.key_part("sku")
        recorder.integer("units", 0, 1_000_000_000)
        recorder.time("until")
        recorder.time("event_time")

    def passed(recorder: Recorder) -> None:
        recorder.event_type("", MESSAGES)
        recorder.time("event_time")

    proposed = {**restock(), "title": "restock_proposed", "description": "A request before it is ordered."}
    kinds = [
        proposed,
        recorded("supply_limited", "supply_limited", limited),
        recorded("time_passed", "time_passed", passed),
    ]
    return {"title": "proposals", "description": "What the buyer makes joint orders of.", "oneOf": kinds}


def joint_orders() -> Schema:
    """Return the schema of ``joint-orders``."""
    placed = described(_OrderPlaced, "order_placed", "Requests that a supplier is asked for together.")
    placed["properties"] |= {"type": {"const": "order_placed"}, "reason": {"enum": [*ORDER_REASONS]}}
    placed["properties"] |= {"joint_order_id": UUID, "event_time": TIME}
    excepted = described(_Excepted, "exception", "A proposal that did not go as proposed.")
    excepted["properties"] |= {"type": {"enum": [*EXCEPTIONS]}, "reason": {"enum": [*EXCEPTION_REASONS]}}
    excepted["properties"] |= {"restock_id": UUID, "event_time": TIME}
    return {"title": "joint-orders", "description": "Joint orders and exceptions.", "oneOf": [placed, excepted]}
