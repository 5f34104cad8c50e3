"""What the engine asks of any model; kinds live in model_store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from replenishment.arrays import Float32s, Float64s, Int32s, Int64s, Names
from replenishment.quantiles import QuantileGrid


@dataclass(frozen=True, slots=True)
class KnownAhead:
    """What is planned or measured beside demand, as known when a bucket of B keys closed.

    ``names`` (C,) are those of the channels; ``values`` (B, 1 + A, C) are of
    the closed bucket and the A buckets after it, NaN where nothing is known:
    ``promotion`` is a strength from 0 to 1 times the share of the bucket that
    it covers, ``price`` the natural logarithm of the planned price.
    """

    names: tuple[str, ...]
    values: Float32s

    def of_rows(self, rows: Int64s) -> Self:
        """Return what is known of some keys, in the order of ``rows``."""
        return type(self)(self.names, self.values[rows])

    def without_plans(self) -> Self:
        """Return what would be known if nothing were planned after the closed bucket."""
        values = self.values.copy()
        values[:, 1:] = np.nan
        return type(self)(self.names, values)


@dataclass(frozen=True, slots=True)
class ClosedBucket:
    """One closed bucket of B keys: raw facts, nothing scaled.

    ``bucket`` is its index, the same for all keys; ``demand_units`` (B,) are
    at least 0; ``order_lines`` (B,) count the lines placed; ``available_ratio``
    (B,) is the share of the bucket in which the key could be sold, 0 to 1;
    ``age_buckets`` (B,) counts buckets since the key's first one, from 0;
    ``known_ahead`` is what is planned from it on, None if there are no plans;
    ``categories`` (B,) are the catalog's, empty where it names none.
    """

    bucket: int
    demand_units: Float32s
    order_lines: Float32s
    available_ratio: Float32s
    age_buckets: Int32s
    known_ahead: KnownAhead | None = None
    categories: Names | None = None

    def of_rows(self, rows: Int64s) -> Self:
        """Return the bucket of some keys, in the order of ``rows``."""
        if len(rows) == len(self.demand_units):
            return self
        return type(self)(
            self.bucket,
            self.demand_units[rows],
            self.order_lines[rows],
            self.available_ratio[rows],
            self.age_buckets[rows],
            known_ahead=None if self.known_ahead is None else self.known_ahead.of_rows(rows),
            categories=None if self.categories is None else self.categories[rows],
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a step yields for B keys.

    ``quantiles`` (B, H, Q) are units of demand *summed* over the next h
    buckets, non-negative, rising in h and in level; ``memory`` (B, S) is what
    to hand to the next step.
    """

    quantiles: Float32s
    memory: Float32s


class Availability(Protocol):
    """What others know of when stock keys could be sold; what the stock itself says, the engine knows."""

    def ratio(self, bucket: int, keys: Sequence[bytes]) -> Float64s | None:
        """Return the share of a bucket in which B stock keys could be sold, 0 = not at all; None if nothing is known.

        Of a key of which nothing is known it is 1.
        """
        ...


class Forecaster(Protocol):
    """One version of a model, as the engine sees it; implementations pass the contract tests.

    A fresh key starts from a memory of zeros at its first bucket.
    """

    @property
    def version(self) -> str:
        """Id of the version."""
        ...

    @property
    def grid(self) -> QuantileGrid:
        """Horizons and levels of its forecasts."""
        ...

    @property
    def memory_floats(self) -> int:
        """S: float32 numbers carried per key; all that this version derives from closed buckets."""
        ...

    @property
    def context_buckets(self) -> int:
        """How many closed buckets make a memory warm that starts from zeros; at most the window."""
        ...

    def step(self, closed: ClosedBucket, memory: Float32s) -> Forecast:
        """Observe one bucket and forecast from its end on.

        ``memory`` (B, S) is not changed; a row's result does not depend on the
        rows beside it, bit for bit.
        """
        ...


@dataclass(frozen=True, slots=True)
class Serving:
    """Who steps at a closing: the champion decides, the incoming one only keeps up.

    ``rung`` says how far down the fallback the champion stands: ``champion``,
    ``starter`` or ``moving_average``; ``is_requesting`` is False while
    requests are held back (observing or paused). ``availability`` tells
    closings in which share of a bucket a key could be sold, None if nobody knows.
    """

    champion: Forecaster
    incoming: Forecaster | None = None
    rung: str = "champion"
    is_requesting: bool = True
    availability: Availability | None = None
