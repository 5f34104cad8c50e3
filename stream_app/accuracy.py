"""Live accuracy as people and tools read it: figures by role, lead and segment, from the stored accounts."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from replenishment.accuracy import Accuracy
from replenishment.arrays import Float64s
from replenishment.engine.rows import LEAD_NAMES, accuracy_table
from replenishment.segments import SEGMENTS
from stream_app.errors import StateCorrupt


class AccuracyFigures(msgspec.Struct, frozen=True):
    """How good recent forecasts of one lead and segment turned out to be; None where there is nothing to divide by.

    ``lead`` is a number of buckets, or ``protection`` for each key's own
    interval; ``pinball`` is loss over demand, like ``wape`` and ``bias``.
    """

    lead: str
    segment: str
    scored: float
    wape: float | None
    bias: float | None
    tracking_signal: float | None
    coverage: Mapping[str, float | None]
    pinball: Mapping[str, float | None]


def figures_of(accounts: Sequence[bytes]) -> Sequence[AccuracyFigures]:
    """Return the figures over the accounts of several partitions, for each lead and segment that was scored.

    Raises:
        StateCorrupt: If an account has another width.
    """
    total = sum((_sums(account) for account in accounts), np.zeros(accuracy_table().row["sums"].shape))
    found = (
        _figures(lead, segment, Accuracy(total[place, list(cells)].sum(axis=0)))
        for place, lead in enumerate(LEAD_NAMES)
        for segment, cells in SEGMENTS.items()
    )
    return [one for one in found if one.scored > 0]


def _sums(account: bytes) -> Float64s:
    table = accuracy_table()
    if len(account) != table.row_bytes:
        raise StateCorrupt(
            f"an account of accuracy has {len(account)} bytes, must have {table.row_bytes}. "
            "Keep the Redis files, restore a back-up"
        )
    return np.asarray(table.unpack(account)["sums"][0])


def _figures(lead: str, segment: str, accuracy: Accuracy) -> AccuracyFigures:
    units = accuracy.demand_units
    return AccuracyFigures(
        lead=lead,
        segment=segment,
        scored=round(accuracy.scored, 1),
        wape=_rounded(accuracy.wape),
        bias=_rounded(accuracy.bias),
        tracking_signal=_rounded(accuracy.tracking_signal),
        coverage={f"{level:g}": _rounded(share) for level, share in accuracy.coverage.items()},
        pinball={
            f"{level:g}": _rounded(loss / units if units > 0 else None)
            for level, loss in accuracy.pinball_units.items()
        },
    )


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 4)
