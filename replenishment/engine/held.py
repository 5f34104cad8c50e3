"""Order lines that wait because they are far ahead of the clock, and their rows."""

from dataclasses import dataclass

import numpy as np

from replenishment.engine.rows import Table

LONGEST_KEY_BYTES = 129
"""Of a stock key: two parts of 64 characters and what joins them."""


@dataclass(frozen=True, slots=True)
class HeldLine:
    """One order line that is far ahead of the clock, see ``hold``; ``order`` is the hash of its order, 0 = none."""

    kind: int
    key: bytes
    occurred_at: int
    placed_at: int
    units: int
    price: int
    identity: int
    order: int


def held_table() -> Table:
    """Order lines far ahead of the clock; field = offset."""
    return Table(
        "held",
        np.dtype(
            [
                ("kind", "u1"),  # LineKind
                ("key", f"S{LONGEST_KEY_BYTES}"),
                ("occurred_at", "<i8"),
                ("placed_at", "<i8"),
                ("units", "<i8"),
                ("price", "<i8"),
                ("identity", "<u8"),
                ("order", "<u8"),
            ]
        ),
    )
