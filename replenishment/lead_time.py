"""Lead times in buckets: from days of the catalog, from deliveries, and the interval that a decision must cover."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from replenishment.arrays import Float64s, Int64s, Names
from replenishment.buckets import BucketWidth

REMEMBERED_DELIVERIES = 12
"""How many of the latest lead times of a key are remembered one by one."""
PROMISE_WEIGHT = 4.0
"""How many deliveries the catalog's lead time counts for."""
_PUNCTUAL_SHARE = 0.05
"""Share of a bucket by which a delivery may miss the edge of one and still count as before it."""
LONGEST_BUCKETS = 2**16 - 1


def buckets_of_days(days: Float64s, width: BucketWidth) -> Int64s:
    """Return how many buckets cover each number of days, rounded up, (B,).

    Example:
        >>> buckets_of_days(np.array([7.0, 0.5, 0.0]), BucketWidth(86_400)).tolist()
        [7, 1, 0]
    """
    # rounded first: 0.1 days are 8,640 s, not 8,640.000000000001 s and one bucket more
    seconds = np.round(days * 86_400)
    return np.ceil(seconds / width.seconds).astype(np.int64)


def protection_buckets(lead_time_buckets: Int64s, review_buckets: Int64s) -> Int64s:
    """Return the interval a decision must cover, (B,): lead time plus review period, one bucket if continuous.

    Source:
        Silver, Pyke & Thomas, Inventory and Production Management in Supply
        Chains, 4th ed., section 6.1: an order placed now protects until the
        next one could arrive.

    Example:
        >>> protection_buckets(np.array([7, 7]), np.array([0, 5])).tolist()
        [8, 12]
    """
    return lead_time_buckets + np.maximum(review_buckets, 1)


def delay_buckets(arrived_at: int, needed_by: int, width: BucketWidth) -> int:
    """Return how many buckets later than promised goods can be sold; below 0 if they came early.

    Goods that arrive within a bucket serve the next one, so both times count as the edge after them.

    Args:
        arrived_at: When the goods came, epoch milliseconds.
        needed_by: When they were promised for, epoch milliseconds.
        width: Of the buckets.

    Example:
        >>> day = 86_400_000
        >>> [delay_buckets(at, 7 * day, BucketWidth(86_400)) for at in (5 * day, 7 * day, 7 * day + 60_000, 9 * day)]
        [-2, 0, 0, 2]
    """
    width_ms = width.seconds * 1000
    origin = width.start_of(0) + round(width_ms * _PUNCTUAL_SHARE)
    arrived, needed = (-(-(at - origin) // width_ms) for at in (arrived_at, needed_by))
    return arrived - needed


@dataclass(frozen=True, slots=True)
class Delays:
    """How many buckets later than promised goods of B keys come, as chances.

    ``buckets`` (B, K) are below 0 for what comes early, ``weights`` (B, K) add up to 1.
    """

    buckets: Int64s
    weights: Float64s


@runtime_checkable
class KnowsSuppliers(Protocol):
    """A forecaster whose version carries what suppliers take."""

    def delays(self, suppliers: Names) -> Delays | None:
        """Return the delays of each key's supplier (B,), a name of bytes (empty = none is named); None if unknown."""
        ...


@dataclass(frozen=True, slots=True)
class LeadTimes:
    """Lead time of B keys as chances: support (B, K) in buckets, each value once, and weights (B, K) that add up to 1.

    The catalog's value counts for ``PROMISE_WEIGHT`` deliveries, the latest
    deliveries share the rest, however many came before them: a mixture of the
    prior and the empirical distribution, with the weight of the prior falling
    as k / (n + k) (a Dirichlet process prior; Ferguson, A Bayesian Analysis of
    Some Nonparametric Problems, Annals of Statistics 1(2), 1973). Where delays
    of suppliers are known, the prior is the catalog's value moved by them.
    """

    buckets: Int64s
    weights: Float64s

    @classmethod
    def certain(cls, buckets: Int64s) -> "LeadTimes":
        """Return lead times (B,) that are never missed."""
        return cls(buckets[:, None], np.ones((len(buckets), 1)))

    @classmethod
    def learnt(cls, promised: Int64s, delivered: Int64s, observed: Int64s, delays: Delays | None = None) -> "LeadTimes":
        """Return what promises, deliveries and, if they are known, suppliers' delays say together.

        Args:
            promised: Lead time of the catalog, (B,), buckets.
            delivered: The latest deliveries, (B, N), buckets; columns from ``observed`` on mean nothing.
            observed: How many deliveries there ever were, (B,).
            delays: Of the supplier of each key.

        Example:
            >>> times = LeadTimes.learnt(np.array([7]), np.array([[9, 7, 9, 9]]), np.array([4]))
            >>> times.buckets.tolist(), times.weights.tolist()
            ([[7, 9]], [[0.625, 0.375]])
            >>> times.mean().tolist(), times.deviation().round(3).tolist()
            ([7.75], [0.968])
            >>> late = Delays(np.array([[0, 2]]), np.array([[0.25, 0.75]]))
            >>> LeadTimes.learnt(np.array([7]), np.array([[9]]), np.array([0]), late).weights.tolist()
            [[0.25, 0.75]]
        """
        remembered = np.minimum(observed, delivered.shape[1])
        is_known = np.arange(delivered.shape[1]) < remembered[:, None]
        promise = PROMISE_WEIGHT / (PROMISE_WEIGHT + observed)
        each = np.where(is_known, ((1 - promise) / np.maximum(remembered, 1))[:, None], 0.0)
        prior, chances = promised[:, None], np.ones((len(promised), 1))
        if delays is not None:
            prior, chances = np.clip(prior + delays.buckets, 0, LONGEST_BUCKETS), delays.weights
        values = np.column_stack([prior, np.where(is_known, delivered, prior[:, :1])])
        return cls(*_each_once(values, np.column_stack([promise[:, None] * chances, each])))

    def mean(self) -> Float64s:
        """Return the expected lead time in buckets, (B,)."""
        return np.asarray((self.buckets * self.weights).sum(axis=1))

    def deviation(self) -> Float64s:
        """Return its standard deviation in buckets, (B,)."""
        variance = (np.square(self.buckets - self.mean()[:, None]) * self.weights).sum(axis=1)
        return np.asarray(np.sqrt(variance))

    def take(self, rows: Int64s) -> "LeadTimes":
        """Return those of some keys."""
        return LeadTimes(self.buckets[rows], self.weights[rows])


def _each_once(values: Int64s, weights: Float64s) -> tuple[Int64s, Float64s]:
    """Return rising values (B, K) with the weights of equal ones added up; K = most different values of a row.

    A row with fewer repeats its last value with weight 0.
    """
    order = np.argsort(values, axis=1, kind="stable")
    values, weights = np.take_along_axis(values, order, axis=1), np.take_along_axis(weights, order, axis=1)
    place = np.cumsum(np.diff(values, axis=1, prepend=values[:, :1]) > 0, axis=1)
    shape = (len(values), int(place.max(initial=0)) + 1)
    support, chances = np.repeat(values[:, -1:], shape[1], axis=1), np.zeros(shape)
    row = np.repeat(np.arange(len(values)), values.shape[1])
    support[row, place.ravel()] = values.ravel()
    np.add.at(chances, (row, place.ravel()), weights.ravel())
    return support, chances
