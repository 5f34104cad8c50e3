"""Whether a challenger may serve: better than what would serve without it, on the same held-out buckets."""

from collections.abc import Mapping
from dataclasses import dataclass

from model_store.training.evaluate import Scores, mean_spb
from model_store.training.paired import Change


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a challenger is accepted, and why, in sentences."""

    accepted: bool
    reasons: tuple[str, ...]


def verdict(
    challenger: Scores, incumbents: Mapping[str, Scores], changes: Mapping[str, Change | None] | None = None
) -> Verdict:
    """Return whether a challenger has a lower scaled pinball loss, mean over leads, than every incumbent.

    Where an interval of the change is known it must lie below 0: a challenger
    that may as well be worse is not worth a swap.

    Args:
        challenger: Its scores.
        incumbents: Scores of what would serve without it, by name, on the same buckets: the champion if
            there is one that fits, and what stands behind it.
        changes: Change of the loss against each of them, with its interval.

    Raises:
        ValueError: If somebody was scored at other leads or on another number of forecasts.

    Example:
        >>> from model_store.training.evaluate import LeadScore
        >>> better, worse = ({7: LeadScore(spb, 0, 0, 0, {}, 10)} for spb in (0.4, 0.5))
        >>> verdict(better, {"moving_average_28": worse}).reasons
        ('better than moving_average_28: scaled pinball loss 0.4000 against 0.5000 (-20.0 %)',)
        >>> verdict(worse, {"lstm-20111008-3f9c1a2b": better})
        Verdict(accepted=False, reasons=('not better than lstm-20111008-3f9c1a2b: \
scaled pinball loss 0.5000 against 0.4000 (+25.0 %)',))
    """
    loss = mean_spb(challenger)
    reasons, is_better = [], True
    for name, scores in incumbents.items():
        if {lead: one.n for lead, one in scores.items()} != {lead: one.n for lead, one in challenger.items()}:
            raise ValueError(f"{name} was not scored on the buckets of the challenger")
        other = mean_spb(scores)
        paired = (changes or {}).get(name)
        is_certain = loss < other and (paired is None or paired.high < 0)
        word = "better" if is_certain else "not certainly better" if loss < other else "not better"
        change = 100 * (loss / other - 1) if other > 0 else 0.0
        interval = f", 95 % interval {100 * paired.low:+.1f} to {100 * paired.high:+.1f}" if paired else ""
        reasons.append(
            f"{word} than {name}: scaled pinball loss {loss:.4f} against {other:.4f} ({change:+.1f} %{interval})"
        )
        is_better &= is_certain
    return Verdict(is_better, tuple(reasons))
