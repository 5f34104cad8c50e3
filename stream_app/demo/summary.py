"""The summary: counts of every topic, one request explained in full, and the live days beside a min/max rule."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from replenishment.simulation import DAY_MS, Account, Days, MinMaxRule, Movements, account, play_min_max
from stream_app.demo.explanation import explained
from stream_app.demo.ledger import (
    Record,
    RequestCount,
    count_rejected,
    count_requests,
    daily_demand,
    order_movements,
    read_topic,
    receipt_movements,
)
from stream_app.demo.order_book import LOCATION
from stream_app.demo.package_orders import PRODUCTS
from stream_app.demo.play import LEAD_TIME_DAYS, LIVE
from stream_app.demo.story import Played


@dataclass(frozen=True, slots=True)
class Comparison:
    """The live days as they were and as the min/max rule would have played them, over ``keys`` stock keys."""

    ours: Account
    min_max: Account
    keys: int
    keys_left_out: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What the topics say when the live days are over."""

    requests: RequestCount
    receipts: int
    orders_rejected: int
    comparison: Comparison
    explanation: Sequence[str]


def summarised(bootstrap: str, played: Played) -> Summary:
    """Read all topics to their ends and return what they say."""
    restock = list(read_topic(bootstrap, "restock"))
    inventory = list(read_topic(bootstrap, "inventory"))
    answers = {one["event_id"]: one for one in map(_value, inventory)}
    return Summary(
        requests=count_requests(restock),
        receipts=sum(one["type"] == "stock_received" for one in answers.values()),
        orders_rejected=count_rejected(read_topic(bootstrap, "dead-letter"), "orders"),
        comparison=_compared(played, read_topic(bootstrap, "orders", played.opening.order_offsets), inventory),
        explanation=_explained([_value(record) for record in restock], list(answers.values())),
    )


def _value(record: Record) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(record.value)
    return value


def _compared(played: Played, orders: Iterable[Record], inventory: Iterable[Record]) -> Comparison:
    rule = MinMaxRule(LEAD_TIME_DAYS)
    rows = {key: row for row, key in enumerate(played.opening.on_hand)}
    opening = np.array(list(played.opening.on_hand.values()), dtype=np.int64)
    before = Days(LIVE.start_at - rule.history_days * DAY_MS, rule.history_days)
    known = daily_demand(played.book.events, rows, LOCATION, before)
    lines = order_movements(orders, rows, LIVE)
    received = receipt_movements(inventory, rows, LIVE)
    by_rule = play_min_max(rule, opening, known, lines, LIVE)
    return Comparison(
        ours=account(opening, Movements.joined([received, lines]), LIVE),
        min_max=account(opening, Movements.joined([by_rule, lines]), LIVE),
        keys=len(rows),
        keys_left_out=len(played.book.skus) - len(rows),
    )


def _explained(requests: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """The request for most units of those that were received, in sentences."""
    received = {one["restock_id"] for one in answers if one["type"] == "stock_received"}
    known = [one for one in requests if one["restock_id"] in received] or list(requests)
    if not known:
        return ["Nothing was requested."]
    request = max(known, key=lambda one: (one["evidence"]["expected_units"], one["restock_id"]))
    names = dict(pl.read_parquet(PRODUCTS).iter_rows())
    its_answers = [one for one in answers if one.get("restock_id") == request["restock_id"]]
    return explained(request, names.get(request["sku"], "unnamed"), its_answers)


def comparison_lines(made: Comparison) -> list[str]:
    """Return the comparison as a table, and what must be known to read it."""
    rows = (("Restock", made.ours), ("min/max rule", made.min_max))
    return [
        f"{'':14}{'fill rate':>10}{'days of stock':>15}",
        *(f"{name:14}{one.fill_rate:>10.1%}{one.days_of_stock:>15.1f}" for name, one in rows),
        (
            f"Same orders, same opening stock, lead time {LEAD_TIME_DAYS} days, shortage becomes backorders;"
            f" {made.keys:,} SKUs ({made.keys_left_out:,} first sold in these days are left out)."
        ),
        "Restock reviews after every order line, min/max at the end of each day.",
    ]
