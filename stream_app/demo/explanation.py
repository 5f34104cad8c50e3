"""One restock request in sentences: what was known, what the rule says, what the warehouse did."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any


def explained(request: Mapping[str, Any], product: str, answers: Iterable[Mapping[str, Any]]) -> Sequence[str]:
    """Return the sentences that explain a request.

    Args:
        request: Value of a record on ``restock``.
        product: What the SKU is called.
        answers: Values of the records on ``inventory`` that answer it.
    """
    evidence = request["evidence"]
    return [
        (
            f"{request['quantity']:,} units of {request['sku']} ({product}) for {request['location']} were requested"
            f"{_from(request['supplier'])} on {_minute(request['decided_at'])},"
            f" needed by {_minute(request['needed_by'])}."
        ),
        _position(evidence),
        _reorder_point(evidence),
        _quantity(request, evidence),
        _origin(request, evidence),
        *_answers(answers),
    ]


def _from(supplier: str) -> str:
    return f" from {supplier}" if supplier else ""


def _position(evidence: Mapping[str, Any]) -> str:
    stock = f"{evidence['on_hand']:,} on hand"
    if evidence["stock_assumed"]:
        stock += " (assumed at the start, not counted yet)"
    return (
        f"Just before, the inventory position was {evidence['inventory_position']:,} = {stock}"
        f" - {evidence['backorders']:,} owed + {evidence['on_order']:,} on order"
        f" + {evidence['in_transit']:,} in transit + {evidence['pending']:,} pending."
    )


def _reorder_point(evidence: Mapping[str, Any]) -> str:
    return (
        f"That is at or below the reorder point of {evidence['reorder_point']:,}: what demand over the next"
        f" {evidence['protection_buckets']} buckets of {evidence['bucket_seconds'] / 3600:g} h"
        f" (lead time {evidence['lead_time_days']:g} days, then the bucket in which it arrives) stays within"
        f" with a probability of {evidence['service_level']:.0%}."
        f" Expected are {evidence['expected_units']:,.0f} units."
    )


def _quantity(request: Mapping[str, Any], evidence: Mapping[str, Any]) -> str:
    limits = [
        f"{name} {evidence[field]:,}"
        for name, field in (("minimum", "minimum_units"), ("pack", "pack_units"), ("maximum", "maximum_units"))
        if evidence[field] is not None and (field, evidence[field]) != ("pack_units", 1)
    ]
    missing = (
        f"Missing up to the order-up-to level of {evidence['order_up_to_level']:,}"
        f" (the same over the lead time and {evidence['cover_buckets']} buckets of cover): {evidence['raw_units']:,}"
    )
    if request["quantity"] == evidence["raw_units"]:
        return f"{missing}, and so many were requested."
    reasons = ", ".join(limits) or "cap on a single request"
    return f"{missing}; requested after limits ({reasons}): {request['quantity']:,}."


def _origin(request: Mapping[str, Any], evidence: Mapping[str, Any]) -> str:
    positions = ", ".join(f"{topic} {offset:,}" for topic, offset in sorted(evidence["positions"].items()))
    return (
        f"Forecast by {request['model_version']} ({evidence['model_rung']}) with demand known up to"
        f" {_minute(evidence['forecast_origin'])}; decided at offsets {positions} of the partition."
    )


def _answers(answers: Iterable[Mapping[str, Any]]) -> Sequence[str]:
    told = [
        f"{answer['type'].removeprefix('restock_').removeprefix('stock_')} {answer['quantity']:,} units"
        f" on {_minute(answer['event_time'])}"
        for answer in sorted(answers, key=lambda answer: str(answer["event_time"]))
    ]
    return [f"The warehouse {', '.join(told)}."] if told else ["The warehouse has not answered yet."]


def _minute(time: str) -> str:
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M}"
