"""Who forecasts in a simulation: a published version, the champion, or a model fitted on what precedes it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from replenishment.closed_loop.world import Period
from replenishment.engine.plan import Plan
from replenishment.forecaster import Forecaster, Serving
from stream_app.errors import ConfigError
from stream_app.settings import Settings
from stream_app.simulate.files import Given
from stream_app.simulate.run import Candidate
from stream_app.swap import MOVING_AVERAGE, STARTER, source_of

if TYPE_CHECKING:
    from stream_app.simulate.availability import KnownAvailability
    from stream_app.simulate.planned import Planned

_TRAINING = ("polars", "tensorflow", "keras")


def candidate_of(
    name: str | None,
    settings: Settings,
    plan: Plan,
    files: Given,
    period: Period,
    *,
    planned: "Planned | None" = None,
    available: "KnownAvailability | None" = None,
) -> Candidate:
    """Return who forecasts: a version, a kind fitted on what precedes the period, or for None the champion.

    Args:
        name: A version, ``starter``, a kind, or None.
        settings: Where versions are.
        plan: Rules on the period's buckets.
        files: What is known before the period, among others.
        period: The buckets that are played.
        planned: What the model learns beside demand.
        available: When stock keys could be sold, as the model learns it and closings are told it.
    """
    found = None if name in (None, MOVING_AVERAGE) else _fitted(str(name), files, period, planned, available)
    forecaster, rung = source_of(name, settings.models, plan).champion() if found is None else (found, str(name))
    return Candidate(name or forecaster.version, Serving(forecaster, rung=rung, availability=available))


def planned_of(
    path: Path | None, signal_columns: str, covariate_columns: str, files: Given, period: Period
) -> "Planned | None":
    """Return the plans of a file and say on stderr what is used of them; None without a file.

    Raises:
        ConfigError: If columns are named without a file, or the file cannot be used.
    """
    ahead, after = (
        [one.strip() for one in named.split(",") if one.strip()] for named in (signal_columns, covariate_columns)
    )
    if path is None:
        if ahead or after:
            raise ConfigError(["--signal-columns and --covariate-columns name columns of --signals FILE; name it too"])
        return None
    try:
        from stream_app.simulate.planned import planned
    except ImportError as missing:
        raise _not_installed("--signals", missing) from missing
    found = planned(path, ahead, after, files=files, period=period)
    click.echo(f"{path.name}: {found.said}", err=True)
    return found


def available_of(path: Path | None, files: Given, period: Period) -> "KnownAvailability | None":
    """Return the bucket facts of an inventory file and say on stderr how many there are; None if there are none.

    Raises:
        ConfigError: If a fact is wrong.
    """
    if path is None or not files.bucket_facts:
        return None
    try:
        from stream_app.simulate.availability import availability
    except ImportError as missing:
        raise _not_installed("--inventory with bucket facts", missing) from missing
    found = availability(path, period)
    click.echo(f"{path.name}: {files.bucket_facts:,} bucket facts are used", err=True)
    return found


def _fitted(
    name: str,
    files: Given,
    period: Period,
    planned: "Planned | None",
    available: "KnownAvailability | None",
) -> Forecaster | None:
    """Return a model that was fitted once, on what was known before the period; None if it is none that is fitted."""
    try:
        from stream_app.simulate.fitting import can_fit, fitted

        return fitted(name, files.lines, period, planned, available) if can_fit(name) else None
    except ImportError as missing:
        if name != STARTER and missing.name in _TRAINING:
            raise _not_installed(f"--model {name}", missing) from missing
        return None


def _not_installed(option: str, missing: ImportError) -> ConfigError:
    return ConfigError([f"{option} may need {missing.name}; run `pip install restock[train]`"])
