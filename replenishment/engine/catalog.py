"""Catalog entries into terms: levels follow at the next closing, supplier, pack, limits and activity at once."""

from replenishment.engine.state import PartitionState
from replenishment.engine.terms import terms_row
from replenishment.engine.turn import Turn
from replenishment.events import CatalogEntry


def take_entry(state: PartitionState, key: bytes, entry: CatalogEntry | None, turn: Turn) -> None:
    """Replace the terms of a key; None (a tombstone) brings the defaults back."""
    row = state.row_of(key)
    state.terms[row] = terms_row(entry if entry is not None else CatalogEntry(key=key))
    turn.terms[row] = entry is not None
    turn.touch(row)
    turn.count("applied")
