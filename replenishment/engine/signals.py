"""Signals into what a partition knows: plans and measurements act on levels at the next closing.

The latest word on a ``signal_id`` of a key holds; earlier ones stay as long as
the window, so that a memory rebuilt from it was told the same.
"""

from dataclasses import replace
from hashlib import blake2b

import numpy as np

from replenishment.engine.known import KeptSignal
from replenishment.engine.state import PartitionState
from replenishment.engine.turn import Turn
from replenishment.events import Rejection, SignalEvent, SignalPlanned
from replenishment.signals import ALWAYS, FOREVER, first_closings

MOST_WORDS = 256
"""Words on one key that are kept; beyond, the oldest that no longer plans anything is forgotten."""


def take_signal(state: PartitionState, offset: int, event: SignalEvent, turn: Turn) -> None:
    """Keep what is planned, measured or withdrawn; an older word than the latest on a signal changes nothing."""
    row = state.row_of(event.key)
    words = state.signals.of(row)
    said = _word(state, event, words)
    latest = next((one for one in words if one.signal == said.signal and one.known_until == FOREVER), None)
    turn.touch(row)
    if latest is not None and (said.said_at < latest.said_at or _is_same(said, latest)):
        turn.count("applied")
        turn.count("repeated")
        return
    kept = [one for one in words if one is not latest]
    if latest is not None and latest.known_from < said.known_from:
        kept.append(replace(latest, known_until=said.known_from))
        kept.sort(key=_serial)
    if len(kept) >= MOST_WORDS and not _make_room(kept):
        turn.rejections.append(Rejection("signals", offset, "out_of_range", _too_many(event.key)))
        return
    turn.count("applied")
    _replace(state, row, [*kept, said], turn)


def forget_signals(state: PartitionState, bucket: int, turn: Turn) -> None:
    """Forget the words that, with ``bucket`` closed, neither closings nor the window need."""
    oldest = bucket - state.plan.window_buckets + 1
    gone = state.signals.needless(oldest, state.plan.width)
    for row in sorted({row for row, _ in gone}):
        needless = {word.serial for at, word in gone if at == row}
        _replace(state, row, [one for one in state.signals.of(row) if one.serial not in needless], turn)


def _word(state: PartitionState, event: SignalEvent, words: list[KeptSignal]) -> KeptSignal:
    """Return an event as the next word on its key; one without a time is said when it comes."""
    signal = int.from_bytes(blake2b(event.signal_id.encode(), digest_size=8).digest(), "little")
    said_at = event.occurred_at
    if said_at is None:
        said_at = max((one.said_at for one in words if one.signal == signal), default=ALWAYS)
    known_from = int(first_closings(np.array([said_at]), state.plan.width)[0])
    word = KeptSignal(
        serial=words[-1].serial + 1 if words else 0,
        signal=signal,
        is_planned=isinstance(event, SignalPlanned),
        said_at=said_at,
        # what closed before it came did not know it, whatever it says of itself
        known_from=max(known_from, state.first_open_bucket),
    )
    if isinstance(event, SignalPlanned):
        return replace(word, starts_at=event.starts_at, ends_at=event.ends_at, values=event.values)
    return word


def _is_same(said: KeptSignal, latest: KeptSignal) -> bool:
    return replace(said, serial=latest.serial, known_from=latest.known_from) == latest


def _make_room(words: list[KeptSignal]) -> bool:
    """Forget the oldest word that says nothing about closings to come; False if there is none."""
    past = next((one for one in words if not one.is_planned or one.known_until != FOREVER), None)
    if past is not None:
        words.remove(past)
    return past is not None


def _too_many(key: bytes) -> str:
    return (
        f"signal_id is the {MOST_WORDS + 1}th of {key.decode()} that is planned, at most {MOST_WORDS} are kept: "
        "plan longer spans in one signal, or wait until some have ended and left the window"
    )


def _replace(state: PartitionState, row: int, words: list[KeptSignal], turn: Turn) -> None:
    """Put the words on a key in place of those before, and note what changed."""
    before = {word.serial: word for word in state.signals.of(row)}
    after = {word.serial: word for word in words}
    for serial in sorted({*before, *after}):
        if before.get(serial) != after.get(serial):
            turn.signals[row, serial] = after.get(serial) or before[serial], serial in after
    state.signals.put(row, words)


def _serial(word: KeptSignal) -> int:
    return word.serial
