"""The AsyncAPI document: channels, who sends what, keys, headers; payloads are the JSON Schemas beside it."""

from importlib.metadata import version
from typing import Any

from stream_app.contracts.recorder import Schema
from stream_app.dead_letters import ERROR_HEADERS
from stream_app.kafka.topics import JOINT_ROLES, TOPIC_CONFIGS, TopicRole
from stream_app.wire.proposals import LONGEST_SUPPLIER_BYTES
from stream_app.wire.refusals import Code

ASYNCAPI = "3.1.0"
KAFKA_BINDING = "0.5.0"
STOCK_KEY = {"type": "string", "pattern": "^[A-Za-z0-9._:/-]{1,64}\\|[A-Za-z0-9._:/-]{1,64}$"}
SUPPLIER = {"type": "string", "maxLength": LONGEST_SUPPLIER_BYTES}
PARTITION_KEY = {"type": "string", "pattern": "^p\\d+$"}
CLOUD_EVENT = {
    "content-type": {"const": "application/json"},
    "ce_specversion": {"const": "1.0"},
    "ce_id": {"type": "string"},
    "ce_source": {"type": "string"},
    "ce_type": {"type": "string"},
    "ce_time": {"type": "string", "format": "date-time"},
}
TRACE = {"traceparent": {"type": "string"}, "tracestate": {"type": "string"}}
SUMMARIES: dict[TopicRole, str] = {
    "orders": "Order lines, cancellations, time passing",
    "inventory": "Counts, adjustments, receipts, answers to requests",
    "catalog": "Terms of stock keys; compacted",
    "signals": "Plans and measurements beside demand: promotions, prices, numbers of your own",
    "restock": "Requests to replenish",
    "demand": "Demand of closed buckets, and corrections",
    "dead-letter": "Refused records with the reason",
    "suppliers": "Terms of suppliers, where orders are joint; compacted",
    "proposals": "Requests before a buyer orders them jointly; short supply",
    "joint-orders": "Joint orders, and proposals that did not go as proposed",
}
RECEIVED: tuple[TopicRole, ...] = ("orders", "inventory", "catalog", "signals", "suppliers", "proposals")


def document() -> Schema:
    """Return the document, from the product's point of view: it receives orders and sends requests."""
    roles = list(SUMMARIES)
    return {
        "asyncapi": ASYNCAPI,
        "info": {
            "title": "Restock",
            "version": version("restock"),
            "description": "Addresses are roles; RESTOCK_TOPIC_PREFIX goes before them. See docs/reference/topics.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {role: _channel(role) for role in roles},
        "operations": {_operation_name(role): _operation(role) for role in roles},
        "components": {"messages": {role: _message(role) for role in roles}},
    }


def _channel(role: TopicRole) -> Schema:
    kafka: dict[str, Any] = {"bindingVersion": KAFKA_BINDING}
    configuration = _configuration(role)
    if configuration:
        kafka["topicConfiguration"] = configuration
    return {
        "address": role,
        "summary": SUMMARIES[role],
        "messages": {role: {"$ref": f"#/components/messages/{role}"}},
        "bindings": {"kafka": kafka},
    }


def _configuration(role: TopicRole) -> Schema:
    """Return what the binding has a name for of a topic's configuration."""
    configs = TOPIC_CONFIGS[role]
    found: Schema = {}
    if "cleanup.policy" in configs:
        found["cleanup.policy"] = configs["cleanup.policy"].split(",")
    if "retention.ms" in configs:
        found["retention.ms"] = int(configs["retention.ms"])
    return found


def _operation_name(role: TopicRole) -> str:
    return f"{'receive' if role in RECEIVED else 'send'}-{role}"


def _operation(role: TopicRole) -> Schema:
    return {
        "action": "receive" if role in RECEIVED else "send",
        "channel": {"$ref": f"#/channels/{role}"},
        "summary": SUMMARIES[role],
        "messages": [{"$ref": f"#/channels/{role}/messages/{role}"}],
    }


def _message(role: TopicRole) -> Schema:
    key = PARTITION_KEY if role == "demand" else SUPPLIER if role in JOINT_ROLES else STOCK_KEY
    message: Schema = {
        "name": role,
        "title": SUMMARIES[role],
        "contentType": "application/json",
        "payload": {"$ref": f"./{role}.schema.json"},
        "bindings": {"kafka": {"key": key, "bindingVersion": KAFKA_BINDING}},
    }
    if role == "dead-letter":
        # the original as it was: of any content, key and type
        return {**message, "contentType": "application/octet-stream", "payload": {}, "bindings": {}, **_error_headers()}
    if role in RECEIVED:
        return message
    required = sorted(CLOUD_EVENT)
    traced = CLOUD_EVENT | TRACE if role == "restock" else CLOUD_EVENT
    return {**message, "headers": {"type": "object", "required": required, "properties": traced}}


def _error_headers() -> Schema:
    properties: Schema = {name: {"type": "string"} for name in sorted(ERROR_HEADERS)}
    properties["restock.error.code"] = {"enum": [code.value for code in Code]}
    return {"headers": {"type": "object", "required": sorted(ERROR_HEADERS), "properties": properties}}
