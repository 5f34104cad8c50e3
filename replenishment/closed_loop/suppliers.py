"""How long suppliers really take: a draw for each request, the same in every run."""

from dataclasses import dataclass
from hashlib import blake2b
from math import exp, log, sqrt
from statistics import NormalDist

from replenishment.events import RestockRequested

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Suppliers:
    """Deliveries take the catalog's lead time times a lognormal factor of mean ``ratio``.

    Attributes:
        ratio: Mean of the time taken over the catalog's lead time, above 0.
        spread: Coefficient of variation of the time taken, 0 = always the mean.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> Suppliers(ratio=1.5).factor("3f0c")
        1.5
    """

    ratio: float = 1.0
    spread: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.ratio < float("inf"):
            raise ValueError(f"the ratio to the catalog's lead time is {self.ratio}, must be above 0")
        if not 0 <= self.spread <= 10:
            raise ValueError(f"the spread of lead times is {self.spread}, must be 0 to 10")

    def arrives_at(self, request: RestockRequested) -> int:
        """Return when a request arrives, epoch milliseconds."""
        return request.decided_at + round((request.needed_by - request.decided_at) * self.factor(request.restock_id))

    def factor(self, restock_id: str) -> float:
        """Return the time taken over the catalog's lead time; it hangs on the id only, so that policies share it."""
        if not self.spread:
            return self.ratio
        draw = int.from_bytes(blake2b(restock_id.encode(), digest_size=6).digest(), "little")
        sigma = sqrt(log(1 + self.spread**2))
        z = _NORMAL.inv_cdf((draw + 0.5) / 2**48)
        return self.ratio * exp(sigma * z - sigma**2 / 2)


PUNCTUAL = Suppliers()
"""Who always delivers when the catalog says."""
