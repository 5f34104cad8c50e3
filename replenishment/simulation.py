"""The trade over recorded demand: an account of how stock served its customers, and the textbook's min/max rule.

One account measures every policy, so that what ran on the stream and what is
played here are compared alike. Shortage becomes backorders: net stock is a
running sum, and a unit is served if it was on hand when it was asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from replenishment.arrays import Int64s
from replenishment.policy import Levels

DAY_MS = 86_400_000
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Days:
    """A period of ``count`` days of 24 hours from ``start_at``, epoch milliseconds.

    Raises:
        ValueError: If there is no day.
    """

    start_at: int
    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"a period of {self.count} days has no day")

    def day_of(self, at: Int64s) -> Int64s:
        """Return the day of each time (N,), 0 = the first, below 0 = before it."""
        return (at - self.start_at) // DAY_MS


@dataclass(frozen=True, slots=True)
class Movements:
    """N movements of the stock and the demand of K keys, in the order in which they happened.

    ``key`` is a row of the opening stock, ``at`` epoch milliseconds,
    ``stock_units`` what net stock changes by. ``demand_units`` is above 0 for
    an order, 0 for a receipt and below 0 for a cancellation; ``demand_at`` is
    the time whose demand changes: for a cancellation that of the order that it
    takes back, for the others ``at``.

    Raises:
        ValueError: If the arrays differ in length or a time falls.
    """

    key: Int64s
    at: Int64s
    stock_units: Int64s
    demand_units: Int64s
    demand_at: Int64s

    def __post_init__(self) -> None:
        if len({len(column) for column in self._columns}) != 1:
            raise ValueError("movements need as many keys as times and units")
        if np.any(np.diff(self.at) < 0):
            raise ValueError("movements must be in the order of their times")

    @property
    def _columns(self) -> tuple[Int64s, Int64s, Int64s, Int64s, Int64s]:
        return self.key, self.at, self.stock_units, self.demand_units, self.demand_at

    def __len__(self) -> int:
        return len(self.key)

    @classmethod
    def joined(cls, parts: Sequence["Movements"]) -> "Movements":
        """Return the movements of all parts by time; at equal times those of the earlier part come first."""
        columns = [np.concatenate(column) for column in zip(_NOTHING, *(one._columns for one in parts), strict=True)]
        order = np.argsort(columns[1], kind="stable")
        return cls(*(column[order] for column in columns))

    def by_day(self, days: Days) -> Iterator["Movements"]:
        """Yield the movements of each day of a period."""
        edges = np.searchsorted(self.at, days.start_at + DAY_MS * np.arange(days.count + 1))
        for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            yield Movements(*(column[first:last] for column in self._columns))


_NOTHING = (_NONE,) * 5


def receipts(key: Int64s, at: Int64s, units: Int64s) -> Movements:
    """Return receipts, given in any order, as movements."""
    order = np.argsort(at, kind="stable")
    return Movements(key[order], at[order], units[order], np.zeros(len(key), dtype=np.int64), at[order])


@dataclass(frozen=True, slots=True)
class Account:
    """What a period's customers asked for and got, over all keys.

    ``asked_units`` were ordered, ``served_units`` of them were on hand at that
    moment; ``mean_end_units`` is the mean over the days of the stock on hand
    at the day's end.
    """

    asked_units: int
    served_units: int
    mean_end_units: float
    days: int

    @property
    def fill_rate(self) -> float:
        """Share of the units asked for that were served from stock; 1 if nothing was asked for."""
        return self.served_units / self.asked_units if self.asked_units else 1.0

    @property
    def days_of_stock(self) -> float:
        """Mean end stock in days of mean daily demand; 0 if nothing was asked for."""
        return self.mean_end_units * self.days / self.asked_units if self.asked_units else 0.0


def account(opening_units: Int64s, movements: Movements, days: Days) -> Account:
    """Return how the stock served its customers.

    A receipt or a cancellation fills backorders before it becomes stock; an
    order takes what is on hand and leaves the rest as backorders.

    Args:
        opening_units: Stock on hand at the start of each key, (K,), 0 or more.
        movements: What happened in the period.
        days: The period.

    Example:
        >>> at = np.array([0, DAY_MS])
        >>> orders = Movements(np.array([0, 0]), at, np.array([-3, -9]), np.array([3, 9]), at)
        >>> made = account(np.array([10]), orders, Days(0, 2))
        >>> made.asked_units, made.served_units, made.fill_rate, made.days_of_stock
        (12, 10, 0.8333333333333334, 0.5833333333333334)
    """
    asked = np.maximum(movements.demand_units, 0)
    served = np.clip(_net_before(opening_units, movements), 0, asked)
    return Account(
        asked_units=int(asked.sum()),
        served_units=int(served.sum()),
        mean_end_units=float(np.maximum(_net_at_ends(opening_units, movements, days), 0).sum() / days.count),
        days=days.count,
    )


def _net_before(opening_units: Int64s, movements: Movements) -> Int64s:
    """Net stock of its key just before each movement, (N,)."""
    by_key = np.argsort(movements.key, kind="stable")
    key, units = movements.key[by_key], movements.stock_units[by_key]
    running = np.cumsum(units) - units
    first = np.searchsorted(key, key)  # row at which the key's movements begin
    before = np.empty_like(running)
    before[by_key] = opening_units[key] + running - running[first]
    return before


def _net_at_ends(opening_units: Int64s, movements: Movements, days: Days) -> Int64s:
    """Net stock of each key at each day's end, (K, D)."""
    moved = np.zeros((len(opening_units), days.count), dtype=np.int64)
    np.add.at(moved, (movements.key, days.day_of(movements.at)), movements.stock_units)
    return opening_units[:, None] + np.cumsum(moved, axis=1)


@dataclass(frozen=True, slots=True)
class MinMaxRule:
    """The min/max rule of a spreadsheet: reviewed at each day's end, normal demand, a fixed lead time.

    With m and σ the mean and standard deviation of daily demand over the last
    ``history_days``: s = m(L+1) + z·σ·√(L+1), S = s + m·C, for a lead time of
    L and a cover of C days; z = 1.645 is the 95 % quantile.

    Source:
        Silver, Pyke & Thomas, Inventory and Production Management in Supply
        Chains, 4th ed., section 6.6: protection is lead time plus review period.
    """

    lead_time_days: int
    cover_days: int = 7
    history_days: int = 28
    safety_factor: float = 1.645

    def levels(self, daily_demand: Int64s) -> Levels:
        """Return s and S of each key from its daily demand (K, days), in whole units.

        Example:
            >>> made = MinMaxRule(lead_time_days=3).levels(np.array([[2, 2, 2, 2]]))
            >>> made.reorder_point.tolist(), made.order_up_to_level.tolist()
            ([8], [22])
        """
        recent = daily_demand[:, -self.history_days :]
        mean, deviation = recent.mean(axis=1), recent.std(axis=1, ddof=1)
        protection_days = self.lead_time_days + 1
        reorder_point = mean * protection_days + self.safety_factor * deviation * np.sqrt(protection_days)
        order_up_to = reorder_point + mean * self.cover_days
        return Levels(
            reorder_point=np.ceil(reorder_point).astype(np.int64),
            order_up_to_level=np.ceil(order_up_to).astype(np.int64),
            reorder_units=reorder_point,
            order_up_to_units=order_up_to,
        )


def play_min_max(rule: MinMaxRule, opening_units: Int64s, history: Int64s, lines: Movements, days: Days) -> Movements:
    """Return the receipts of a min/max rule that reviews at each day's end.

    It orders up to S when the inventory position is at or below s; what is
    ordered at the end of a day arrives ``lead_time_days`` later, before that
    day's demand. It knows of the past what was known at the review:
    a cancellation changes the day of its order from then on.

    Args:
        rule: The rule.
        opening_units: Stock on hand at the start, (K,).
        history: Daily demand before the period, (K, H), H at least ``history_days``.
        lines: Orders and cancellations of the period.
        days: The period.

    Raises:
        ValueError: If the history is shorter than the rule looks back.
    """
    known_days = history.shape[1]
    if known_days < rule.history_days:
        raise ValueError(f"a history of {known_days} days is shorter than the {rule.history_days} of the rule")
    demand = np.concatenate((history, np.zeros((len(history), days.count), dtype=np.int64)), axis=1)
    position = opening_units.copy()
    ordered: list[Movements] = []
    for day, today in enumerate(lines.by_day(days)):
        demand_day = known_days + days.day_of(today.demand_at)
        is_known = demand_day >= 0
        np.add.at(demand, (today.key[is_known], demand_day[is_known]), today.demand_units[is_known])
        np.add.at(position, today.key, today.stock_units)
        levels = rule.levels(np.maximum(demand[:, : known_days + day + 1], 0))
        due = np.flatnonzero((position <= levels.reorder_point) & (position < levels.order_up_to_level))
        units = levels.order_up_to_level[due] - position[due]
        position[due] += units
        arrives_at = days.start_at + (day + 1 + rule.lead_time_days) * DAY_MS
        if day + 1 + rule.lead_time_days < days.count:
            ordered.append(receipts(due, np.full(len(due), arrives_at), units))
    return Movements.joined(ordered)
