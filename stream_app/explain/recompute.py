"""The quantity of a request computed again from its evidence, by the functions that made it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from replenishment.policy import LimitStep, OrderLimits, Rounding, limit_steps
from stream_app.explain.joint import proposed_quantity


@dataclass(frozen=True, slots=True)
class Recomputed:
    """Each number of a decision, from the facts before it; ``steps`` is what each limit left."""

    inventory_position: int
    reorder_point: int
    order_up_to_level: int
    raw_units: int
    steps: Sequence[LimitStep]
    quantity: int

    def differences(self, request: Mapping[str, Any]) -> list[str]:
        """Return a sentence for each number that is not what the request says."""
        told = {**request["evidence"], "quantity": proposed_quantity(request)}
        names = ("inventory_position", "reorder_point", "order_up_to_level", "raw_units", "quantity")
        return [
            f"{name.replace('_', ' ')} is {told[name]:,} in the request and {getattr(self, name):,} from its evidence"
            for name in names
            if told[name] != getattr(self, name)
        ]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "steps": [step._asdict() for step in self.steps]}


def recomputed(evidence: Mapping[str, Any]) -> Recomputed:
    """Return the decision that the evidence of a request makes.

    Source:
        The rules of ``replenishment.policy``: whole units of the unrounded
        levels, what is missing or whole lots, then the limits in their order.
    """
    position = (
        evidence["on_hand"]
        - evidence["backorders"]
        + evidence["on_order"]
        + evidence["in_transit"]
        + evidence["pending"]
    )
    reorder_point, upto = _levels(evidence)
    lot = evidence["order_quantity_units"]
    raw = ceil((reorder_point + 1 - position) / lot) * lot if evidence["policy"] == "(s,nQ)" else upto - position
    limits = OrderLimits(
        evidence["minimum_units"],
        evidence["pack_units"],
        evidence["maximum_units"],
        # requests from before there were these terms know none
        Rounding[evidence.get("rounding", "up").upper()],
        evidence.get("shelf_life_units"),
    )
    steps = limit_steps(raw, limits, evidence["cap_units"], position)
    return Recomputed(position, reorder_point, upto, raw, steps, steps[-1].units)


def _levels(evidence: Mapping[str, Any]) -> tuple[int, int]:
    reorder, upto = ceil(evidence["reorder_units"]), ceil(evidence["order_up_to_units"])
    match evidence["policy"]:
        case "(R,S)":
            return upto - 1, upto
        case "(s,nQ)":
            return reorder, reorder + evidence["order_quantity_units"]
    return reorder, max(upto, reorder)
