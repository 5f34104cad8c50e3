"""Public holidays of a country as a channel that is known ahead; a version carries their dates.

Only holidays are used that came at least twice in what is learnt from: of one
that came once nothing can be told from the other things of that day.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from model_store.errors import ModelStoreError
from model_store.training.bucketing import AnchoredGrid
from model_store.training.errors import UnusableHistory
from model_store.training.history import DemandHistory
from model_store.training.plans import Plans

LEAST_OCCURRENCES = 2
YEARS_AHEAD = 3
"""How long beyond the last demand a version knows the dates."""
_DAY_SECONDS = 86_400


class HolidaysMissing(ModelStoreError):
    """The library that knows holidays is not installed.

    Operator action: pip install 'restock[train]'.
    """


@dataclass(frozen=True, slots=True)
class Chosen:
    """Dates of the holidays that are used, rising, and what to say of those that are not."""

    dates: tuple[date, ...]
    said: str


def holidays_of(code: str, first: date, last: date) -> Mapping[str, Sequence[date]]:
    """Return the dates of each holiday from one date to another, by name.

    Args:
        code: Country, or country and subdivision: ``GB``, ``GB-SCT``, ``US-CA``.
        first: First date.
        last: Last date.

    Raises:
        HolidaysMissing: If the library is not installed.
        UnusableHistory: If it does not know the country or subdivision.
    """
    try:
        from holidays import country_holidays  # noqa: PLC0415 - only for those who want holidays
    except ModuleNotFoundError as error:
        raise HolidaysMissing("holidays is not installed. Install it: pip install 'restock[train]'") from error
    country, _, part = code.partition("-")
    try:
        known = country_holidays(country, subdiv=part or None, years=range(first.year, last.year + 1), observed=False)
    except NotImplementedError as error:
        raise UnusableHistory(
            f"--holidays {code}: {error}. Name a country by its ISO 3166 code, perhaps with a part: GB, GB-SCT"
        ) from error
    dates = defaultdict(list)
    for day in sorted(known):
        if first <= day <= last:
            for name in known.get_list(day):
                dates[name].append(day)
    return dates


def chosen(dates: Mapping[str, Sequence[date]], code: str, first: date, last: date) -> Chosen:
    """Return the holidays that came at least twice from ``first`` to ``last``, with all their dates."""
    count = {name: sum(first <= day <= last for day in days) for name, days in dates.items()}
    used = [name for name, times in count.items() if times >= LEAST_OCCURRENCES]
    days = sorted({day for name in used for day in dates[name]})
    left = sorted(name for name, times in count.items() if 0 < times < LEAST_OCCURRENCES)
    said = f"holidays of {code}: {len(used)} are used"
    if left:
        said += f"; {len(left)} are off since they came once only: {', '.join(left)}"
    if not used:
        said = f"holidays of {code} are off: none came twice from {first} to {last}. Learn from a longer history"
    return Chosen(tuple(days), said)


def with_holidays(
    history: DemandHistory, code: str, until_column: int, grid: AnchoredGrid, reach_buckets: int
) -> tuple[DemandHistory, str]:
    """Return a history that knows the holidays of a country, and what to say of them.

    Args:
        history: Demand, perhaps with plans.
        code: See `holidays_of`.
        until_column: End of what is learnt from.
        grid: Edges of the buckets.
        reach_buckets: How many buckets ahead are shown.

    Raises:
        HolidaysMissing: If the library is not installed.
        UnusableHistory: If it does not know the country.
    """
    first, until = (_local_day(grid, history.first_bucket + column) for column in (0, until_column))
    last = until - timedelta(days=1)
    beyond = _local_day(grid, history.first_bucket + history.buckets) + timedelta(days=366 * YEARS_AHEAD)
    found = chosen(holidays_of(code, first, beyond), code, first, last)
    if not found.dates:
        return history, found.said
    # A version counts buckets from a Monday; an evaluation's grid may be moved against it.
    moved = timedelta(days=grid.moved_ms // (_DAY_SECONDS * 1000))
    plans = history.plans or Plans.nothing(reach_buckets)
    dates = tuple((day - moved).isoformat() for day in found.dates)
    return replace(history, plans=replace(plans, holidays=dates)), found.said


def _local_day(grid: AnchoredGrid, bucket: int) -> date:
    local_ms = grid.start_of(bucket) + grid.width.offset_seconds * 1000
    return datetime.fromtimestamp(local_ms / 1000, UTC).date()
