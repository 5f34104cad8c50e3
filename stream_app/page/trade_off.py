"""Stock against fill rate as a chart: a line for each policy and model through its targets, its own point marked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stream_app.page.shapes import WIDTH, Scale, Tick, steps
from stream_app.page.writing import decimal
from stream_app.simulate.trade_off import Curve, Point

HEIGHT = 430.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 44.0, 18.0, 50.0
COLOURS = 8
_LABEL_WIDTH, _LABEL_HEIGHT = 24.0, 18.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of a line and what it says when pointed at; ``is_own`` at the target that was asked for."""

    x: float
    y: float
    text: str
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """The line of one run: its rank, the class of its colour, its marks and where its rank is written."""

    rank: int
    colour: str
    points: str
    marks: Sequence[Mark]
    label_x: float
    label_y: float


@dataclass(frozen=True, slots=True)
class TradeOff:
    """The chart: fill rate upwards, days of stock to the right."""

    lines: Sequence[Line]
    y_ticks: Sequence[Tick]
    x_ticks: Sequence[Tick]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    bottom: float = HEIGHT - BOTTOM


def trade_off(runs: Sequence[Mapping[str, Any]], curves: Sequence[Curve]) -> TradeOff:
    """Return the chart of runs, the first of rank 1, and of the curves of their policies and models.

    Example:
        >>> run = {"policy": "RS", "model": "tsb", "days_of_stock": 9.0, "fill_rate": 0.95}
        >>> trade_off([run], []).lines[0].marks[0].is_own
        True
    """
    by_name = {(one.policy, one.model): one.points for one in curves}
    drawn = [(run, by_name.get((run["policy"], run["model"]), ())) for run in runs]
    stocks = [one.days_of_stock for _, points in drawn for one in points] + [run["days_of_stock"] for run in runs]
    fills = [one.fill_rate for _, points in drawn for one in points] + [run["fill_rate"] for run in runs]
    x = Scale(0.0, max([*stocks, 1e-3]) * 1.02, LEFT, WIDTH - RIGHT)
    y = Scale(max(min(fills) - 0.01, 0.0), 1.0, HEIGHT - BOTTOM, TOP)
    lines: list[Line] = []
    for rank, (run, points) in enumerate(drawn, 1):
        lines.append(_line(rank, run, points, x, y, others=lines))
    return TradeOff(
        lines,
        y_ticks=[Tick(y.at(share), _share(share)) for share in steps(y.low, 1.0)],
        x_ticks=[Tick(x.at(days), decimal(days)) for days in steps(0.0, x.high)],
    )


def _line(
    rank: int, run: Mapping[str, Any], points: Sequence[Point], x: Scale, y: Scale, *, others: Sequence[Line]
) -> Line:
    marks = [Mark(x.at(one.days_of_stock), y.at(one.fill_rate), _said(one)) for one in points]
    own = Mark(x.at(run["days_of_stock"]), y.at(run["fill_rate"]), _own(run), is_own=True)
    end = max([*marks, own], key=lambda one: (one.x, -one.y))
    # beside the end of a line; above a point that stands alone, where lines of others pass beside it
    label_x, label_y = (end.x + 10, end.y + 5) if points else (end.x - 5, end.y - 11)
    while any(
        abs(one.label_x - label_x) < _LABEL_WIDTH and abs(one.label_y - label_y) < _LABEL_HEIGHT for one in others
    ):
        label_y = round(label_y + _LABEL_HEIGHT, 1)
    colour = f"c{(rank - 1) % COLOURS + 1}"
    return Line(rank, colour, " ".join(f"{one.x},{one.y}" for one in marks), [*marks, own], label_x, label_y)


def _said(point: Point) -> str:
    return f"target {point.service:g}: {_served(point.fill_rate, point.days_of_stock)}"


def _own(run: Mapping[str, Any]) -> str:
    return f"as asked: {_served(run['fill_rate'], run['days_of_stock'])}"


def _served(fill_rate: float, days_of_stock: float) -> str:
    return f"{_share(fill_rate)} of units served with {decimal(days_of_stock)} days of stock"


def _share(ratio: float) -> str:
    return f"{ratio:.2%}".replace(".00%", "%").replace("%", " %")
