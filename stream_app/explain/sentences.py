"""The evidence of one request in sentences: what was known, what the rule says, what each limit did."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

LIMIT_NAMES = (("minimum", "minimum_units"), ("pack", "pack_units"), ("maximum", "maximum_units"))


def request_sentences(request: Mapping[str, Any], product: str | None = None) -> Sequence[str]:
    """Return the sentences that explain a request.

    Args:
        request: Value of a record on ``restock``.
        product: What the SKU is called, if that is known.
    """
    evidence = request["evidence"]
    named = f" ({product})" if product else ""
    return [
        (
            f"{request['quantity']:,} units of {request['sku']}{named} for {request['location']} were requested"
            f"{_from(request['supplier'])} on {minute(request['decided_at'])},"
            f" needed by {minute(request['needed_by'])}."
        ),
        _position(evidence),
        _level(evidence) + _plans(evidence),
        _quantity(request, evidence),
        _origin(request, evidence),
    ]


def withdrawal_sentence(withdrawal: Mapping[str, Any]) -> str:
    """Return why a request was taken back.

    Args:
        withdrawal: Value of the record on ``restock`` whose quantity is 0.
    """
    evidence = withdrawal["evidence"]
    return (
        f"It was taken back on {minute(withdrawal['decided_at'])}, before anybody answered: orders were cancelled, and"
        f" without it the inventory position of {evidence['inventory_position']:,} is above the reorder point of"
        f" {evidence['reorder_point']:,}, so that nothing is due."
    )


def textbook_sentence(evidence: Mapping[str, Any]) -> str:
    """Return what the textbook would have ordered."""
    return (
        "Mean and deviation of the last 28 days with a normal quantile would have ordered "
        f"{evidence['textbook_units']:,} units."
    )


def minute(time: str) -> str:
    """Return a time as people write it, UTC, to the minute."""
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M}"


def target(kind: str, level: float) -> str:
    """Return what a service target promises.

    Example:
        >>> target("fill", 0.95)
        'keeps the share of demand met from stock at 95%'
    """
    share = f"{level:.2%}".replace(".00%", "%")
    match kind:
        case "fill":
            return f"keeps the share of demand met from stock at {share}"
        case "cost":
            return "costs least in holding and shortage"
        case "newsvendor":
            return f"stays within with the probability of {share} that the costs make best"
        case _:
            return f"stays within with a probability of {share}"


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


def _level(evidence: Mapping[str, Any]) -> str:
    """Say why something was due at this position."""
    interval = f"the next {evidence['protection_buckets']} buckets of {evidence['bucket_seconds'] / 3600:g} h"
    expected = f" Expected are {evidence['expected_units']:,.0f} units."
    promise = target(evidence["service_kind"], evidence["service_level"])
    if evidence["policy"] == "min/max":
        return (
            f"That is at or below the textbook's minimum of {evidence['reorder_point']:,}: mean and a normal quantile"
            f" of the last 28 days over {interval}.{expected}"
        )
    is_periodic = evidence["policy"] == "(R,S)"
    until = "until what the next review requests arrives" if is_periodic else "the bucket in which it arrives"
    demand = f"demand over {interval} (lead time {_lead_time(evidence)}, then {until})"
    subject = (
        f"what {demand}" if evidence["service_kind"] in ("cycle", "newsvendor") else f"the stock that for {demand}"
    )
    level = (
        f"At a review that is below the order-up-to level of {evidence['order_up_to_level']:,}"
        if is_periodic
        else f"That is at or below the reorder point of {evidence['reorder_point']:,}"
    )
    return f"{level}: {subject} {promise}.{expected}"


def _plans(evidence: Mapping[str, Any]) -> str:
    """Say what plans add to expected demand, or take off it; nothing where nothing is planned."""
    units = evidence.get("planned_units") or 0.0
    if not units:
        return ""
    without = evidence["expected_units"] - units
    change = f"{abs(units):,.0f} {'more' if units > 0 else 'fewer'}"
    return f" Planned promotions, prices and the like make that {change}: without them it would be {without:,.0f}."


def _lead_time(evidence: Mapping[str, Any]) -> str:
    """Say the catalog's lead time, and what deliveries made of it if they disagree; older requests know none."""
    days, observed = f"{evidence['lead_time_days']:g} days", evidence.get("deliveries_observed", 0)
    is_promise = (
        evidence.get("lead_time_mean_buckets") == evidence["lead_time_days"] * 86_400 / evidence["bucket_seconds"]
    )
    if not evidence.get("lead_time_deviation_buckets") or (not observed and is_promise):
        return days
    per_day = evidence["bucket_seconds"] / 86_400
    mean, deviation = evidence["lead_time_mean_buckets"] * per_day, evidence["lead_time_deviation_buckets"] * per_day
    if not observed:
        return f"{days} by the catalog, {mean:.1f} ± {deviation:.1f} days as suppliers deliver"
    took = "1 delivery" if observed == 1 else f"{observed:,} deliveries"
    return f"{days} by the catalog, {mean:.1f} ± {deviation:.1f} days after {took}"


def _quantity(request: Mapping[str, Any], evidence: Mapping[str, Any]) -> str:
    limits = [
        f"{name} {evidence[field]:,}"
        for name, field in LIMIT_NAMES
        if evidence[field] is not None and (field, evidence[field]) != ("pack_units", 1)
    ]
    missing = _missing(evidence)
    if request["quantity"] == evidence["raw_units"]:
        return f"{missing}, and so many were requested."
    reasons = ", ".join(limits) or "cap on a single request"
    return f"{missing}; requested after limits ({reasons}): {request['quantity']:,}."


def _missing(evidence: Mapping[str, Any]) -> str:
    raw, upto = f"{evidence['raw_units']:,}", f"{evidence['order_up_to_level']:,}"
    match evidence["policy"]:
        case "(s,nQ)":
            return f"Whole lots of {evidence['order_quantity_units']:,} that lift it above the reorder point: {raw}"
        case "(R,S)":
            return f"Missing up to that level: {raw}"
        case "min/max":
            return f"Missing up to the maximum of {upto} (mean demand of the cover on top): {raw}"
    cover = f"{evidence['cover_buckets']} buckets of cover"
    if evidence["service_kind"] in ("fill", "cost"):
        return f"Missing up to the order-up-to level of {upto} (expected demand of {cover} on top): {raw}"
    return f"Missing up to the order-up-to level of {upto} (the same over the lead time and {cover}): {raw}"


def _origin(request: Mapping[str, Any], evidence: Mapping[str, Any]) -> str:
    positions = ", ".join(f"{topic} {offset:,}" for topic, offset in sorted(evidence["positions"].items()))
    return (
        f"Forecast by {request['model_version']} ({evidence['model_rung']}) with demand known up to"
        f" {minute(evidence['forecast_origin'])}; decided at offsets {positions} of the partition."
        f"{_newness(evidence)}"
    )


def _newness(evidence: Mapping[str, Any]) -> str:
    """Say that the SKU was new; requests from before there was the flag do not tell."""
    if not evidence.get("cold_start"):
        return ""
    return " The SKU is new: where the version knows its category, the forecast leans on what others of it sold."
