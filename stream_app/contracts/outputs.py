"""Schemas of what the product writes: restock and demand, as msgspec knows them."""

from typing import Any

import msgspec

from replenishment.events import Evidence
from stream_app.contracts.recorder import Schema
from stream_app.wire.outgoing import DEMAND_SCHEMA, Joint, _Demand, _Restock, _Scored

TIME = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
    "description": "RFC 3339 UTC with milliseconds",
}
ADDED_LATER = frozenset(
    {
        "reorder_units",
        "order_up_to_units",
        "order_quantity_units",
        "cap_units",
        "textbook_units",
        "cold_start",
        "used_level",
        "planned_units",
        "lead_time_mean_buckets",
        "lead_time_deviation_buckets",
        "deliveries_observed",
        "scored",
    }
)
"""Fields that records of version 1 need not have: schemas of today must accept what was written yesterday."""
SCORED = (
    "Earlier forecasts of demand over protection intervals that end with this bucket: `place` counts keys of the "
    "columns beside from 0, `units` is what came in the last `lead_buckets`. Not in a correction."
)
RESTOCK = (
    "A request to replenish one stock key. Keep the restock_ids and revisions you have seen: "
    "the highest revision of an id holds."
)
WITHDRAWN = "Why the request is taken back; then, and only then, the quantity is 0: nothing of it is wanted any more."
JOINT = "With RESTOCK_JOINT_ORDERS: the joint order that a buyer made of this and other requests."
UUID = {"type": "string", "format": "uuid"}


def restock() -> Schema:
    """Return the schema of ``restock``."""
    schema = described(_Restock, "restock", RESTOCK)
    properties = schema["properties"]
    properties |= {"needed_by": TIME, "decided_at": TIME, "restock_id": UUID, "evidence": _evidence()}
    properties["revision"]["minimum"] = 1
    properties["joint"] = described(Joint, "joint", JOINT)
    properties["joint"]["properties"] |= {"joint_order_id": UUID, "placed_at": TIME}
    properties["withdrawn"] = {"enum": ["needless"], "description": WITHDRAWN}
    return {
        **schema,
        "if": {"required": ["withdrawn"]},
        "then": {"properties": {"quantity": {"const": 0}}},
        "else": {"properties": {"quantity": {"minimum": 1}}},
    }


def _evidence() -> Schema:
    schema = described(Evidence, "evidence", "Why this quantity; enough to compute it again.")
    schema["properties"]["forecast_origin"] = TIME
    return schema


def demand() -> Schema:
    """Return the schema of ``demand``."""
    text = "Demand of one bucket for a chunk of stock keys; columns of one length."
    schema = described(_Demand, "demand", text)
    properties = schema["properties"]
    properties |= {"bucket_start": TIME, "schema": {"const": DEMAND_SCHEMA}, "kind": {"enum": ["closed", "correction"]}}
    properties["scored"] = described(_Scored, "scored", SCORED)
    return schema


def described(kind: Any, title: str, text: str) -> Schema:
    """Return the schema of an object as msgspec knows it."""
    (_, components) = msgspec.json.schema_components([kind], ref_template="#/definitions/{name}")
    schema: Schema = components[kind.__name__]
    return {
        "title": title,
        "description": text,
        "type": "object",
        "required": [name for name in schema["required"] if name not in ADDED_LATER],
        "properties": schema["properties"],
    }
