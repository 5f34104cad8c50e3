"""Plans and measurements from the topic ``signals``: the records that workers take, under the rules of a file."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from model_store.training.demand_reader import Progress, new_records
from model_store.training.signals_file import TEXTS, SignalsFile, signals_of
from replenishment.signals import PRICE, PROMOTION


def read_signals_topic(
    bootstrap: str, topic: str, ahead: Sequence[str], after: Sequence[str], progress: Progress
) -> SignalsFile | None:
    """Return the plans and measurements of a topic on a Kafka server, None if it names no channel yet.

    Args:
        bootstrap: Bootstrap servers, ``host:port[,host:port…]``.
        topic: Real name of the topic.
        ahead: Fields of numbers, beside ``promotion`` and ``price``, that are known ahead.
        after: Fields of numbers that are known when their bucket has closed.
        progress: Is told of records read.

    Raises:
        UnusableHistory: If the server does not answer, or the topic is missing.
    """
    return told((one.value for one in new_records(bootstrap, topic, {}, progress)), topic, ahead, after)


def told(values: Iterable[bytes], source: str, ahead: Sequence[str], after: Sequence[str]) -> SignalsFile | None:
    """Return what records say, in the order in which they were written; those that no worker takes are left out."""
    rows = [row for row in map(_fields, values) if row is not None]
    channels = [name for name in (PROMOTION, PRICE) if any(name in row for row in rows)]
    channels = list(dict.fromkeys((*channels, *ahead, *after)))
    if not rows or not channels:
        return None
    columns = {name: [_text(row.get(name)) for row in rows] for name in TEXTS}
    columns |= {name: [_number(row.get(name)) for row in rows] for name in channels}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return signals_of(frame, source, ahead, after, leaves_out_wrong=True)


def _fields(value: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if isinstance(found, dict) and isinstance(found.get("data"), dict) and "specversion" in found:
        found = found["data"]
    return {name: one for name, one in found.items() if one is not None} if isinstance(found, dict) else None


def _text(value: object) -> str | None:
    """Return a text, or a time in epoch milliseconds, as a file has it."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _number(value: object) -> str | None:
    """Return a number or a flag as a file has it."""
    return json.dumps(value) if isinstance(value, bool | int | float) else None
