"""Why nothing was requested for a stock key: the first reason of the rules that holds, from the stored rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from replenishment.engine.progress import UNKNOWN, Progress
from replenishment.engine.rows import NEVER
from replenishment.policy import OrderLimits, Policy, ServiceKind, lot_quantity, order_quantity
from replenishment.quantiles import ProtectionDemand
from replenishment.stock import StockKnowledge
from stream_app.explain.sentences import minute, target
from stream_app.inspect import KeyRows, KeyState
from stream_app.wire.times import shown

DAY_MS = 86_400_000


class Why(StrEnum):
    """What keeps a key from being requested, in the order in which it is looked for."""

    NOT_DECIDING = "not_deciding"
    PAUSED = "paused"
    NO_LEVELS = "no_levels"
    UNKNOWN_STOCK = "unknown_stock"
    INACTIVE = "inactive"
    HELD = "held"
    ENOUGH = "enough"
    NOT_FEASIBLE = "not_feasible"
    COOLING_DOWN = "cooling_down"
    NOT_REVIEWED_YET = "not_reviewed_yet"
    DUE = "due"


@dataclass(frozen=True, slots=True)
class Silence:
    """Why nothing was requested, in one word and in sentences."""

    why: Why
    sentences: Sequence[str]


@dataclass(frozen=True, slots=True)
class Known:
    """All that is read of a key: what is shown of it, its rows, its partition's progress, and the stop button.

    ``waiting_units`` of what is pending wait for approval.
    """

    state: KeyState
    rows: KeyRows
    progress: Progress
    is_paused: bool
    max_request_ratio: float
    waiting_units: int = 0


def silence(known: Known) -> Silence:
    """Return why nothing is requested for a stock key at present."""
    why, reason = _why(known)
    return Silence(why, [*_standing(known), reason])


def _why(known: Known) -> tuple[Why, str]:
    for look in (_at_rest, _of_the_key, _of_its_position):
        found = look(known)
        if found is not None:
            return found
    return Why.DUE, (
        "A request is due: it follows the next order line, count or closing of a bucket. If none comes, is a worker "
        "running, and not with --observe?"
    )


def _at_rest(known: Known) -> tuple[Why, str] | None:
    progress, derived = known.progress, known.rows.derived
    if not progress.is_deciding:
        begun = (
            "no order has arrived" if progress.clock == UNKNOWN else f"orders have come to {_minute(progress.clock)}"
        )
        return Why.NOT_DECIDING, (
            f"Deciding begins at {_minute(progress.decide_from)} of event time and {begun}: until then nothing is "
            "requested."
        )
    if known.is_paused:
        return Why.PAUSED, "All requests are held back by `restock pause`; `restock resume` lets them go."
    if derived["stepped_bucket"] == NEVER:
        return Why.NO_LEVELS, "No bucket of this key has closed, so there is no forecast and no level to order by."
    return None


def _of_the_key(known: Known) -> tuple[Why, str] | None:
    hot, terms = known.rows.hot, known.rows.terms
    if hot["stock"] == StockKnowledge.UNKNOWN:
        return Why.UNKNOWN_STOCK, "Its stock is not known: it is assumed at the next closing, or counted before."
    if not terms["is_active"]:
        return Why.INACTIVE, "The catalog says active = false: nothing is requested for it."
    if hot["is_held"]:
        return Why.HELD, "Its last request was refused: the next one may follow at the next closing of a bucket."
    return None


def _of_its_position(known: Known) -> tuple[Why, str] | None:
    derived, position = known.rows.derived, known.state.inventory_position
    reorder_point = int(derived["reorder_point"])
    if position > reorder_point:
        return Why.ENOUGH, _enough(known, position, reorder_point)
    reason = _infeasible(known, position)
    if reason is not None:
        return Why.NOT_FEASIBLE, f"An order is due, and its limits forbid it: {reason}. Correct the catalog."
    if known.rows.hot["is_cooling"]:
        return Why.COOLING_DOWN, (
            f"An order is due, and the cool-down of {int(known.rows.terms['cool_down_buckets'])} buckets withholds it:"
            " it would follow a larger request too soon."
        )
    if derived["review_period_days"] > 0:
        return Why.NOT_REVIEWED_YET, (
            f"An order is due, and is made at the next review: every {derived['review_period_days']:g} days, next at "
            f"the closing of the bucket that ends at or after {_minute(_next_review(known))}."
        )
    return None


def _enough(known: Known, position: int, reorder_point: int) -> str:
    derived = known.rows.derived
    demand = ProtectionDemand(known.progress.quantile_levels, derived["curve"][None, :].astype(float))
    expected = float(demand.mean()[0])
    daily = expected / int(derived["protection_buckets"]) * 86_400 / known.state.bucket_seconds
    sentence = f"The position of {position:,} is above the reorder point of {reorder_point:,}."
    if daily <= 0:
        return f"{sentence} No demand is expected."
    days = (position - reorder_point) / daily
    return f"{sentence} At the {daily:,.1f} units a day that are expected it is reached in about {days:,.0f} days."


def _infeasible(known: Known, position: int) -> str | None:
    derived, terms, ratio = known.rows.derived, known.rows.terms, known.max_request_ratio
    limits = OrderLimits(
        int(terms["minimum_units"]) or None, int(terms["pack_units"]) or 1, int(terms["maximum_units"]) or None
    )
    if derived["policy"] == Policy.S_NQ:
        lot = int(derived["order_quantity_units"])
        return lot_quantity(position, int(derived["reorder_point"]), lot, limits, ratio).reason
    return order_quantity(position, int(derived["order_up_to_level"]), limits, ratio).reason


def _next_review(known: Known) -> int:
    """Return the first decide_from + n periods after the last closed bucket."""
    period = max(round(float(known.rows.derived["review_period_days"]) * DAY_MS), 1)
    begun = known.progress.decide_from
    passed = max((known.progress.closed_through - begun) // period, -1)
    return int(begun + (passed + 1) * period)


def _standing(known: Known) -> list[str]:
    """Say what the position is made of, and what the levels mean."""
    stock, derived = known.state.inventory, known.rows.derived
    assumed = " (assumed, not counted yet)" if stock.assumed else ""
    sentences = [
        f"The inventory position of {known.state.sku} in {known.state.location} is"
        f" {known.state.inventory_position:,} = {stock.on_hand:,} on hand{assumed} - {stock.backorders:,} owed"
        f" + {stock.on_order:,} on order + {stock.in_transit:,} in transit + {stock.pending:,} pending."
    ]
    if known.waiting_units:
        sentences.append(f"Of those, {known.waiting_units:,} wait for approval: `restock queue` lists them.")
    if derived["stepped_bucket"] != NEVER:
        sentences.append(_levels(known, derived))
    return sentences


def _levels(known: Known, derived: Any) -> str:
    policy = Policy(int(derived["policy"])).notation
    kind = ServiceKind(int(derived["service_kind"])).label
    promise = target(kind, float(derived["service_level"]))
    return (
        f"Under {policy} an order is due at {int(derived['reorder_point']):,} or below, up to"
        f" {int(derived['order_up_to_level']):,}: demand over {int(derived['protection_buckets'])} buckets"
        f" {promise}. Forecast by {known.state.model_version}."
    )


def _minute(at: int) -> str:
    return minute(shown(at))
