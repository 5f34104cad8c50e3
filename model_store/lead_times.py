"""What suppliers take, shipped with a version: delays against the promise, for keys with few deliveries of their own.

A key's lead time is a mixture of its own deliveries and of its supplier's
delays; those of a supplier with few deliveries lean on all suppliers', those
on the promise. How they are mixed is the trainer's business (`training.deliveries`).
"""

from typing import Self

import msgspec
import numpy as np

from model_store.errors import ArtifactCorrupt
from replenishment.arrays import Float32s, Names
from replenishment.forecaster import ClosedBucket, Forecast, Forecaster
from replenishment.lead_time import LONGEST_BUCKETS, Delays

LEAD_TIMES = "lead_times.json"
LARGEST_LEAD_TIMES_BYTES = 2**20
MOST_SUPPLIERS = 1024
MOST_DELAYS = 8
"""Different delays of a supplier that are kept: closings look at each of them."""
_LONGEST_NAME_BYTES = 64


class SupplierDelays(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Delays of a supplier in buckets with their chances, and what they rest on.

    Attributes:
        deliveries: How many deliveries of its own there were.
        mean_days: Mean of the time that they took, from request to arrival.
        deviation_days: Standard deviation of that.
        delays_buckets: Rising; below 0 = earlier than promised.
        weights: Chance of each delay.
    """

    deliveries: int
    mean_days: float
    deviation_days: float
    delays_buckets: list[int]
    weights: list[float]


class LeadTimePriors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Delays by supplier; ``overall`` is for suppliers that are not named."""

    overall: SupplierDelays
    suppliers: dict[str, SupplierDelays]

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """Return what `to_json` wrote.

        Raises:
            ArtifactCorrupt: If it is not readable, or a supplier's delays are no distribution.
        """
        try:
            read = msgspec.json.decode(raw, type=cls)
        except (ValueError, RecursionError) as error:
            raise _refused(f"is not readable ({error})") from error
        if len(read.suppliers) > MOST_SUPPLIERS:
            raise _refused(f"has {len(read.suppliers)} suppliers, at most {MOST_SUPPLIERS}")
        if not all(0 < len(name.encode()) <= _LONGEST_NAME_BYTES for name in read.suppliers):
            raise _refused("has a supplier without a name, or with one of more than 64 bytes")
        for one in (read.overall, *read.suppliers.values()):
            _require_distribution(one)
        return read

    def to_json(self) -> bytes:
        """Return the one JSON form."""
        return msgspec.json.encode(self)


class WithLeadTimes:
    """A forecaster whose version knows what suppliers take; implements ``KnowsSuppliers``."""

    def __init__(self, own: Forecaster, priors: LeadTimePriors) -> None:
        self._own = own
        self.version = own.version
        self.grid = own.grid
        self.memory_floats = own.memory_floats
        self.context_buckets = own.context_buckets
        known = (priors.overall, *priors.suppliers.values())
        self._place = {name.encode(): place for place, name in enumerate(priors.suppliers, 1)}
        most = max(len(one.weights) for one in known)
        # a supplier with fewer delays repeats its last one with weight 0
        self._buckets = np.array([_padded(one.delays_buckets, most, one.delays_buckets[-1]) for one in known])
        weights = np.array([_padded(one.weights, most, 0.0) for one in known])
        self._weights = weights / weights.sum(axis=1, keepdims=True)

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        """Step the version."""
        return self._own.step(closed, memory)

    def delays(self, suppliers: Names) -> Delays:
        """Return the delays of each key's supplier (B,); those of all suppliers where it is not known."""
        names, where = np.unique(suppliers, return_inverse=True)
        place = np.array([self._place.get(name, 0) for name in names.tolist()], dtype=np.int64)[where]
        return Delays(self._buckets[place], self._weights[place])


def _padded(values: list[int] | list[float], length: int, last: float) -> list[float]:
    return [*values, *[last] * (length - len(values))]


def _require_distribution(one: SupplierDelays) -> None:
    if not 1 <= len(one.weights) == len(one.delays_buckets) <= MOST_DELAYS:
        raise _refused(f"has a supplier with {len(one.delays_buckets)} delays and {len(one.weights)} weights")
    rises = all(a < b for a, b in zip(one.delays_buckets, one.delays_buckets[1:], strict=False))
    if not rises or max(map(abs, one.delays_buckets)) > LONGEST_BUCKETS:
        raise _refused("has delays that do not rise, or are out of range")
    if min(one.weights) < 0 or abs(sum(one.weights) - 1) > 0.001:
        raise _refused("has weights that do not add up to 1")
    if one.deliveries < 0 or one.mean_days < 0 or one.deviation_days < 0:
        raise _refused("has a count, mean or deviation below 0")


def _refused(what: str) -> ArtifactCorrupt:
    return ArtifactCorrupt(f"{LEAD_TIMES} {what}. Train and publish the version again")
