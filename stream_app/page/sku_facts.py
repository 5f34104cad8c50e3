"""One stock key as its page writes it: the numbers of the one-line reason, and the lines of its requests."""

from collections.abc import Mapping, Sequence
from typing import Any

from stream_app.page.one_sku import OneSku
from stream_app.page.queue import RequestLine
from stream_app.page.writing import decimal, moment, units

MOST_REQUESTS = 20


def facts_of(one: OneSku) -> Mapping[str, str]:
    """Return the numbers of the one-line reason."""
    state = one.state
    days = None if state.reorder_point is None else one.days(state.inventory_position - state.reorder_point)
    return {
        "position": units(state.inventory_position),
        "reorder": "–" if state.reorder_point is None else units(state.reorder_point),
        "daily": "–" if one.daily_units is None else decimal(one.daily_units),
        "days": "∞" if days == float("inf") else "–" if days is None else decimal(days),
    }


def request_rows(one: OneSku, still_open: Sequence[RequestLine]) -> Sequence[Mapping[str, Any]]:
    """Return the open requests of a key, then those of the last that are settled, the youngest first."""
    told = {request["restock_id"]: request for request in one.requests}
    status = {line.restock_id: "expired" if line.is_expired else line.status for line in still_open}
    quantities = {line.restock_id: line.open_units + line.received for line in still_open}
    ids = [line.restock_id for line in reversed(still_open)]
    ids += [restock_id for restock_id in reversed(told) if restock_id not in status]
    return [
        {
            "restock_id": restock_id,
            "status": status.get(restock_id) or _end(one.taken_back.get(restock_id)),
            "decided": moment(told[restock_id]["decided_at"]) if restock_id in told else "–",
            "needed_by": moment(told[restock_id]["needed_by"]) if restock_id in told else "–",
            "quantity": units(told[restock_id]["quantity"] if restock_id in told else quantities[restock_id]),
        }
        for restock_id in ids[:MOST_REQUESTS]
    ]


def _end(reason: str | None) -> str:
    """Return the status of a request of which nothing is expected any more."""
    return {None: "settled", "declined": "declined"}.get(reason, "withdrawn")
