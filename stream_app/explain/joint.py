"""What a buyer made of a request: which joint order it belongs to, or which location gives."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def proposed_quantity(request: Mapping[str, Any]) -> int:
    """Return what the worker asked for, of which a buyer may have ordered less.

    Example:
        >>> proposed_quantity({"quantity": 12, "joint": {"proposed_quantity": 24}}), proposed_quantity({"quantity": 5})
        (24, 5)
    """
    proposed: int = request.get("joint", request).get("proposed_quantity", request["quantity"])
    return proposed


def joint_sentences(request: Mapping[str, Any]) -> list[str]:
    """Return what a buyer did, in sentences; none where there is no buyer.

    Example:
        >>> joint_sentences({"quantity": 5, "source_location": "east"})
        ['Nothing is bought: east gives it, which has more than it needs.']
    """
    if "source_location" in request:
        return [f"Nothing is bought: {request['source_location']} gives it, which has more than it needs."]
    if "joint" not in request:
        return []
    joint = request["joint"]
    placed_at = f"{datetime.fromisoformat(joint['placed_at']):%Y-%m-%d %H:%M}"
    told = f"It was placed on {placed_at} as part of joint order {joint['joint_order_id']}"
    less = request["quantity"] < joint["proposed_quantity"]
    proposed = f"{joint['proposed_quantity']:,}"
    return [f"{told}, with less than the {proposed} proposed: the supplier is short." if less else f"{told}."]
