"""Where the shapes of a chart lie: numbers in, coordinates out, for SVG that the templates write."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from stream_app.page.plans import Stretch
from stream_app.page.shapes import HEIGHT, TICKS, WIDTH, Box, Chart, Rule, Scale, Tick, Wedge, steps

LEFT, RIGHT, TOP, BOTTOM = 48.0, 14.0, 14.0, 28.0
GAP_RATIO = 0.22
MOST_BUCKETS = 120


@dataclass(frozen=True, slots=True)
class Marker:
    """Something that happened in a bucket, counted from the first of ``Demand.buckets``."""

    bucket: float
    kind: str
    label: str


@dataclass(frozen=True, slots=True)
class Demand:
    """What a demand chart shows: closed buckets (name, units), open ones, and what is expected after them.

    ``expected_units`` and the pairs of ``bands``, outermost first, are per
    bucket, over ``ahead_buckets``; so is ``planned_units``, the part of what
    is expected that plans make, below 0 where they take something off.
    """

    buckets: Sequence[tuple[str, int]]
    open_buckets: Sequence[tuple[str, int]] = ()
    expected_units: float | None = None
    bands: Sequence[tuple[float, float]] = ()
    ahead_buckets: int = 0
    planned_units: float = 0.0
    plans: Sequence[Stretch] = ()
    markers: Sequence[Marker] = field(default=())


def demand_chart(shown: Demand) -> Chart:
    """Return bars of each bucket, then the bands of the forecast."""
    count = len(shown.buckets) + len(shown.open_buckets)
    unplanned_units = (shown.expected_units or 0.0) - shown.planned_units
    highest = max(
        [
            1.0,
            unplanned_units,
            *(float(units) for _, units in (*shown.buckets, *shown.open_buckets)),
            *(high for _, high in shown.bands),
        ]
    )
    lowest = min([0.0, *(float(units) for _, units in (*shown.buckets, *shown.open_buckets))])
    y = Scale(lowest, highest, HEIGHT - BOTTOM, TOP)
    x = Scale(0, max(count + shown.ahead_buckets, 1), LEFT, WIDTH - RIGHT)
    return Chart(
        boxes=[
            *_plans(shown.plans, x),
            *_bars(shown.buckets, 0, "closed", x, y),
            *_bars(shown.open_buckets, len(shown.buckets), "open", x, y),
            *_bands(shown, count, x, y),
            *_uplift(shown, count, x, y),
            *(Box(x.at(one.bucket), TOP, 0, HEIGHT - BOTTOM - TOP, one.kind, one.label) for one in shown.markers),
        ],
        rules=_expected(shown, count, x, y),
        y_ticks=[Tick(y.at(number), _units(number)) for number in steps(lowest, highest)],
        x_ticks=_bucket_ticks(shown.buckets, x),
    )


def _bars(buckets: Sequence[tuple[str, int]], first: int, kind: str, x: Scale, y: Scale) -> list[Box]:
    width = x.at(1) - x.at(0)
    gap = width * GAP_RATIO
    return [
        Box(
            round(x.at(first + place) + gap / 2, 1),
            min(y.at(units), y.at(0)),
            round(max(width - gap, 0.8), 1),
            round(abs(y.at(units) - y.at(0)), 1),
            kind,
            f"{name}: {units:,}",
        )
        for place, (name, units) in enumerate(buckets)
    ]


def _bands(shown: Demand, count: int, x: Scale, y: Scale) -> list[Box]:
    start, end = x.at(count), x.at(count + shown.ahead_buckets)
    return [
        Box(start, y.at(high), round(end - start, 1), round(y.at(low) - y.at(high), 1), "band")
        for low, high in shown.bands
    ]


def _plans(plans: Sequence[Stretch], x: Scale) -> list[Box]:
    height = HEIGHT - BOTTOM - TOP
    return [
        Box(x.at(one.first), TOP, round(x.at(one.last) - x.at(one.first), 1), height, "planned", one.label)
        for one in plans
    ]


def _uplift(shown: Demand, count: int, x: Scale, y: Scale) -> list[Box]:
    """Return the part of what is expected that plans make: between the forecast with and without them."""
    if shown.expected_units is None or not shown.planned_units:
        return []
    edges = y.at(shown.expected_units), y.at(shown.expected_units - shown.planned_units)
    width = round(x.at(count + shown.ahead_buckets) - x.at(count), 1)
    return [Box(x.at(count), min(edges), width, round(abs(edges[1] - edges[0]), 1), "uplift")]


def _expected(shown: Demand, count: int, x: Scale, y: Scale) -> list[Rule]:
    if shown.expected_units is None:
        return []
    at = y.at(shown.expected_units)
    return [Rule(x.at(count), at, x.at(count + shown.ahead_buckets), at, "expected")]


def _bucket_ticks(buckets: Sequence[tuple[str, int]], x: Scale) -> list[Tick]:
    every = max(1, round(len(buckets) / (TICKS + 1)))
    return [Tick(x.at(place + 0.5), buckets[place][0]) for place in range(0, len(buckets), every)]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a fan shows: the position now, levels to order by, and quantiles of demand over the interval."""

    position: int
    reorder_point: int
    order_up_to_level: int
    expected_units: float
    bands: Sequence[tuple[float, float]]
    start: str
    end: str
    reorder_text: str
    up_to_text: str


def fan_chart(shown: Outlook) -> Chart:
    """Return how the position falls over the protection interval if nothing more is requested.

    The forecast is of the whole interval: what lies between is drawn straight.
    """
    lowest = min([0.0, float(shown.position), *(shown.position - high for _, high in shown.bands)])
    highest = max(1.0, float(shown.position), float(shown.order_up_to_level))
    y = Scale(lowest, highest * 1.05, HEIGHT - BOTTOM, TOP)
    x = Scale(0, 1, LEFT, WIDTH - RIGHT)
    begin, end, now = x.at(0), x.at(1), y.at(shown.position)
    return Chart(
        wedges=[
            Wedge(f"{begin},{now} {end},{y.at(shown.position - low)} {end},{y.at(shown.position - high)}", "band")
            for low, high in shown.bands
        ],
        rules=[
            Rule(begin, y.at(0), end, y.at(0), "zero"),
            Rule(begin, y.at(shown.order_up_to_level), end, y.at(shown.order_up_to_level), "up-to", shown.up_to_text),
            Rule(begin, y.at(shown.reorder_point), end, y.at(shown.reorder_point), "reorder", shown.reorder_text),
            Rule(begin, now, end, y.at(shown.position - shown.expected_units), "expected"),
        ],
        y_ticks=[Tick(y.at(number), _units(number)) for number in steps(lowest, highest)],
        x_ticks=[Tick(begin, shown.start), Tick(end, shown.end)],
    )


def loss_chart(versions: Sequence[tuple[str, float, float | None]]) -> Chart:
    """Return two bars for each version: its loss, and the moving average's if that is known."""
    highest = max([0.1, *(loss for _, loss, _ in versions), *(other or 0.0 for _, _, other in versions)])
    y = Scale(0, highest, HEIGHT - BOTTOM, TOP)
    x = Scale(0, max(len(versions), 4), LEFT, WIDTH - RIGHT)
    width = round((x.at(1) - x.at(0)) / 3, 1)
    boxes = [
        Box(
            round(x.at(place + 0.5) + side * width, 1),
            y.at(loss),
            width,
            round(y.at(0) - y.at(loss), 1),
            kind,
            f"{loss:.3f}",
        )
        for place, (_, own, other) in enumerate(versions)
        for kind, side, loss in (("closed", -1, own), ("open", 0, other))
        if loss is not None
    ]
    return Chart(
        boxes=boxes,
        y_ticks=[Tick(y.at(number), f"{number:g}") for number in steps(0, highest)],
        x_ticks=[Tick(x.at(place + 0.5), until) for place, (until, _, _) in enumerate(versions)],
    )


SPARK_WIDTH, SPARK_HEIGHT = 84.0, 22.0


def spark(units: Sequence[int]) -> Chart:
    """Return the last buckets as a small row of bars."""
    y = Scale(0, max([1, *units]), SPARK_HEIGHT, 0)
    x = Scale(0, max(len(units), 1), 0, SPARK_WIDTH)
    width = max(round((x.at(1) - x.at(0)) * (1 - GAP_RATIO), 1), 0.8)
    boxes = [
        Box(x.at(place), y.at(max(one, 0)), width, round(SPARK_HEIGHT - y.at(max(one, 0)), 1), "closed")
        for place, one in enumerate(units)
        if one > 0
    ]
    return Chart(boxes=boxes, width=SPARK_WIDTH, height=SPARK_HEIGHT)


LADDER_HEIGHT, LADDER_TOP, LADDER_BAR = 76.0, 24.0, 26.0


def ladder(parts: Sequence[tuple[str, int, str]], levels: Sequence[tuple[str, int, str]]) -> Chart:
    """Return the position as one stacked bar with the levels marked on it.

    Args:
        parts: Kind, units of at least 0 and label of each part, from left to right.
        levels: Kind, units and text of each level.
    """
    highest = max([1, sum(units for _, units, _ in parts), *(units for _, units, _ in levels)])
    x = Scale(0, highest * 1.06, 4, WIDTH - 4)
    boxes, begun = [], 0
    for kind, units, label in parts:
        if units:
            boxes.append(
                Box(x.at(begun), LADDER_TOP, round(x.at(begun + units) - x.at(begun), 1), LADDER_BAR, kind, label)
            )
            begun += units
    rules = [
        Rule(x.at(max(units, 0)), LADDER_TOP - 6, x.at(max(units, 0)), LADDER_TOP + LADDER_BAR + 6, kind, text)
        for kind, units, text in levels
    ]
    return Chart(boxes=boxes, rules=rules, height=LADDER_HEIGHT)


def _units(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:,.1f}"
