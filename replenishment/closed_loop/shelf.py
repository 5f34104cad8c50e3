"""Stock by age, for keys whose goods perish: the oldest is sold first, what is left of it at its end is wasted."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from replenishment.closed_loop.world import DAY_MS
from replenishment.engine.state import PartitionState
from replenishment.events import CatalogEntry, StockAdjusted, StockReceived
from replenishment.stock import StockKnowledge


@dataclass(slots=True)
class _Batch:
    perishes_at: int
    units: int


class Shelf:
    """Batches of the stock of keys with a shelf life; all other keys are none of its business.

    A batch perishes at the end of the first bucket that ends a shelf life or
    more after its receipt. What comes without one (the opening stock, returns,
    counts) is fresh in the bucket in which it came.

    Args:
        catalog: Terms; those without a shelf life are not looked at again.
    """

    def __init__(self, catalog: Iterable[CatalogEntry]) -> None:
        self._life_ms = {one.key: round(one.shelf_life_days * DAY_MS) for one in catalog if one.shelf_life_days}
        self._batches: dict[bytes, deque[_Batch]] = {key: deque() for key in sorted(self._life_ms)}

    def receive(self, event: StockReceived) -> None:
        """Put a receipt on the shelf."""
        if event.key in self._life_ms:
            self._batches[event.key].append(_Batch(event.occurred_at + self._life_ms[event.key], event.units))

    def expired(self, state: PartitionState, start: int, end: int) -> list[StockAdjusted]:
        """Take off what was sold in a bucket, then what perishes with its end; return the latter as adjustments.

        Args:
            state: After the demand of the bucket.
            start: Of the bucket, epoch milliseconds.
            end: Of the bucket.
        """
        found = []
        for key, batches in self._batches.items():
            self._settle(batches, _on_hand(state, key), start + self._life_ms[key])
            units = 0
            while batches and batches[0].perishes_at <= end:
                units += batches.popleft().units
            if units:
                found.append(StockAdjusted(key, f"expired/{end}", end, -units))
        return found

    def _settle(self, batches: deque[_Batch], on_hand_units: int, fresh_until: int) -> None:
        """Make the batches add up to what is on hand: less goes from the oldest, more is fresh."""
        sold = sum(batch.units for batch in batches) - on_hand_units
        if sold < 0:
            batches.append(_Batch(fresh_until, -sold))
        while sold > 0:
            taken = min(sold, batches[0].units)
            batches[0].units -= taken
            sold -= taken
            if not batches[0].units:
                batches.popleft()


def _on_hand(state: PartitionState, key: bytes) -> int:
    row = state.keys.rows.get(key)
    if row is None or state.hot["stock"][row] == StockKnowledge.UNKNOWN:
        return 0
    return max(int(state.hot["net_units"][row]), 0)
