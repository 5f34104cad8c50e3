"""Order lines far ahead of a partition's clock wait until a second order says that so much time has passed.

One order with a wrong date would else close weeks of zeros for every key. A
line is far ahead if it is more than HOLD_BUCKETS buckets after clock and
watermark; it is then held, neither counted nor lost. A time on which two
different orders agree has come: held lines up to it count, in the order in
which they came, before the record that decided it. They also count before a
record by which the clock comes to them otherwise.
"""

from dataclasses import dataclass

import numpy as np

from replenishment.arrays import Int64s
from replenishment.engine.columns import LineKind, OrderColumns, Span
from replenishment.engine.held import HeldLine
from replenishment.engine.progress import UNKNOWN
from replenishment.engine.state import PartitionState
from replenishment.engine.turn import Turn
from replenishment.events import Rejection

HOLD_BUCKETS = 31
MOST_HELD = 256
"""Lines held in a partition; more of them are refused."""
TOO_FAR_AHEAD = "too_far_ahead"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A record at which plain counting ends.

    ``due`` are the offsets of held lines that count before it; with none due
    it is held itself if ``is_held``, else it counts.
    """

    place: int
    due: tuple[int, ...]
    is_held: bool


def first_doubt(state: PartitionState, lines: OrderColumns, start: int) -> Doubt | None:
    """Return the first record from ``start`` on that is far ahead or makes held lines due; mostly there is none."""
    times = lines.occurred_at[start:]
    latest = _latest(state, times)
    if not state.held and int(times.max()) <= latest + _limit(state):
        return None
    reach = np.maximum.accumulate(np.concatenate([[latest], times]))
    is_far = (times > reach[:-1] + _limit(state)) & (lines.kinds[start:] != LineKind.TIME_PASSED)
    is_doubtful = is_far
    if state.held:
        is_doubtful = is_far | (reach[1:] >= min(line.occurred_at for line in state.held.values()))
    if not is_doubtful.any():
        return None
    first = int(np.argmax(is_doubtful))
    if not is_far[first]:
        return Doubt(start + first, _until(state, int(reach[first + 1])), is_held=False)
    agreed = max(_agreed(state, _line(lines, start + first)), int(reach[first]))
    return Doubt(start + first, _until(state, agreed), is_held=int(times[first]) > agreed)


def hold(state: PartitionState, lines: OrderColumns, start: int, turn: Turn) -> int:
    """Hold a line that is far ahead and those of the same order that follow it; return the place after them."""
    far = _latest(state, lines.occurred_at[start:]) + _limit(state)
    first, place = _line(lines, start), start
    while place < len(lines.offsets):
        line = _line(lines, place)
        is_like_first = line.occurred_at > far and line.order == first.order and line.kind != LineKind.TIME_PASSED
        if place > start and not (is_like_first and line.order):
            break
        _hold(state, int(lines.offsets[place]), line, turn)
        place += 1
    return place


def released(state: PartitionState, due: tuple[int, ...], offset: int) -> OrderColumns:
    """Return held lines as columns that count at the record of an offset."""
    held = [state.held[one] for one in due]

    def column(name: str) -> Int64s:
        return np.array([getattr(line, name) for line in held], dtype=np.int64)

    return OrderColumns(
        span=Span("orders", offset, offset),
        rejections=(),
        offsets=np.full(len(held), offset, dtype=np.int64),
        kinds=column("kind").astype(np.uint8),
        keys=[line.key for line in held],
        occurred_at=column("occurred_at"),
        placed_at=column("placed_at"),
        units=column("units"),
        prices=column("price"),
        identities=np.array([line.identity for line in held], dtype=np.uint64),
        orders=np.array([line.order for line in held], dtype=np.uint64),
    )


def _latest(state: PartitionState, times: Int64s) -> int:
    """Return how far time has come; the first record of a partition says so itself."""
    latest = max(state.progress.clock, state.progress.watermark)
    return int(times[0]) if latest == UNKNOWN else latest


def _limit(state: PartitionState) -> int:
    return HOLD_BUCKETS * state.plan.width.seconds * 1000


def _until(state: PartitionState, time: int) -> tuple[int, ...]:
    return tuple(sorted(offset for offset, line in state.held.items() if line.occurred_at <= time))


def _agreed(state: PartitionState, arriving: HeldLine) -> int:
    """Return the latest time to which two different orders say that it has come; UNKNOWN if there is one order only."""
    latest: dict[int, int] = {}
    for place, line in enumerate([*state.held.values(), arriving]):
        # a line without an order id is an order of its own
        order = line.order or -1 - place
        latest[order] = max(line.occurred_at, latest.get(order, UNKNOWN))
    return sorted(latest.values())[-2] if len(latest) > 1 else UNKNOWN


def _line(lines: OrderColumns, place: int) -> HeldLine:
    return HeldLine(
        kind=int(lines.kinds[place]),
        key=lines.keys[place],
        occurred_at=int(lines.occurred_at[place]),
        placed_at=int(lines.placed_at[place]),
        units=int(lines.units[place]),
        price=int(lines.prices[place]),
        identity=0 if lines.identities is None else int(lines.identities[place]),
        order=0 if lines.orders is None else int(lines.orders[place]),
    )


def _hold(state: PartitionState, offset: int, line: HeldLine, turn: Turn) -> None:
    if len(state.held) < MOST_HELD:
        state.held[offset] = line
        turn.held.add(offset)
        return
    turn.rejections.append(
        Rejection(
            "orders",
            offset,
            TOO_FAR_AHEAD,
            f"event_time is more than {HOLD_BUCKETS} buckets ahead of its partition, where {MOST_HELD} such lines of "
            "one order wait already: correct it; or, if so much time has passed, send time_passed and replay it",
        )
    )
