"""An independent judge of withdrawals: each has a cancellation as its cause and is needless. No product code here."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tests.e2e.checker import Logged


def judge_withdrawals(
    published: list[Logged],
    orders: list[Logged],
    inventory: list[Logged],
    net_units_at: Callable[[tuple[int, int]], int],
) -> int:
    """Require of each withdrawal that the rules ask for it; return how many there are.

    Args:
        published: Records of ``restock``, by partition and offset.
        orders: Records of ``orders``.
        inventory: Records of ``inventory``, of which only acceptances matter here.
        net_units_at: Stock of a line's key without requests, just after the line (partition, offset).
    """
    lines = {(one.partition, one.offset): one for one in orders}
    asked: dict[bytes, dict[str, int]] = defaultdict(dict)
    withdrawn: dict[str, int] = {}
    seen: set[tuple[str, int]] = set()
    for record in published:
        request, key = record.fields, record.key or b""
        restock_id = request["restock_id"]
        if (restock_id, request["revision"]) in seen:
            continue
        seen.add((restock_id, request["revision"]))
        if request["revision"] == 1:
            assert request["quantity"] > 0 and "withdrawn" not in request
            asked[key][restock_id] = request["quantity"]
            continue
        assert (request["revision"], request["quantity"], request["withdrawn"]) == (2, 0, "needless")
        cause = _cause(request, key, lines)
        answered = _answered(request, cause.partition, inventory)
        assert restock_id not in answered, f"{restock_id} was taken back after it was accepted"
        withdrawn[restock_id] = asked[key].pop(restock_id)
        # what was accepted after it had been taken back counts again
        revived = sum(units for one, units in answered.items() if one in withdrawn and _is_of(one, key, published))
        position = net_units_at((cause.partition, cause.offset)) + sum(asked[key].values()) + revived
        assert request["evidence"]["inventory_position"] == position > request["evidence"]["reorder_point"], request
    return len(withdrawn)


def _cause(request: dict[str, Any], key: bytes, lines: dict[tuple[int, int], Logged]) -> Logged:
    """Return the cancellation of the key that a withdrawal names as its last applied line."""
    offset = request["evidence"]["positions"]["orders"] - 1
    (cause,) = (one for (_, at), one in lines.items() if at == offset and one.key == key)
    assert cause.fields["type"] == "order_cancelled"
    return cause


def _answered(request: dict[str, Any], partition: int, inventory: list[Logged]) -> dict[str, int]:
    """Return the units of requests whose acceptance was applied before a decision."""
    end = request["evidence"]["positions"].get("inventory", 0)
    applied = [one.fields for one in inventory if one.partition == partition and one.offset < end]
    return {one["restock_id"]: one["quantity"] for one in applied if one["type"] == "restock_accepted"}


def _is_of(restock_id: str, key: bytes, published: list[Logged]) -> bool:
    return any(one.key == key and one.fields["restock_id"] == restock_id for one in published)
