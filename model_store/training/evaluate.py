"""Rolling-origin evaluation: a forecaster learns bucket by bucket, forecasts at origins, and is scored on what came.

It is fitted beforehand and only advanced here, from a memory of zeros through
its context, as a worker warms a version from its window. Demand is read off
its curves as the engine reads it (`replenishment.quantiles`).
"""

from collections.abc import Callable, Iterator

import numpy as np

from model_store.training.history import DemandHistory
from model_store.training.scoring import (
    ESTABLISHED_BUCKETS,
    LEVELS,
    TABLE_LEVELS,
    LeadForecasts,
    LeadScore,
    Origins,
    Scores,
    actuals_of,
    pinball_loss,
    scores_of,
)
from replenishment.arrays import Float32s
from replenishment.forecaster import Forecaster
from replenishment.quantiles import over

__all__ = [
    "ESTABLISHED_BUCKETS",
    "LEVELS",
    "LeadScore",
    "Origins",
    "Scores",
    "evaluate",
    "forecasts",
    "held_out",
    "lead_forecasts",
    "mean_spb",
    "pinball_loss",
    "rows_of",
]


def mean_spb(scores: Scores) -> float:
    """Return the scaled pinball loss, mean over leads."""
    return float(np.mean([score.spb for score in scores.values()]))


def forecasts(forecaster: Forecaster, history: DemandHistory, origins: Origins) -> Iterator[tuple[int, Float32s]]:
    """Yield at each origin the quantiles (B, H, Q) of the B keys born before it, seeing earlier buckets only."""
    wanted = set(origins.columns)
    memory = np.zeros((history.born_by(origins.columns[-1] - 1), forecaster.memory_floats), dtype=np.float32, order="F")
    for column in range(max(origins.columns[0] - forecaster.context_buckets, 0), origins.columns[-1]):
        closed = history.closed(column)
        born = len(closed.demand_units)
        forecast = forecaster.step(closed, memory[:born])
        memory[:born] = forecast.memory
        if column + 1 in wanted:
            yield column + 1, forecast.quantiles


def lead_forecasts(
    forecaster: Forecaster,
    history: DemandHistory,
    origins: Origins,
    stage: Callable[[float, float], None] | None = None,
) -> LeadForecasts:
    """Return what a forecaster says at each origin of the demand over each lead, seeing earlier buckets only.

    Keys that are not born at an origin have no forecast there. ``stage`` is told of origins done.
    """
    sizes = (len(history.keys), len(origins.columns), len(origins.leads))
    quantiles = np.full((*sizes, len(TABLE_LEVELS)), np.nan, dtype=np.float32)
    mean = np.full(sizes, np.nan)
    for place, (_, surface) in enumerate(forecasts(forecaster, history, origins)):
        known = len(surface)
        for lead_place, lead in enumerate(origins.leads):
            curve = over(forecaster.grid, surface, np.full(known, lead))
            mean[:known, place, lead_place] = curve.mean()
            for column, level in enumerate(TABLE_LEVELS):
                quantiles[:known, place, lead_place, column] = curve.quantile(np.full(known, level))
        if stage is not None:
            stage(place + 1, len(origins.columns))
    return LeadForecasts(quantiles, mean)


def evaluate(forecaster: Forecaster, history: DemandHistory, origins: Origins) -> Scores:
    """Return the scores of a forecaster at each lead.

    Scored are established keys, born 60 buckets before the first origin; if
    there are none, all that have a lead sum before it. A forecast over a bucket of
    which nothing is known is not scored.

    Raises:
        ValueError: If a lead reaches behind the history.
    """
    actuals = actuals_of(history, origins)
    return scores_of(actuals, lead_forecasts(forecaster, history, origins), origins.leads, actuals.top)


def held_out(buckets: int, horizons: tuple[int, ...]) -> Origins:
    """Return origins over the last buckets of a history, to be kept from training.

    Up to four origins a short lead apart; leads are half the longest horizon
    and all of it. At most a quarter of the history is held out, as long as one
    origin fits.

    Example:
        >>> held_out(344, tuple(range(1, 15)))
        Origins(columns=(309, 316, 323, 330), leads=(7, 14))
    """
    longest = horizons[-1]
    leads = tuple(sorted({max(longest // 2, 1), longest}))
    count = min(4, max(1, (buckets // 4 - longest) // leads[0] + 1))
    last = max(buckets - longest, 1 + leads[0] * (count - 1))
    return Origins(tuple(last - leads[0] * back for back in reversed(range(count))), leads)


def rows_of(scores: Scores) -> dict[str, float]:
    """Return scores as named figures, e.g. for a manifest: ``spb_7``, ``coverage_7_95``."""
    figures: dict[str, float] = {}
    for lead, score in scores.items():
        figures |= {f"spb_{lead}": score.spb, f"wpb_{lead}": score.wpb, f"wape_{lead}": score.wape}
        figures |= {f"bias_{lead}": score.bias}
        figures |= {f"coverage_{lead}_{level * 100:g}": share for level, share in score.coverage.items()}
    return {name: round(value, 6) for name, value in figures.items()}
