"""What suppliers took, from requests and receipts: delays against the promise, mixed from supplier to all to promise.

A delivery is learnt as the engine learns it: when a request is fully received
(or ``final``), the mean over its units. Of a supplier with n deliveries its
own delays weigh n / (n + k), those of all suppliers the rest, and of theirs
the same against the promise.

Source:
    Ferguson, A Bayesian Analysis of Some Nonparametric Problems, Annals of Statistics 1(2), 1973 (n / (n + k)); Teh,
    Jordan, Beal & Blei, Hierarchical Dirichlet Processes, JASA 101(476), 2006 (priors of priors).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any

from model_store.lead_times import LEAD_TIMES, MOST_DELAYS, MOST_SUPPLIERS, LeadTimePriors, SupplierDelays
from model_store.training.plan import Trained
from replenishment.buckets import BucketWidth
from replenishment.lead_time import delay_buckets

RECENT_DAYS = 365
"""Requests older than this before the end say nothing of today's suppliers."""
SHRINKING_DELIVERIES = 8.0
"""k: a supplier with so many deliveries is believed half, beside all suppliers; these likewise beside the promise."""
_DAY_MS = 86_400_000
_DIGITS = 6
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request that was delivered: by whom, how many buckets late, and the days from request to arrival."""

    supplier: str
    delay_buckets: int
    taken_days: float


@dataclass(slots=True)
class _Open:
    """A request and what came of it; sums are over units."""

    supplier: str
    decided_at: int
    needed_by: int
    units: int
    received: int = 0
    unit_buckets: int = 0
    unit_ms: int = 0
    seen: set[str] = field(default_factory=set)


class Deliveries:
    """Requests and their receipts, told in the order of their topics; what is no request or answer is counted.

    Args:
        width: Of the buckets that delays are counted in.
        until_at: Events from then on are not known yet, epoch milliseconds.
    """

    def __init__(self, width: BucketWidth, until_at: int) -> None:
        self._width = width
        self._until_at = until_at
        self._open: dict[str, _Open] = {}
        self.found: list[Delivery] = []
        self.unreadable = 0

    def request(self, fields: Fields) -> None:
        """Note a request; a repeat changes nothing, a withdrawal forgets it."""
        try:
            name, units = str(fields["restock_id"]), int(fields["quantity"])
            decided_at, needed_by = instant(fields["decided_at"]), instant(fields["needed_by"])
            supplier = str(fields.get("supplier") or "")
        except (KeyError, TypeError, ValueError):
            self.unreadable += 1
            return
        if not self._until_at - RECENT_DAYS * _DAY_MS <= decided_at < self._until_at:
            return
        if units <= 0:
            self._open.pop(name, None)
        elif name not in self._open:
            self._open[name] = _Open(supplier, decided_at, needed_by, units)

    def event(self, fields: Fields) -> None:
        """Take an inventory event; those that answer no known request change nothing."""
        known = self._open.get(str(fields.get("restock_id")))
        if known is None:
            return
        try:
            at, name, kind = instant(fields["event_time"]), str(fields["event_id"]), fields.get("type")
            units = 0 if kind == "restock_rejected" else int(fields["quantity"])
        except (KeyError, TypeError, ValueError):
            self.unreadable += 1
            return
        if at >= self._until_at or name in known.seen:
            return
        known.seen.add(name)
        match kind:
            case "restock_rejected":
                del self._open[str(fields["restock_id"])]
            case "restock_accepted":
                known.units = units
            case "stock_received":
                self._receive(
                    str(fields["restock_id"]), known, at, units, is_final=fields.get("final") in (True, "true")
                )
            case _:
                pass

    def _receive(self, name: str, known: _Open, at: int, units: int, *, is_final: bool) -> None:
        known.received += units
        known.unit_buckets += units * delay_buckets(at, known.needed_by, self._width)
        known.unit_ms += units * max(at - known.decided_at, 0)
        if known.received and (is_final or known.received >= known.units):
            late, days = round(known.unit_buckets / known.received), known.unit_ms / known.received / _DAY_MS
            self.found.append(Delivery(known.supplier, late, days))
            del self._open[name]


def told(requests: Iterable[Fields], events: Iterable[Fields], width: BucketWidth, until_at: int) -> Deliveries:
    """Return the deliveries that requests and inventory events tell of."""
    made = Deliveries(width, until_at)
    for one in requests:
        made.request(one)
    for one in events:
        made.event(one)
    return made


def lead_time_priors(found: Sequence[Delivery]) -> LeadTimePriors | None:
    """Return the delays of each supplier and of all together; None without a delivery.

    Example:
        >>> made = lead_time_priors([Delivery("acme", 2, 9.0)] * 8)
        >>> made.overall.delays_buckets, made.overall.weights
        ([0, 2], [0.5, 0.5])
        >>> made.suppliers["acme"].weights, made.suppliers["acme"].mean_days
        ([0.25, 0.75], 9.0)
    """
    if not found:
        return None
    overall = _mixed(found, {0: 1.0})
    by_supplier: dict[str, list[Delivery]] = {}
    for one in found:
        if one.supplier:
            by_supplier.setdefault(one.supplier, []).append(one)
    most = sorted(by_supplier, key=lambda name: (-len(by_supplier[name]), name))[:MOST_SUPPLIERS]
    suppliers = {name: _described(by_supplier[name], _mixed(by_supplier[name], overall)) for name in sorted(most)}
    return LeadTimePriors(_described(found, overall), suppliers)


def with_lead_times(trained: Trained, priors: LeadTimePriors | None) -> Trained:
    """Return a draft that carries what suppliers take; the same if nothing is known."""
    if priors is None:
        return trained
    figures = {"lead_time_suppliers": len(priors.suppliers), "lead_time_deliveries": priors.overall.deliveries}
    draft = replace(trained.draft, files={**trained.draft.files, LEAD_TIMES: priors.to_json()})
    return Trained(draft, {**trained.figures, **figures})


def _mixed(found: Sequence[Delivery], prior: Mapping[int, float]) -> dict[int, float]:
    """Return the chance of each delay: of n deliveries with weight n / (n + k), of the prior the rest."""
    believed = len(found) / (len(found) + SHRINKING_DELIVERIES)
    chances: Counter[int] = Counter()
    for delay, count in Counter(one.delay_buckets for one in found).items():
        chances[delay] += believed * count / len(found)  # type: ignore[assignment]
    for delay, weight in prior.items():
        chances[delay] += (1 - believed) * weight  # type: ignore[assignment]
    return dict(sorted(chances.items()))


def _described(found: Sequence[Delivery], chances: Mapping[int, float]) -> SupplierDelays:
    days, few = [one.taken_days for one in found], _few(chances)
    return SupplierDelays(
        deliveries=len(found),
        mean_days=round(fmean(days), 3),
        deviation_days=round(pstdev(days), 3),
        delays_buckets=list(few),
        weights=[round(weight, _DIGITS) for weight in few.values()],
    )


def _few(chances: Mapping[int, float]) -> dict[int, float]:
    """Return at most `MOST_DELAYS` delays: of all neighbours those two become one that take least of the spread.

    Source:
        Ward, Hierarchical Grouping to Optimize an Objective Function, JASA 58(301), 1963.
    """
    kept = sorted(chances.items())
    while len(kept) > MOST_DELAYS:
        costs = [a * b / (a + b) * (right - left) ** 2 for (left, a), (right, b) in pairwise(kept)]
        place = costs.index(min(costs))
        (left, a), (right, b) = kept[place : place + 2]
        kept[place : place + 2] = [(round((left * a + right * b) / (a + b)), a + b)]
    return dict(kept)


def instant(value: object) -> int:
    """Return a time of an event as epoch milliseconds.

    Raises:
        ValueError: If it is neither epoch milliseconds nor RFC 3339; TypeError if it is of another type.

    Example:
        >>> instant("1970-01-01T00:00:01Z"), instant(1000)
        (1000, 1000)
    """
    if isinstance(value, int) or (isinstance(value, str) and value.isdigit()):
        return int(value)
    read = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return round((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 1000)
