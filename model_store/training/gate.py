"""Whether a challenger may serve: better than what would serve without it, on the same held-out buckets.

Better is measured where decisions are made: pinball loss at the levels that
restocks aim at, and what the forecasts cost on a simulated shelf.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from model_store.training.paired import Change

DECISION_LEVELS = (0.9, 0.95, 0.99)
"""Service levels that are usual in catalogs."""
MOST_DEARER = 0.02
"""So much dearer stock may be at most; of an interval that is above 0 as a whole nothing is allowed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a challenger is accepted, and why, in sentences."""

    accepted: bool
    reasons: tuple[str, ...]

    def refused(self, reason: str) -> "Verdict":
        """Return a verdict that accepts nothing, for one more reason."""
        return Verdict(False, (*self.reasons, reason))


@dataclass(frozen=True, slots=True)
class Contest:
    """A challenger against one incumbent, on the same buckets.

    Attributes:
        incumbent: Its name.
        loss: Scaled pinball loss of the challenger at the decision levels, mean over leads.
        incumbent_loss: That of the incumbent.
        change: Of the loss, with its interval; None where there are too few keys for one.
        cost: Change of the simulated cost of stock, with its interval; None likewise, or if it costs nothing.
    """

    incumbent: str
    loss: float
    incumbent_loss: float
    change: Change | None = None
    cost: Change | None = None

    @property
    def is_better(self) -> bool:
        """Whether the loss is lower, with its whole interval: what may as well be worse is not worth a swap."""
        return self.loss < self.incumbent_loss and (self.change is None or self.change.high < 0)

    @property
    def is_affordable(self) -> bool:
        """Whether the simulated cost is not certainly higher, and at most 2 % higher.

        Of few keys the interval is wide either way: its upper end alone says how few they are.
        """
        return self.cost is None or (self.cost.low <= 0 and self.cost.change <= MOST_DEARER)


def verdict(contests: Sequence[Contest]) -> Verdict:
    """Return whether a challenger beats every incumbent: a lower loss with certainty, and no dearer stock.

    Example:
        >>> verdict([Contest("moving_average_28", 0.4, 0.5, cost=Change(-0.1, -0.15, -0.05))]).reasons
        ('better than moving_average_28: pinball loss 0.4000 against 0.5000 (-20.0 %); \
simulated cost of stock -10.0 %, 95 % interval -15.0 to -5.0',)
        >>> verdict([Contest("lstm-20111008-3f9c1a2b", 0.5, 0.4)])
        Verdict(accepted=False, reasons=('not better than lstm-20111008-3f9c1a2b: \
pinball loss 0.5000 against 0.4000 (+25.0 %)',))
    """
    accepted = bool(contests) and all(one.is_better and one.is_affordable for one in contests)
    return Verdict(accepted, tuple(_reason(one) for one in contests))


def _reason(one: Contest) -> str:
    if one.is_better:
        word = "better" if one.is_affordable else "better forecasts, but dearer stock,"
    else:
        word = "not certainly better" if one.loss < one.incumbent_loss else "not better"
    change = one.loss / one.incumbent_loss - 1 if one.incumbent_loss > 0 else 0.0
    interval = f", {_interval(one.change)}" if one.change else ""
    cost = f"; simulated cost of stock {100 * one.cost.change:+.1f} %, {_interval(one.cost)}" if one.cost else ""
    losses = f"pinball loss {one.loss:.4f} against {one.incumbent_loss:.4f}"
    return f"{word} than {one.incumbent}: {losses} ({100 * change:+.1f} %{interval}){cost}"


def _interval(change: Change) -> str:
    return f"95 % interval {100 * change.low:+.1f} to {100 * change.high:+.1f}"
