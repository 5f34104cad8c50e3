"""How far a partition is: stored with the rows by the same script, so that both are always of one moment."""

from collections.abc import Mapping

import msgspec

UNKNOWN = -(2**62)
"""A time before any other: the clock and the watermark of a partition without events."""


class Progress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a partition stands after a turn.

    ``turn`` counts turns from 0; ``positions`` is the next offset of each
    topic role; ``clock`` the highest event time of accepted order records;
    ``watermark`` and ``ticked_seconds`` as of the last record or tick;
    ``closed_through`` the end of the last closed bucket; ``decide_from`` the
    instant from which stock moves and requests are made, ``is_deciding``
    whether the clock has reached it; ``model_version`` the champion whose
    levels decide and ``quantile_levels`` those of its forecasts. The counts are
    totals since the first claim, but for ``held``: so many order lines wait at
    present because they are far ahead of the clock.
    """

    turn: int
    positions: Mapping[str, int]
    decide_from: int
    model_version: str = ""
    quantile_levels: tuple[float, ...] = ()
    clock: int = UNKNOWN
    watermark: int = UNKNOWN
    ticked_seconds: float = 0.0
    closed_through: int = UNKNOWN
    is_deciding: bool = False
    late_corrected: int = 0
    late_dropped: int = 0
    repeated: int = 0
    not_stock: int = 0
    rejected: int = 0
    held: int = 0
