"""Bucket facts of an inventory file in a simulation: what a model learns of them, and what closings are told.

Needs polars, so it is loaded only where there are such rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_store.training.bucketing import AnchoredGrid
from model_store.training.errors import UnusableHistory
from model_store.training.history import DemandHistory
from model_store.training.inventory_file import BucketFacts, read_facts, with_facts
from replenishment.arrays import Float64s
from replenishment.closed_loop.world import Period
from stream_app.errors import ConfigError


@dataclass(frozen=True, slots=True)
class KnownAvailability:
    """Implements ``Availability``: shares by bucket and stock key, and the rows that they come from."""

    facts: BucketFacts
    shares: Mapping[int, Mapping[bytes, float]]

    def ratio(self, bucket: int, keys: Sequence[bytes]) -> Float64s | None:
        """Return the share of a bucket in which B stock keys could be sold, 1 without a fact; None without any."""
        known = self.shares.get(bucket)
        return None if known is None else np.array([known.get(key, 1.0) for key in keys])

    def learnt_with(self, history: DemandHistory) -> DemandHistory:
        """Return a history that knows the facts of its buckets."""
        return with_facts(history, self.facts)


def availability(path: Path, period: Period) -> KnownAvailability:
    """Return the bucket facts of an inventory file on the period's buckets; of two about a bucket the later holds.

    Raises:
        ConfigError: Naming the rows, if a share is out of range or a start is no edge of a bucket.
    """
    try:
        facts = read_facts(path, AnchoredGrid(period.width))
    except UnusableHistory as wrong:
        raise ConfigError([f"--inventory {wrong}"]) from wrong
    shares: dict[int, dict[bytes, float]] = {}
    for key, bucket, share in facts.rows.iter_rows():
        shares.setdefault(bucket, {})[key.encode()] = share
    return KnownAvailability(facts, shares)
