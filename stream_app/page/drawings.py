"""Charts of what the pages show, with their texts in the reader's language."""

from collections.abc import Mapping, Sequence
from typing import Any

from stream_app.inspect import KeyState
from stream_app.page.charts import ladder, loss_chart
from stream_app.page.languages import said
from stream_app.page.shapes import Chart
from stream_app.page.versions import VersionLine
from stream_app.page.writing import decimal, share, units

PARTS = ("on_hand", "on_order", "in_transit", "pending")
EVIDENCE = (
    "on_hand",
    "backorders",
    "on_order",
    "in_transit",
    "pending",
    "inventory_position",
    "policy",
    "service_level",
    "lead_time_days",
    "protection_buckets",
    "expected_units",
    "reorder_point",
    "order_up_to_level",
    "raw_units",
    "minimum_units",
    "pack_units",
    "maximum_units",
    "textbook_units",
)
"""Fields of a request's evidence that are shown, in the order in which they make the quantity."""


def ladder_of(state: KeyState, language: str) -> Chart:
    """Return the position of a stock key beside its levels."""
    stock = state.inventory
    numbers = {name: getattr(stock, name) for name in PARTS}
    return _ladder(numbers, stock.backorders, state.reorder_point, state.order_up_to_level, language)


def position_ladder(evidence: Mapping[str, Any], language: str) -> Chart:
    """Return the position that a request was decided at beside its levels."""
    return _ladder(evidence, evidence["backorders"], evidence["reorder_point"], evidence["order_up_to_level"], language)


def _ladder(
    numbers: Mapping[str, int], owed: int, reorder_point: int | None, up_to: int | None, language: str
) -> Chart:
    """Return parts from left to right; what is owed is taken from what comes."""
    left, parts = owed, []
    for name in PARTS:
        shown = max(numbers[name] - left, 0)
        left -= numbers[name] - shown
        parts.append((name, shown, f"{said(language, f'part.{name}')}: {units(numbers[name])}"))
    levels = [
        (kind, level, f"{said(language, name)} {units(level)}")
        for kind, level, name in (
            ("reorder", reorder_point, "field.reorder_point"),
            ("up-to", up_to, "field.order_up_to_level"),
        )
        if level is not None
    ]
    return ladder(parts, levels)


def accuracy_of(lines: Sequence[VersionLine]) -> tuple[Chart | None, int]:
    """Return the loss of each version at the shortest lead that any has, oldest first, and that lead, 0 if none has."""
    leads = [one.lead_buckets for line in lines for one in line.accuracy]
    if not leads:
        return None, 0
    lead = min(leads)
    found = [(line.data_until, one) for line in reversed(lines) for one in line.accuracy if one.lead_buckets == lead]
    return loss_chart([(until, one.loss, one.average_loss) for until, one in found]), lead


def evidence_rows(request: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Return what led to a request's quantity, name and number as people read it; what does not apply is left out."""
    evidence = request["evidence"]
    rows = [(name, _shown(name, evidence[name])) for name in EVIDENCE if evidence.get(name) is not None]
    return [*rows, ("quantity", units(request["quantity"])), ("model_version", request["model_version"])]


def _shown(name: str, value: Any) -> str:
    if name == "service_level":
        return share(value)
    if isinstance(value, str):
        return value
    return units(value) if isinstance(value, int) else decimal(value)
