"""A bucket without stock is not a bucket without demand: which share of it a key could be sold in."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from replenishment.engine.columns import Entry
from replenishment.engine.plan import Plan
from replenishment.engine.rebuild import begin_rebuild, rebuild_chunk
from replenishment.events import InventoryEvent, StockAdjusted, StockCounted, StockReceived
from tests.engine.builders import (
    HOUR,
    SERVING,
    T0,
    Ledger,
    Line,
    MeanForecaster,
    fresh,
    inventory_batch,
    order_columns,
    play,
    time_passed,
)

KEY = b"uk|A"


class Story:
    """Lines and events of one key in the order of time, each its own batch."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.plan = plan or Plan(lost_sales=True)
        self.state, self.ledger = fresh(self.plan), Ledger()
        self.orders = self.events = 0

    def play(self, entry: Entry) -> None:
        play(self.state, [entry], self.ledger)

    def sell(self, hour: float, units: int = 1) -> None:
        self._line(Line(self.orders, KEY, T0 + round(hour * HOUR), units))

    def pass_until(self, hour: float) -> None:
        self._line(time_passed(self.orders, T0 + round(hour * HOUR)))

    def _line(self, line: Line) -> None:
        self.play(order_columns([line], self.orders, self.orders + 1))
        self.orders += 1

    def tell(self, event: InventoryEvent) -> None:
        self.play(inventory_batch([event], self.events))
        self.events += 1

    def count(self, hour: float, units: int) -> None:
        self.tell(StockCounted(KEY, f"c{self.events}", T0 + round(hour * HOUR), units))

    def receive(self, hour: float, units: int) -> None:
        self.tell(StockReceived(KEY, f"r{self.events}", T0 + round(hour * HOUR), units, None, False))

    def available(self) -> list[float]:
        """Return the shares that were said of closed buckets, in order."""
        self.pass_until(24 * 30)
        return [said[10][0] for said in self.ledger.said if isinstance(said, tuple) and said[0] == "closed"]


def test_a_bucket_after_the_shelf_is_empty_is_not_available() -> None:
    story = Story()
    story.sell(1)
    story.count(2, 5)
    story.sell(12, 5)
    assert story.available()[:3] == [0.5, 0.0, 0.0]


def test_a_receipt_ends_the_shortage_within_the_bucket() -> None:
    story = Story()
    story.sell(1)
    story.count(6, 0)
    story.receive(24 + 18, 40)
    assert story.available()[:3] == [0.25, 0.25, 1.0]


def test_stock_that_nobody_counted_is_never_short() -> None:
    story = Story()
    story.sell(1, 500)
    story.sell(30, 500)
    assert set(story.available()) == {1.0}


def test_an_order_for_a_sold_out_key_shows_that_orders_still_come() -> None:
    story = Story()
    story.sell(1)
    story.count(2, 0)
    story.sell(12, 3)
    assert story.available()[:2] == [0.5, 0.0]


def test_backorders_keep_a_bucket_available() -> None:
    story = Story(Plan(lost_sales=False))
    story.sell(1)
    story.count(2, 0)
    story.sell(12, 3)
    assert story.available()[:3] == [1.0, 1.0, 1.0]


def test_all_demand_of_a_file_is_seen_whatever_the_stock() -> None:
    story = Story(Plan(lost_sales=True, shows_unmet_demand=True))
    story.sell(1)
    story.count(2, 0)
    assert set(story.available()) == {1.0}


def test_a_correction_keeps_what_was_said_of_the_buckets_stock() -> None:
    story = Story()
    story.sell(1)
    story.count(12, 0)
    story.pass_until(50)
    story.sell(2, 7)
    corrections: list[Any] = [one for one in story.ledger.said if isinstance(one, tuple) and one[0] == "correction"]
    assert [(one[7], one[10]) for one in corrections] == [([8], [0.5])]


def test_a_rebuilt_version_sees_the_same_availability_as_one_that_stepped() -> None:
    story = Story()
    story.sell(1)
    story.count(12, 0)
    story.receive(60, 9)
    story.pass_until(24 * 9)
    seen: list[float] = []

    class Watcher(MeanForecaster):
        def step(self, closed: Any, memory: Any) -> Any:
            seen.append(float(closed.available_ratio[0]))
            return super().step(closed, memory)

    watcher = Watcher("watcher-1")
    begin_rebuild(story.state, watcher)
    while rebuild_chunk(story.state, watcher, 8) is not None:
        pass
    assert seen[:3] == [0.5, 0.0, 0.5]


moves = st.lists(
    st.tuples(st.sampled_from(["sell", "count", "receive", "adjust"]), st.integers(1, 9), st.integers(0, 6)),
    min_size=1,
    max_size=12,
)


@given(history=moves, lost_sales=st.booleans())
def test_the_share_is_what_reading_hour_by_hour_says(history: list[tuple[str, int, int]], lost_sales: bool) -> None:
    story, hour = Story(Plan(lost_sales=lost_sales)), 1
    story.sell(hour, 1)
    net, is_counted, short_hours, since = 0, False, np.zeros(24 * 40), None
    for kind, hours, units in history:
        hour += hours
        # orders of other keys keep the clock going
        story.pass_until(hour)
        if since is not None:
            # with an hour's lateness; what is said of a closed bucket stays
            short_hours[since : (hour - 1) // 24 * 24] = 1
        if kind == "sell":
            story.sell(hour, units + 1)
            since = hour if since is not None else None
            net -= (units + 1) if is_counted else 0
            net = max(net, 0) if lost_sales else net
        elif kind == "count":
            story.count(hour, units)
            net, is_counted = units + min(net, 0), True
        elif kind == "receive":
            story.receive(hour, units + 1)
            net += units + 1 if is_counted else 0
        else:
            story.tell(StockAdjusted(KEY, f"a{story.events}", T0 + hour * HOUR, -units))
            net = max(net - units, min(net, 0)) if is_counted else net
        is_short = is_counted and net == 0
        if since is not None and not is_short:
            short_hours[since:hour] = 1
        since = (hour if since is None else since) if is_short else None
    if since is not None:
        short_hours[since:] = 1
    shares = 1 - short_hours.reshape(-1, 24).mean(axis=1)
    told = story.available()
    # after the last thing that happened, within the month that is told
    assert np.allclose(told, shares[: len(told)], atol=0.0026)
    assert [share == 0 for share in told] == [share == 0 for share in shares[: len(told)]]


@given(history=moves, cut=st.integers(0, 30))
def test_a_crash_in_a_shortage_changes_nothing(history: list[tuple[str, int, int]], cut: int) -> None:
    def run(crash_at: int | None) -> Ledger:
        story, hour = Story(), 1
        story.sell(hour)
        for place, (kind, hours, units) in enumerate(history):
            hour += hours
            if place == crash_at:
                story.state = story.ledger.reload(story.plan, SERVING)
            match kind:
                case "sell":
                    story.sell(hour, units + 1)
                case "receive":
                    story.receive(hour, units + 1)
                case _:
                    story.count(hour, units)
        story.available()
        return story.ledger

    whole, crashed = run(None), run(cut)
    assert (whole.rows, whole.progress) == (crashed.rows, crashed.progress)
    assert list(map(repr, whole.said)) == list(map(repr, crashed.said))


def test_several_lines_at_once_are_read_one_by_one() -> None:
    alone, together = Story(), Story()
    for story in (alone, together):
        story.sell(1)
        story.count(2, 3)
    alone.sell(6, 3)
    alone.sell(12, 1)
    lines = [Line(1, KEY, T0 + 6 * HOUR, 3), Line(2, KEY, T0 + 12 * HOUR, 1)]
    together.play(order_columns(lines, 1, 3))
    together.orders = 3
    assert alone.available()[:2] == together.available()[:2] == [0.5, 0.0]
    assert alone.state.hot[0] == together.state.hot[0]
