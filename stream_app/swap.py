"""Which forecaster serves: the champion, else the packaged starter, else a moving average; and following the pointers.

Whatever is wrong with a version, the one that serves stays, and a shadow that
cannot step is none. Replacing them in a partition is the processor's business.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import structlog

from model_store import artifact
from model_store.artifact import Artifact
from model_store.errors import ModelStoreError
from model_store.kinds.moving_average import FALLBACK_WINDOW_BUCKETS, fallback
from model_store.starter import starter_directory
from model_store.versions import Versions
from replenishment.engine.plan import Plan
from replenishment.forecaster import Forecaster
from stream_app.errors import ConfigError
from stream_app.ports import ForecasterSource

CHAMPION, STARTER, MOVING_AVERAGE = "champion", "starter", "moving_average"
"""Rungs of the fallback, the highest first."""
MOST_KEPT = 4
"""Loaded versions that are kept: who serves, its shadow, the one before, and those partitions still stand on."""

log = structlog.stdlib.get_logger(__name__)

Served = tuple[Forecaster, str]
"""A forecaster and its rung."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A version that cannot serve, and why."""

    version: str
    reason: str


def report_failure(failure: Failure) -> None:
    """Log a version that cannot serve."""
    log.warning("model_refused", version=failure.version, error=failure.reason)


class ChampionFollower:
    """Loads versions, falls back, and follows the champion pointer; implements ``ForecasterSource``.

    Nothing is read before the first question. Reading and testing a version
    takes some hundred milliseconds; ``look`` may be called from a thread.

    Args:
        versions: Where versions and the pointer are.
        plan: Bucket width and window that a version must fit.
        failed: Told why a version cannot serve, once for each reason.
    """

    def __init__(self, versions: Versions, plan: Plan, failed: Callable[[Failure], None] = report_failure) -> None:
        self._versions = versions
        self._plan = plan
        self._failed = failed
        self._told: dict[str, str] = {}
        self._serving: Served | None = None
        self._shadow: Forecaster | None = None
        self._loaded: dict[str, Forecaster] = {}
        self._starter: Forecaster | None = None
        self._reading = Lock()

    def champion(self) -> Served:
        """Return who should serve now, and its rung of the fallback."""
        if self._serving is None:
            self.look()
        return self._serving or self._fallen_back()

    def shadow(self) -> Forecaster | None:
        """Return who should step beside the champion as of the last look; it may be the champion meanwhile."""
        return self._shadow

    def of_version(self, version: str) -> Served | None:
        """Return the forecaster of a version and its rung, or None if it can no longer be loaded."""
        moving_average = self._moving_average()
        if moving_average[0].version == version:
            return moving_average
        with self._reading:
            starter = self._starter_version()
            if starter is not None and starter.version == version:
                return starter, STARTER
            found = self._published(version)
        return None if found is None else (found, CHAMPION)

    def of_rung(self, rung: str) -> Served | None:
        """Return who stands on a rung below the champion, or None if nobody can."""
        if rung == MOVING_AVERAGE:
            return self._moving_average()
        with self._reading:
            starter = self._starter_version() if rung == STARTER else None
        return None if starter is None else (starter, STARTER)

    def look(self) -> bool:
        """Read the pointers once; return whether another version should serve now, or on another rung."""
        with self._reading:
            before = self._serving
            self._shadow = self._shadowed(self._shadow)
            self._serving = self._pointed(before) or before or self._fallen_back()
            return before is None or _named(before) != _named(self._serving)

    def _pointed(self, before: Served | None) -> Served | None:
        """Return who the pointer says should serve; None if that cannot be read, so that who serves stays."""
        try:
            version = self._versions.champion()
        except (ModelStoreError, OSError) as damaged:
            self._tell("champion", str(damaged))
            return None
        if version is None:
            return self._fallen_back()
        if before is not None and _named(before) == (version, CHAMPION):
            return before
        found = self._published(version)
        return None if found is None else (found, CHAMPION)

    def _shadowed(self, before: Forecaster | None) -> Forecaster | None:
        """Return who the pointer says should be the shadow; the one before if that cannot be read."""
        try:
            version = self._versions.shadow()
        except (ModelStoreError, OSError) as damaged:
            self._tell("shadow", str(damaged))
            return before
        self._told.pop("shadow", None)
        if version is None or (before is not None and before.version == version):
            return before if version else None
        return self._published(version)

    def _fallen_back(self) -> Served:
        starter = self._starter_version()
        return self._moving_average() if starter is None else (starter, STARTER)

    def _moving_average(self) -> Served:
        length = max(2, min(FALLBACK_WINDOW_BUCKETS, self._plan.window_buckets))
        return fallback(self._plan.width, length), MOVING_AVERAGE

    def _starter_version(self) -> Forecaster | None:
        if self._starter is None:
            self._starter = self._built(STARTER, lambda: artifact.read(starter_directory(), packaged=True))
        return self._starter

    def _published(self, version: str) -> Forecaster | None:
        if version not in self._loaded:
            built = self._built(version, lambda: self._versions.read(version))
            if built is None:
                return None
            while len(self._loaded) >= MOST_KEPT:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[version] = built
        return self._loaded[version]

    def _built(self, name: str, read: Callable[[], Artifact]) -> Forecaster | None:
        try:
            found = read()
            found.require_fits(self._plan.width, self._plan.window_buckets)
            built = found.forecaster()
        except (ModelStoreError, OSError) as wrong:
            self._tell(name, str(wrong))
            return None
        self._told.pop(name, None)
        return built

    def _tell(self, version: str, reason: str) -> None:
        if self._told.get(version) != reason:
            self._told[version] = reason
            self._failed(Failure(version, reason))


@dataclass(frozen=True, slots=True)
class OneForecaster:
    """Implements ``ForecasterSource`` with a forecaster that was chosen by name."""

    forecaster: Forecaster
    rung: str

    def champion(self) -> Served:
        """Return the one."""
        return self.forecaster, self.rung

    def of_version(self, version: str) -> Served | None:
        """Return the one if it is of that version."""
        return (self.forecaster, self.rung) if self.forecaster.version == version else None


def source_of(name: str | None, models: Path, plan: Plan) -> ForecasterSource:
    """Return who forecasts where a user may choose: the follower of the champion, or the version of a name.

    Args:
        name: A published version, ``starter``, ``moving_average``, or None for whoever should serve.
        models: Directory of versions.
        plan: Bucket width and window that the version must fit.

    Raises:
        ConfigError: If the version named cannot serve.
    """
    failures: list[Failure] = []
    if name is None:
        return ChampionFollower(Versions(models), plan)
    follower = ChampionFollower(Versions(models), plan, failures.append)
    served = follower.of_rung(name) or follower.of_version(name)
    if served is None:
        reasons = [failure.reason for failure in failures if failure.version == name]
        reason = reasons[0] if reasons else "is no version"
        raise ConfigError([f"--model {name}: {reason}"])
    return OneForecaster(*served)


def champion_follower(models: Path, plan: Plan, refused: Callable[[], None]) -> ChampionFollower:
    """Return who follows the champion of a directory for a worker.

    Args:
        models: Directory of versions.
        plan: Bucket width and window that a version must fit.
        refused: Called for each version that cannot serve, after it was logged.
    """

    def failed(failure: Failure) -> None:
        report_failure(failure)
        refused()

    return ChampionFollower(Versions(models), plan, failed)


def _named(served: Served) -> tuple[str, str]:
    return served[0].version, served[1]


_roles: tuple[type[ForecasterSource], ...] = (ChampionFollower, OneForecaster)
